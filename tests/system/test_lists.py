"""Batches and their entries as lists: pages, order, filters, counts by state, and nobody else's."""
import contextlib
import datetime
import zoneinfo

import psycopg2
import pytest

INDIA = zoneinfo.ZoneInfo("Asia/Kolkata")
OPEN = ["pending", "queued", "retry_wait", "dialing", "ringing", "answered"]
STATES = OPEN + ["completed", "busy", "no_answer", "rejected", "invalid", "congestion", "failed",
                 "canceled", "expired", "suppressed", "unknown"]
LARGE = 2500  # two chunks and a part of a third


def masters(client, **query):
    return client.api.get(f"/clients/queue-masters/{client.client_id}", **query)


def entries(client, queue, **query):
    return client.api.get(f"/clients/calling-queue-entries/{client.client_id}/{queue}", **query)


def batch(client, batch_id):
    return client.api.get(f"/queues/batches/{batch_id}").ok


@pytest.fixture(scope="module")
def quiet(stack):
    """A client with batches 1 to 3 that nobody dispatches; the second is large."""
    client = stack.new_client("LISTED")
    for batch_id, count in enumerate((3, LARGE, 2), start=1):
        client.api.insert(batch_id, [f"9{batch_id:03}{n:06}" for n in range(count)],
                          custom_data={"batch": batch_id})
    return client


def test_E8_Q11_batches_page_by_page(quiet):
    answer = masters(quiet).ok
    assert list(answer) == ["items", "total", "page", "size", "pages"]
    assert [answer[name] for name in ("total", "page", "size", "pages")] == [3, 1, 50, 1]
    assert [row["batch_id"] for row in answer["items"]] == [1, 2, 3]
    ids = [row["id"] for row in answer["items"]]
    assert ids == sorted(ids)
    assert masters(quiet, page=1, size=2).ok["items"] == answer["items"][:2]
    second = masters(quiet, page=2, size=2).ok
    assert (second["items"], second["total"], second["pages"]) == (answer["items"][2:], 3, 2)
    assert masters(quiet, size=3).ok["pages"] == 1  # full, and none behind it
    behind = masters(quiet, page=3, size=2).ok
    assert (behind["items"], behind["total"], behind["page"]) == ([], 3, 3)
    assert masters(quiet, sort="-id").ok["items"] == answer["items"][::-1]
    assert masters(quiet, sort="-id", page=2, size=2).ok["items"] == answer["items"][:1]


def test_E8_Q11_rows_count_entries_by_state(quiet):
    row = masters(quiet).ok["items"][1]
    assert list(row["counts"]) == STATES
    assert row["total"] == row["counts"]["pending"] == LARGE
    assert sum(row["counts"].values()) == LARGE
    assert row["status"] == "pending" and row["rejected_count"] == 0
    assert row["created_at"].endswith("Z") and row["dispatched_at"] is row["finished_at"] is None
    assert batch(quiet, 2) == row


def test_E8_by_status_and_date(stack):
    client = stack.new_client("DATED")
    for batch_id in 1, 2, 3:
        client.api.insert(batch_id, ["9020000001"])
    stack.sql("""
        update queue_master set created_at = '2024-05-01 00:00+05:30' where client_id = %(client)s and batch_id = 1;
        update queue_master set created_at = '2024-04-30 23:59:59+05:30', dispatched_at = now(),
                                finished_at = now() where client_id = %(client)s and batch_id = 2;
        update rollup_queue set batches = 1 where client_id = %(client)s;
        insert into rollup_queue values (%(client)s, '2024-05-01', 1, 1), (%(client)s, '2024-04-30', 1, 1)""",
              client=client.client_id)

    def found(**query):
        answer = masters(client, **query).ok
        assert answer["total"] == len(answer["items"])
        return [row["batch_id"] for row in answer["items"]]

    today = datetime.datetime.now(INDIA).date().isoformat()
    assert found() == [1, 2, 3]
    assert found(start_date="2024-05-01", end_date="2024-05-01") == [1]
    assert found(end_date="2024-04-30") == [2]
    assert found(start_date=today) == [3]
    assert found(status="pending") == [1, 3] and found(status="finished") == [2]
    assert found(status="active") == []
    assert found(status="pending", end_date="2024-12-31") == [1]
    assert masters(client, status="finished").ok["items"][0]["status"] == "finished"


def test_Q11_batches_that_come_at_once_are_all_counted_and_none_waits(stack):
    client = stack.new_client("COUNTED")
    for batch_id in 1, 1, 2:  # the same again counts once
        client.api.insert(batch_id, ["9020000001"])
    with contextlib.closing(psycopg2.connect(stack.stack.superuser_dsn())) as slow:
        slow.cursor().execute("update rollup_queue set batches = batches where client_id = %s",
                              [client.client_id])
        client.api.insert(3, ["9020000001"])
    client.api.insert(4, ["9020000001"])
    assert masters(client).ok["total"] == 4
    assert stack.sql("select count(*) from rollup_queue where client_id = %s",
                     client.client_id) == [[2]]


def test_E9_Q11_entries_page_by_page(quiet):
    queue = masters(quiet).ok["items"][1]["id"]
    seen = []
    for page in range(1, 27):
        answer = entries(quiet, queue, page=page, size=97).ok
        assert (answer["total"], answer["page"], answer["size"], answer["pages"]) == (LARGE, page, 97, 26)
        seen += answer["items"]
    assert [row["phone_number"] for row in seen] == [f"9002{n:06}" for n in range(LARGE)]
    assert [row["id"] for row in seen] == sorted(row["id"] for row in seen)
    assert entries(quiet, queue, page=27, size=97).ok["items"] == []
    last = entries(quiet, queue, sort="-id", size=3).ok
    assert last["items"] == seen[:-4:-1] and last["total"] == LARGE
    assert entries(quiet, queue, sort="-id", size=97, page=26).ok["items"] == seen[74::-1]


