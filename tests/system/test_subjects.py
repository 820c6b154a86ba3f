"""Erasing a telephone number: it is nowhere any more, what waits is not dialled, and what is counted stays."""
import http.client
import itertools
import json
import re
import ssl

import pytest
from stack.proc import StackError

SECRET = "custom-data-that-nobody-else-reads"
_keys = itertools.count()


@pytest.fixture(scope="module")
def client(stack):
    return stack.new_client("SUBJECTS")


def erase(client, number, **headers):
    return client.api.request("DELETE", f"/subjects/{number.replace('+', '%2B')}", headers=headers or None)


def tables_with(stack, client, text) -> set:
    """Every table in which this text stands, in any column of a row that is not another client's."""
    mine = str(client.client_id)
    tables = [name for [name] in stack.sql("select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace")]
    return {name for name in tables if stack.sql(
        f"""select exists (select from {name} as t
                            where t::text like %s and coalesce(to_jsonb(t) ->> 'client_id', %s) = %s)""",
        f"%{text}%", mine, mine)[0][0]}


def once(client, number):
    """A quick call with an Idempotency-Key."""
    return client.api.request("POST", "/queues/quickcall", {"phone_number": number, "custom_data": {"mark": SECRET}},
                              headers={"Idempotency-Key": f"subject-{next(_keys)}"})


def summary(client):
    return client.api.get("/client-call-details/summary").ok


def test_a_number_is_nowhere_any_more_and_everything_else_stays(stack, asterisk, client):
    number, other = asterisk.numbers("busy", 2)
    done = client.insert([f"+91 {number[:5]}-{number[5:]}", other], custom_data={"mark": SECRET})
    client.dispatch()
    client.wait_finished(done)
    client.outcome(once(client, number).ok["call_id"])
    waiting = client.insert([number, other], custom_data={"mark": SECRET})
    twice = 7_654_321
    rejected = client.api.post("/queues/insertdataincallqueue?dedupe=1", {
        "batch_id": twice, "data": [{"phone_number": text} for text in (number, f"0{number}", other)]}).ok["rejected"]
    assert [one["phone_number"] for one in rejected] == [f"0{number}"]
    spelt = number, f"{number[:5]}-{number[5:]}", SECRET
    assert {re.sub("_p[0-9]+$", "", name) for text in spelt for name in tables_with(stack, client, text)} == {
        "entry", "call_detail", "event", "queue_master"}
    before = summary(client)

    receipt = erase(client, f"+91{number}").ok
    assert receipt["number"] == "*" * 9 + number[-4:]
    assert receipt["erased"]["entries"] == 4 and receipt["erased"]["details"] == 2
    assert receipt["erased"]["events"] == 4 and receipt["erased"]["batches"] == 3
    assert receipt["erased"]["answers"] == 1 and receipt["withdrawn"] == 2
    assert [tables_with(stack, client, text) for text in spelt[:2]] == [set(), set()]
    rows = stack.sql("select phone_number, custom_data, number from entry where client_id = %s and number = ''", client.client_id)
    assert [list(row) for row in rows] == [["", None, ""]] * 4
    assert summary(client) == before

    # The other number of the same batches is still there, and it alone is dialled.
    client.dispatch()
    client.wait_finished(waiting)
    client.wait_finished(twice)
    assert client.report(waiting).dispositions == {"canceled": 1, "busy": 1}
    assert asterisk.times_rung([number, other]) == {number: 2, other: 3}
    listed = client.api.get("/client-call-details/details?size=100").ok["items"]
    assert sorted(one["phone_number"] for one in listed) == ["", "", other, other, other]
    again = erase(client, number).ok  # nothing left, however it is written
    assert again["number_mac"] == receipt["number_mac"] and set(again["erased"].values()) == {0}


def test_what_was_asked_for_under_a_key_is_not_done_again(stack, asterisk, client):
    number, = asterisk.numbers("busy")
    body, headers = {"phone_number": number}, {"Idempotency-Key": "subject-again"}
    call = client.api.request("POST", "/queues/quickcall", body, headers=headers).ok["call_id"]
    client.outcome(call)
    assert erase(client, number).ok["erased"]["answers"] == 1
    again = client.api.request("POST", "/queues/quickcall", body, headers=headers)
    assert (again.status, again.json["code"]) == (409, "idempotency_key_used")
    assert asterisk.times_rung([number]) == {number: 1}


def test_a_batch_that_is_sent_again_is_not_inserted_again(client, asterisk):
    number, = asterisk.numbers("busy")
    batch_id = client.insert([number])
    erase(client, number).ok
    again = client.api.post("/queues/insertdataincallqueue", {"batch_id": batch_id, "data": [{"phone_number": number}]})
    assert again.status == 409


