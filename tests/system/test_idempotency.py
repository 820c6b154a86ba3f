"""Requests with an Idempotency-Key: done once, answered as often as they are sent."""
import collections
import concurrent.futures
import contextlib

import psycopg2
import pytest

INSERT = "/queues/insertdataincallqueue/"
CALL = "/queues/quickcall/"
DISPATCH = "/controls/dispatch-calls"
REGENERATE = "/clients/regenerate-api-key"


@pytest.fixture(scope="module")
def client(stack):
    return stack.new_client("TWICE")


@pytest.fixture(scope="module")
def silent(stack):
    """A client whose calls nobody makes."""
    client = stack.new_client("NOCALLS", channels=0)
    return client


def send(client, key, path=CALL, body=None, method="POST", **query):
    return client.api.request(method, path, body, headers={"Idempotency-Key": key}, **query)


def calls(stack, client):
    return stack.sql("select count(*) from chunk where client_id = %s", client.client_id)[0][0]


def replayed(answer):
    return answer.headers["Idempotent-Replayed"] == "true"


@pytest.fixture
def number(asterisk):
    [number] = asterisk.numbers("busy")
    return {"phone_number": number}


def test_the_same_again_is_answered_as_before_and_called_once(stack, asterisk, client, number):
    first, again, slash = (send(client, "order-1", path, number) for path in (CALL, CALL, CALL.rstrip("/")))
    assert first.ok == again.ok == slash.ok and first.body == again.body
    assert (replayed(first), replayed(again), replayed(slash)) == (False, True, True)
    assert again.headers["X-RateLimit-Remaining"] and again.headers["X-Request-Id"] != first.headers["X-Request-Id"]
    client.outcome(first.ok["call_id"])
    assert asterisk.times_rung([number["phone_number"]]) == {number["phone_number"]: 1}


def test_another_request_under_the_key_is_a_conflict(stack, silent, number):
    send(silent, "used", CALL, number).ok
    before = calls(stack, silent)
    for path, body, query in ((CALL, {"phone_number": "9020000009"}, {}), (CALL, {**number, "custom_data": {}}, {}),
                              (INSERT, {"batch_id": 1, "data": [number]}, {}), (CALL, number, {"a": "b"}),
                              (DISPATCH, None, {})):
        answer = send(silent, "used", path, body, **query)
        assert (answer.status, answer.json["code"]) == (409, "idempotency_key_used")
    assert calls(stack, silent) == before
    assert send(silent, "used2", CALL, number).status == 200


def test_the_key_in_the_query_is_no_part_of_the_request(silent, number):
    first = send(silent, "by-header", CALL, number).ok
    anybody = silent.api.as_client(None)
    again = anybody.request("POST", CALL, number, headers={"Idempotency-Key": "by-header"},
                            **{"x-api-key": silent.key})
    assert again.ok == first and replayed(again)


def test_keys_are_a_clients_own(stack, client, silent, number):
    theirs, ours = (send(one, "everybodys", CALL, number) for one in (silent, client))
    assert not replayed(ours) and ours.ok["call_id"] != theirs.ok["call_id"]


def test_a_request_that_fails_leaves_its_key_free(stack, silent, number):
    for bad in {"phone_number": "12"}, b"{":
        assert send(silent, "corrected", CALL, bad).status == 400
    assert not replayed(send(silent, "corrected", CALL, number))
    batch = {"batch_id": 5, "data": [number]}
    silent.api.post(INSERT, batch).ok
    assert send(silent, "taken", INSERT, {**batch, "data": [number] * 2}).status == 409
    assert send(silent, "taken", INSERT, {**batch, "batch_id": 6}).ok["inserted_count"] == 1


def test_batches(stack, silent):
    batch = {"batch_id": 10, "data": [{"phone_number": f"90200{n:05}"} for n in range(3000)]}
    first, again = (send(silent, "batch", INSERT, batch) for _ in range(2))
    assert first.ok == again.ok and (replayed(first), replayed(again)) == (False, True)
    known = send(silent, "other-key", INSERT, batch)  # the batch_id has a memory of its own
    assert known.ok == first.ok and replayed(known)
    assert stack.sql("select count(*) from entry where client_id = %s and queue_master_id = %s", silent.client_id,
                     first.ok["queue_id"]) == [[3000]]


