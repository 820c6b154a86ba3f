"""A batch can be tried before it is sent."""
import datetime
import json

INSERT = "/queues/insertdataincallqueue"


def insert(client, batch_id, numbers, **more):
    return client.api.post(INSERT, {"batch_id": batch_id, "data": [{"phone_number": number} for number in numbers],
                                    **more.pop("body", {})}, **more)


def stored(stack, client):
    return stack.sql("""select (select count(*) from queue_master where client_id = %(id)s)
                             + (select count(*) from chunk where client_id = %(id)s)
                             + (select count(*) from entry where client_id = %(id)s)""", id=client.client_id)[0][0]


def test_D7_a_dry_run_answers_as_the_insert_and_stores_nothing(stack, asterisk):
    client = stack.new_client("TRYING")
    numbers = [*asterisk.numbers("busy", 3), "12"]
    tried = insert(client, 4100, numbers, dry_run=1).ok
    assert tried["dry_run"] is True and tried["queue_id"] is None and stored(stack, client) == 0
    assert tried["ahead"] == 0
    done = insert(client, 4100, numbers).ok
    for member in "status", "batch_id", "inserted_count", "rejected":
        assert tried[member] == done[member]
    again = insert(client, 4100, numbers, dry_run=1)
    assert again.headers["Idempotent-Replayed"] == "true" and again.ok["queue_id"] == done["queue_id"]


def test_D7_errors_are_those_of_the_insert(stack, asterisk):
    client = stack.new_client("FAILING")
    [number] = asterisk.numbers("busy")
    queue_id = insert(client, 4200, [number]).ok["queue_id"]
    client.api.post("/queues/batches/4200/cancel").ok
    for batch_id, numbers, more in ((4201, ["12"], {}), (4200, ["9020000001"], {}), (4202, [number, "12"], {"strict": 1}),
                                    (4203, [number], {"body": {"queue_id": queue_id}}),
                                    (4204, [number], {"body": {"queue_id": 987_654_321}})):
        tried, done = insert(client, batch_id, numbers, dry_run=1, **more), insert(client, batch_id, numbers, **more)
        assert tried.status == done.status >= 400
        assert json.loads(tried.body)["code"] == json.loads(done.body)["code"]
        assert json.loads(tried.body)["detail"] == json.loads(done.body)["detail"]


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def test_D7_what_would_be_in_the_way_and_when_it_would_be_over(stack, asterisk):
    client = stack.new_client("PLANNING", channels=1, rate_limit=60)
    stack.wait_until(lambda: client.api.get("/clients/me/explain").ok["blocked_by"] is None, "it may call")
    tried = insert(client, 4300, asterisk.numbers("busy", 30), dry_run=1).ok
    assert tried["blocked_by"] is None and tried["explanation"]
    took = moment(tried["expected_finish_at"]) - moment(tried["expected_start_at"])
    assert datetime.timedelta(minutes=30) <= took <= datetime.timedelta(minutes=31)  # 60 an hour, the last one talks
    stack.sql("delete from allocation where client_id = %s", client.client_id)
    stack.reload(client.client_id)

    def refused():
        answer = insert(client, 4300, asterisk.numbers("busy"), dry_run=1).ok
        return answer["blocked_by"] and answer

    tried = stack.wait_until(refused, "the share is gone")
    assert tried["blocked_by"]["gate"] == "no_server" and tried["expected_start_at"] is None


def test_D7_a_quick_call_can_be_tried_and_is_not_made(stack, asterisk):
    client = stack.new_client("TRYING-ONE")
    [number] = asterisk.numbers("busy")
    call = "/queues/quickcall"
    stack.wait_until(lambda: client.api.get("/clients/me/explain").ok["blocked_by"] is None, "it may call")
    tried = client.api.post(call, {"phone_number": number}, dry_run=1).ok
    assert tried["dry_run"] is True and tried["blocked_by"] is None and tried["explanation"]
    assert (tried["call_id"], tried["queue_id"], tried["state"], tried["ahead"]) == (None, None, None, 0)
    assert moment(tried["expected_start_at"]) < moment(tried["expected_finish_at"])
    assert stored(stack, client) == 0
    for body, code in (({"phone_number": "12"}, "invalid_number"), ({}, "missing_field"),
                       ({"phone_number": number, "did": "1"}, "did_denied")):
        tried, done = client.api.post(call, body, dry_run=1), client.api.post(call, body)
        assert tried.status == done.status == 400
        assert (tried.json["code"], tried.json["detail"]) == (code, done.json["detail"])
    assert client.api.post(call, {"phone_number": number}, dry_run="maybe").status == 400
    assert client.api.post(call, {"phone_number": number}, dry_run=0).ok["state"] == "queued"
