"""Somebody guesses passwords, and others go on working meanwhile."""
import asyncio
import collections
import json
import ssl
import time
from urllib.parse import urlsplit

LOGIN = "/auth/login"


class Line:
    """A kept HTTPS connection, from any address of the loopback network."""

    def __init__(self, reader, writer):
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, base_url, ca_file, address=None):
        place = urlsplit(base_url)
        return cls(*await asyncio.open_connection(
            place.hostname, place.port, ssl=ssl.create_default_context(cafile=ca_file),
            server_hostname="localhost", local_addr=(address, 0) if address else None))

    async def request(self, method, path, body=None, **headers):
        """Status and headers, whose names are in lower case."""
        text = json.dumps(body).encode() if body is not None else b""
        lines = [f"{method} /api/v1{path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(text)}",
                 *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
        self._writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + text)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower().splitlines()
        found = dict(line.split(": ", 1) for line in head[1:-1])
        await self._skip_body(found)
        return int(head[0].split()[1]), found

    async def _skip_body(self, headers):
        if "content-length" in headers:
            await self._reader.readexactly(int(headers["content-length"]))
        else:  # nginx's own errors come in chunks
            while size := int(await self._reader.readline(), 16):
                await self._reader.readexactly(size + 2)
            await self._reader.readline()

    def cut(self):
        """nginx would keep the port for a while after an orderly end."""
        self._writer.transport.abort()


async def guess(line, numbers, tally, *, users, every_s=0):
    """Tries a wrong password for each number: as fast as the answers come, or one in so many seconds. tally counts the
    statuses, and how long was asked to wait."""
    due = time.monotonic()
    for number in numbers:
        status, headers = await line.request(
            "POST", LOGIN, {"username": f"victim{number % users}", "password": f"guess{number}"})
        tally[status] += 1
        if status == 429:
            tally["wait", int(headers["retry-after"])] += 1
        due += every_s
        await asyncio.sleep(max(0, due - time.monotonic()) if every_s else 0)
    line.cut()


async def besiege(base_url, ca_file, addresses, count, *, users=50, every_s=0):
    """count guesses, spread over these addresses, a connection each. every_s is of all together. The tally."""
    tally = collections.Counter()
    lines = [await Line.open(base_url, ca_file, address) for address in addresses]
    await asyncio.gather(*[
        guess(line, range(first, count, len(lines)), tally, users=users, every_s=every_s * len(lines))
        for first, line in enumerate(lines)])
    return tally


async def repeat(line, method, path, seconds_each, stop, *, body=None, pause_s=0.005, least=100, **headers):
    """How long this request takes, again and again, until stop() is true and it was made so often."""
    while not stop() or len(seconds_each) < least:
        began = time.perf_counter()
        status, _ = await line.request(method, path, body() if body else None, **headers)
        seconds_each.append(time.perf_counter() - began)
        assert status == 200, status
        await asyncio.sleep(pause_s)
    line.cut()
