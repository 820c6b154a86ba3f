"""When the calls of a batch may begin: not before its start, and none from its deadline on, or when its time to live is over."""
import datetime

import pytest

INSERT = "/queues/insertdataincallqueue/"


@pytest.fixture(scope="module")
def client(stack):
    return stack.new_client("TIMES")


@pytest.fixture(scope="module")
def fresh():
    """A batch_id that is free."""
    return iter(range(9000, 9100)).__next__


def in_seconds(seconds):
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)


def said(moment):
    return moment.isoformat(timespec="milliseconds")


def moment_of(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def insert(client, batch_id, numbers, query="", **settings):
    data = [{"phone_number": number} for number in numbers]
    return client.api.post(INSERT + query, {"batch_id": batch_id, "data": data, **settings}).ok


def change(client, batch_id, **settings):
    return client.api.request("PATCH", f"/queues/batches/{batch_id}", settings, headers={"If-Match": "*"}).ok


def blocked_by(client, queue_id):
    return client.api.get(f"/queues/queue-masters/{queue_id}/explain").ok["blocked_by"]


def wait_blocked(stack, client, queue_id, gate):
    return stack.wait_until(lambda: (told := blocked_by(client, queue_id)) and told["gate"] == gate and told, f"{gate} is in the way")


def begun_at(stack, client, batch_id):
    return [row[0] for row in stack.sql("""select d.started_at from call_detail d join queue_master m on m.id = d.queue_master_id
                                            where m.client_id = %s and m.batch_id = %s and d.n > 0""", client.client_id, batch_id)]


def test_no_call_begins_before_the_start(stack, asterisk, client, fresh):
    batch_id, starts, numbers = fresh(), in_seconds(3600), asterisk.numbers("busy", 2)
    forecast = insert(client, batch_id, numbers, "?dry_run=1", start_at=said(starts))
    assert moment_of(forecast["expected_start_at"]) == moment_of(said(starts))
    queue_id = insert(client, batch_id, numbers, start_at=said(starts))["queue_id"]
    client.dispatch()
    told = wait_blocked(stack, client, queue_id, "not_started")
    assert told["who"] == "time" and abs(moment_of(told["next_at"]) - starts) < datetime.timedelta(seconds=1)
    stack.outcome(client.call(asterisk.numbers("busy")[0]))  # it is in nobody else's way
    starts = in_seconds(1)
    change(client, batch_id, start_at=said(starts))
    assert client.wait_finished(batch_id).dispositions == {"busy": 2}
    assert min(begun_at(stack, client, batch_id)) >= starts - datetime.timedelta(milliseconds=1)


def test_a_start_that_is_taken_back_is_none(stack, asterisk, client, fresh):
    batch_id = fresh()
    queue_id = insert(client, batch_id, asterisk.numbers("busy"), start_at=said(in_seconds(3600)))["queue_id"]
    client.dispatch()
    wait_blocked(stack, client, queue_id, "not_started")
    change(client, batch_id, start_at=None)
    assert client.wait_finished(batch_id).dispositions == {"busy": 1}


@pytest.mark.parametrize("is_dispatched, times", [(True, {"deadline": 1}), (True, {"ttl_seconds": 1}), (False, {"start_at": 3600, "deadline": 3601})])
def test_what_waits_when_its_time_is_over_expires(stack, asterisk, fresh, times, is_dispatched):
    """In a client that may call nobody at that hour; dispatched or not."""
    client = stack.new_client("EXPIRES")
    stack.ctl_json("holiday", "add", f"--accountcode={client.accountcode}", f"--day={today()}")
    batch_id = fresh()
    settings = {name: value if name == "ttl_seconds" else said(in_seconds(value)) for name, value in times.items()}
    queue_id = insert(client, batch_id, asterisk.numbers("busy", 3), **settings)["queue_id"]
    if is_dispatched:
        client.dispatch()
    if "start_at" in times:
        change(client, batch_id, start_at=said(in_seconds(-10)), deadline=said(in_seconds(-1)))
    report = client.wait_finished(batch_id)
    assert report.dispositions == {"expired": 3} and report.attempts == 0
    reasons = stack.sql("select distinct reason, n from call_detail where queue_master_id = %s", queue_id)
    assert [tuple(row) for row in reasons] == [("its time was over before it was dialled", 0)]
    stack.wait_until(lambda: stack.sql("select closed_as from chunk where queue_master_id = %s", queue_id)[0][0] == "expired",
                     "its chunk is closed")
    batch = client.api.get(f"/queues/batches/{batch_id}").ok
    assert batch["status"] == "finished" and batch["counts"]["expired"] == 3


def today():
    return datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=5, minutes=30))).date()


def test_a_call_in_progress_outlives_the_deadline(stack, asterisk, fresh):
    client = stack.new_client("OUTLIVES", channels=1)
    batch_id, numbers = fresh(), asterisk.numbers("stays") + asterisk.numbers("busy", 2)
    insert(client, batch_id, numbers)
    client.dispatch()
    stack.wait_until(lambda: client.live_calls() == 1 and client.api.get("/monitoring/activecalls").ok["calls"][0]["state"] == "answered",
                     "the first call is held")
    change(client, batch_id, deadline=said(in_seconds(1)))
    stack.wait_until(lambda: client.report(batch_id).dispositions == {"expired": 2}, "the others have expired")
    call, = client.api.get("/monitoring/activecalls").ok["calls"]
    assert call["state"] == "answered"
    client.api.post(f"/calls/{call['call_id']}/hangup").ok
    assert client.wait_finished(batch_id).dispositions == {"expired": 2, "completed": 1}


def test_the_deadline_is_after_the_start(client, fresh):
    data = {"batch_id": fresh(), "data": [{"phone_number": "9020000001"}]}
    refused = client.api.post(INSERT, {**data, "start_at": "2030-01-01T09:00:00+05:30", "deadline": "2030-01-01T03:30:00Z"})
    assert (refused.status, refused.json["code"]) == (400, "invalid_field")
    assert refused.json["detail"] == "deadline must be later than start_at"
