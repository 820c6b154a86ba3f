"""The number that called people see is one that its account may show: by turns, or the one that was asked for."""
import pytest

INSERT, CALL = "/queues/insertdataincallqueue", "/queues/quickcall"
OWN, THIRD = "911140000011", "+911140000012"
SHARED = ["911140000021", "911140000022"]


@pytest.fixture(scope="module")
def showing(stack):
    client = stack.new_client("SHOWING", channels=4)
    shows(stack, client, *SHARED)
    stack.sql("update client set did = %s where id = %s", OWN, client.client_id)
    stack.reload(client.client_id)
    return client


def shows(stack, client, *numbers):
    stack.stack.ccs.ctl("alloc", "set", client.accountcode, "ast1", "--channels=4", "--rate-limit=1000",
                        "--did=" + ",".join(numbers))


def body(batch_id, numbers, *dids, **more):
    entries = [{"phone_number": number, **({} if did is None else {"did": did})}
               for number, did in zip(numbers, dids or [None] * len(numbers))]
    return {"batch_id": batch_id, "data": entries, **more}


def shown(client, **query):
    rows = client.api.get("/client-call-details/details", **query).ok["items"]
    return {row["phone_number"]: row["did"] for row in rows}


def test_Q20_an_entrys_number_goes_before_its_batchs(stack, showing, asterisk):
    numbers = asterisk.numbers("busy", 4)
    asked = [None, OWN, SHARED[1], None]
    assert showing.api.post(INSERT, body(1, numbers, *asked, did=SHARED[0])).ok["inserted_count"] == 4
    showing.dispatch()
    showing.wait_finished(1)
    assert shown(showing, batch_id=1) == dict(zip(numbers, [SHARED[0], OWN, SHARED[1], SHARED[0]]))
    # a part of it shows another number, or that of the queue, whose setting it is
    more = asterisk.numbers("busy", 3)
    queue_id = showing.api.get("/queues/batches/1").ok["id"]
    assert showing.api.post(INSERT, body(2, more[:1], did=OWN, queue_id=queue_id)).ok["inserted_count"] == 1
    assert showing.api.post(INSERT, body(3, more[1:], queue_id=queue_id)).ok["inserted_count"] == 2
    stack.wait_until(lambda: showing.report(1).total == 7 and showing.report(1).open == 0, "its parts are over")
    numbers_shown = shown(showing, batch_id=1)
    assert numbers_shown[more[0]] == OWN
    assert {numbers_shown[number] for number in more[1:]} == {SHARED[0]}


def test_Q20_a_quick_call_shows_what_it_asks_for(stack, showing, asterisk):
    for did in (OWN, SHARED[1], OWN):
        call_id = showing.call(asterisk.numbers("busy")[0], did=did)
        assert stack.outcome(call_id)["did"] == did


def test_Q20_numbers_of_others_are_refused(stack, showing, asterisk):
    other = stack.new_client("OTHER-SHOWN")
    stack.sql("update client set did = %s where id = %s", THIRD, other.client_id)
    numbers = asterisk.numbers("busy", 3)
    for did in (THIRD, "+" + OWN, OWN + "1", "", "anonymous"):
        for path, asked in ((INSERT, body(100, numbers, did=did)), (CALL, {"phone_number": numbers[0], "did": did})):
            answer = showing.api.post(path, asked)
            assert (answer.status, answer.json["code"]) == (400, "did_denied")
            assert answer.json["detail"].startswith("did is not a number that this account may show")
        mixed = body(100, numbers, OWN, did, None)
        strict = showing.api.post(INSERT, mixed, strict=1)
        assert (strict.status, strict.json["code"]) == (400, "did_denied")
        tried = showing.api.post(INSERT, mixed, dry_run=1).ok
        [row] = tried["rejected"]
        assert (row["index"], row["phone_number"], row["reason"]) == (1, numbers[1], "did_denied")
        assert row["detail"].startswith("did of entry 1 is not a number")
    answer = showing.api.post(CALL, {"phone_number": numbers[0], "did": 911140000011})
    assert (answer.status, answer.json["code"]) == (400, "invalid_type")
    assert stack.sql("select count(*) from queue_master where client_id = %s and batch_id = 100", showing.client_id)[0][0] == 0


def test_Q8_what_is_to_be_shown_is_content(showing, asterisk):
    numbers = asterisk.numbers("busy", 2)
    showing.api.post(INSERT, body(200, numbers, did=OWN)).ok
    assert showing.api.post(INSERT, body(200, numbers, did=OWN)).headers["Idempotent-Replayed"] == "true"
    for again in (body(200, numbers), body(200, numbers, did=SHARED[0]), body(200, numbers, None, OWN)):
        answer = showing.api.post(INSERT, again)
        assert (answer.status, answer.json["code"]) == (409, "batch_id_used")


def test_U18_a_number_that_was_taken_away_is_not_shown(stack, asterisk):
    client = stack.new_client("LOSING", channels=4)
    shows(stack, client, *SHARED)
    numbers = asterisk.numbers("busy", 2)
    assert client.api.post(INSERT, body(1, numbers, *SHARED)).ok["inserted_count"] == 2
    shows(stack, client, SHARED[1])
    entries = client.api.get(f"/clients/calling-queue-entries/{client.client_id}/1").ok["items"]
    [lost] = [entry["id"] for entry in entries if entry["phone_number"] == numbers[0]]
    why = client.api.get(f"/queues/entries/{lost}/explain").ok
    assert [gate["gate"] for gate in why["gates"] if gate["blocks"]] == ["not_dispatched", "did_denied"]
    client.dispatch()
    report = client.wait_finished(1)
    assert {row["phone_number"]: (row["disposition"], row["attempts"]) for row in report.rows} == {
        numbers[0]: ("suppressed", 0), numbers[1]: ("busy", 1)}
    assert [row["reason"] for row in report.rows if row["attempts"] == 0] == [f"not allowed: did {SHARED[0]}"]
