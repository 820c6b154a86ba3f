"""One call by its id, and waiting for its end; and what a client has left of its limits."""
import concurrent.futures
import datetime
import signal
import socket
import ssl
import time
import urllib.parse

import pytest

LIMITS = "/clients/me/limits"


@pytest.fixture(scope="module")
def client(stack):
    return stack.new_client("ASKER", channels=10, rate_limit=1000)


def call(client, call_id, **query):
    return client.api.get(f"/calls/{call_id}", **query)


@pytest.fixture
def in_background():
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        yield pool.submit


def test_a_call_from_beginning_to_end(stack, asterisk, client):
    [number] = asterisk.numbers("answered", talk=2)
    call_id = client.call(number, custom_data={"a": [1]})
    seen = []

    def over():
        answer = call(client, call_id).ok
        if answer["status"] not in seen:
            seen.append(answer["status"])
        return answer["disposition"] and answer

    answer = stack.wait_until(over, "the call is over")
    order = ["queued", "dialing", "ringing", "answered", "completed"]
    assert seen == [state for state in order if state in seen] and seen[-2:] == ["answered", "completed"]
    assert answer["call_id"] == call_id and answer["phone_number"] == number
    assert answer["batch_id"] is answer["queue_id"] is None
    assert answer["attempts"] == 1 and answer["server_code"] == "ast1" and answer["hangup_cause"] == 16
    assert answer["billsec"] >= 2 and answer["custom_data"] == {"a": [1]}
    [row] = [row for row in client.api.get("/client-call-details/details").ok["items"]
             if row["call_id"] == call_id]
    assert {name: answer[name] for name in row if name in answer} \
        == {name: row[name] for name in row if name in answer}


def test_waiting_ends_with_the_call(asterisk, client):
    """However short it is, and whether it is waited for at once or in the middle."""
    for outcome, how in ("busy", {}), ("answered", {"talk": 1}), ("invalid", {}):
        [number] = asterisk.numbers(outcome, **how)
        answer = call(client, client.call(number), wait=30)
        assert answer.ok["disposition"] in ("busy", "completed", "invalid"), answer.body
        assert answer.headers["X-RateLimit-Remaining"]


def test_waiting_for_a_call_that_is_over(asterisk, client):
    call_id = client.call(*asterisk.numbers("busy"))
    client.outcome(call_id)
    assert call(client, call_id, wait=30).ok["status"] == "busy"


def test_waiting_counts_once_and_ends_in_time(stack):
    """Nobody dispatches the batch: the wait is over before anything happens, after four rounds at most."""
    client = stack.new_client("PATIENT", requests_per_minute=1000)
    batch_id = client.insert(["9020000001"])
    [entry] = client.api.get(f"/clients/calling-queue-entries/{client.client_id}/{batch_id}").ok["items"]
    stack.wait_until(lambda: time.time() % 60 < 40, "a minute has room")
    before = int(client.api.get("/clients/me").headers["X-RateLimit-Remaining"])
    began = time.monotonic()
    answer = call(client, entry["call_id"], wait=4)
    assert answer.ok["status"] == "pending" and answer.ok["blocked_reason"] == "not_dispatched"
    assert time.monotonic() - began >= 4
    assert int(answer.headers["X-RateLimit-Remaining"]) == before - 1
    assert int(client.api.get("/clients/me").headers["X-RateLimit-Remaining"]) == before - 2


def test_a_wait_begins_before_the_call_does(stack, asterisk, client, in_background):
    batch_id = client.insert(asterisk.numbers("busy"))
    [entry] = client.api.get(f"/clients/calling-queue-entries/{client.client_id}/{batch_id}").ok["items"]
    waiting = in_background(call, client, entry["call_id"], wait=30)
    client.dispatch()
    assert waiting.result().ok["status"] == "busy"


def test_those_who_wait_hold_up_nobody(stack, asterisk, client, in_background):
    """More than there are sql workers, and more than a client has room for; they are answered when
    workers are replaced in the middle, too."""
    call_id = client.call(*asterisk.numbers("answered", talk=6))
    waiting = [in_background(call, client, call_id, wait=30) for _ in range(60)]
    before = set(stack.children("api"))
    stack.wait_until(lambda: client.live_calls() == 1, "the call is live")
    for _ in range(20):
        client.api.get("/monitoring/callingsummary").ok
    assert sum(one.done() for one in waiting) == 0
    stack.stack.processes()["api"].send(signal.SIGHUP)
    stack.wait_until(lambda: not before & set(stack.children("api")), "all workers are new")
    assert [one.result().ok["status"] for one in waiting] == ["completed"] * 60


