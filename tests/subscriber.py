"""Somebody who hears of all calls over WebSocket for as long as a test takes, and connects again whenever the connection
is lost; and what was heard beside what PostgreSQL has."""
import bisect
import contextlib
import itertools
import threading
from dataclasses import dataclass, field

from stack import numbers
from stack.proc import StackError, wait_until
from ws_client import ALL, THREE, Closed, Refused, WebSocket

[LAST_NUMBER] = numbers.numbers("busy", 1, ring=3)  # in no batch
_LOST = (Closed, Refused, OSError)  # nginx or the relay is away, or the connection is


@dataclass
class Heard:
    """Of one subscriber, counted over all its connections."""

    connections: int = 0
    events: int = 0
    derived: int = 0  # events between two connections: the seq of the next one tells
    declared: int = 0  # events that "gap" messages said were missed
    wrong: list = field(default_factory=list)


class Subscriber(threading.Thread):
    """Hears of the events of these types until it is told of the end of the call to LAST_NUMBER."""

    def __init__(self, live, *events):
        super().__init__(daemon=True)
        self._live = live
        self._events = events
        self._leaving = False
        self._failure = None
        self.subscribed = False  # now
        self.connections = []  # a list of messages each

    def run(self):
        try:
            while not self._leaving and not self._listen():
                pass
        except Exception as failure:
            self._failure = failure  # for heard(), in the test's own thread

    def leave(self):
        """The test is over, whether or not the last call was made."""
        self._leaving = True

    def count(self) -> int:
        """Messages so far."""
        return sum(map(len, self.connections))

    def _listen(self) -> bool:
        """One connection, from the handshake to its loss. True after the last event."""
        socket = wait_until(self._connect, seconds=60, what="the relay takes connections",
                            check=self._check)
        messages = []
        self.connections.append(messages)
        with socket:
            try:
                socket.subscribe(*self._events)
                self.subscribed = True
                self._pause()
                while True:
                    messages.append(socket.hear())
                    if _is_last(messages[-1]):
                        return True
            except TimeoutError:
                raise
            except _LOST:
                return False
            finally:
                self.subscribed = False

    def _connect(self):
        try:
            return self._way_in()
        except TimeoutError:
            raise
        except _LOST:
            return None

    def _way_in(self):
        return WebSocket.to(self._live, self._live.key, seconds=60)

    def _check(self):
        if self._leaving:
            raise StackError("the test is over")

    def _pause(self):
        """What it does before it begins to read."""

    def heard(self) -> Heard:
        """After the last call: every event once, or a gap that the subscriber can know of."""
        if self._failure:
            raise self._failure
        assert not self.is_alive(), "the subscriber has not heard of the last call"
        stored = self._live.sql("""select seq, type, entry_id, n from event
                                    where client_id = %s and type = any(%s) order by seq""",
                                self._live.client_id, list(self._events))
        return _Comparison(stored).of(self.connections)


class Dawdler(Subscriber):
    """Begins to read only when another has heard many messages more, on each connection anew. It has no nginx before it,
    which would keep a megabyte for it."""

    _MANY = 2000

    def __init__(self, live, *events, other):
        super().__init__(live, *events)
        self._other = other
        self._awake = False

    def _way_in(self):
        return WebSocket.to_relay(self._live.stack.ccs.run_dir, self._live.key, seconds=60)

    def _pause(self):
        enough = self._other.count() + self._MANY
        wait_until(lambda: self._awake or self._other.count() >= enough, seconds=60,
                   what="another has heard many messages", check=self._check)

    def wake(self):
        """There will not be many messages any more."""
        self._awake = True


@contextlib.contextmanager
def audience(live):
    """Three who listen while the with block lasts: to everything, to the document's three types, and one who dawdles."""
    eager = Subscriber(live, *ALL)
    listeners = [eager, Subscriber(live, *THREE), Dawdler(live, *THREE, other=eager)]
    for listener in listeners:
        listener.start()
    wait_until(lambda: all(listener.subscribed for listener in listeners), seconds=30,
               what="all have subscribed")
    try:
        yield listeners
    finally:
        for listener in listeners:
            listener.leave()


def last_word(live, listeners) -> list[Heard]:
    """Calls LAST_NUMBER until everybody has heard of it, who may be about to connect again: what each of them has heard
    by then."""
    listeners[-1].wake()
    for _ in range(10):
        live.outcome(live.call(LAST_NUMBER))
        for listener in listeners:
            listener.join(1)
        if not any(listener.is_alive() for listener in listeners):
            break
    heard = [listener.heard() for listener in listeners]
    for one in heard:
        assert not one.wrong, "\n".join(map(str, [len(one.wrong), *one.wrong[:20]]))
    return heard


def _is_last(message):
    return message["type"] in ("call_ended", "call_failed") \
        and message["payload"]["phone_number"] == LAST_NUMBER


class _Comparison:
    """What was heard beside what is stored."""

    def __init__(self, stored):
        self._seqs = [row["seq"] for row in stored]
        self._facts = {row["seq"]: (row["type"], f"ccs-{row['entry_id']:014x}{row['n']:02x}")
                       for row in stored}
        self._heard = Heard()

    def of(self, connections) -> Heard:
        heard = self._heard
        heard.connections = len(connections)
        ends = []
        for messages in connections:
            events = [message for message in messages if "payload" in message]
            heard.events += len(events)
            heard.wrong += [f"told of {event}, which is not so" for event in events
                            if not self._is_stored(event)]
            ends += [(events[0], events[-1])] if events else []
            self._follow(messages)
        for (_, last), (first, _) in itertools.pairwise(ends):
            heard.derived += self._between(last["seq"], first["seq"])
            if not last["seq"] <= first["prev"] or not self._names_the_one_before(first):
                heard.wrong.append(f"{last['seq']}, and on the next connection {first}")
        return heard

    def _follow(self, messages):
        """One connection: each event names the one before, but for gaps that were said and counted."""
        before, said = None, []
        for message in messages:
            if "payload" not in message:
                said += [message["missed"]] if message["type"] == "gap" else []
                continue
            if before is not None:
                missed = self._between(before, message["seq"])
                self._heard.declared += missed
                right = missed == sum(said) if None not in said else True
                if message["prev"] < before or not right \
                        or not self._names_the_one_before(message):
                    self._heard.wrong.append(f"{before}, gaps {said}, then {message}: "
                                             f"missed {missed}")
            before, said = message["seq"], []

    def _is_stored(self, event) -> bool:
        fact = (event["type"], event["payload"]["call_id"])
        return self._facts.get(event["seq"]) == fact

    def _names_the_one_before(self, event) -> bool:
        return event["prev"] < event["seq"] and not self._between(event["prev"], event["seq"])

    def _between(self, low, high) -> int:
        """How many events there were, both ends excluded."""
        return bisect.bisect_left(self._seqs, high) - bisect.bisect_right(self._seqs, low)
