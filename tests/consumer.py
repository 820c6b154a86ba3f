"""A consumer as docs/INTEGRATORS.md describes one: it has a position, comes back with it, and fills from GET /events what the
WebSocket declares to be gone. Its own log is what is judged."""
import contextlib
import threading
import time
from dataclasses import dataclass, field

from stack.api import Api, ApiError
from stack.proc import wait_until
from ws_client import ALL, Closed, Refused, WebSocket

_TROUBLE = (Closed, Refused, OSError, ApiError, ValueError)


@dataclass
class Log:
    """Of one consumer."""

    seqs: list = field(default_factory=list)  # of events, in the order in which they were done
    connections: int = 0
    declared: int = 0  # times that something was declared to be gone
    filled: int = 0  # events that came by GET /events
    wrong: list = field(default_factory=list)


class Consumer(threading.Thread):
    """Of events of these types, and of these only that fit the filters."""

    def __init__(self, live, client, *types, **filters):
        super().__init__(daemon=True)
        self._live = live
        self._client = client
        self._types = types or ALL
        self._filters = filters
        self._api = Api(live.base_url, client.key, ca_file=live.ca_file)
        self._over = threading.Event()
        self.position = self._api.get("/events", limit=1).ok["last_seq"]
        self.begin = self.position
        self.log = Log()

    def run(self):
        while not self._over.is_set():
            with contextlib.suppress(_TROUBLE):
                self._connect()
            time.sleep(0.02)

    def _connect(self):
        with WebSocket.to(self._live, self._client.key, seconds=5) as socket:
            self.log.connections += 1
            socket.say({"type": "subscribe", "events": list(self._types), "resume_from": self.position, **self._filters})
            declared = False
            while not self._over.is_set():
                with contextlib.suppress(TimeoutError):
                    message = socket.hear(marks=True)
                    declared = self._take(message, declared)

    def _take(self, message, declared) -> bool:
        """True when something may be missing before the next event, and that was said."""
        kind = message["type"]
        if "payload" in message:
            if message["prev"] > self.position:
                if not declared:
                    self.log.wrong.append(f"at {self.position}, and nothing was declared: {message}")
                self._fill(message["seq"])
            self._do(message)
            return False
        if kind == "mark":
            self.position = max(self.position, message["seq"])
        elif kind in ("resync_required", "gap"):
            self.log.declared += 1
            if kind == "resync_required":
                self._fill(message["before"])
            return True
        elif kind == "error":
            self.log.wrong.append(message)
        return declared

    def _do(self, event):
        if event["seq"] <= self.position:
            self.log.wrong.append(f"at {self.position} came {event}")
            return
        self.log.seqs.append(event["seq"])
        self.position = event["seq"]

    def _fill(self, before):
        end, more = before or float("inf"), True
        while more and self.position < end - 1:
            page = self._api.get("/events", after=self.position, types=",".join(self._types), limit=1000, **self._filters).ok
            if page["missed"]:
                self.log.wrong.append(f"GET /events does not have {page['missed']} after {self.position}")
            for event in page["items"]:
                if event["seq"] < end:
                    self._do(event)
                    self.log.filled += 1
            self.position = max(self.position, min(page["next_after"], end - 1))
            more = page["more"]

    def finish(self, seq, *, seconds=60):
        """Once it has come to this seq. Its log, whatever it has done wrong being in it."""
        try:
            wait_until(lambda: self.position >= seq or self.log.wrong, seconds=seconds, what=f"{self._filters or 'a consumer'} is at {seq}")
        finally:
            self._over.set()
            self.join(30)
        return self.log


def check(live, consumer, log, where="true"):
    """Every event that fits, once and in order."""
    stored = live.sql(f"""select seq from event where client_id = %s and seq > %s and type = any(%s) and {where}
                          order by seq""", consumer._client.client_id, consumer.begin, list(consumer._types))
    assert not log.wrong, "\n".join(map(str, log.wrong[:10]))
    assert log.seqs == [row["seq"] for row in stored]
