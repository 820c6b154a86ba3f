"""A proxy that treats each request badly before it lets it through: what clients must live with."""
import contextlib
import itertools
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

WAIT_S = 1
_HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "content-encoding", "date", "server"}


@dataclass
class Seen:
    """All attempts of one request."""

    trouble: str
    attempts: list = field(default_factory=list)  # moment and headers of each


class Troubled:
    """In front of a stack. seen: (method, path, body) -> Seen, in the order in which they first came."""

    TROUBLES = ("answer lost", "503", "429")

    def __init__(self, stack):
        self._stack = stack
        self._troubles = itertools.cycle(self.TROUBLES)
        self._lock = threading.Lock()
        self.seen = {}

    def answer(self, handler):
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        request = handler.command, handler.path, body
        with self._lock:
            seen = self.seen.setdefault(request, None) or Seen(next(self._troubles))
            self.seen[request] = seen
            seen.attempts.append((time.monotonic(), dict(handler.headers)))
        if len(seen.attempts) > 1:
            self._pass_on(handler, body)
        elif seen.trouble == "answer lost":
            self._ask(handler, body)
            handler.close_connection = True
        else:
            self._refuse(handler, int(seen.trouble))

    def _ask(self, handler, body):
        headers = {name: value for name, value in handler.headers.items() if name.lower() not in ("host", "connection")}
        return requests.request(handler.command, self._stack.base_url + handler.path, data=body, headers=headers,
                                verify=str(self._stack.ca_file), timeout=30)

    def _pass_on(self, handler, body):
        answer = self._ask(handler, body)
        headers = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
        _send(handler, answer.status_code, headers, answer.content)

    @staticmethod
    def _refuse(handler, status):
        body = {"detail": "try again", "status_code": status, "timestamp": "2026-01-01T00:00:00Z", "code": "unavailable",
                "request_id": "1"}
        _send(handler, status, {"Retry-After": str(WAIT_S), "Content-Type": "application/json"}, json.dumps(body).encode())


def _send(handler, status, headers, body):
    handler.send_response(status)
    for name, value in {**headers, "Content-Length": str(len(body))}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


@contextlib.contextmanager
def troubled(stack):
    """`with troubled(stack) as (base_url, proxy)`."""
    proxy = Troubled(stack)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            proxy.answer(self)

        do_POST = do_GET

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