def test_a_live_call_is_not_cut_and_nothing_is_erased_before_its_end(stack, asterisk, client):
    number, = asterisk.numbers("stays")
    call = client.call(number)
    stack.wait_until(lambda: client.api.get(f"/calls/{call}").ok["status"] == "answered", "the call is up")
    refused = erase(client, number)
    assert (refused.status, refused.json["code"]) == (409, "call_in_progress") and call in refused.json["detail"]
    assert stack.sql("select count(*) from entry where number = %s", number) == [[1]]
    client.api.post(f"/calls/{call}/hangup").ok
    client.outcome(call)
    assert erase(client, number).ok["erased"] == {"entries": 1, "details": 1, "events": 3, "batches": 0, "answers": 0}


def test_another_clients_entries_stay(stack, asterisk, client):
    other = stack.new_client("SUBJECTS-OTHER")
    number, = asterisk.numbers("busy")
    other.insert([number])
    assert set(erase(client, number).ok["erased"].values()) == {0}
    assert stack.sql("select count(*) from entry where client_id = %s and number = %s", other.client_id, number) == [[1]]


@pytest.mark.parametrize("number", ["12", "x12345", "1" * 16, "%20"])
def test_what_is_no_number_is_refused(client, number):
    refused = erase(client, number)
    assert (refused.status, refused.json["code"]) == (400, "invalid_number")


def test_an_operator_erases_it_of_one_client_or_of_all(stack, asterisk, client):
    other = stack.new_client("SUBJECTS-OTHER")
    number, = asterisk.numbers("busy")
    for one in (client, other):
        one.insert([number])
    said = stack.ctl_json("subject", "erase", f"+91{number}", other.accountcode, "--yes")
    assert [(one["accountcode"], one["entries"], one["withdrawn"]) for one in said["receipts"]] == [(other.accountcode, 1, 1)]
    said = {one["accountcode"]: one for one in stack.ctl_json("subject", "erase", f"+91{number}", "--all", "--yes")["receipts"]}
    assert said[client.accountcode]["entries"] == 1 and said[other.accountcode]["entries"] == 0
    assert tables_with(stack, client, number) == set()


def test_an_operator_has_to_mean_it(stack):
    for words, why in ((["--all"], "--yes"), (["--yes"], "whose"), (["SUBJECTS", "--all", "--yes"], "whose"),
                       (["NOBODY-AT-ALL", "--yes"], "NOBODY-AT-ALL")):
        with pytest.raises(StackError, match=why):
            stack.stack.ccs.ctl("subject", "erase", "9999999999", *words)


def test_an_erasure_is_recorded_without_the_number(stack, asterisk, client):
    number, = asterisk.numbers("busy")
    receipt = erase(client, number).ok
    act = stack.ctl_json("audit", "list", "--action=subject.erase")["acts"][0]
    assert act["subject"] == client.accountcode and act["detail"]["number_mac"] == receipt["number_mac"]
    assert act["detail"]["by"].startswith("key ") and number[-7:] not in json.dumps(act)


@pytest.mark.parametrize("path", ["/api/v1/subjects/{}", "/api/v1/subjects/%2B91{}/", "//api/v1/Subjects/{}?x=1", "/api/v1/%73ubjects/{}",
                                  "/api/v1/subjects%2F{}", "/api/v1/calls/%20{}"])
def test_no_log_has_the_number(stack, client, path):
    number = "98989" + "76543"
    position = (stack.stack.log_dir / "access.log").stat().st_size
    host = stack.base_url.removeprefix("https://")
    line = http.client.HTTPSConnection(host, context=ssl.create_default_context(cafile=stack.ca_file))
    line.request("DELETE", path.format(number), headers={"X-API-KEY": client.key})
    line.getresponse().read()
    line.close()
    stack.wait_until(lambda: "method=DELETE" in stack.log_since("access", position), "nginx has logged it")
    for log in stack.stack.log_dir.rglob("*.log"):
        assert number not in log.read_text(errors="replace"), log


def test_the_dispatcher_erases_numbers_whose_time_is_over(stack, asterisk):
    client = stack.new_client("SUBJECTS-RETENTION", retention_days=7)
    number, = asterisk.numbers("busy")
    client.outcome(client.call(number))
    stack.wait_until(lambda: stack.sql("select closed_at from chunk where client_id = %s and closed_at is not null",
                                       client.client_id), "its chunk is closed")
    stack.sql("update chunk set closed_at = now() - interval '8 days' where client_id = %s", client.client_id)
    stack.wait_until(lambda: tables_with(stack, client, number) == set(), "the number is erased")
    assert stack.sql("select sum(calls) from rollup_hour where client_id = %s", client.client_id) == [[1]]