def test_what_is_announced_is_dialled(stack, asterisk, client):
    """All that follows a commit still follows it."""
    client.insert(asterisk.numbers("busy", 2))
    first = send(client, "go", DISPATCH)
    assert first.ok["dispatched"] == 2 and send(client, "go", DISPATCH).ok == first.ok
    assert send(client, "go-again", DISPATCH).ok["dispatched"] == 0


def test_a_new_key_is_made_once_and_stored_sealed(stack):
    client = stack.new_client("ROTATES")
    headers = {"Authorization": "Bearer " + client.api.as_client(None).post(
        "/auth/login", {"username": client.username, "password": client.password}).ok["access_token"],
        "Idempotency-Key": "rotate"}
    made = [client.api.as_client(None).request("POST", REGENERATE, headers=headers) for _ in range(2)]
    assert made[0].ok == made[1].ok and replayed(made[1])
    key = made[0].ok["api_key"]
    assert client.api.as_client(key).get("/clients/me").status == 200
    [[answer, is_secret]] = stack.sql("select answer, is_secret from idempotency where client_id = %s",
                                      client.client_id)
    assert is_secret and key.encode() not in bytes(answer)


def test_twenty_at_once_are_one(stack, silent, number):
    before = calls(stack, silent)
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: send(silent, "at-once", CALL, number), range(20)))
    kinds = collections.Counter((answer.status, answer.json.get("code")) for answer in answers)
    assert set(kinds) <= {(200, None), (409, "idempotency_running")} and kinds[200, None] >= 1
    assert len({answer.json["call_id"] for answer in answers if answer.status == 200}) == 1
    assert calls(stack, silent) == before + 1
    assert replayed(send(silent, "at-once", CALL, number))


def test_one_under_way_is_waited_for(stack, silent, number):
    with contextlib.closing(psycopg2.connect(stack.stack.superuser_dsn())) as busy:
        busy.cursor().execute("select pg_advisory_lock(hashtextextended(%s, 0))",
                              [f"ccs.idempotency {silent.client_id} slow"])
        answer = send(silent, "slow", CALL, number)
    assert (answer.status, answer.json["code"]) == (409, "idempotency_running")
    assert int(answer.headers["Retry-After"]) >= 1
    assert not replayed(send(silent, "slow", CALL, number))


def test_without_its_answer_nothing_is_done(stack, silent, number):
    """The answer cannot be stored: then the call is not stored, and nobody was told of it."""
    before = calls(stack, silent)
    stack.sql("alter table idempotency add constraint boom check (key <> 'boom')")
    try:
        answer = send(silent, "boom", CALL, number)
    finally:
        stack.sql("alter table idempotency drop constraint boom")
    assert answer.status == 500 and calls(stack, silent) == before
    assert not replayed(send(silent, "boom", CALL, number))
    assert calls(stack, silent) == before + 1


def test_after_a_day_the_key_is_free(stack, silent, number):
    first = send(silent, "yesterday", CALL, number).ok
    stack.sql("""update idempotency set created_at = now() - interval '24 hours 1 second'
                  where key = 'yesterday'""")
    second = send(silent, "yesterday", CALL, {**number, "custom_data": {"day": 2}})
    assert second.ok["call_id"] != first["call_id"] and not replayed(second)


def test_old_answers_are_taken_away(stack, silent, number):
    send(silent, "old", CALL, number).ok
    send(silent, "young", CALL, number).ok
    stack.sql("update idempotency set created_at = now() - interval '25 hours' where key = 'old'")
    stack.kill("dispatcher")  # it looks when it starts, and once a minute
    stack.wait_until(lambda: stack.sql("select key from idempotency where key in ('old', 'young')") == [["young"]],
                     "the old answer is gone")


@pytest.mark.exact_bytes
@pytest.mark.parametrize("key", ["a b", "x" * 256, "ü".encode().decode("latin-1"), "\x01".join("ab")])
def test_a_strange_key_is_refused(stack, silent, number, key):
    before = calls(stack, silent)
    answer = send(silent, key, CALL, number)
    assert answer.status == 400 and calls(stack, silent) == before


def test_reads_and_signing_in_do_not_heed_it(silent):
    for _ in range(2):
        assert not replayed(send(silent, "read", "/clients/me", method="GET"))
    login = {"username": silent.username, "password": silent.password}
    tokens = {silent.api.as_client(None).request("POST", "/auth/login", login, headers={"Idempotency-Key": "me"})
              .ok["access_token"] for _ in range(2)}
    assert len(tokens) == 2
