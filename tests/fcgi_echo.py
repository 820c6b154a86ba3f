"""A FastCGI responder in the place of PHP: it answers every request with its parameters and its body, as JSON."""
import contextlib
import json
import socketserver
import struct
import threading
from pathlib import Path

_BEGIN, _END, _PARAMS, _STDIN, _STDOUT = 1, 3, 4, 5, 6


def _record(kind, content):
    return struct.pack(">BBHHBx", 1, kind, 1, len(content), 0) + content


def _lengths(data, at):
    for _ in range(2):
        if data[at] < 128:
            length, at = data[at], at + 1
        else:
            length, at = struct.unpack_from(">I", data, at)[0] & 0x7FFFFFFF, at + 4
        yield length, at


def _params(data):
    found, at = {}, 0
    while at < len(data):
        (name, _), (value, at) = _lengths(data, at)
        found[data[at:at + name].decode()] = data[at + name:at + name + value].decode()
        at += name + value
    return found


class _Handler(socketserver.StreamRequestHandler):
    def handle(self):
        streams = {_PARAMS: b"", _STDIN: b""}
        while True:
            kind, length, padding = struct.unpack(">xBxxHBx", self.rfile.read(8))
            content = self.rfile.read(length + padding)[:length]
            streams[kind] = streams.get(kind, b"") + content
            if kind == _STDIN and not content:
                break
        said = {"params": _params(streams[_PARAMS]), "body": streams[_STDIN].decode()}
        answer = b"Content-Type: application/json\r\n\r\n" + json.dumps(said).encode()
        self.wfile.write(_record(_STDOUT, answer) + _record(_STDOUT, b"") + _record(_END, bytes(8)))


@contextlib.contextmanager
def fcgi_echo(path):
    """Listens on that Unix socket for the duration of a with block."""
    with socketserver.ThreadingUnixStreamServer(str(path), _Handler) as server:
        Path(path).chmod(0o666)  # nginx's workers are another account when we are root
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
