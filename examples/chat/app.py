"""A chat with FastAPI behind a WebSocket API.

bridge serve --source websocket examples/chat/app.py:app
"""

import json
import os

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from fastapi.responses import HTMLResponse

from bridge.websocket import abroadcast, ajoin, aleave

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Chat</title>
<h1>Chat</h1>
<ol id="messages" aria-live="polite"></ol>
<form id="form"><label>Message <input id="text" autocomplete="off"></label> <button>Send</button></form>
<p id="state">connecting</p>
<script>
  const here = `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/`;
  const name = new URLSearchParams(location.search).get("name") || "somebody";
  const socket = new WebSocket(`${URL_OF_API || here}?name=${encodeURIComponent(name)}`);
  const state = document.getElementById("state");
  const text = document.getElementById("text");
  socket.onopen = () => { state.textContent = "connected"; };
  socket.onclose = () => { state.textContent = "closed"; };
  socket.onmessage = (event) => {
    const item = document.createElement("li");
    item.textContent = event.data;
    document.getElementById("messages").append(item);
  };
  document.getElementById("form").onsubmit = (event) => {
    event.preventDefault();
    socket.send(text.value);
    text.value = "";
  };
</script>
"""

app = FastAPI()


@app.get("/", response_class=HTMLResponse)
def page():
    """The page, whose WebSocket is at the address in the variable, or at the page's own."""
    return PAGE.replace("URL_OF_API", json.dumps(os.environ.get("WEBSOCKET_URL", "")))


@app.websocket("/")
async def chat(websocket: WebSocket, name: str = "somebody"):
    """Send what each client writes to all of them. This function runs from its beginning for each event."""
    connection = websocket.scope["extensions"]["bridge.websocket"]
    await websocket.accept()
    if connection["event"] == "CONNECT":
        await ajoin("lobby", connection["connection_id"])
        await abroadcast("lobby", f"{name} has joined")
    try:
        while True:
            text = await websocket.receive_text()
            session = connection["session"]  # kept between the events of the connection
            session["count"] = session.get("count", 0) + 1
            await abroadcast("lobby", f"{name} ({session['count']}): {text}")
    except WebSocketDisconnect:
        await aleave("lobby", connection["connection_id"])
        await abroadcast("lobby", f"{name} has left")
