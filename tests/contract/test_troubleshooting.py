"""The Troubleshooting Guide of the integration document: each of its lines names a cause, a test makes that cause happen,
and the answer says its name. A line without a test, or a test without a line, fails the first one."""
import contextlib
import datetime
import time
import zoneinfo

import pytest
from document import troubleshooting
from signing import check_refused, forge, sign_in, with_token
from ws_client import Closed, Refused, WebSocket, can_connect, listen

ME, DISPATCH = "/clients/me", "/controls/dispatch-calls"
INSERT, CALL = "/queues/insertdataincallqueue/", "/queues/quickcall/"
INDIA = zoneinfo.ZoneInfo("Asia/Kolkata")
GUIDE = troubleshooting()
ADVICE = {}  # line of the guide -> the test that makes its cause happen


def advice(line):
    """The test below is about this line."""

    def keep(test):
        ADVICE[line] = test.__name__
        return test

    return keep


def test_every_line_of_the_guide_has_a_test():
    assert set(ADVICE) == {*GUIDE, *(line for lines in GUIDE.values() for line in lines)}
    assert len(GUIDE) == 5


@pytest.fixture(scope="module")
def client(stack):
    return stack.new_client("TROUBLED", channels=10)


def with_key(client, key):
    return client.api.as_client(key).get(ME)


def waits_for(stack, client, gate):
    """Until dispatch and the entries alike say that this gate is in the way."""
    stack.reload(client.client_id)
    stack.wait_until(lambda: client.dispatch()["blocked_reason"] == gate, f"{gate} is in the way")


def entries(client, batch_id):
    return client.api.get(f"/clients/calling-queue-entries/{client.client_id}/{batch_id}").ok["items"]


# 1. Authentication Errors


@advice("`401 Unauthorized` errors")
def test_D1_401_says_what_is_wrong_and_what_would_be_taken(client):
    answer = with_key(client, "abc")
    check_refused(answer, 401, "key_malformed")
    assert "Bearer" in answer.headers["WWW-Authenticate"] and "ApiKey" in answer.headers["WWW-Authenticate"]


@advice("Verify API key is correct and not expired")
def test_D1_a_key_that_is_wrong_or_expired(stack):
    client = stack.new_client("LATE")
    check_refused(with_key(client, client.key[:-1]), 401, "key_malformed")
    forgotten = client.api.post("/clients/regenerate-api-key").ok["api_key"], client.key
    check_refused(with_key(client, forgotten[1]), 401, "key_revoked")
    stack.sql("update api_key set expires_at = now() where client_id = %s and expires_at is null", client.client_id)
    stack.reload(client.client_id)
    stack.wait_until(lambda: with_key(client, forgotten[0]).status == 401, "the key is refused")
    check_refused(with_key(client, forgotten[0]), 401, "key_expired")


@advice("Check if API key is properly included in headers")
def test_D1_a_key_that_is_not_where_it_should_be(client):
    check_refused(with_key(client, None), 401, "key_missing")
    asked = client.api.as_client(None).request("GET", ME, headers={"X-API-KEI": client.key})
    assert "X-API-KEY" in check_refused(asked, 401, "key_missing")


@advice("Ensure client account is active")
def test_D1_an_account_that_is_not_active(stack):
    client = stack.new_client("INACTIVE")
    client.set_active(False)
    stack.wait_until(lambda: client.api.get(ME).status == 403, "the client is refused")
    assert "inactive" in check_refused(client.api.get(ME), 403, "client_inactive")


@advice("Verify JWT token is not expired (if using JWT authentication)")
def test_D1_a_token_that_has_expired(stack, client):
    token = sign_in(client).ok["access_token"]
    now = int(time.time())
    old = forge(stack, token, claims={"iat": now - 100, "nbf": now - 100, "exp": now - 40})
    assert "refresh" in check_refused(with_token(client, old), 401, "token_expired")


# 2. Rate Limiting Issues


@pytest.fixture
def hasty(stack):
    """A client with three requests a minute, in a minute that has just begun to be used."""
    client = stack.new_client("HASTY", requests_per_minute=3)
    stack.wait_until(lambda: time.time() % 60 < 50, "a minute has room")
    return client


@advice("`429 Too Many Requests` errors")
@advice("Reduce request frequency")
def test_D2_the_headers_count_down_to_429(hasty):
    left = [int(hasty.api.get(ME).headers["X-RateLimit-Remaining"]) for _ in range(3)]
    assert left == [2, 1, 0]
    refused = hasty.api.get(ME)
    assert refused.status == 429 and refused.json["code"] == "too_many_requests"
    assert "3 requests a minute" in refused.json["detail"]


