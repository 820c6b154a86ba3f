"""A WebSocket client that tests can make misbehave: every byte is theirs, and nothing is sent by itself but pongs."""
import json
import os
import socket
import ssl
import struct
import time
from email.parser import BytesParser
from pathlib import Path
from urllib.parse import urlsplit

from described import description
from stack.api import Answer

PATH = "/api/ws/v1/monitoring/ws"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
ALL = ("call_started", "call_answered", "call_ended", "call_failed")
THREE = ("call_started", "call_ended", "call_failed")  # the types of the integration document
_SOCKET_KEY = "dGhlIHNhbXBsZSBub25jZQ=="


class Refused(Exception):
    """The answer was not 101; `answer` has it."""

    def __init__(self, answer):
        super().__init__(f"{answer.status}: {answer.body[:300]!r}")
        self.answer = answer


class Closed(Exception):
    """The server is gone; code and reason are those of its close frame, None when there was none."""

    def __init__(self, code=None, reason=""):
        super().__init__(f"{code} {reason}")
        self.code, self.reason = code, reason


def frame(payload, opcode=TEXT, *, final=True, masked=True, length=None) -> bytes:
    """Of these bytes; length is what its head claims, when that is not so."""
    payload = payload.encode() if isinstance(payload, str) else payload
    length = len(payload) if length is None else length
    head = bytes([0x80 * final | opcode])
    bit = 0x80 * masked
    if length < 126:
        head += bytes([bit | length])
    elif length < 1 << 16:
        head += struct.pack(">BH", bit | 126, length)
    else:
        head += struct.pack(">BQ", bit | 127, length)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


class WebSocket:
    """A connection after its handshake."""

    def __init__(self, sock, *, key=None, query=None, headers=None, path=PATH, method="GET",
                 seconds=10):
        self._sock = sock
        self._sock.settimeout(seconds)
        self._seconds = seconds
        self._have = b""
        self.position = None  # the seq up to which it has all, by events and marks
        query = f"x-api-key={key}" if query is None and key else query
        sent = {"Host": "localhost", "Upgrade": "websocket", "Connection": "Upgrade",
                "Sec-WebSocket-Key": _SOCKET_KEY, "Sec-WebSocket-Version": "13", **(headers or {})}
        lines = [f"{method} {path}{'?' + query if query else ''} HTTP/1.1",
                 *(f"{name}: {value}" for name, value in sent.items() if value is not None)]
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.handshake = self._answer()
        if self.handshake.status != 101:
            raise Refused(self.handshake)

    @classmethod
    def to(cls, stack, key=None, *, context=None, **request):
        """Through nginx, as a client comes. context may have a certificate of its own."""
        place = urlsplit(stack.base_url)
        plain = socket.create_connection((place.hostname, place.port), timeout=10)
        context = context or ssl.create_default_context(cafile=stack.ca_file)
        return cls(context.wrap_socket(plain, server_hostname=place.hostname), key=key, **request)

    @classmethod
    def to_relay(cls, run_dir, key=None, **request):
        """Straight to a relay, as nginx comes."""
        plain = socket.socket(socket.AF_UNIX)
        plain.connect(str(Path(run_dir) / "relay.sock"))
        return cls(plain, **{**request, "headers": {"X-API-KEY": key, **request.get("headers", {})}})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._sock.close()

    hang_up = __exit__

    # Bytes

    def send(self, data):
        self._sock.sendall(data)

    def _more(self):
        try:
            data = self._sock.recv(65536)
        except (ConnectionResetError, ssl.SSLError):
            data = b""
        if not data:
            raise Closed
        self._have += data

    def _take(self, count) -> bytes:
        while len(self._have) < count:
            self._more()
        taken, self._have = self._have[:count], self._have[count:]
        return taken

    def _answer(self) -> Answer:
        while b"\r\n\r\n" not in self._have:
            self._more()
        head, self._have = self._have.split(b"\r\n\r\n", 1)
        status, _, lines = head.partition(b"\r\n")
        headers = BytesParser().parsebytes(lines + b"\r\n\r\n")
        chunked = headers.get("Transfer-Encoding") == "chunked"
        body = self._chunks() if chunked else self._take(int(headers.get("Content-Length", 0)))
        return Answer(int(status.split()[1]), headers, body)

    def _chunks(self) -> bytes:
        body = b""
        while True:
            while b"\r\n" not in self._have:
                self._more()
            size, self._have = self._have.split(b"\r\n", 1)
            body += self._take(int(size, 16))
            self._take(2)
            if int(size, 16) == 0:
                return body

    # Frames and messages

    def frame(self):
        """The next one: opcode and payload."""
        first, length = self._take(2)
        assert first & 0x70 == 0 and length < 128, "a reserved bit, or masked"
        if length == 126:
            [length] = struct.unpack(">H", self._take(2))
        elif length == 127:
            [length] = struct.unpack(">Q", self._take(8))
        assert first & 0x80, "a fragment: we never send one"
        return first & 15, self._take(length)

    def hear(self, *, marks=False) -> dict:
        """The next message, but marks unless they are wanted. Pings are answered; Closed when the server says goodbye or is gone."""
        deadline = time.monotonic() + self._seconds
        while time.monotonic() < deadline:
            opcode, payload = self.frame()
            if opcode == TEXT:
                message = json.loads(payload)
                assert isinstance(message, dict) and isinstance(message["type"], str), message
                if message["type"] == "mark":
                    self.position = message["seq"]
                    if not marks:
                        continue
                if "payload" in message:
                    description().of_event.validate(message)
                    self.position = message["seq"]
                return message
            if opcode == PING:
                self.send(frame(payload, PONG))
            elif opcode == CLOSE:
                code = struct.unpack(">H", payload[:2])[0] if payload else 1005
                raise Closed(code, payload[2:].decode())
        raise TimeoutError(f"nothing but pings for {self._seconds} s")

    def goodbye(self) -> Closed:
        """How the connection ends; messages before are passed over."""
        while True:
            try:
                self.hear()
            except Closed as closed:
                return closed

    def say(self, message):
        self.send(frame(message if isinstance(message, (str, bytes)) else json.dumps(message)))

    def subscribe(self, *events, **more) -> dict:
        """Subscribes, and returns the answer; events on their way before it are passed over. more: resume_from and
        filters."""
        self.say({"type": "subscribe", "events": list(events or THREE), **more})
        while True:
            message = self.hear()
            if message["type"] in ("subscribed", "error"):
                return message

    def hear_until(self, done) -> list:
        """All messages up to the one for which done(message) is true."""
        heard = [self.hear()]
        while not done(heard[-1]):
            heard.append(self.hear())
        return heard


def can_connect(stack, client) -> bool:
    """A new client's key is known to the relay once the dispatcher has read it."""
    try:
        WebSocket.to(stack, client.key).hang_up()
    except (Refused, Closed):
        return False
    return True


def listen(stack, client, *events) -> WebSocket:
    """Connected and subscribed, to the document's three types when none is named."""
    stack.wait_until(lambda: can_connect(stack, client), f"{client.accountcode} may connect")
    connection = WebSocket.to(stack, client.key)
    assert connection.hear()["type"] == "connected"
    assert connection.subscribe(*events)["type"] == "subscribed"
    return connection