def test_waiting_while_the_dispatcher_is_replaced(stack, asterisk, client, in_background):
    call_id = client.call(*asterisk.numbers("answered", talk=3))
    waiting = in_background(call, client, call_id, wait=30)
    stack.wait_until(lambda: client.live_calls() == 1, "the call is live")
    stack.kill("dispatcher")
    assert waiting.result().ok["status"] == "completed"


def test_who_hangs_up_waits_no_longer(stack, asterisk, client):
    """nginx lets go of the worker at once; those who stay are answered."""
    call_id = client.call(*asterisk.numbers("answered", talk=5))
    where = urllib.parse.urlsplit(stack.base_url)
    request = (f"GET /api/v1/calls/{call_id}?wait=30 HTTP/1.1\r\nHost: localhost\r\n"
               f"X-API-KEY: {client.key}\r\n\r\n").encode()
    context = ssl.create_default_context(cafile=stack.ca_file)
    for _ in range(5):
        with socket.create_connection((where.hostname, where.port)) as plain, \
                context.wrap_socket(plain, server_hostname="localhost") as impatient:
            impatient.sendall(request)
    access = stack.stack.log_dir / "access.log"
    given_up = f'path="/api/v1/calls/{call_id}" status=499'
    stack.wait_until(lambda: access.read_text().count(given_up) == 5, "nginx has let go")
    assert call(client, call_id, wait=30).ok["status"] == "completed"


@pytest.mark.parametrize("wait", ["-1", "31", "x", "", "1.5"])
def test_a_strange_wait_is_refused(client, asterisk, wait):
    answer = call(client, client.call(*asterisk.numbers("busy")), wait=wait)
    assert answer.status == 400 and "wait" in answer.json["detail"]


def test_nothing_else_waits(client):
    assert client.api.get("/clients/me", wait=30).status == 200


# Limits


def test_limits_say_what_is_used_and_when_there_is_more(stack, asterisk):
    client = stack.new_client("LIMITS", channels=3, rate_limit=40, requests_per_minute=500)
    stack.wait_until(lambda: time.time() % 60 < 50, "a minute has room")
    assert client.api.get(LIMITS).ok["requests_per_minute"]["used"] == 1
    limits = client.api.get(LIMITS).ok
    assert limits["channels"] == {"allowed": 3, "used": 0, "resets_at": None}
    assert limits["calls_per_hour"] == {"allowed": 40, "used": 0, "resets_at": None}
    assert limits["calls_per_second"] is None
    assert limits["requests_per_minute"]["allowed"] == 500
    assert limits["requests_per_minute"]["resets_at"].endswith(":00.000Z")
    assert limits["inserts_per_minute"] is limits["exports_per_minute"] is None
    assert list(limits["servers"]) == ["ast1"]
    assert limits["servers"]["ast1"]["channels"] == {"allowed": 3, "used": 0, "resets_at": None}

    calls = [client.call(number) for number in asterisk.numbers("answered", 2, talk=3)]
    used = stack.wait_until(lambda: (now := client.api.get(LIMITS).ok)["channels"]["used"] == 2 and now,
                            "both calls are live")
    assert used["calls_per_hour"]["used"] == used["servers"]["ast1"]["calls_per_hour"]["used"] == 2
    resets_at = datetime.datetime.fromisoformat(used["calls_per_hour"]["resets_at"])  # a burst is two calls
    assert resets_at > datetime.datetime.now(datetime.timezone.utc)
    for one in calls:
        client.outcome(one)
    stack.kill("dispatcher")  # what was used is read from the journal again
    after = stack.wait_until(lambda: (answer := client.api.get(LIMITS)).status == 200
                             and answer.json["calls_per_hour"]["used"] == 2 and answer.json,
                             "the dispatcher has counted again")
    stack.wait_until(lambda: client.api.get(LIMITS).ok["channels"]["used"] == 0, "no call is left")
    assert after["servers"]["ast1"]["calls_per_hour"] == after["calls_per_hour"]
