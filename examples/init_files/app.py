"""A page, and numbers sent one by one, which arrive one by one behind a streaming Function URL."""

import asyncio

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route


async def page(request):
    return PlainTextResponse(f"This is {request.url}\n")


async def count(request):
    """Send ``to`` numbers, ``seconds`` apart."""
    numbers = range(int(request.query_params.get("to", 5)))
    seconds = float(request.query_params.get("seconds", 1))

    async def lines():
        for number in numbers:
            if number:
                await asyncio.sleep(seconds)
            yield f"{number}\n"

    return StreamingResponse(lines(), media_type="text/plain")


app = Starlette(routes=[Route("/", page), Route("/count", count)])
