"""A subscription that goes on where it was: after the connection, the relay or the dispatcher died, with filters and without."""
import pytest
from ws_client import ALL, WebSocket, can_connect, listen


@pytest.fixture(scope="module")
def client(stack, asterisk):
    """Somebody with two calls behind it."""
    client = stack.new_client("RETURNER")
    for number in asterisk.numbers("busy", 2):
        stack.outcome(client.call(number))
    stack.wait_until(lambda: can_connect(stack, client), "the relay knows the new key")
    return client


def newest(client):
    return client.api.get("/events").ok["last_seq"]


def resumed(stack, client, position, *events, **more):
    """A connection that says where it was; the answer is checked."""
    connection = WebSocket.to(stack, client.key)
    assert connection.hear()["type"] == "connected"
    answer = connection.subscribe(*(events or ALL), resume_from=position, **more)
    assert (answer["type"], answer["seq"]) == ("subscribed", position)
    connection.position = position
    return connection


def hear_to(connection, seq):
    """Events up to this seq, each of them once and with nothing missing in between."""
    heard = []
    while connection.position < seq:
        before = connection.position
        heard.append(connection.hear())
        assert heard[-1]["prev"] <= before < heard[-1]["seq"], (before, heard[-1])
    return heard


def test_Q22_connected_says_where_we_are_and_how_far_back_it_goes(stack, client):
    with WebSocket.to(stack, client.key) as connection:
        connected = connection.hear()
    assert connected["seq"] == newest(client) >= 4
    assert 4 <= connected["resume_window"] <= connected["seq"]


def test_W3_Q22_a_connection_that_was_cut_goes_on_where_it_was(stack, client, asterisk):
    with listen(stack, client, *ALL) as events:
        stack.outcome(client.call(asterisk.numbers("busy")[0]))
        position = [events.hear(), events.hear()][-1]["seq"]
    stack.outcome(client.call(asterisk.numbers("busy")[0]))
    with resumed(stack, client, position) as events:
        assert [events.hear()["seq"], events.hear()["seq"]] == [position + 1, position + 2]
        client.call(asterisk.numbers("busy")[0])
        assert [event["seq"] for event in hear_to(events, position + 4)] == [position + 3, position + 4]


def test_from_the_beginning_it_is_the_log(stack, client):
    last = newest(client)
    with resumed(stack, client, 0) as events:
        heard = hear_to(events, last)
    log = client.api.get("/events", limit=1000).ok["items"]
    for event in log:
        del event["payload"]["custom_data"]
    assert heard == log[:len(heard)]


@pytest.mark.parametrize("part", ["relay", "dispatcher", "dispatcher-holder"])
def test_W3_killed_and_nothing_is_missing(stack, client, asterisk, part):
    with listen(stack, client, *ALL) as events:
        client.call(asterisk.numbers("busy")[0])
        position = [events.hear(), events.hear()][-1]["seq"]
        stack.kill(part)
    if part != "dispatcher":
        stack.start(part.removesuffix("-holder"))
    stack.wait_ready()
    stack.outcome(client.call(asterisk.numbers("busy")[0]))
    stack.wait_until(lambda: can_connect(stack, client), "the relay takes connections")
    with resumed(stack, client, position) as events:
        assert [event["seq"] for event in hear_to(events, position + 2)] == [position + 1, position + 2]


def test_filters_leave_no_gap_live_and_resumed(stack, client, asterisk):
    first, other = asterisk.numbers("busy", 2)
    start = newest(client)
    batch = client.insert([first, other])
    quiet = dict(phone_number=other)
    with resumed(stack, client, start, batch_id=batch) as of_batch, resumed(stack, client, start, batch_id=None) as of_none, \
            resumed(stack, client, start, **quiet) as of_number, resumed(stack, client, start, server_code="ast1") as of_server:
        client.dispatch()
        client.wait_finished(batch)
        stack.outcome(client.call(first))
        stack.outcome(client.call(other))
        last = newest(client)
        assert [event["payload"]["batch_id"] for event in hear_to(of_batch, start + 4)] == [batch] * 4
        assert [event["payload"]["batch_id"] for event in hear_to(of_none, last)] == [None] * 4
        assert [event["payload"]["phone_number"] for event in hear_to(of_number, last)] == [other] * 4
        assert [event["seq"] for event in hear_to(of_server, last)] == list(range(start + 1, last + 1))
    with resumed(stack, client, start, "call_failed", **quiet) as later:
        assert [event["type"] for event in hear_to(later, last)] == ["call_failed"] * 2


def test_a_mark_moves_the_position_of_who_hears_nothing(stack, client, asterisk, relay):
    with relay(mark_seconds=1) as folder, WebSocket.to_relay(folder, client.key) as quiet:
        assert quiet.subscribe("call_answered")["seq"] == newest(client)
        stack.outcome(client.call(asterisk.numbers("busy")[0]))
        last = newest(client)
        while quiet.position != last:
            assert quiet.hear(marks=True) == {"type": "mark", "seq": quiet.position}


def test_unsubscribe(stack, client, asterisk):
    with listen(stack, client, *ALL) as events:
        events.say({"type": "unsubscribe", "events": ["call_started"]})
        assert events.hear()["events"] == ["call_answered", "call_ended", "call_failed"]
        client.call(asterisk.numbers("busy")[0])
        assert events.hear()["type"] == "call_failed"
        events.say({"type": "unsubscribe"})
        assert events.hear()["events"] == []
        stack.outcome(client.call(asterisk.numbers("busy")[0]))
        events.say({"type": "unsubscribe"})
        assert events.hear()["type"] == "subscribed", "and no event before it"


@pytest.mark.parametrize("more,code", [({"resume_from": -1}, "invalid_resume_from"), ({"resume_from": "1"}, "invalid_resume_from"),
                                       ({"batch_id": "x"}, "invalid_filter"), ({"phone_number": 1}, "invalid_filter")])
def test_a_bad_position_or_filter_changes_nothing(stack, client, asterisk, more, code):
    with listen(stack, client, "call_failed") as events:
        error = events.subscribe("call_started", **more)
        assert (error["type"], error["code"]) == ("error", code)
        client.call(asterisk.numbers("busy")[0])
        assert events.hear()["type"] == "call_failed"


def test_what_the_relay_does_not_have_any_more_is_declared_and_the_log_has_it(stack, asterisk):
    client = stack.new_client("LATECOMER")
    stack.outcome(client.call(asterisk.numbers("busy")[0]))
    objects = stack.stack.ccs.shared_memory()
    stack.stack.ccs.remove_shared_memory()
    stack.wait_until(lambda: stack.stack.ccs.shared_memory() == objects, "it is made anew")
    stack.wait_ready()
    stack.wait_until(lambda: can_connect(stack, client), "the relay has attached it")
    with resumed(stack, client, 0) as events:
        assert events.hear() == {"type": "resync_required", "after": 0, "before": None, "missed": None}
        assert client.api.get("/events", after=0).ok["next_after"] == 2
    stack.outcome(client.call(asterisk.numbers("busy")[0]))
    with resumed(stack, client, 1) as events:
        assert events.hear() == {"type": "resync_required", "after": 1, "before": 3, "missed": 1}
        log = client.api.get("/events", after=1, limit=1).ok
        assert [event["seq"] for event in log["items"]] == [2]
        assert [events.hear()["seq"], events.hear()["seq"]] == [3, 4]
    with resumed(stack, client, 99) as events:
        assert events.hear()["type"] == "resync_required", "such a seq there has never been"
