"""Events over WebSocket: what subscribers are told, in which order, and across which restarts."""
import threading

import pytest
from ws_client import ALL, CLOSE, THREE, Closed, WebSocket, can_connect, frame, listen


@pytest.fixture(scope="module")
def client(stack):
    """Somebody with events of its own."""
    client = stack.new_client("WATCHER")
    stack.wait_until(lambda: can_connect(stack, client), "the relay knows the new key")
    return client


def is_last(message):
    return message["type"] in ("call_ended", "call_failed")


def check_chain(events, *, first_prev=None):
    """Each event names the one that was told before it: nothing is missing, nothing came twice."""
    for before, after in zip(events, events[1:]):
        assert after["prev"] == before["seq"] < after["seq"]
    if first_prev is not None:
        assert events[0]["prev"] == first_prev


def test_W4_nothing_but_connected_before_subscribe(stack, client, asterisk):
    with WebSocket.to(stack, client.key) as quiet, listen(stack, client) as other:
        connected = quiet.hear()
        assert connected["type"] == "connected" and connected["server_time"].endswith("Z")
        assert connected["events"] == list(ALL)
        call_id = client.call(asterisk.numbers("busy")[0])
        assert other.hear_until(is_last)[-1]["payload"]["call_id"] == call_id
        subscribed = quiet.subscribe("call_started")
        assert (subscribed["type"], subscribed["events"]) == ("subscribed", ["call_started"])


def test_W2_F10_an_answered_call(stack, client, asterisk):
    [number] = asterisk.numbers("answered", talk=1)
    with listen(stack, client, *ALL) as events:
        call_id = client.call(number)
        started, answered, ended = events.hear_until(is_last)
    assert [event["type"] for event in (started, answered, ended)] \
        == ["call_started", "call_answered", "call_ended"]
    for event in (started, answered, ended):
        payload = event["payload"]
        assert (payload["call_id"], payload["phone_number"], payload["batch_id"]) \
            == (call_id, number, None)
        assert (payload["accountcode"], payload["server_code"], payload["attempt"]) \
            == (client.accountcode, "ast1", 1)
        assert event["id"] == f"{client.client_id}-{event['seq']}"
        assert event["occurred_at"].endswith("Z")
    assert started["payload"]["answered_at"] is None
    assert 0.9 <= ended["payload"]["billsec"] <= ended["payload"]["duration"] < 10
    assert (ended["payload"]["disposition"], ended["payload"]["is_final"]) == ("completed", True)
    check_chain([started, answered, ended])


@pytest.mark.parametrize("outcome,reason", [("busy", "busy"),
                                            ("rejected", "rejected by the far end"),
                                            ("congestion", "no circuit available")])
def test_W2_F10_a_call_that_fails_says_why(stack, client, asterisk, outcome, reason):
    with listen(stack, client) as events:
        call_id = client.call(asterisk.numbers(outcome)[0])
        heard = events.hear_until(is_last)
    assert heard[-1]["type"] == "call_failed"
    assert heard[-1]["payload"]["call_id"] == call_id
    assert (heard[-1]["payload"]["disposition"], heard[-1]["payload"]["reason"]) \
        == (outcome, reason)


def test_B1_a_batch_is_told_in_order_and_without_a_hole(stack, asterisk):
    client = stack.new_client("NEWSREADER")
    numbers = asterisk.mixed(120, talk=1)
    with listen(stack, client, *ALL) as all_types, listen(stack, client) as three_types:
        batch = client.insert(numbers)
        client.dispatch()
        ends = {"left": len(numbers)}

        def was_last(message):
            ends["left"] -= is_last(message)
            return ends["left"] == 0

        told = all_types.hear_until(was_last)
        ends["left"] = len(numbers)
        told_three = three_types.hear_until(was_last)
    assert [event["seq"] for event in told] == list(range(1, len(told) + 1))
    check_chain(told, first_prev=0)
    check_chain(told_three, first_prev=0)
    assert told_three and [event["id"] for event in told_three] \
        == [event["id"] for event in told if event["type"] in THREE]
    report = client.wait_finished(batch)
    assert {event["payload"]["phone_number"] for event in told} == set(numbers)
    assert sum(event["type"] == "call_ended" for event in told) == report.dispositions["completed"]
    stored = stack.sql("select seq, type from event where client_id = %s order by seq",
                       client.client_id)
    assert [(event["seq"], event["type"]) for event in told] == [tuple(row) for row in stored]


