"""TLS in front of a port that speaks none, so that simulated servers can be reached as real ones often are."""
import asyncio
import contextlib
import ssl
import threading


class TlsFront:
    """`with TlsFront(port, certificate, key) as front`: what comes to front.port goes on to port, both on loopback."""

    def __init__(self, port, certificate, key):
        self._target = port
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server = None

    @property
    def port(self):
        return self._server.sockets[0].getsockname()[1]

    def __enter__(self):
        self._thread.start()
        self._server = self._do(asyncio.start_server(self._carry, "127.0.0.1", 0, ssl=self._context))
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _carry(self, reader, writer):
        """Until either side ends, which ends the other: a half-open connection hides a death."""
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.close()
            return
        ways = [asyncio.ensure_future(_pump(reader, far_writer)), asyncio.ensure_future(_pump(far_reader, writer))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for end in (writer, far_writer):
            end.close()


async def _pump(reader, writer):
    with contextlib.suppress(OSError, ssl.SSLError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
