"""Batches that are paused, resumed and canceled while they are being dialled."""
import sys

import pytest
from places import ROOT

sys.path.append(str(ROOT / "tests/system"))
from ws_client import listen  # noqa: E402  (found by the line above)

GATES_SHOWN = "blocked_reason"


def order(client, batch_id, what):
    return client.api.post(f"/queues/batches/{batch_id}/{what}")


def entries(client, batch_id, **query):
    return client.api.get(f"/clients/calling-queue-entries/{client.client_id}/{batch_id}", size=100, **query).ok["items"]


def counts(client, batch_id):
    return {state: n for state, n in client.api.get(f"/queues/batches/{batch_id}").ok["counts"].items() if n}


@pytest.fixture
def half_dialled(stack, asterisk):
    """A client with four channels, and a batch of 12 of which some are over, two live and the others wait."""
    client = stack.new_client("STOPPER", channels=4)
    batch = client.insert(asterisk.numbers("answered", 12, talk=1))
    client.dispatch()
    stack.wait_until(lambda: client.attempts() >= 4, "some are dialled")
    return client, batch


def test_Q28_a_paused_batch_stands_still_and_goes_on_where_it_was(stack, asterisk, half_dialled):
    client, batch = half_dialled
    paused = order(client, batch, "pause").ok
    assert (paused["status"], paused["changed"]) == ("success", True) and paused["batch"]["paused_at"]
    assert order(client, batch, "pause").ok["changed"] is False
    # Calls in progress end; no other begins, although channels are free and others of the client are dialled.
    stack.wait_until(lambda: client.live_calls() == 0, "live calls are over")
    before = client.attempts()
    assert client.outcome(client.call(asterisk.numbers("busy")[0]))["disposition"] == "busy"
    assert client.attempts() == before + 1 < 13
    assert client.dispatch()[GATES_SHOWN] == "paused"
    assert {row[GATES_SHOWN] for row in entries(client, batch, status="queued")} == {"paused"}

    resumed = order(client, batch, "resume").ok
    assert resumed["changed"] is True and resumed["batch"]["paused_at"] is None
    assert order(client, batch, "resume").ok["changed"] is False
    report = client.wait_finished(batch)
    assert report.dispositions == {"completed": 12} and report.attempts == 12


def test_Q28_Q24_a_canceled_batch_ends_and_live_calls_go_on(stack, half_dialled):
    client, batch = half_dialled
    canceled = order(client, batch, "cancel").ok
    assert canceled["changed"] is True and canceled["batch"]["canceled_at"]
    report = client.wait_finished(batch)
    done = report.attempts
    assert 4 <= done < 12
    assert report.dispositions == {"completed": done, "canceled": 12 - done}
    assert counts(client, batch) == report.dispositions
    stack.wait_until(lambda: client.api.get(f"/queues/batches/{batch}").ok["status"] == "finished",
                     "the batch is finished")
    assert client.dispatch()["pending"] == 0
    assert order(client, batch, "cancel").ok["changed"] is False
    for what in "pause", "resume":
        assert order(client, batch, what).json["code"] == "batch_over"
    assert [row["attempts"] for row in entries(client, batch, status="canceled")] == [0] * (12 - done)


@pytest.mark.parametrize("count", [3, 2500])
def test_Q28_a_batch_that_was_never_dispatched_is_canceled(stack, asterisk, count):
    client = stack.new_client("REGRETS")
    batch = client.insert([f"90200{n:05}" for n in range(count)])
    assert order(client, batch, "pause").ok["changed"] is True
    assert client.dispatch()["dispatched"] == count
    assert order(client, batch, "cancel").ok["changed"] is True
    assert client.wait_finished(batch).dispositions == {"canceled": count}
    assert counts(client, batch) == {"canceled": count} and client.attempts() == 0


