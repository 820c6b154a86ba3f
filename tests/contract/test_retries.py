"""Calling again: what may be, as often as was asked for and no sooner; what must not be, never."""
import collections
import csv
from datetime import datetime, timedelta

import pytest
from stack.proc import StackError

DETAILS = "/client-call-details/details"


def moment(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def attempts_of(client, batch_id):
    """number -> its finished attempts, the first one first."""
    rows = client.api.get(DETAILS, batch_id=batch_id, size=100).ok["items"]
    found = collections.defaultdict(list)
    for row in sorted(rows, key=lambda row: row["attempt"]):
        found[row["phone_number"]].append(row)
    return found


def entries(client, batch_id):
    return client.api.get(f"/clients/calling-queue-entries/{client.client_id}/{batch_id}", size=100).ok["items"]


def counts(client, batch_id):
    return client.api.get(f"/queues/batches/{batch_id}").ok["counts"]


def wait_for_retries(stack, client, batch_id, n):
    stack.wait_until(lambda: counts(client, batch_id)["retry_wait"] == n, f"{n} entries wait to be called again")


def test_Q23_budget_and_gap_hold_and_who_declined_is_left_alone(stack, asterisk):
    client = stack.new_client("AGAIN", channels=10, retry="busy:2:1,no_answer:1:1")
    busy, once = asterisk.numbers("busy", 2), asterisk.numbers("unavailable")
    never = [asterisk.numbers(outcome)[0] for outcome in ("rejected", "invalid", "congestion", "answered")]
    batch = client.insert(busy + once + never)
    client.dispatch()
    client.wait_finished(batch)
    done = attempts_of(client, batch)
    assert {number: len(rows) for number, rows in done.items()} == {
        **dict.fromkeys(busy, 3), **dict.fromkeys(once, 2), **dict.fromkeys(never, 1)}
    for number in busy:
        rows = done[number]
        assert [(row["attempt"], row["is_final"], row["attempts_left"], row["status"]) for row in rows] == [
            (1, False, 2, "retry_wait"), (2, False, 1, "retry_wait"), (3, True, 0, "busy")]
        assert len({row["did"] for row in rows}) == 1
        for before, after in zip(rows, rows[1:]):
            assert moment(after["started_at"]) - moment(before["ended_at"]) >= timedelta(seconds=1)
    stack.wait_until(lambda: client.api.get(f"/queues/batches/{batch}").ok["finished_at"], "the batch is finished")
    assert counts(client, batch)["busy"] == 2 and counts(client, batch)["retry_wait"] == 0
    failed = stack.sql("""select n, payload::jsonb ->> 'is_final' as final, (payload::jsonb ->> 'attempts_left')::int as left,
                                 payload::jsonb ->> 'next_attempt_at' is not null as again
                            from event where client_id = %s and type = 'call_failed'
                             and payload::jsonb ->> 'phone_number' = %s order by seq""", client.client_id, busy[0])
    assert [tuple(row) for row in failed] == [(1, "false", 2, True), (2, "false", 1, True), (3, "true", 0, False)]


def test_Q23_without_a_rule_every_entry_is_called_once(stack, asterisk):
    client = stack.new_client("ONCE", channels=4)
    batch = client.insert(asterisk.numbers("busy", 2))
    client.dispatch()
    assert client.wait_finished(batch).attempts == 2


def insert_with(client, batch_id, numbers, **settings):
    data = [{"phone_number": number} for number in numbers]
    client.api.post("/queues/insertdataincallqueue/", {"batch_id": batch_id, "data": data, **settings}).ok
    return batch_id


def test_Q23_a_batch_has_rules_of_its_own_or_none(stack, asterisk):
    client = stack.new_client("PARTLY", channels=10, retry="busy:1:1")
    wanted = {2_000_001: ({"retry": ["busy:2:1"]}, 3), 2_000_002: ({"retry": []}, 1),
              2_000_003: ({"retry": ["no_answer:5:1"]}, 1), 2_000_004: ({}, 2)}
    numbers = dict(zip(wanted, asterisk.numbers("busy", len(wanted))))
    for batch, (settings, _) in wanted.items():
        insert_with(client, batch, [numbers[batch]], **settings)
    client.dispatch()
    for batch, (_, attempts) in wanted.items():
        client.wait_finished(batch)
        rows = attempts_of(client, batch)[numbers[batch]]
        assert [(row["attempt"], row["is_final"], row["attempts_left"]) for row in rows] == [
            (n, n == attempts, attempts - n) for n in range(1, attempts + 1)], batch


@pytest.fixture(scope="module")
def patient(stack):
    """Its numbers are called again in an hour."""
    return stack.new_client("PATIENT", channels=4, retry="busy:3:3600:exponential")


def test_Q23_who_waits_says_until_when(stack, patient, asterisk):
    batch = patient.insert(asterisk.numbers("busy", 2))
    patient.dispatch()
    wait_for_retries(stack, patient, batch, 2)
    for entry in entries(patient, batch):
        assert (entry["status"], entry["blocked_reason"], entry["attempt"]) == ("retry_wait", "retry_wait", 1)
        assert (entry["disposition"], entry["is_final"], entry["attempts_left"]) == ("busy", False, 3)
        assert moment(entry["next_attempt_at"]) - moment(entry["ended_at"]) == timedelta(hours=1)
        said = patient.api.get(f"/queues/entries/{entry['id']}/explain").ok
        assert (said["status"], said["blocked_by"]["gate"]) == ("retry_wait", "retry_wait")
        assert said["blocked_by"]["next_at"][:19] == entry["next_attempt_at"][:19]
    assert {row["status"] for row in entries(patient, batch)} == {"retry_wait"}
    path = f"/queues/batches/{batch}/entries"
    rows = list(csv.DictReader(patient.api.get(path, status="retry_wait").body.decode().splitlines()))
    assert [(row["status"], row["blocked_reason"]) for row in rows] == [("retry_wait", "retry_wait")] * 2
    assert patient.api.get(path, status="queued", format="ndjson").body == b""
    said = patient.api.get(f"/queues/queue-masters/{batch}/explain").ok
    assert said["blocked_by"]["gate"] == "retry_wait"
    # nothing of it is in memory, or swept
    stack.wait_until(lambda: stack.sql("select bool_and(rests) from chunk where client_id = %s and closed_at is null",
                                       patient.client_id)[0][0], "its chunk rests")
    cancel(stack, patient, batch)


def order(client, batch, what):
    assert client.api.post(f"/queues/batches/{batch}/{what}").ok["changed"]


def cancel(stack, client, batch):
    order(client, batch, "cancel")
    stack.wait_until(lambda: client.api.get(f"/queues/batches/{batch}").ok["finished_at"], "what waited is canceled")
    assert {row["status"] for row in entries(client, batch)} == {"canceled"}
    assert stack.sql("""select count(*) from retry r join queue_master m on m.id = r.queue_master_id
                         where m.client_id = %s and m.batch_id = %s""", client.client_id, batch)[0][0] == 0


def make_due(stack, client):
    """An hour passes. The dispatcher, which does not look before, is killed: its successor looks at all that waits."""
    stack.sql("update retry set due_at = now() where client_id = %s", client.client_id)
    stack.kill("dispatcher")


def test_Q23_no_retry_is_lost_or_doubled_when_the_dispatcher_dies(stack, patient, asterisk):
    numbers = asterisk.numbers("busy", 3)
    batch = patient.insert(numbers)
    patient.dispatch()
    for attempt in 1, 2:
        wait_for_retries(stack, patient, batch, 3)
        make_due(stack, patient)
        stack.wait_until(lambda: {len(rows) for rows in attempts_of(patient, batch).values()} == {attempt + 1},
                         "each is called again")
    wait_for_retries(stack, patient, batch, 3)
    assert asterisk.times_rung(numbers) == dict.fromkeys(numbers, 3)
    cancel(stack, patient, batch)


def test_Q23_rules_that_change_are_for_attempts_to_come(stack, patient, asterisk):
    """Also when the dispatcher dies meanwhile: what waits keeps its time, what ends from then on is ended by the new ones."""
    number, = asterisk.numbers("busy")
    batch = insert_with(patient, 2_000_011, [number], retry=["busy:9:1800"])
    patient.dispatch()
    wait_for_retries(stack, patient, batch, 1)
    [before] = entries(patient, batch)
    assert moment(before["next_attempt_at"]) - moment(before["ended_at"]) == timedelta(minutes=30)
    patient.api.request("PATCH", f"/queues/batches/{batch}", {"retry": []}, headers={"If-Match": "*"}).ok
    assert [entry["next_attempt_at"] for entry in entries(patient, batch)] == [before["next_attempt_at"]]
    make_due(stack, patient)
    patient.wait_finished(batch)
    assert [row["is_final"] for row in attempts_of(patient, batch)[number]] == [False, True]


def test_Q23_Q28_a_paused_batch_is_not_called_again(stack, patient, asterisk):
    batch = patient.insert(asterisk.numbers("busy"))
    patient.dispatch()
    wait_for_retries(stack, patient, batch, 1)
    order(patient, batch, "pause")
    make_due(stack, patient)
    # what comes after it is called, so what was due has been looked at
    patient.outcome(patient.call(asterisk.numbers("answered", talk=0)[0]))
    assert {len(rows) for rows in attempts_of(patient, batch).values()} == {1}
    order(patient, batch, "resume")
    stack.wait_until(lambda: {len(rows) for rows in attempts_of(patient, batch).values()} == {2}, "it is called again")
    wait_for_retries(stack, patient, batch, 1)
    cancel(stack, patient, batch)


def test_Q23_a_quick_call_that_waits_can_be_called_off(stack, patient, asterisk):
    call_id = patient.call(asterisk.numbers("busy")[0])
    stack.wait_until(lambda: patient.api.get(f"/calls/{call_id}").ok["status"] == "retry_wait", "it waits")
    assert patient.api.post(f"/calls/{call_id}/hangup").ok
    assert patient.outcome(call_id)["disposition"] == "canceled"


def test_Q23_a_number_that_is_erased_is_not_called_again(stack, patient, asterisk):
    number, = asterisk.numbers("busy")
    batch = patient.insert([number])
    patient.dispatch()
    wait_for_retries(stack, patient, batch, 1)
    assert patient.api.request("DELETE", f"/subjects/{number}").status in (200, 202)
    stack.wait_until(lambda: stack.sql("select count(*) from retry where client_id = %s", patient.client_id)[0][0] == 0,
                     "nothing waits")
    assert patient.report(batch).open == 0


@pytest.mark.parametrize("rule, why", [
    ("rejected:1:60", "all others are final"), ("invalid:1:60", "all others are final"), ("busy:1", "retry"),
    ("busy:1:60,no_answer:1:60,busy:2:60", "another rule")])
def test_Q23_what_is_no_rule_is_refused(stack, patient, rule, why):
    with pytest.raises(StackError, match=why):
        stack.stack.ccs.ctl("client", "set", patient.accountcode, f"--retry={rule}")


def test_Q23_a_number_is_called_so_often_on_a_day_and_no_more(stack, asterisk):
    client = stack.new_client("OFTEN", channels=4, retry="busy:5:1", attempts_per_number_per_day=2)
    number, other = asterisk.numbers("busy", 2)
    first, second = client.insert([number]), client.insert([f"+91{number}", other])
    client.dispatch()
    midnight = stack.sql("""select ends_at from client c cross join lateral local_day(now(), c.timezone)
                             where c.id = %s""", client.client_id)[0][0]
    stack.wait_until(lambda: all(entry["next_attempt_at"] and moment(entry["next_attempt_at"]) == midnight
                                 for batch in (first, second) for entry in entries(client, batch)),
                     "what is left waits for tomorrow")
    called = attempts_of(client, first)[number] + attempts_of(client, second)[f"+91{number}"]
    assert len(called) == len(attempts_of(client, second)[other]) == 2
    for batch in first, second:
        cancel(stack, client, batch)
