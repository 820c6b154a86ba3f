"""Attempts armed ahead of their channel: they make calls follow one another at once, and pass no limit, whatever happens."""
import collections

import pytest

from farmed import compare, farmed_stack
from stack import numbers

SERVERS, CHANNELS = 2, 3
ALL_CHANNELS, ARMED_AHEAD = SERVERS * CHANNELS, SERVERS * 2  # at least: dispatcher/ahead.h
_OPEN = """select a.entry_id from attempt a where not exists
           (select from call_detail d where d.entry_id = a.entry_id and d.n = a.n)"""


@pytest.fixture(scope="module")
def farmed(request):
    with farmed_stack(request, SERVERS, CHANNELS, speed=10) as live:
        yield live
        most_at_once(live)


def counted(live) -> dict:
    return live.ctl_json("shm", "show")["counters"]


def most_at_once(live):
    """No server ever had more calls at once than it may have, by the farm's own book."""
    book = live.stack.rig().book()
    moments = collections.defaultdict(list)
    for originate in book.originates:
        ending = book.endings.get(originate.call_id)
        if ending:
            moments[originate.server] += [(originate.at, 1), (ending.at, -1)]
    for server, changes in moments.items():
        live_calls = most = 0
        for _, change in sorted(changes):  # an end before a start of the same moment
            live_calls += change
            most = max(most, live_calls)
        assert most <= CHANNELS, server


FOLLOWERS = 54


@pytest.fixture
def hold(farmed):
    """hold(seed) holds; what a failed test has not released is, for the next one to find free channels."""
    held = []
    yield lambda seed: held.append(Held(farmed, seed)) or held[-1]
    for one in held:
        one.release()
        farmed.wait_finished(one.batch)


class Held:
    """A batch whose first calls keep every channel until release(); behind them more are armed ahead on each server."""

    def __init__(self, live, seed):
        self.live, self.count = live, ALL_CHANNELS + FOLLOWERS
        staying = list(numbers.numbers("stays", ALL_CHANNELS, seed=seed))
        self.batch = live.insert(staying + list(numbers.numbers("answered", FOLLOWERS, seed=seed, talk=1)))
        live.dispatch()
        self._staying = [row["entry_id"] for row in self.report().rows if row["phone_number"] in staying]
        self.wait_armed()

    def report(self):
        return self.live.report(self.batch)

    def wait_armed(self):
        calls = {call_id(entry) for entry in self._staying}

        def armed():
            up, begun = calls & self.live.stack.rig().book().answered, self.live.sql(_OPEN)
            return len(up) == ALL_CHANNELS and len(begun) >= ALL_CHANNELS + ARMED_AHEAD

        self.live.wait_until(armed, "all channels are taken and calls are armed ahead")

    def release(self, how_many=ALL_CHANNELS):
        for _ in range(min(how_many, len(self._staying))):
            self._hang_up(f"/calls/{call_id(self._staying.pop())}/hangup")

    def _hang_up(self, path):
        """While a dispatcher recovers, nobody knows what lives: 503 says to ask again."""
        self.live.wait_until(lambda: self.live.api.post(path).status == 200, "it is told to hang up")

    def finish(self):
        report = self.live.wait_finished(self.batch, seconds=60)
        assert (report.total, report.open, report.attempts) == (self.count, 0, self.count)
        return report


def call_id(entry_id) -> str:
    return f"ccs-{entry_id:014x}01"


def dialled(live) -> list:
    """The entries of all calls, in the order in which the farm has read them."""
    return [int(originate.call_id[4:18], 16) for originate in live.stack.rig().book().originates]


def test_calls_follow_one_another_within_the_limits(farmed, hold):
    before = counted(farmed)["ahead"]
    held = hold(seed=1)
    held.release()
    assert held.finish().dispositions == {"completed": held.count}
    assert counted(farmed)["ahead"] >= before + ARMED_AHEAD
    compare(farmed).check(CHANNELS)


