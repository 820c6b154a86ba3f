"""Kept connections on which one request follows the other, and what was answered."""
import asyncio
import collections
import itertools
import json
import re
import ssl
import threading
import time

from walls import address


def tls(stack):
    return ssl.create_default_context(cafile=stack.ca_file)


class Load:
    """So many connections, on a thread of their own; a with block. They GET, or POST what bodies yields."""

    def __init__(self, stack, client, path, count, *, bodies=None):
        self.stack = stack
        self.path = f"/api/v1{path}"
        self.count = count
        self.key = client.key
        self.answers = collections.Counter()  # by status; 0: the connection was lost
        self.said = []  # the JSON of each 200 to a POST
        self.slowest = [0.0] * count  # the longest wait for one answer
        self.served = [0] * count
        self._bodies = bodies
        self._stopping = False
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopping = True
        self._thread.join()

    def wait_served(self, more):
        """Until so many more requests have been answered."""
        served = sum(self.served)
        self.stack.wait_until(lambda: sum(self.served) >= served + more, "requests go on")

    async def _run(self):
        await asyncio.gather(*(self._one(n) for n in range(self.count)))

    async def _one(self, n):
        host, port = address(self.stack.base_url)
        reader, writer = await asyncio.open_connection(host, port, ssl=tls(self.stack),
                                                       server_hostname="localhost")
        try:
            while not self._stopping:
                await self._exchange(n, reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            self.answers[0] += 1
        writer.close()

    async def _exchange(self, n, reader, writer):
        began = time.monotonic()
        writer.write(self._request())
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.I)
        body = await (reader.readexactly(int(length[1])) if length
                      else reader.readuntil(b"\r\n0\r\n\r\n"))  # nginx's own errors
        status = int(head.split()[1])
        self.answers[status] += 1
        if self._bodies and status == 200:
            self.said.append(json.loads(body))
        self.served[n] += 1
        self.slowest[n] = max(self.slowest[n], time.monotonic() - began)

    def _request(self) -> bytes:
        headers = f"Host: localhost\r\nX-API-KEY: {self.key}\r\n"
        if not self._bodies:
            return f"GET {self.path} HTTP/1.1\r\n{headers}\r\n".encode()
        body = json.dumps(next(self._bodies))
        return (f"POST {self.path} HTTP/1.1\r\n{headers}Content-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


def quick_calls(seed):
    """Bodies of quick calls to numbers that are busy at once, each another one."""
    return ({"phone_number": f"9020{seed % 10}{number:05}"} for number in itertools.count())


def batches(count):
    """Bodies of batches with so many numbers that are busy at once."""
    return ({"batch_id": batch, "data": [{"phone_number": f"90210{(batch * count + i) % 100000:05}"}
                                         for i in range(count)]} for batch in itertools.count(1))