@pytest.mark.parametrize("part", ["dispatcher", "dispatcher-holder"])
def test_Q28_orders_outlive_the_dispatcher(stack, asterisk, part):
    """Given while it is dead, or before: it stands beside the batch."""
    client = stack.new_client("STEADFAST", channels=1)
    paused, canceled = (client.insert(asterisk.numbers("answered", 4, talk=1)) for _ in range(2))
    client.dispatch()
    stack.wait_until(lambda: client.live_calls() == 1, "a call is live")
    order(client, paused, "pause").ok
    stack.kill(part)
    order(client, canceled, "cancel").ok
    if part == "dispatcher-holder":
        stack.start("dispatcher")
    stack.wait_ready()
    assert client.wait_finished(canceled).dispositions["canceled"] >= 3
    before = client.report(paused)
    assert client.outcome(client.call(asterisk.numbers("busy")[0]))["disposition"] == "busy"
    assert client.report(paused).attempts == before.attempts <= 1
    order(client, paused, "resume").ok
    report = client.wait_finished(paused)
    assert report.attempts == 4 and report.dispositions["completed"] >= 3


def call(client, call_id):
    return client.api.get(f"/calls/{call_id}").ok


def hang_up(client, call_id):
    return client.api.post(f"/calls/{call_id}/hangup").ok


@pytest.mark.parametrize("ring, until, ends, reason", [
    (0, "answered", "completed", "answered"),
    (9, "ringing", "canceled", "called off before it was answered"),
])
def test_Q28_a_live_call_is_hung_up(stack, asterisk, ring, until, ends, reason):
    client = stack.new_client("INTERRUPTER")
    [number] = asterisk.numbers("answered", ring=ring, talk=60)
    with listen(stack, client) as events:
        call_id = client.call(number)
        stack.wait_until(lambda: call(client, call_id)["status"] == until, f"it is {until}")
        assert hang_up(client, call_id)["changed"] is True
        said = client.api.get(f"/calls/{call_id}", wait=30).ok
        assert (said["status"], said["reason"]) == (ends, reason)
        [*_, last] = events.hear_until(lambda message: message["type"] in ("call_ended", "call_failed"))
    assert last["payload"]["disposition"] == ends
    assert hang_up(client, call_id) == {"message": "The call is over", "status": "success", "changed": False,
                                        "call": call(client, call_id)}


def test_Q28_a_call_that_is_about_to_be_dialled_is_hung_up_once_there_is_one(stack, asterisk):
    """Asterisk has no channel yet when it is told to hang it up."""
    client = stack.new_client("HASTY")
    calls = [client.call(number) for number in asterisk.numbers("answered", 8, talk=60)]
    for call_id in calls:
        assert hang_up(client, call_id)["changed"] is True
    for call_id in calls:
        assert client.outcome(call_id)["disposition"] in ("canceled", "completed")


def test_Q28_Q24_a_call_that_waits_is_not_dialled(stack, asterisk):
    client = stack.new_client("REVOKER", channels=1)
    busy_line = client.call(asterisk.numbers("answered", talk=3)[0])
    stack.wait_until(lambda: client.live_calls() == 1, "the only channel is in use")
    quick = client.call(asterisk.numbers("busy")[0])
    batch = client.insert(asterisk.numbers("busy", 3))
    client.dispatch()
    in_batch = entries(client, batch)[1]["call_id"]
    for call_id in quick, in_batch:
        assert hang_up(client, call_id)["changed"] is True
        said = client.api.get(f"/calls/{call_id}", wait=30).ok
        assert (said["status"], said["attempts"]) == ("canceled", 0)
    assert client.outcome(busy_line)["disposition"] == "completed"
    assert client.wait_finished(batch).dispositions == {"busy": 2, "canceled": 1}
    assert client.attempts() == 3


def test_Q28_orders_are_no_gets(stack):
    client = stack.new_client("BROWSER")
    batch = client.insert(["9020000001"])
    [entry] = entries(client, batch)
    for path in (f"/queues/batches/{batch}/pause", f"/queues/batches/{batch}/resume",
                 f"/queues/batches/{batch}/cancel", f"/calls/{entry['call_id']}/hangup"):
        answer = client.api.get(path)
        assert answer.status == 405 and answer.headers["Allow"].startswith("POST")
    assert counts(client, batch) == {"pending": 1}
