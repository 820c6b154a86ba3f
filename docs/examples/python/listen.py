#!/usr/bin/python3
"""What happens to your calls, as it happens, until you end it: listen.py. It connects again by itself, and says when it has
missed something: what then is true stands in GET /client-call-details/details.

CCS_URL, CCS_KEY and CCS_CA as in campaign.py. Needs Debian's python3-websockets, or `pip install websockets`.
"""
import asyncio
import json
import logging
import os
import ssl

import websockets
from ccs import backoff

EVENTS = ["call_started", "call_answered", "call_ended", "call_failed"]
log = logging.getLogger("ccs")


def show(event):
    call = event["payload"]
    print(event["type"], call["call_id"], call["phone_number"], call.get("reason") or call.get("duration", ""), flush=True)


class Listener:
    last_seq = None  # of the last event that was seen

    async def hear(self, socket):
        """Prints events until the connection ends."""
        await socket.send(json.dumps({"type": "subscribe", "events": EVENTS}))
        async for text in socket:
            message = json.loads(text)
            if "seq" in message:
                if self.last_seq and message["prev"] > self.last_seq:
                    print(f"missed what came after {self.last_seq}", flush=True)
                self.last_seq = message["seq"]
                show(message)
            elif message["type"] != "connected":  # subscribed, gap, error
                print(text, flush=True)

    async def hear_for_ever(self, connect):
        attempt = 0
        while True:
            attempt += 1
            try:
                async with connect() as socket:
                    attempt = 0
                    await self.hear(socket)
            except (OSError, websockets.WebSocketException) as failure:
                log.warning("disconnected: %s", failure)
            await asyncio.sleep(backoff(attempt + 1))


def connect():
    """A key in a header stays out of logs, where one in an address may end."""
    address = os.environ["CCS_URL"].replace("http", "ws", 1).rstrip("/") + "/api/ws/v1/monitoring/ws"
    context = ssl.create_default_context(cafile=os.environ.get("CCS_CA")) if address.startswith("wss") else None
    headers = "additional_headers" if int(websockets.__version__.split(".")[0]) >= 14 else "extra_headers"
    return websockets.connect(address, ssl=context, **{headers: {"X-API-KEY": os.environ["CCS_KEY"]}})


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(Listener().hear_for_ever(connect))
