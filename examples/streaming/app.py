"""Server-sent events and a long text, streamed by Starlette behind a Function URL or a REST API.

bridge serve --runtime --source function-url --response-mode stream examples/streaming/app.py:app
"""

import asyncio
import time

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, StreamingResponse
from starlette.routing import Route

PAGE = """<!doctype html>
<meta charset="utf-8">
<title>Streaming</title>
<h1>Server-sent events</h1>
<ol id="events"></ol>
<p id="state">connecting</p>
<script>
  const source = new EventSource("events" + location.search);
  const state = document.getElementById("state");
  source.onopen = () => { state.textContent = "connected"; };
  source.onmessage = (event) => {
    const item = document.createElement("li");
    const age = Date.now() - 1000 * JSON.parse(event.data).sent;
    item.textContent = `sent ${age.toFixed(0)} ms ago`;
    document.getElementById("events").append(item);
  };
  source.onerror = () => { source.close(); state.textContent = "closed"; };
</script>
"""


async def page(request):
    return HTMLResponse(PAGE)


async def events(request):
    """Send ``count`` events, ``seconds`` apart."""
    count = int(request.query_params.get("count", 10))
    seconds = float(request.query_params.get("seconds", 1))

    async def send():
        for number in range(count):
            if number:
                await asyncio.sleep(seconds)
            yield f'id: {number}\ndata: {{"sent": {time.time():.3f}}}\n\n'

    return StreamingResponse(send(), media_type="text/event-stream", headers={"cache-control": "no-cache"})


async def numbers(request):
    """Send ``count`` lines, in the memory of one."""

    async def lines():
        for number in range(int(request.query_params.get("count", 1000))):
            yield f"{number}\n"

    return StreamingResponse(lines(), media_type="text/plain")


app = Starlette(routes=[Route("/", page), Route("/events", events), Route("/numbers", numbers)])
