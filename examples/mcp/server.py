"""An MCP server with the streamable HTTP transport. No code for AWS."""

import asyncio
import os

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import PlainTextResponse

mcp = MCPServer("teas")


@mcp.tool()
def price(tea: str) -> int:
    """The price of a tea."""
    return {"sencha": 4, "assam": 3}[tea]


@mcp.tool()
async def brew(tea: str, minutes: int, context: Context) -> str:
    """Brew a tea, and report the progress."""
    for minute in range(minutes):
        await asyncio.sleep(0.1)
        await context.report_progress(minute + 1, minutes)
    return f"A cup of {tea}"


server = mcp.streamable_http_app(
    # Each request may reach another process of the function.
    stateless_http=True,
    # Without streaming an answer is JSON; with streaming, server-sent events: progress arrives as it is reported.
    json_response=os.environ.get("BRIDGE_RESPONSE_MODE") != "stream",
    # The check of the Host header is for servers on a laptop. On AWS the front door has the host.
    transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
)


async def app(scope, receive, send):
    """Refuse clients that listen for messages: a stateless server has none, and would keep them waiting."""
    if scope["type"] == "http" and scope["method"] == "GET":
        await PlainTextResponse("Method Not Allowed", 405)(scope, receive, send)
    else:
        await server(scope, receive, send)
