"""A small AMI client for tests: logs in as the dispatcher does, dials, collects what is said."""
import socket
import ssl
import time


class Ami:
    """One connection. Messages are dicts of their headers; of a repeated header the last counts."""

    def __init__(self, server, secret=None, tls_port=None):
        self._socket = socket.create_connection((server.host, tls_port or server.ami_port),
                                                timeout=10)
        if tls_port:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE  # a certificate made by the test for itself
            self._socket = context.wrap_socket(self._socket)
        self._lines = self._socket.makefile("r", encoding="utf-8", newline="\r\n")
        self.banner = self._lines.readline().strip()
        self.events = []
        self._serial = 0
        self.login = self.action("Login", Username=server.ami_user,
                                 Secret=secret or server.ami_secret)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def action(self, name, **headers):
        """Sends an action and returns its response; events read meanwhile are kept."""
        self._serial += 1
        action_id = headers.setdefault("ActionID", f"test-{self._serial}")
        lines = [f"Action: {name}", *(f"{key}: {value}" for key, value in headers.items())]
        self._socket.sendall("".join(line + "\r\n" for line in [*lines, ""]).encode())
        while True:
            message = self._read()
            if "Response" in message and message.get("ActionID") == action_id \
                    and "Event" not in message:
                return message
            self.events.append(message)

    def collect(self, until, seconds):
        """Reads events until until(events) is true; TimeoutError after that many seconds."""
        deadline = time.monotonic() + seconds
        while not until(self.events):
            self._socket.settimeout(max(0.01, deadline - time.monotonic()))
            self.events.append(self._read())
        self._socket.settimeout(10)
        return self.events

    def _read(self):
        message = {}
        while True:
            line = self._lines.readline()
            if not line:
                raise ConnectionError("the server closed the connection")
            line = line.rstrip("\r\n")
            if not line and message:
                return message
            key, separator, value = line.partition(":")
            if separator:
                message[key] = value.strip()


def attempt_id(entry, n=1):
    """The ChannelId of an attempt, as the dispatcher builds it."""
    return f"ccs-{entry:014x}{n:02x}"


def originate(ami, server, number, attempt, *, exten=None, timeout_ms=10_000, **headers):
    """Dials as the dispatcher does; the response says only that it was queued."""
    return ami.action(
        "Originate", ActionID=attempt, ChannelId=attempt,
        Channel=f"{server.technology}/{number}@{server.endpoint}",
        Context=server.context, Exten=exten or server.exten, Priority="1",
        Timeout=timeout_ms, **{"Async": "true", **headers})
