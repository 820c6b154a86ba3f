"""callbackurl: what a client's receiver is told, whatever it answers and whoever dies."""
import collections
import itertools

import pytest
from receiver import receiving

CALL = ("call_started", "call_answered", "call_ended")


@pytest.fixture
def receiver(stack):
    with receiving(stack) as server:
        yield server


@pytest.fixture
def client(stack, receiver):
    """A client of its own whose events go to the receiver; nothing is left to be sent afterwards."""
    made = stack.new_client("HOOKED", callbackurl=receiver.url)
    yield made
    set_url(stack, made, "")


def set_url(stack, client, url):
    stack.stack.ccs.ctl("client", "set", client.accountcode, f"--callbackurl={url}")


def told(receiver, call_id) -> list:
    return [event for event in receiver.events() if event.get("call_id") == call_id]


def types(events) -> list:
    return [event["type"] for event in events]


def test_B9_Q21_each_event_of_a_call_comes_once_in_order_with_the_promised_members(stack, asterisk, client, receiver):
    [number] = asterisk.numbers("answered", talk=2)
    call_id = client.call(number, custom_data={"z": "CUST001", "a": 1})
    detail = client.outcome(call_id)
    stack.wait_until(lambda: len(told(receiver, call_id)) == 3, "three events have come")
    started, answered, ended = told(receiver, call_id)
    assert types((started, answered, ended)) == list(CALL)
    assert [event["event_type"] for event in (started, answered, ended)] == \
        ["call_started", "call_answered", "call_completed"]
    for event in (started, answered, ended):
        assert event["accountcode"] == client.accountcode and event["phone_number"] == number
        assert list(event["custom_data"].items()) == [("z", "CUST001"), ("a", 1)]
        assert event["batch_id"] is None and event["server_code"] == "ast1"
        assert event["payload"]["call_id"] == call_id and event["payload"]["attempt"] == 1
    assert started["call_status"] == "started" and started["end_time"] is None
    assert ended["call_status"] == ended["disposition"] == "completed" and ended["payload"]["is_final"]
    assert ended["duration"] == pytest.approx(detail["duration_ms"] / 1000)
    assert ended["start_time"] == started["start_time"] and ended["end_time"].endswith("Z")
    assert ended["error_message"] is None
    assert [event["seq"] for event in (started, answered, ended)] == [1, 2, 3]


def test_Q21_a_call_that_nobody_answers_is_told_by_its_kind(stack, asterisk, client, receiver):
    call_id = client.call(asterisk.numbers("busy")[0])
    stack.wait_until(lambda: len(told(receiver, call_id)) == 2, "both events have come")
    failed = told(receiver, call_id)[1]
    assert (failed["type"], failed["event_type"], failed["call_status"]) == ("call_failed", "call_busy", "busy")
    assert failed["error_message"] == failed["payload"]["reason"]


def test_Q21_what_fails_comes_again_until_it_arrives_and_its_call_waits(stack, asterisk, client, receiver):
    """The first two answers to the first event are 503; what comes later of that call waits behind it."""
    answers = itertools.chain([503] * 2, itertools.repeat(200))
    receiver.answer = lambda event: next(answers) if event["type"] == "call_started" else 200
    call_id = client.call(asterisk.numbers("busy")[0])
    stack.wait_until(lambda: len(told(receiver, call_id)) == 2, "both events have arrived")
    assert types(told(receiver, call_id)) == ["call_started", "call_failed"]
    tries = [one.status for one in receiver.deliveries if one.event["type"] == "call_started"]
    assert tries == [503, 503, 200]
    assert len({one.id for one in receiver.deliveries if one.event["type"] == "call_started"}) == 1
    stack.wait_until(lambda: waiting(stack, client) == 0 and position(stack, client) == 2, "nothing waits any more")


def waiting(stack, client) -> int:
    return stack.sql("select count(*) from webhook_retry where client_id = %s and dead_at is null", client.client_id)[0][0]


def position(stack, client) -> int:
    return stack.sql("select seq from webhook where client_id = %s", client.client_id)[0][0]


def test_B9_a_killed_courier_or_dispatcher_loses_nothing(stack, asterisk, client, receiver):
    """What was under way may come twice, under the same id."""
    calls = [client.call(number) for number in asterisk.numbers("busy", 10)]
    stack.wait_until(lambda: len(receiver.taken()) > 3, "some have come")
    for _ in range(2):
        stack.kill("courier")
        stack.start("courier")
        stack.kill("dispatcher")
        calls += [client.call(number) for number in asterisk.numbers("busy", 3)]
    stack.wait_until(lambda: {event["call_id"] for event in receiver.events("call_failed")} == set(calls),
                     "each call's end has come")
    ids = collections.defaultdict(set)
    for one in receiver.taken():
        ids[one.id].add(one.body)
    assert len(ids) == 2 * len(calls) and all(len(bodies) == 1 for bodies in ids.values())


def test_a_receiver_that_is_away_delays_neither_calls_nor_others(stack, asterisk, receiver):
    """Nobody listens on the other's port; its events wait."""
    with receiving(stack) as away:
        gone = away.url
    lost = stack.new_client("AWAY", callbackurl=gone)
    client = stack.new_client("HERE", callbackurl=receiver.url)
    theirs = [lost.call(number) for number in asterisk.numbers("busy", 5)]
    ours = [client.call(number) for number in asterisk.numbers("busy", 5)]
    stack.wait_until(lambda: {event["call_id"] for event in receiver.events("call_failed")} == set(ours),
                     "ours have come")
    for call_id in theirs:
        lost.outcome(call_id)
    stack.wait_until(lambda: waiting(stack, lost) > 0, "theirs wait")
    set_url(stack, lost, receiver.url)
    set_url(stack, lost, "")
    set_url(stack, client, "")
