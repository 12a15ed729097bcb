"""The chat's consumer."""

from urllib.parse import parse_qs

from channels.generic.websocket import AsyncWebsocketConsumer

from bridge.websocket import abroadcast, ajoin, aleave


class Chat(AsyncWebsocketConsumer):
    """Sends what each client writes to all of them. There is a new consumer for each event of a connection."""

    async def connect(self):
        self.connection = self.scope["extensions"]["bridge.websocket"]
        self.name = parse_qs(self.scope["query_string"].decode()).get("name", ["somebody"])[0]
        await self.accept()
        if self.connection["event"] == "CONNECT":
            await ajoin("lobby", self.connection["connection_id"])
            await abroadcast("lobby", f"{self.name} has joined")

    async def receive(self, text_data=None, bytes_data=None):
        session = self.connection["session"]  # kept between the events of the connection
        session["count"] = session.get("count", 0) + 1
        await abroadcast("lobby", f"{self.name} ({session['count']}): {text_data}")

    async def disconnect(self, code):
        await aleave("lobby", self.connection["connection_id"])
        await abroadcast("lobby", f"{self.name} has left")
