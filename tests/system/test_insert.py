"""Batches on their way in: stored as they were sent, once, whole or not at all, and fast."""
import collections
import concurrent.futures
import itertools
import json
import threading
import time

import pytest

INSERT = "/queues/insertdataincallqueue/"
CALL = "/queues/quickcall/"

_ENTRIES = """
select e.entry_id, e.phone_number, e.number, e.e164, e.country_digits, e.number_type, e.region, e.custom_data
  from entry e join queue_master q on q.id = e.queue_master_id
 where q.client_id = %s and q.batch_id = %s
 order by e.entry_id
"""


@pytest.fixture(scope="module")
def client(stack):
    return stack.new_client("INSERTER")


def entries(stack, client, batch_id):
    return stack.sql(_ENTRIES, client.client_id, batch_id)


def batches(stack, client):
    """batch_id -> (inserted_count, entries there are, entries its chunks speak of)."""
    return {row[0]: tuple(row[1:]) for row in stack.sql("""
        select q.batch_id, q.inserted_count,
               (select count(*) from entry e where e.queue_master_id = q.id),
               (select sum(entry_count) from chunk c where c.queue_master_id = q.id)
          from queue_master q where q.client_id = %s""", client.client_id)}


@pytest.mark.parametrize("count", [1, 1023, 1024, 1025, 5000])  # a chunk is full at 1,024
def test_E6_F8_Q25_what_is_stored_is_what_was_sent(stack, client, count):
    sent = []
    for i in range(count):
        entry = {"phone_number": f"+91 98765-{i:05d}" if i % 3 else f"0 98765.{i:05d}"}
        if i % 2:
            entry["custom_data"] = {"i": i, "ü": 'é"\n😀', "nested": [{"a": None}]}
        sent.append(entry)
    body = json.dumps({"data": sent, "batch_id": 10_000 + count}, ensure_ascii=bool(count % 2))
    answer = client.api.post(INSERT, body.encode()).ok
    assert (answer["batch_id"], answer["inserted_count"]) == (10_000 + count, count)
    assert "rejected" not in answer

    stored = entries(stack, client, 10_000 + count)
    assert len(stored) == count
    for i, (row, entry) in enumerate(zip(stored, sent)):
        given = entry["phone_number"]
        assert row["phone_number"] == given
        assert row["number"] == given.translate(str.maketrans("", "", " -."))
        assert row["e164"] == f"9198765{i:05d}"
        assert (row["country_digits"], row["number_type"], row["region"]) == (2, 1, "IN")
        assert row["custom_data"] is None or i % 2
        assert json.loads(row["custom_data"] or "null") == entry.get("custom_data")
        assert row["entry_id"] % 1024 == i % 1024
    chunks = collections.Counter(row["entry_id"] // 1024 for row in stored)
    counted = stack.sql("select id, entry_count from chunk where id = any(%s)", list(chunks))
    assert {row["id"]: row["entry_count"] for row in counted} == chunks


@pytest.mark.exact_bytes
def test_F8_custom_data_keeps_its_spelling(stack, client):
    custom = '{ "b":1e200000, "a" : [ ],"n":1.000 , "k":"\\u0041" }'
    client.api.post(INSERT, f'{{"batch_id":1,"data":[{{"phone_number":"9876543210",'
                            f'"custom_data":{custom}}}]}}'.encode()).ok
    assert entries(stack, client, 1)[0]["custom_data"] == custom
    call_id = client.call("9876543210", custom_data={"q": [1]})
    [row] = stack.sql("select custom_data from entry where entry_id = %s", int(call_id[4:18], 16))
    assert row["custom_data"] == '{"q": [1]}'


def test_Q7_rejected_rows_are_told_and_told_again(client):
    body = {"batch_id": 2, "data": [{"phone_number": "12"}, {"phone_number": "9876543210"},
                                    {"phone_number": 9876543210}, {}, "9876543210",
                                    {"phone_number": "9" * 100}]}
    first = client.api.post(INSERT, body)
    assert first.ok["inserted_count"] == 1
    rejected = first.ok["rejected"]
    assert [(row["index"], row["phone_number"], row["reason"]) for row in rejected] == [
        (0, "12", "invalid_number"), (2, None, "invalid_type"), (3, None, "missing_field"),
        (4, None, "invalid_type"), (5, "9" * 64, "invalid_number")]
    assert rejected[0]["detail"] == ("phone_number of entry 0 has fewer than 3 digits; "
                                     "send 3 to 15")
    assert all(f"entry {row['index']}" in row["detail"] for row in rejected)
    again = client.api.post(INSERT, body)
    assert again.ok == first.ok and again.headers["Idempotent-Replayed"] == "true"


def test_F9_a_batch_id_belongs_to_its_client(stack, client):
    other = stack.new_client("INSERTER-2")
    for one in client, other:
        answer = one.api.post(INSERT, {"batch_id": 3, "data": [{"phone_number": "9876543210"}]})
        assert answer.ok["inserted_count"] == 1
        assert "Idempotent-Replayed" not in answer.headers


@pytest.mark.parametrize("batch_id, count", [(4, 3), (5, 3000)])
def test_Q8_equal_requests_at_once_are_one_batch(stack, client, batch_id, count):
    data = [{"phone_number": "9876543210"}] * count
    body = json.dumps({"batch_id": batch_id, "data": data}).encode()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.api.post(INSERT, body), range(8)))
    assert len({json.dumps(answer.ok) for answer in answers}) == 1
    assert [answer.headers["Idempotent-Replayed"] for answer in answers].count(None) == 1
    assert batches(stack, client)[batch_id] == (count, count, count)


