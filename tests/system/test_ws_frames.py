"""WebSocket clients that misbehave: refused with a reason, bounded, and nobody else notices."""
import contextlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ws_client import (BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, THREE, Closed, Refused, WebSocket,
                       can_connect, frame, listen)

SUBSCRIBE = json.dumps({"type": "subscribe", "events": list(THREE)})
MEGABYTE = 1 << 20
FLOODERS = 8


@pytest.fixture(scope="module")
def client(stack):
    client = stack.new_client("MISFIT")
    stack.wait_until(lambda: can_connect(stack, client), "the relay knows the new key")
    return client


@pytest.fixture
def bystander(stack, asterisk):
    """Somebody else's connection, which hears of a call before and after, and nothing strange between."""
    other = stack.new_client("BYSTANDER")
    with listen(stack, other) as events:
        yield
        other.call(asterisk.numbers("busy")[0])
        assert [events.hear()["type"], events.hear()["type"]] == ["call_started", "call_failed"]


def open_socket(stack, client):
    connection = WebSocket.to(stack, client.key)
    assert connection.hear()["type"] == "connected"
    return connection


BAD = {
    "unmasked": (frame(SUBSCRIBE, masked=False), 1002),
    "unmasked ping": (frame("x", PING, masked=False), 1002),
    "binary": (frame(b"\0\1\2", BINARY), 1003),
    "a megabyte": (frame(b"x" * MEGABYTE), 1009),
    "a megabyte announced": (frame(b"x", length=MEGABYTE), 1009),
    "2 to the 63 announced": (frame(b"x", length=(1 << 63) - 1), 1009),
    "one byte too long": (frame(b" " * 4097), 1009),
    "invalid UTF-8": (frame(b"\xc3\x28"), 1007),
    "half a character": (frame(b"\xe2\x82"), 1007),
    "a surrogate": (frame(b"\xed\xa0\x80"), 1007),
    "reserved bit": (frame("x", 0x40 | TEXT), 1002),
    "unknown opcode": (frame("x", 5), 1002),
    "continues nothing": (frame("x", CONTINUATION), 1002),
    "message in a message": (frame("x", final=False) + frame("y"), 1002),
    "fragmented ping": (frame("x", PING, final=False), 1002),
    "long ping": (frame("x" * 126, PING), 1002),
    "odd close": (frame(b"\x03", CLOSE), 1002),
    "fragments too long together": (frame(b"x" * 3000, final=False)
                                    + frame(b"x" * 3000, CONTINUATION), 1009),
    "endless fragments": (frame(b"x", final=False) + frame(b"", CONTINUATION, final=False) * 1000,
                          1008),
    "messages without end": (frame(SUBSCRIBE) * 100, 1008),
    "pings without end": (frame("x", PING) * 100, 1008),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_frames_end_the_connection_with_their_code(stack, client, name):
    data, code = BAD[name]
    with open_socket(stack, client) as connection:
        connection.send(data)
        closed = connection.goodbye()
    assert closed.code == code and closed.reason


def test_others_are_not_affected_by_bad_frames(stack, client, bystander):
    for data, _ in BAD.values():
        connection = open_socket(stack, client)
        connection.send(data)
        connection.hang_up()


def wave(stack, client):
    """Everything that is refused, before the handshake and after it, by somebody who waits for no answer."""
    for request in ({}, {"key": "x" * 43}, {"key": client.key, "headers": {"Upgrade": "h2c"}},
                    {"key": client.key, "headers": {"Sec-WebSocket-Key": None}}):
        with pytest.raises(Refused):
            WebSocket.to(stack, **request)
    for data, _ in BAD.values():
        with WebSocket.to(stack, client.key) as connection, contextlib.suppress(OSError):
            connection.send(data)  # who is refused in the middle of a megabyte cannot send the rest


def test_a_flood_of_bad_input_takes_no_memory_and_keeps_nobody_from_hearing(stack, client, asterisk):
    other = stack.new_client("LISTENER")
    pid = stack.stack.processes()["relay"].pid()
    numbers = asterisk.numbers("busy", 100)
    with listen(stack, other) as events, ThreadPoolExecutor(FLOODERS) as flooders:
        wave(stack, client)  # what is allocated once, is
        before = memory_kb(pid)
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak begins anew
        floods = [flooders.submit(wave, stack, client) for _ in range(3 * FLOODERS)]
        other.insert(numbers)
        other.dispatch()
        heard = [events.hear() for _ in range(2 * len(numbers))]
        for flood in floods:
            flood.result()
    assert [event["seq"] for event in heard] == list(range(1, len(heard) + 1))
    # One message of 4 kB and 16 kB of answers for each of those who flood, and never their megabytes.
    assert memory_kb(pid, "VmHWM") - before < 2048
    assert stack.stack.processes()["relay"].pid() == pid


def test_a_message_in_fragments_is_a_message(stack, client):
    half = len(SUBSCRIBE) // 2
    with open_socket(stack, client) as connection:
        connection.send(frame(SUBSCRIBE[:half], final=False))
        connection.send(frame("between", PING))
        assert connection.frame() == (PONG, b"between")
        connection.send(frame(SUBSCRIBE[half:], CONTINUATION))
        assert connection.hear()["events"] == list(THREE)


def test_bytes_one_by_one_are_a_message(stack, client):
    with open_socket(stack, client) as connection:
        for byte in frame(SUBSCRIBE):
            connection.send(bytes([byte]))
        assert connection.hear()["type"] == "subscribed"


def test_the_longest_message_that_is_taken(stack, client):
    with open_socket(stack, client) as connection:
        connection.say(SUBSCRIBE + " " * (4096 - len(SUBSCRIBE)))
        assert connection.hear()["type"] == "subscribed"


@pytest.mark.parametrize("text,code", [
    ("", "invalid_json"), ("{", "invalid_json"), ("[]", "invalid_message"), ("{}", "invalid_message"),
    ('{"type":"publish"}', "unknown_type"), ('{"type":"subscribe"}', "invalid_events"),
    ('{"type":"subscribe","events":"call_started"}', "invalid_events"),
    ('{"type":"subscribe","events":[null]}', "invalid_events"),
    ('{"type":"subscribe","type":"x"}', "invalid_json"),
    ('{"type":"subscribe","events":["' + "x" * 3000 + '"]}', "unknown_event"),
    ("[" * 4000, "invalid_json"),
])
def test_messages_that_mean_nothing_are_answered(stack, client, text, code):
    with open_socket(stack, client) as connection:
        connection.say(text)
        error = connection.hear()
        assert (error["type"], error["code"]) == ("error", code) and error["detail"]
        assert connection.subscribe()["type"] == "subscribed"


def test_half_a_frame_and_gone(stack, client, bystander):
    whole = frame(SUBSCRIBE)
    for cut in range(1, len(whole), 7):
        connection = open_socket(stack, client)
        connection.send(whole[:cut])
        connection.hang_up()


def test_after_goodbye_nothing_is_heard(stack, client):
    with open_socket(stack, client) as connection:
        connection.send(frame(b"\x03\xe8", CLOSE) + frame(SUBSCRIBE))
        assert connection.goodbye().code == 1000
        with pytest.raises(Closed):
            connection.frame()



def memory_kb(pid, what="VmRSS"):
    with open(f"/proc/{pid}/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(what))


@contextlib.contextmanager
def rung(folder):
    """Rings the bell of a relay all the time: the dispatcher rings only that of its own run_dir."""
    over = threading.Event()

    def ring():
        with open(folder / "relay.bell", "wb", buffering=0) as bell:
            while not over.wait(0.01):
                bell.write(b"x")

    ringer = threading.Thread(target=ring)
    ringer.start()
    try:
        yield
    finally:
        over.set()
        ringer.join()


PORTION = 50  # calls whose events fit into the smallest backlog, so that who reads misses none however slow the machine is


def test_slow_readers_cost_no_memory_and_miss_nothing(stack, asterisk, relay):
    """Readers of two speeds on a relay with the smallest backlog. Those that read nothing go on in the event ring."""
    client = stack.new_client("FIREHOSE")
    stack.wait_until(lambda: can_connect(stack, client), "the relay knows the new key")
    numbers = asterisk.numbers("busy", 500)
    with relay(backlog_bytes=65536, connections_per_client=60) as folder:
        slow = [WebSocket.to_relay(folder, client.key, seconds=30) for _ in range(50)]
        for connection in slow:
            connection.subscribe()
        quick = WebSocket.to_relay(folder, client.key, seconds=60)
        quick.subscribe()
        pid = int((folder / "pid").read_text())
        before = memory_kb(pid)
        heard = []
        with rung(folder):
            for start in range(0, len(numbers), PORTION):
                client.insert(numbers[start:start + PORTION])
                client.dispatch()
                heard += [quick.hear() for _ in range(2 * PORTION)]
        # 16 kB of each connection, and what was never touched before of the backlog
        assert memory_kb(pid) - before < 50 * 16 + 64 + 1024
        assert [event["seq"] for event in heard] == list(range(1, len(heard) + 1))
        for connection in slow[:5]:
            assert [connection.hear()["seq"] for _ in heard] == [event["seq"] for event in heard]
        for connection in (*slow, quick):
            connection.hang_up()
