"""GET /events: the same log as the WebSocket's, from any position on."""
import pytest
from ws_client import ALL, listen


@pytest.fixture(scope="module")
def client(stack, asterisk):
    """With a batch and two quick calls behind it."""
    client = stack.new_client("CHRONICLER")
    batch = client.insert(asterisk.mixed(12, talk=1), custom_data={"order": 17})
    client.dispatch()
    client.wait_finished(batch)
    for number in asterisk.numbers("busy", 2):
        stack.outcome(client.call(number))
    return client


def page(client, **query):
    return client.api.get("/events", **query).ok


def pages(client, **query):
    """All of them, answer by answer."""
    after, items = 0, []
    while True:
        answer = page(client, after=after, **query)
        assert answer["missed"] == 0
        items += answer["items"]
        after = answer["next_after"]
        if not answer["more"]:
            return items


def check_no_gap(items, after=0):
    for item in items:
        assert item["prev"] == after < item["seq"]
        after = item["seq"]


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_M9_all_of_the_log_in_pages_of_any_size(stack, client, limit):
    items = pages(client, limit=limit)
    stored = stack.sql("select seq, type from event where client_id = %s order by seq", client.client_id)
    assert [(item["seq"], item["type"]) for item in items] == [tuple(row) for row in stored]
    assert [item["seq"] for item in items] == list(range(1, len(items) + 1))
    check_no_gap(items)


def test_C10_an_event_is_the_message_of_the_websocket_and_the_entrys_data(stack, client, asterisk):
    with listen(stack, client, *ALL) as events:
        client.call(asterisk.numbers("busy")[0], custom_data={"a": [1e200]})
        told = [events.hear(), events.hear()]
    after = told[0]["seq"] - 1
    items = page(client, after=after)["items"]
    for event in told:
        event["payload"]["custom_data"] = {"a": [1e200]}
    assert items == told


def test_a_filter_leaves_no_gap(client):
    everything = pages(client)
    batch_id = everything[0]["payload"]["batch_id"]
    number = everything[0]["payload"]["phone_number"]
    for query, fits in [({"types": "call_ended,call_failed"}, lambda e: e["type"] in ("call_ended", "call_failed")),
                        ({"types": "call_answered", "limit": 1}, lambda e: e["type"] == "call_answered"),
                        ({"batch_id": batch_id}, lambda e: e["payload"]["batch_id"] == batch_id),
                        ({"server_code": "ast1"}, lambda e: e["payload"]["server_code"] == "ast1"),
                        ({"phone_number": number}, lambda e: e["payload"]["phone_number"] == number)]:
        items = pages(client, **query)
        assert [item["seq"] for item in items] == [event["seq"] for event in everything if fits(event)] != []
        after = 0
        for item in items:
            assert item["prev"] <= after, "its reader would believe to have missed something"
            after = item["seq"]


def test_the_end_of_the_log(client):
    last = page(client)["last_seq"]
    assert page(client, after=last) == {"items": [], "missed": 0, "next_after": last, "last_seq": last, "more": False}
    assert page(client, after=last - 1, types="call_started")["next_after"] == last, "what does not fit is passed"


def test_what_is_no_longer_kept_is_counted(stack, asterisk):
    client = stack.new_client("ARCHIVIST")
    for number in asterisk.numbers("busy", 2):
        stack.outcome(client.call(number))
    stack.sql("delete from event where client_id = %s and seq <= 3", client.client_id)
    answer = page(client)
    assert (answer["missed"], [item["seq"] for item in answer["items"]], answer["items"][0]["prev"]) == (3, [4], 3)
    assert page(client, after=3)["missed"] == 0
    stack.sql("delete from event where client_id = %s", client.client_id)
    assert page(client, after=1) == {"items": [], "missed": 3, "next_after": 4, "last_seq": 4, "more": False}


@pytest.mark.parametrize("query,code,word", [
    ({"after": "x"}, "bad_request", "after"), ({"after": 10**6}, "bad_request", "after"), ({"limit": 1001}, "bad_request", "limit"),
    ({"types": "call_started,call_paused"}, "unknown_event", "call_paused"), ({"types": ""}, "unknown_event", "types"),
    ({"batch_id": 99}, "not_yours", ""), ({"server_code": "none"}, "not_yours", "")])
def test_what_is_refused(client, query, code, word):
    answer = client.api.get("/events", **query)
    assert answer.json["code"] == code and word in answer.json["detail"]
