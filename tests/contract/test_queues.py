"""Numbers that come twice, and batches that are added to earlier ones."""
import collections
import json

import pytest

INSERT = "/queues/insertdataincallqueue/"


def batch_of(batch_id, numbers, **members):
    return {"batch_id": batch_id, "data": [{"phone_number": number} for number in numbers], **members}


def entries(client, queue):
    return client.api.get(f"/clients/calling-queue-entries/{client.client_id}/{queue}", size=100).ok["items"]


# One number, several entries


def test_Q26_a_number_twice_is_two_entries_and_never_two_calls_at_once(stack, asterisk):
    client = stack.new_client("REPEATER", channels=10)
    [number] = asterisk.numbers("answered", talk=1)
    client.api.post(INSERT, batch_of(1, [number, f"+91{number}", number])).ok
    client.dispatch()
    assert client.wait_finished(1).dispositions == {"completed": 3}
    overlaps = stack.sql("""
        select count(*) from call_detail a join call_detail b on a.entry_id < b.entry_id
         where a.client_id = %s and b.client_id = %s and a.started_at < b.ended_at and b.started_at < a.ended_at""",
                         client.client_id, client.client_id)
    assert overlaps == [[0]]


SPELLINGS = ["9876500001", "+91 98765 00001", "98765-00001", "9876500002", "+919876500002"]


def test_Q26_Q7_dedupe_takes_the_first_of_each_number(stack):
    client = stack.new_client("FRUGAL")
    said = client.api.post(INSERT, batch_of(1, SPELLINGS), dedupe=1).ok
    assert said["inserted_count"] == 2
    assert [(row["index"], row["phone_number"], row["reason"]) for row in said["rejected"]] \
        == [(n, SPELLINGS[n], "duplicate_number") for n in (1, 2, 4)]
    assert [row["phone_number"] for row in entries(client, 1)] == [SPELLINGS[0], SPELLINGS[3]]
    assert client.api.post(INSERT, batch_of(1, SPELLINGS), dedupe=1).ok == said
    refused = client.api.post(INSERT, batch_of(2, SPELLINGS), dedupe=1, strict=1)
    assert refused.status == 400 and refused.json["code"] == "duplicate_number"
    assert client.api.post(INSERT, batch_of(3, SPELLINGS)).ok["inserted_count"] == 5


def test_Q26_dedupe_of_a_large_batch(stack):
    client = stack.new_client("THRIFTY")
    numbers = [f"98765{n % 20_000:05}" for n in range(50_000)]
    said = client.api.post(INSERT, batch_of(1, numbers), dedupe=1).ok
    assert said["inserted_count"] == 20_000 and len(said["rejected"]) == 30_000
    assert [row["index"] for row in said["rejected"]] == list(range(20_000, 50_000))


# Batches of several parts


@pytest.fixture
def client(stack):
    return stack.new_client("APPENDER")


def queue(client, batch_id):
    return client.api.get(f"/queues/batches/{batch_id}").ok


def masters(client):
    return client.api.get(f"/clients/queue-masters/{client.client_id}").ok


def test_Q9_B6_each_batch_is_a_queue_of_its_own(client):
    ids = [client.api.post(INSERT, batch_of(batch_id, ["9020000001"], **members)).ok["queue_id"]
           for batch_id, members in ((1, {}), (2, {"queue_id": None}))]
    assert [row["id"] for row in masters(client)["items"]] == ids and len(set(ids)) == 2


def test_Q9_a_batch_is_added_to_an_earlier_one(client):
    first = client.api.post(INSERT, batch_of(1, ["9020000001", "12"])).ok
    added = client.api.post(INSERT, batch_of(2, ["9020000002", "9020000003", "13"], queue_id=first["queue_id"])).ok
    assert (added["batch_id"], added["queue_id"], added["inserted_count"]) == (2, first["queue_id"], 2)
    again = client.api.post(INSERT, batch_of(3, ["9020000004"], queue_id=2)).ok  # by the batch_id of a part
    assert again["queue_id"] == first["queue_id"]
    page = masters(client)
    assert page["total"] == 1 == len(page["items"])
    [row] = page["items"]
    assert (row["batch_id"], row["total"], row["counts"]["pending"], row["rejected_count"]) == (1, 4, 4, 2)
    assert queue(client, 1) == queue(client, 2) == queue(client, 3) == row
    assert [entry["phone_number"] for entry in entries(client, 2)] == [f"902000000{n}" for n in range(1, 5)]
    assert {entry["batch_id"] for entry in entries(client, row["id"])} == {1}


def test_Q9_Q8_each_part_is_known_again(client):
    body = batch_of(1, ["9020000001"])
    first = client.api.post(INSERT, body).ok
    part = batch_of(2, ["9020000002"], queue_id=first["queue_id"])
    added = client.api.post(INSERT, part).ok
    for sent, said in (body, first), (part, added):
        again = client.api.post(INSERT, json.dumps(sent, indent=2).encode())
        assert again.ok == said and again.headers["Idempotent-Replayed"] == "true"
    assert client.api.post(INSERT, batch_of(2, ["9020000009"], queue_id=first["queue_id"])).status == 409
    assert client.api.post(INSERT, batch_of(1, ["9020000009"], queue_id=first["queue_id"])).status == 409
    assert queue(client, 1)["total"] == 2


def test_Q9_what_is_added_to_a_dispatched_batch_is_dialled_with_it(stack, asterisk):
    client = stack.new_client("FEEDER")
    numbers = asterisk.numbers("busy", 6)
    first = client.api.post(INSERT, batch_of(1, numbers[:2])).ok
    client.dispatch()
    client.wait_finished(1)
    stack.wait_until(lambda: queue(client, 1)["status"] == "finished", "the first part is over")
    client.api.post(INSERT, batch_of(2, numbers[2:], queue_id=first["queue_id"])).ok
    stack.wait_until(lambda: queue(client, 1)["status"] == "finished"
                     and queue(client, 1)["counts"]["busy"] == 6, "all of it is over")
    assert set(asterisk.times_rung(numbers).values()) == {1}
    rows = client.api.get("/client-call-details/details", batch_id=2).ok["items"]
    assert collections.Counter(row["batch_id"] for row in rows) == {1: 6}


def test_Q9_what_cannot_be_added_to(stack, client):
    first = client.api.post(INSERT, batch_of(1, ["9020000001"])).ok["queue_id"]
    other = stack.new_client("NEIGHBOUR").api.post(INSERT, batch_of(77, ["9020000001"])).ok["queue_id"]
    for queue_id in other, 4_000_000_000:
        assert client.api.post(INSERT, batch_of(2, ["9020000002"], queue_id=queue_id)).json["code"] == "not_yours"
    for queue_id, code in ((0, "invalid_value"), ("1", "invalid_type"), (1.5, "invalid_value"), ([], "invalid_type")):
        assert client.api.post(INSERT, batch_of(2, ["9020000002"], queue_id=queue_id)).json["code"] == code
    client.api.post("/queues/batches/1/cancel").ok
    refused = client.api.post(INSERT, batch_of(2, ["9020000002"], queue_id=first))
    assert (refused.status, refused.json["code"]) == (409, "batch_over")
    assert masters(client)["total"] == 1 and queue(client, 1)["total"] == 1
