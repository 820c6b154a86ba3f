"""What may go away while calls are live: PostgreSQL, an Asterisk, the segment, the whole machine. Nobody is rung twice,
everybody's call ends, and only where a connection was lost may an outcome be unknown: counted from the farm's own book."""
import itertools

import pytest
from stack import numbers

from farmed import WINDOW, compare, farmed_stack

SERVERS, CHANNELS, CALLS = 4, 15, 200
AHEAD = 8
# Of one connection that is lost: what was armed ahead, what was written and not answered, what ended in silence.
DOUBT = AHEAD + WINDOW + CHANNELS
# Without those that ring until ring_seconds are over, for which each test would wait at its end: tests/torture has them.
SHARES = {outcome: share for outcome, share in numbers.DEFAULT_SHARES.items() if outcome != "rings"}
_seeds = itertools.count(1)


@pytest.fixture(scope="module")
def live(request):
    with farmed_stack(request, SERVERS, CHANNELS, speed=4, seed=7) as live:
        yield live


@pytest.fixture
def batch(live):
    """One that is being dialled; more than half of all channels are in use."""
    batch = live.insert(numbers.mixed(CALLS, seed=next(_seeds), shares=SHARES, ring=1, talk=5))
    live.dispatch()
    live.wait_until(lambda: live.live_calls() > SERVERS * CHANNELS / 2, "half of all channels are in use")
    return batch


def check_books(live, batch, *, in_doubt):
    """in_doubt: so many calls of the batch at most."""
    report = live.wait_finished(batch)
    assert (report.total, report.open) == (CALLS, 0)
    compare(live).check(CHANNELS)
    assert report.unknown <= in_doubt


def originates(live) -> int:
    return len(live.stack.rig().book().originates)


def at_rest(live) -> bool:
    """No server has a call."""
    return not any(server["channels"] for server in live.stack.rig().show().values())


def test_postgresql_away(live, batch):
    live.stop("postgres")
    before = originates(live)
    refused = live.api.post("/queues/quickcall/", {"phone_number": "9000050001"})
    assert refused.status == 503 and int(refused.headers["Retry-After"]) > 0
    live.wait_until(lambda: at_rest(live), "live calls have gone on to their ends")
    # What was committed when PostgreSQL went is still dialled: a window of each server at most.
    assert originates(live) - before <= SERVERS * (AHEAD + WINDOW)
    live.start("postgres")
    check_books(live, batch, in_doubt=0)


def test_an_asterisk_away(live, batch):
    farm = live.stack.rig()
    farm.set_mood("refuse", "farm1")
    before = originates(live)
    live.wait_until(lambda: originates(live) > before + CHANNELS, "the other servers go on")
    farm.set_mood("normal", "farm1")
    check_books(live, batch, in_doubt=DOUBT)


def test_the_segment_lost(live, batch):
    live.stack.ccs.remove_shared_memory()
    check_books(live, batch, in_doubt=SERVERS * DOUBT)
    live.wait_ready()


def test_the_machine_gone(live, batch):
    """All processes and the shared memory; Asterisk lives elsewhere, and its calls go on."""
    for part in ("dispatcher", "api", "relay", "postgres"):
        live.kill("dispatcher-holder" if part == "dispatcher" else part)
    live.stack.ccs.remove_shared_memory()
    for part in ("postgres", "api", "dispatcher", "relay"):
        live.start(part)
    live.wait_ready()
    check_books(live, batch, in_doubt=SERVERS * DOUBT)


def test_a_stop_in_good_order_leaves_no_doubt(live, batch):
    assert live.stack.processes()["dispatcher"].stop(seconds=60)
    live.start("dispatcher")
    check_books(live, batch, in_doubt=0)