def test_E9_an_entry_waits_for_dispatch(quiet):
    [row, *_] = entries(quiet, 2, size=1).ok["items"]
    assert row["status"] == "pending" and row["blocked_reason"] == "not_dispatched"
    assert row["custom_data"] == {"batch": 2} and row["batch_id"] == 2
    assert row["attempts"] == 0 and row["call_id"] == f"ccs-{row['id']:014x}01"
    for name in "disposition", "reason", "server_code", "started_at", "ended_at", "duration":
        assert row[name] is None


def test_E9_batch_id_or_queue_id_and_the_latter_first(stack):
    client = stack.new_client("BOTHWAYS")
    client.api.insert(1, ["9020000001"])
    queue = batch(client, 1)["id"]
    client.api.insert(queue, ["9020000002"])
    client.api.insert(queue + 1000, ["9020000003"])

    def number(which):
        [row] = entries(client, which).ok["items"]
        return row["phone_number"]

    assert number(queue) == "9020000001"
    assert number(1) == "9020000001"
    assert number(queue + 1000) == "9020000003"
    assert batch(client, queue)["batch_id"] == queue  # here only a batch_id is meant


def test_E9_by_number_and_state(quiet):
    found = entries(quiet, 2, phone_number="9002001999").ok
    assert found["total"] == 1 and found["items"][0]["phone_number"] == "9002001999"
    assert entries(quiet, 2, phone_number="900-2001 999").ok["items"] == found["items"]
    assert entries(quiet, 2, phone_number="9002001999", status="busy").ok["total"] == 0
    assert entries(quiet, 2, phone_number="9001000000").ok["items"] == []
    pending = entries(quiet, 2, status="pending", size=100, page=21).ok
    assert pending["total"] == LARGE
    assert [row["phone_number"] for row in pending["items"]] == [f"9002{n:06}" for n in range(2000, 2100)]
    backwards = entries(quiet, 2, status="pending", size=2, sort="-id").ok
    assert [row["phone_number"] for row in backwards["items"]] == ["9002002499", "9002002498"]
    assert entries(quiet, 2, status="queued").ok["total"] == 0


def test_E8_E9_B6_Q24_counts_follow_the_calls(stack, asterisk):
    """Two channels: one call is answered, one rings, the others wait; all end."""
    client = stack.new_client("WATCHED", channels=2)
    wanted = (asterisk.numbers("answered", talk=4) + asterisk.numbers("rings")
              + asterisk.numbers("busy", 2))
    batch_id = client.insert(wanted)
    client.dispatch()

    def live():
        counts = batch(client, batch_id)["counts"]
        assert sum(counts.values()) == 4
        return counts if counts["answered"] == counts["ringing"] == 1 else None

    counts = stack.wait_until(live, "one call is answered and one rings")
    assert counts["queued"] == 2
    states = {row["phone_number"]: row for row in entries(client, batch_id).ok["items"]}
    assert [states[number]["status"] for number in wanted] == ["answered", "ringing", "queued", "queued"]
    assert states[wanted[0]]["server_code"] == "ast1" and states[wanted[0]]["answered_at"]
    assert states[wanted[2]]["blocked_reason"] == "client_channels"
    assert entries(client, batch_id, status="ringing").ok["total"] == 1
    assert [row["phone_number"] for row in entries(client, batch_id, status="queued").ok["items"]] == wanted[2:]

    client.wait_finished(batch_id)
    finished = stack.wait_until(lambda: (row := batch(client, batch_id))["finished_at"] and row,
                                "the batch is finished")
    assert finished["status"] == "finished" and finished["dispatched_at"]
    assert {state: n for state, n in finished["counts"].items() if n} == {
        "completed": 1, "no_answer": 1, "busy": 2}
    busy = entries(client, batch_id, status="busy").ok
    assert busy["total"] == 2 and [row["phone_number"] for row in busy["items"]] == wanted[2:]
    row = busy["items"][0]
    assert row["attempts"] == 1 and row["hangup_cause"] == 17 and row["ended_at"]
    assert masters(client, status="finished").ok["total"] == 1


@pytest.mark.parametrize("query", [{"page": 0}, {"page": -1}, {"page": "x"}, {"page": ""}, {"page": 2**63},
                                   {"size": 0}, {"size": 101}, {"size": "10 "}, {"sort": "phone_number"},
                                   {"sort": ""}, {"sort": "id desc"}, {"status": "done"}, {"status": ""}])
@pytest.mark.parametrize("which", [masters, lambda client, **query: entries(client, 1, **query)],
                         ids=["masters", "entries"])
def test_Q11_strange_pages_are_refused_by_name(quiet, which, query):
    answer = which(quiet, **query)
    [name] = query
    assert answer.status == 400 and name in answer.json["detail"]


@pytest.mark.parametrize("query", [{"start_date": "2024-02-30"}, {"end_date": "today"}])
def test_E8_strange_dates_are_refused(quiet, query):
    assert masters(quiet, **query).status == 400


@pytest.mark.parametrize("number", ["", "12", "abc", "1" * 16])
def test_E9_strange_numbers_are_refused(quiet, number):
    answer = entries(quiet, 1, phone_number=number)
    assert answer.status == 400 and "phone_number" in answer.json["detail"]


@pytest.mark.parametrize("slash", ["", "/"])
def test_E8_E9_X1_with_and_without_a_slash(quiet, slash):
    for path in (f"/clients/queue-masters/{quiet.client_id}",
                 f"/clients/calling-queue-entries/{quiet.client_id}/1", "/queues/batches/1"):
        assert isinstance(quiet.api.get(path + slash).ok, dict)
