"""Small batches that are there at the same time share a transaction, and nothing else."""
import json

import pytest
from crowd import Crowd, poisoned

CROWD = 24
ENTRIES = 10
INSERT = "/queues/insertdataincallqueue/"
FIRST = 1_000_000  # batch ids that no queue master has for its own


@pytest.fixture(scope="module")
def clients(stack):
    """Nobody dials for them: there are no channels."""
    return [stack.new_client(f"GATHERED{i}", channels=0) for i in (1, 2)]


def body(batch_id, numbers):
    return {"batch_id": batch_id, "data": [{"phone_number": number} for number in numbers]}


def bodies(asterisk, first, count=CROWD):
    """Of batches with numbers that no other one has."""
    numbers = asterisk.numbers("busy", count * ENTRIES)
    return [body(first + i, numbers[i * ENTRIES:(i + 1) * ENTRIES]) for i in range(count)]


def stored(stack, client, batch_id):
    """The numbers of a batch in their order, and the transactions that its rows are of."""
    rows = stack.sql("""
        select e.phone_number, e.xmin::text, c.xmin::text, q.xmin::text, e.entry_id / 1024 = c.id
          from queue_master q join chunk c on c.queue_master_id = q.id
          join entry e on e.queue_master_id = q.id
         where q.client_id = %s and q.batch_id = %s order by e.entry_id""", client.client_id, batch_id)
    assert all(row[4] for row in rows)
    return [row[0] for row in rows], {xmin for row in rows for xmin in row[1:4]}


def sent(request):
    return [entry["phone_number"] for entry in request["data"]]


def test_each_gets_its_own_and_they_share_transactions(stack, asterisk, clients):
    requests = bodies(asterisk, FIRST + 100)
    answers = Crowd(stack, INSERT).ask([(clients[i % 2], request, {}) for i, request in enumerate(requests)])
    transactions = set()
    for i, (status, answer, _) in enumerate(answers):
        assert (status, answer["batch_id"], answer["inserted_count"]) == (200, FIRST + 100 + i, ENTRIES)
        numbers, of = stored(stack, clients[i % 2], FIRST + 100 + i)
        assert numbers == sent(requests[i])
        assert len(of) == 1
        transactions |= of
    assert len(transactions) < CROWD / 2
    for i, client in enumerate(clients):
        [[counted]] = stack.sql("select sum(batches) from rollup_queue where client_id = %s", client.client_id)
        assert counted == CROWD / 2


def test_U4_Q8_the_same_batch_sent_many_times_at_once_is_stored_once(stack, asterisk, clients):
    requests = bodies(asterisk, FIRST + 200)
    for i in range(1, CROWD, 2):
        requests[i] = requests[0]
    other = body(FIRST + 200, asterisk.numbers("busy", 1))
    answers = Crowd(stack, INSERT).ask([(clients[0], request, {}) for request in [*requests, other]])
    same = [answers[0], *answers[1:CROWD:2]]
    won = [status for status, *_ in same].count(200)
    if won:  # or the other one came first
        assert won == len(same) and answers[-1][0] == 409
        assert len({answer["queue_id"] for _, answer, _ in same}) == 1
        assert ["Idempotent-Replayed" in headers for *_, headers in same].count(False) == 1
    else:
        assert answers[-1][0] == 200
    expected = sent(requests[0]) if won else sent(other)
    assert stored(stack, clients[0], FIRST + 200)[0] == expected
    assert [status for status, *_ in answers[2:CROWD:2]] == [200] * (CROWD // 2 - 1)


def test_one_that_is_refused_is_refused_alone(stack, asterisk, clients):
    requests = bodies(asterisk, FIRST + 300)
    requests[3]["data"][4]["phone_number"] = "12"
    requests[5] = body(FIRST + 305, ["12"])
    with poisoned(stack, requests[9]["data"][2]["phone_number"]):
        answers = Crowd(stack, INSERT).ask([(clients[i % 2], request, {}) for i, request in enumerate(requests)])
    statuses = [status for status, *_ in answers]
    assert (statuses[5], statuses[9], statuses.count(200)) == (400, 500, CROWD - 2)
    assert [row["index"] for row in answers[3][1]["rejected"]] == [4]
    for i, request in enumerate(requests):
        numbers = [number for number in sent(request) if number != "12"] if statuses[i] == 200 else []
        assert stored(stack, clients[i % 2], FIRST + 300 + i)[0] == numbers


def test_what_belongs_to_one_transaction_stays_alone_among_others(stack, asterisk, clients):
    """An Idempotency-Key, and entries for a queue that is there."""
    requests = bodies(asterisk, FIRST + 400)
    first = clients[0].api.post(INSERT, requests[0]).ok
    requests[1]["queue_id"] = first["queue_id"]
    headers = [{}, {}, {"Idempotency-Key": "among-batches"}, *[{}] * (CROWD - 3)]
    answers = Crowd(stack, INSERT).ask([(clients[0], *request) for request in zip(requests, headers)])
    assert [status for status, *_ in answers] == [200] * CROWD
    assert answers[0][2]["Idempotent-Replayed"] == "true"
    assert answers[1][1]["queue_id"] == first["queue_id"]
    again = clients[0].api.request("POST", INSERT, json.dumps(requests[2]).encode(), headers=headers[2])
    assert again.ok == answers[2][1] and again.headers["Idempotent-Replayed"] == "true"


def test_a_large_batch_goes_where_nobody_waits_for_it(stack, clients):
    """Its worker is one of the sql pool, as ccsctl counts them."""
    def requests_of(pool):
        shown = json.loads(stack.stack.ccs.ctl("workers", "show", "--json"))
        return sum(worker["requests"] for worker in shown["workers"] if worker["pool"] == pool)

    large = {"batch_id": FIRST + 500, "data": [{"phone_number": f"98765{i:05}", "custom_data": {"text": "x" * 60}}
                                       for i in range(400)]}
    before = requests_of("call"), requests_of("sql")
    assert clients[1].api.post(INSERT, large).ok["inserted_count"] == 400
    assert clients[1].api.post(INSERT, body(FIRST + 501, ["9876500000"])).ok["inserted_count"] == 1
    assert (requests_of("call"), requests_of("sql")) == (before[0] + 1, before[1] + 1)
