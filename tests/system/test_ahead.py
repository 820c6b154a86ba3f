"""Attempts armed ahead of their channel: they make calls follow one another at once, and pass no limit, whatever happens."""
import collections

import pytest

from farmed import compare, farmed_stack
from stack import numbers

SERVERS, CHANNELS = 2, 3
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


def saturated(live, count, *, seed, talk=4):
    """A batch of so many calls under way, on channels that are all taken, with attempts armed ahead."""
    before = counted(live)["ahead"]
    batch = live.insert(list(numbers.numbers("answered", count, seed=seed, talk=talk)))
    live.dispatch()
    live.wait_until(lambda: counted(live)["ahead"] >= before + 2, "calls follow that were armed ahead")
    return batch


def finish(live, batch, count):
    report = live.wait_finished(batch, seconds=60)
    assert (report.total, report.open, report.attempts) == (count, 0, count)
    return report


def test_calls_follow_one_another_within_the_limits(farmed):
    batch = saturated(farmed, 60, seed=1)
    report = finish(farmed, batch, 60)
    assert report.dispositions == {"completed": 60}
    compare(farmed).check(CHANNELS)


def test_M2_killed_dispatcher_dials_what_was_armed_ahead_once(farmed):
    batch = saturated(farmed, 60, seed=2)
    for _ in range(2):
        [victim] = farmed.children("dispatcher")
        farmed.kill("dispatcher")
        farmed.wait_until(lambda gone=victim: farmed.children("dispatcher") not in ([], [gone]), "it is back")
    report = finish(farmed, batch, 60)
    assert report.dispositions == {"completed": 60}
    compare(farmed).check(CHANNELS)


def test_graceful_stop_takes_back_what_has_no_channel(farmed):
    batch = saturated(farmed, 40, seed=3)
    farmed.stack.stop("dispatcher")
    undialled = {row["entry_id"] for row in farmed.sql(_OPEN)} - dialled(farmed)
    assert not undialled
    farmed.start("dispatcher")
    farmed.wait_ready()
    finish(farmed, batch, 40)


def dialled(live) -> set:
    return {int(originate.call_id[4:18], 16) for originate in live.stack.rig().book().originates}


def test_paused_batch_has_nothing_armed_ahead_and_goes_on(farmed):
    batch = saturated(farmed, 40, seed=4)
    farmed.api.post(f"/queues/batches/{batch}/pause", {}).ok
    farmed.wait_until(lambda: not farmed.sql(_OPEN), "nothing is open")
    begun = farmed.report(batch).attempts
    assert begun < 40
    farmed.api.post(f"/queues/batches/{batch}/resume", {}).ok
    finish(farmed, batch, 40)


def test_canceled_batch_ends_what_was_armed_ahead(farmed):
    batch = saturated(farmed, 40, seed=5)
    farmed.api.post(f"/queues/batches/{batch}/cancel", {}).ok
    report = farmed.wait_finished(batch)
    assert set(report.dispositions) == {"completed", "canceled"}
    done = {row["entry_id"] for row in report.rows if row["disposition"] == "canceled"}
    assert not done & dialled(farmed)


def test_quick_call_goes_before_what_was_armed_ahead(farmed):
    batch = saturated(farmed, 60, seed=6)
    call = farmed.call(next(numbers.numbers("answered", 1, seed=9, talk=4)))
    farmed.outcome(call)
    assert farmed.report(batch).open > 0
    finish(farmed, batch, 60)
