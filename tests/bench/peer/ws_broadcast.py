#!/usr/bin/python3
"""What ccs-relay is measured beside: Python's websockets.broadcast on uvloop.

    ws_peer.py SOCKET PUBLISH      every line that comes over PUBLISH goes to all subscribers of SOCKET
"""
import asyncio
import sys

import uvloop
import websockets

_subscribers = set()


async def subscriber(connection, *_):
    _subscribers.add(connection)
    try:
        await connection.wait_closed()
    finally:
        _subscribers.discard(connection)


async def publisher(reader, writer):
    while line := await reader.readline():
        websockets.broadcast(_subscribers, line[:-1].decode())
    writer.close()


async def main(path, publish):
    async with websockets.unix_serve(subscriber, path, compression=None, ping_interval=None, backlog=4096):
        await asyncio.start_unix_server(publisher, publish, limit=1 << 20)
        await asyncio.Future()


uvloop.install()
asyncio.run(main(*sys.argv[1:]))
