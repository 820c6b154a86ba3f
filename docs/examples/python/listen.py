#!/usr/bin/python3
"""What happens to your calls, as it happens, until you end it: listen.py. It connects again by itself and goes on where it was.
What the WebSocket cannot tell any more it reads from GET /events. So every event comes once, in order; who stores `position`
together with what he has done for an event can also end in between.

CCS_URL, CCS_KEY and CCS_CA as in campaign.py. Needs Debian's python3-websockets, or `pip install websockets`.
"""
import asyncio
import json
import logging
import os
import ssl

import websockets
from ccs import backoff, from_environment

EVENTS = ["call_started", "call_answered", "call_ended", "call_failed"]
log = logging.getLogger("ccs")


def show(event):
    call = event["payload"]
    print(event["type"], call["call_id"], call["phone_number"], call.get("reason") or call.get("duration", ""), flush=True)


class Listener:
    def __init__(self, ccs, position=None):
        self.ccs = ccs
        self.position = position  # all events up to this seq have been shown
        self.pause = None  # seconds that the server has asked us to wait before we connect again
        if position is None:
            self.position = ccs.get("/events", limit=1)["last_seq"]

    def take(self, event):
        """An event that comes a second time is left out."""
        if event["seq"] > self.position:
            show(event)
            self.position = event["seq"]

    def fill(self, before):
        """What happened after our position and before this seq; None: all there is."""
        end = before or float("inf")
        more = True
        while more and self.position < end - 1:
            page = self.ccs.get("/events", after=self.position, types=",".join(EVENTS), limit=1000)
            for event in page["items"]:
                if event["seq"] < end:
                    self.take(event)
            self.position = min(page["next_after"], end - 1)
            more = page["more"]

    def hear(self, message):
        kind = message["type"]
        if "payload" in message:
            if message["prev"] > self.position:
                self.fill(message["seq"])
            self.take(message)
        elif kind == "mark":
            self.position = max(self.position, message["seq"])
        elif kind == "resync_required":
            self.fill(message["before"])
        elif kind != "connected":  # subscribed, gap, closing, error
            print(json.dumps(message), flush=True)
        if kind == "closing":
            self.pause = message["reconnect_after_ms"] / 1000

    async def listen(self, socket):
        """Until the connection ends."""
        await socket.send(json.dumps({"type": "subscribe", "events": EVENTS, "resume_from": self.position}))
        async for text in socket:
            self.hear(json.loads(text))

    async def hear_for_ever(self, connect):
        attempt = 0
        while True:
            attempt += 1
            try:
                async with connect() as socket:
                    attempt = 0
                    await self.listen(socket)
            except (OSError, websockets.WebSocketException) as failure:
                log.warning("disconnected: %s", failure)
            pause, self.pause = self.pause, None
            await asyncio.sleep(backoff(attempt + 1) if pause is None else pause)


def connect():
    """A key in a header stays out of logs, where one in an address may end."""
    address = os.environ["CCS_URL"].replace("http", "ws", 1).rstrip("/") + "/api/ws/v1/monitoring/ws"
    context = ssl.create_default_context(cafile=os.environ.get("CCS_CA")) if address.startswith("wss") else None
    headers = "additional_headers" if int(websockets.__version__.split(".")[0]) >= 14 else "extra_headers"
    return websockets.connect(address, ssl=context, **{headers: {"X-API-KEY": os.environ["CCS_KEY"]}})


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(Listener(from_environment()).hear_for_ever(connect))