def test_A7_three_clients_hear_of_their_own_calls_only(stack, asterisk):
    clients = [stack.new_client(name) for name in ("TENANT-A", "TENANT-B", "TENANT-C")]
    sockets = [listen(stack, client, *ALL) for client in clients]
    calls = {client.accountcode: set() for client in clients}
    for number in asterisk.numbers("busy", 8):
        for client in clients:
            calls[client.accountcode].add(client.call(number))
    for client, socket in zip(clients, sockets):
        heard, wanted = [], calls[client.accountcode]
        while {event["payload"]["call_id"] for event in heard if is_last(event)} < wanted:
            heard.append(socket.hear())
        assert {event["payload"]["accountcode"] for event in heard} == {client.accountcode}
        assert {event["payload"]["call_id"] for event in heard} == wanted
        assert [event["seq"] for event in heard] == list(range(1, len(heard) + 1))
        socket.hang_up()


def test_W1_unknown_events_are_named_and_the_connection_goes_on(stack, client, asterisk):
    with listen(stack, client, "call_failed") as events:
        refused = events.subscribe("call_started", "call_paused", "call_lost")
        assert (refused["type"], refused["code"]) == ("error", "unknown_event")
        assert refused["unknown"] == ["call_paused", "call_lost"] and refused["known"] == list(ALL)
        assert "call_paused" in refused["detail"]
        client.call(asterisk.numbers("busy")[0])
        assert events.hear()["type"] == "call_failed"


def test_subscribing_again_replaces(stack, client, asterisk):
    with listen(stack, client, "call_started") as events:
        assert events.subscribe("call_failed")["events"] == ["call_failed"]
        client.call(asterisk.numbers("busy")[0])
        assert events.hear()["type"] == "call_failed"
        assert events.subscribe(*THREE)["events"] == list(THREE)
        client.call(asterisk.numbers("busy")[0])
        assert [events.hear()["type"], events.hear()["type"]] == ["call_started", "call_failed"]


def hear_a_call(client, events, asterisk) -> list:
    client.call(asterisk.numbers("busy")[0])
    return events.hear_until(is_last)


def test_relay_killed(stack, client, asterisk):
    with listen(stack, client) as events:
        before = hear_a_call(client, events, asterisk)
        stack.kill("relay")
        assert events.goodbye().code is None
    answer = stack.api.get("/monitoring/health")
    assert answer.status == 200, "no other part is lost"
    missed = client.call(asterisk.numbers("busy")[0])
    stack.outcome(missed)
    assert not can_connect(stack, client)
    stack.start("relay")
    with listen(stack, client) as events:
        after = hear_a_call(client, events, asterisk)
        check_chain(after)
        # The seq between tells the client that it has missed a call: two events.
        assert after[0]["prev"] > before[-1]["seq"]
        assert after[0]["seq"] == before[-1]["seq"] + 3


def test_relay_stopped_says_goodbye(stack, client):
    with listen(stack, client) as events:
        stopping = threading.Thread(target=stack.stop, args=("relay",))
        stopping.start()
        closing = events.hear()
        closed = events.goodbye()
        stopping.join()
    stack.start("relay")
    assert closing["type"] == "closing" and 0 <= closing["reconnect_after_ms"] < 1000
    assert closed.code == 1001 and f"connect again in {closing['reconnect_after_ms']} ms" in closed.reason
    stack.wait_until(lambda: can_connect(stack, client), "the relay is back")


@pytest.mark.parametrize("part", ["dispatcher", "dispatcher-holder"])
def test_dispatcher_killed_and_the_connection_goes_on(stack, client, asterisk, part):
    with listen(stack, client) as events:
        heard = hear_a_call(client, events, asterisk)
        stack.kill(part)
        if part == "dispatcher-holder":
            stack.start("dispatcher")
        stack.wait_ready()
        heard += hear_a_call(client, events, asterisk)
        assert [event["type"] for event in heard] == ["call_started", "call_failed"] * 2
        check_chain(heard)


def test_segment_replaced_and_the_connection_goes_on(stack, client, asterisk):
    with listen(stack, client) as events:
        before = hear_a_call(client, events, asterisk)
        objects = stack.stack.ccs.shared_memory()
        stack.stack.ccs.remove_shared_memory()
        stack.wait_until(lambda: stack.stack.ccs.shared_memory() == objects, "it is made anew")
        stack.wait_ready()
        gap, *after = hear_a_call(client, events, asterisk)
        assert gap == {"type": "gap", "missed": None}
        assert [event["type"] for event in after] == ["call_started", "call_failed"]
        assert after[0]["seq"] == before[-1]["seq"] + 1
        check_chain(after)


def test_a_client_that_says_goodbye_is_answered(stack, client):
    with listen(stack, client) as events:
        events.send(frame(b"\x03\xe8done", CLOSE))
        assert events.goodbye().code == 1000
        with pytest.raises(Closed):
            events.frame()