@advice("Check rate limit headers for reset time")
def test_D2_reset_and_retry_after_name_the_same_second(hasty):
    for _ in range(3):
        hasty.api.get(ME)
    refused = hasty.api.get(ME)
    now = time.time()
    reset, wait = int(refused.headers["X-RateLimit-Reset"]), int(refused.headers["Retry-After"])
    assert reset % 60 == 0 and reset - 60 <= now < reset
    assert 0 <= now + wait - reset < 2


@advice("Implement exponential backoff retry logic")
def test_D2_whoever_waits_as_long_as_he_is_told_is_let_in(stack, client):
    """On the limit of passwords, whose waits are short; docs/examples/ has the loop."""
    with stack.api_configured(login_user_per_minute=30):
        wrong = [sign_in(client, "wrong") for _ in range(18)]
        refused = next(answer for answer in wrong if answer.status == 429)
        assert refused.json["code"] == "too_many_passwords"
        until = time.monotonic() + int(wrong[-1].headers["Retry-After"])
        stack.wait_until(lambda: time.monotonic() >= until, "as long as it was told")
        assert sign_in(client).status == 200


@advice("Contact administrator to increase rate limits")
def test_B10_an_administrator_raises_the_limit_at_once(stack, hasty):
    for _ in range(4):
        refused = hasty.api.get(ME)
    assert refused.status == 429
    stack.stack.ccs.ctl("client", "set", hasty.accountcode, "--requests-per-minute=1000")
    answer = hasty.api.get(ME)
    assert (answer.status, answer.headers["X-RateLimit-Limit"]) == (200, "1000")


# 3. Server Allocation Issues


@advice("No servers allocated or calls not going through")
@advice("Check client's allocated_servers configuration")
@advice("Contact administrator for server allocation")
def test_no_servers_until_an_administrator_allocates_one(stack, asterisk):
    client = stack.new_client("SERVERLESS", channels=2)
    stack.sql("delete from allocation where client_id = %s", client.client_id)
    batch = client.insert(asterisk.numbers("busy"))
    waits_for(stack, client, "no_server")
    assert client.api.get("/clients/allocated-servers").ok["allocated_servers"] == {}
    assert client.attempts() == 0
    stack.stack.ccs.ctl("alloc", "set", client.accountcode, "ast1", "--channels=2", "--rate-limit=1000")
    assert list(client.api.get("/clients/allocated-servers").ok["allocated_servers"]) == ["ast1"]
    assert client.wait_finished(batch).dispositions == {"busy": 1}


@advice("Verify server status and health")
def test_a_server_that_takes_no_calls(stack, client, asterisk):
    def server():
        return client.api.get("/monitoring/serverstatus", server_code="ast1").ok["servers"][0]

    with stack.server_limited("ast1", status="disabled"):
        batch = client.insert(asterisk.numbers("busy"))
        waits_for(stack, client, "server_down")
        stack.wait_until(lambda: server()["status"] == "disabled", "the status says so")
        [entry] = entries(client, batch)
        assert (entry["status"], entry["blocked_reason"]) == ("queued", "server_down")
    stack.wait_ready()
    assert server()["status"] == "active" and server()["ami"]["connected"]
    assert client.wait_finished(batch).dispositions == {"busy": 1}


@advice("Ensure sufficient channel allocation")
def test_channels_that_are_all_in_use(stack, asterisk):
    client = stack.new_client("ONELINE", channels=1)
    batch = client.insert(asterisk.numbers("answered", 2, talk=3))
    client.dispatch()
    stack.wait_until(lambda: client.live_calls() == 1, "the one channel is in use")
    said = client.dispatch()
    assert (said["active"], said["pending"], said["blocked_reason"]) == (1, 1, "client_channels")
    channels = client.api.get("/clients/me/limits").ok["channels"]
    assert (channels["allowed"], channels["used"]) == (1, 1)
    assert client.wait_finished(batch).dispositions == {"completed": 2}


# 4. Call Queue Issues


@advice("Calls not being processed from queue")
def test_a_batch_that_nobody_dispatched(client, asterisk):
    batch = client.insert(asterisk.numbers("busy"))
    [entry] = entries(client, batch)
    assert (entry["status"], entry["blocked_reason"]) == ("pending", "not_dispatched")
    client.dispatch()
    assert client.wait_finished(batch).dispositions == {"busy": 1}