def kill(live):
    [victim] = live.children("dispatcher")
    live.kill("dispatcher")
    live.wait_until(lambda: live.children("dispatcher") not in ([], [victim]), "it is back")


def test_M2_killed_dispatcher_dials_what_was_armed_ahead_once(farmed, hold):
    held = hold(seed=2)
    kill(farmed)  # while they wait
    held.release()
    kill(farmed)  # while they go
    assert held.finish().dispositions == {"completed": held.count}
    compare(farmed).check(CHANNELS)


def test_graceful_stop_takes_back_what_has_no_channel(farmed, hold):
    held = hold(seed=3)
    farmed.stack.stop("dispatcher")
    left = {row["entry_id"] for row in farmed.sql(_OPEN)}
    assert len(left) == ALL_CHANNELS and left <= set(dialled(farmed))
    farmed.start("dispatcher")
    farmed.wait_ready()
    held.release()
    held.finish()


def test_paused_batch_has_nothing_armed_ahead_and_goes_on(farmed, hold):
    held = hold(seed=4)
    farmed.api.post(f"/queues/batches/{held.batch}/pause", {}).ok
    farmed.wait_until(lambda: len(farmed.sql(_OPEN)) == ALL_CHANNELS, "what was armed ahead is taken back")
    held.release()
    farmed.wait_until(lambda: not farmed.sql(_OPEN), "nothing is open")
    assert held.report().attempts == ALL_CHANNELS
    farmed.api.post(f"/queues/batches/{held.batch}/resume", {}).ok
    held.finish()


def test_canceled_batch_ends_what_was_armed_ahead(farmed, hold):
    held = hold(seed=5)
    farmed.api.post(f"/queues/batches/{held.batch}/cancel", {}).ok
    farmed.wait_until(lambda: held.report().dispositions == {"canceled": FOLLOWERS}, "what was not dialled has ended")
    held.release()
    report = farmed.wait_finished(held.batch)
    assert report.dispositions == {"completed": ALL_CHANNELS, "canceled": FOLLOWERS}
    assert not {row["entry_id"] for row in report.rows if row["disposition"] == "canceled"} & set(dialled(farmed))


def test_quick_call_goes_before_what_was_armed_ahead(farmed, hold):
    held = hold(seed=6)
    before, submits = dialled(farmed), counted(farmed)["submits"]
    call = farmed.call(next(numbers.numbers("answered", 1, seed=9, talk=1)))
    farmed.wait_until(lambda: counted(farmed)["submits"] > submits, "the dispatcher knows of it")
    held.release(1)
    farmed.outcome(call)
    assert call_id(dialled(farmed)[len(before)]) == call
    held.release(ALL_CHANNELS - 1)
    held.finish()


def test_U16_a_number_listed_meanwhile_is_taken_back_or_not_armed(farmed, hold):
    """One that is armed ahead, and one that is read already and waits behind it; both with a dispatcher that is killed then."""
    held = hold(seed=7)
    open_entries = {row["entry_id"] for row in farmed.sql(_OPEN)}
    numbers_of = {row["entry_id"]: row["phone_number"] for row in held.report().rows}
    ahead = min(open_entries - set(dialled(farmed)))
    waits = max(set(numbers_of) - open_entries)
    listed = {"phone_numbers": [numbers_of[ahead], numbers_of[waits]]}
    assert farmed.api.post("/dnc", listed).ok["added_count"] == 2
    farmed.wait_until(lambda: ahead not in {row["entry_id"] for row in farmed.sql(_OPEN)}, "it is taken back")
    kill(farmed)
    held.release()
    report = farmed.wait_finished(held.batch)
    assert report.dispositions == {"completed": held.count - 2, "suppressed": 2}
    ended = {row["entry_id"]: (row["disposition"], row["reason"], row["attempts"]) for row in report.rows}
    assert ended[ahead] == ended[waits] == ("suppressed", "do not call: client", 0)
    assert not {ahead, waits} & set(dialled(farmed))
