"""Somebody's server that takes callbacks: keeps what came, and answers as it is told."""
import contextlib
import http.client
import http.server
import json
import ssl
import threading
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Delivery:
    """One request, as it came."""

    at: float
    path: str
    headers: object  # names in any case
    body: bytes
    status: int  # what was answered

    @property
    def event(self) -> dict:
        return json.loads(self.body)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


class Receiver:
    """An https server on 127.0.0.1. answer(delivery's body as JSON) is the status of the next answers; it may wait."""

    def __init__(self, certificate):
        self.deliveries = []
        self.answer = lambda event: 200
        self.headers = {}  # of the answers
        self.behind = None  # port of somebody who speaks http, and answers instead
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_name("server.key"))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}/callback"

    def take(self, path, headers, body) -> int:
        status = self._ask(path, headers, body) if self.behind else self.answer(json.loads(body))
        with self._lock:
            self.deliveries.append(Delivery(time.time(), path, headers, body, status))
        return status

    def _ask(self, path, headers, body) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.behind)
        try:
            connection.request("POST", path, body, dict(headers.items()))
            return connection.getresponse().status
        finally:
            connection.close()

    def taken(self) -> list:
        """What was answered with 2xx, in order of arrival."""
        with self._lock:
            return [one for one in self.deliveries if 200 <= one.status < 300]

    def events(self, *types) -> list:
        """Bodies of what was taken, of these types or of all."""
        return [one.event for one in self.taken() if not types or one.event["type"] in types]

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        """Whoever hangs up early is nobody's trouble here."""


def _handler(receiver):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(receiver.take(self.path, self.headers, body))
            self.send_header("Content-Length", "0")
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_):
            pass

    return Handler


@contextlib.contextmanager
def receiving(stack):
    """A receiver whose certificate the stack's courier believes."""
    receiver = Receiver(stack.certificate)
    try:
        yield receiver
    finally:
        receiver.close()