@advice("Verify batch_id is unique and valid")
def test_a_batch_id_that_is_used_or_none(client):
    def insert(batch_id, number="9876543210"):
        return client.api.post(INSERT, {"batch_id": batch_id, "data": [{"phone_number": number}]})

    assert insert(9001).status == 200
    assert "9001" in check_refused(insert(9001, "9876543211"), 409, "batch_id_used")
    assert "batch_id" in check_refused(insert("9001"), 400, "invalid_type")
    assert "batch_id" in check_refused(insert(2**53), 400, "invalid_value")


@advice("Check phone number format")
def test_a_number_that_is_none(client):
    assert "phone_number" in check_refused(client.api.post(CALL, {"phone_number": "12"}), 400, "invalid_number")
    stored = client.api.post(INSERT, {"batch_id": 9002, "data": [
        {"phone_number": "9876543210"}, {"phone_number": "call me"}]}).ok
    assert stored["inserted_count"] == 1
    [row] = stored["rejected"]
    assert (row["index"], row["phone_number"], row["reason"]) == (1, "call me", "invalid_number")


@advice("Ensure client is within active time window")
def test_outside_the_calling_hours(stack, asterisk):
    client = stack.new_client("EVENING")
    now = datetime.datetime.now(INDIA)
    client.set_window(now + datetime.timedelta(hours=2), now + datetime.timedelta(hours=3))
    batch = client.insert(asterisk.numbers("busy"))
    waits_for(stack, client, "window_closed")
    assert entries(client, batch)[0]["blocked_reason"] == "window_closed"
    assert client.attempts() == 0


@advice("Verify server capacity and rate limits")
def test_a_server_that_is_full_and_a_rate_that_is_used_up(stack, asterisk):
    client = stack.new_client("CROWDED", rate_limit=20)  # one at once, then one in three minutes
    with stack.server_limited("ast1", allowed_active_calls=0):
        first = client.insert(asterisk.numbers("busy"))
        waits_for(stack, client, "server_channels")
    assert client.wait_finished(first).dispositions == {"busy": 1}
    client.insert(asterisk.numbers("busy"))
    stack.wait_until(lambda: client.dispatch()["blocked_reason"] in ("client_rate", "allocation_rate"),
                     "the rate is in the way")
    hour = client.api.get("/clients/me/limits").ok["calls_per_hour"]
    assert (hour["allowed"], hour["used"]) == (20, 1) and hour["resets_at"]


# 5. WebSocket Connection Issues


def refused(stack, key=None, **request):
    with pytest.raises(Refused) as caught:
        WebSocket.to(stack, key, **request)
    return caught.value.answer


@contextlib.contextmanager
def without_relay(stack):
    stack.stop("relay")
    try:
        yield
    finally:
        stack.start("relay")


@advice("WebSocket connection fails or disconnects")
@advice("Implement reconnection logic")
def test_D5_a_connection_that_ends_says_why_and_another_is_taken(stack, client):
    with listen(stack, client) as events:
        with without_relay(stack):
            closed = events.goodbye()
    assert isinstance(closed, Closed) and closed.code == 1001
    assert "connect again" in closed.reason
    stack.wait_until(lambda: can_connect(stack, client), "the relay is back")
    with listen(stack, client):
        pass


@advice("Check network connectivity and firewall settings")
def test_what_answers_502_is_reached_and_what_does_not_answer_is_not(stack, client):
    with without_relay(stack):
        answer = refused(stack, client.key)
        assert (answer.status, answer.json["code"]) == (502, "unavailable") and int(answer.headers["Retry-After"]) >= 1
        assert client.api.get("/monitoring/health").status == 200
    stack.wait_until(lambda: can_connect(stack, client), "the relay is back")


@advice("Verify WebSocket URL and API key")
def test_a_wrong_address_and_a_wrong_key_are_told_apart(stack, client):
    check_refused(refused(stack, client.key, path="/api/v1/monitoring/ws"), 404, "not_found")
    check_refused(refused(stack, "abc"), 401, "key_malformed")
    check_refused(refused(stack), 401, "key_missing")


@advice("Check for proxy or load balancer issues")
def test_D5_a_proxy_that_drops_the_upgrade_is_told(stack, client):
    answer = refused(stack, client.key, headers={"Upgrade": None, "Connection": "keep-alive"})
    detail = check_refused(answer, 426, "upgrade_required")
    assert "WebSocket" in detail and answer.headers["Upgrade"] == "websocket"