def test_Q8_different_requests_at_once_are_one_batch_and_conflicts(stack, client):
    bodies = [{"batch_id": 6, "data": [{"phone_number": f"987654321{i}"}]} for i in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda body: client.api.post(INSERT, body), bodies))
    assert sorted(answer.status for answer in answers) == [200] + 7 * [409]
    assert batches(stack, client)[6] == (1, 1, 1)


def test_Q6_too_many_entries_names_the_limit(stack, client):
    entry = b'{"phone_number":"9876543210"}'
    body = b'{"batch_id":7,"data":[' + (entry + b",") * 100_000 + entry + b"]}"
    answer = client.api.post(INSERT, body)
    assert answer.status == 400
    assert "100000" in answer.json["detail"] and "max_batch_entries" in answer.json["detail"]
    assert 7 not in batches(stack, client)


_CUT = """
select pg_terminate_backend(pid) from pg_stat_activity
 where usename = 'ccs_api' and state = 'active'
   and (query like '%insert into queue_master%' or query like 'copy entry%' or query = 'commit')
"""


def insert_while_cut(stack, client, body):
    """Sends a batch while PostgreSQL ends the first session seen storing it, if it is seen."""
    answered = threading.Event()

    def cut():
        while not answered.is_set() and not stack.sql(_CUT):
            pass

    cutter = threading.Thread(target=cut)
    cutter.start()
    try:
        return client.api.post(INSERT, body)
    finally:
        answered.set()
        cutter.join()


def test_a_batch_is_whole_or_not_there_when_the_connection_is_lost(stack, client):
    """A 503 leaves open whether the batch is stored; sending it again settles that."""
    lost, until, ids = 0, time.monotonic() + 60, itertools.count(100_000)
    count = 2500
    while lost < 6 and time.monotonic() < until:
        batch_id = next(ids)
        data = [{"phone_number": "9876543210"}] * count
        body = json.dumps({"batch_id": batch_id, "data": data}).encode()
        answer = insert_while_cut(stack, client, body)
        if answer.status != 200:
            lost += 1
            assert answer.status == 503 and int(answer.headers["Retry-After"]) >= 1
            assert batches(stack, client).get(batch_id, (count,) * 3) == (count,) * 3
            stack.wait_until(lambda: client.api.post(INSERT, body).status == 200,
                             "the batch is taken")
        assert batches(stack, client)[batch_id] == (count,) * 3
    assert lost == 6


def test_Q12_auto_dispatch_needs_no_dispatch(stack, asterisk):
    client = stack.new_client("AUTOMATIC")
    stack.sql("update client set auto_dispatch = true where id = %s", client.client_id)
    client.api.post("/controls/setup-channels/").ok  # nobody answers from what was read before
    batch = client.insert(asterisk.numbers("busy", 3))
    assert client.wait_finished(batch).dispositions == {"busy": 3}
