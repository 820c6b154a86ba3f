"""How many requests a client may make: three levels, told on every answer to somebody we know."""
import contextlib
import re
import signal
import time

import pytest

ME = "/clients/me"
HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


def room_in_this_minute(stack):
    """Windows are minutes of the clock: nobody wants to begin at the end of one."""
    stack.wait_until(lambda: time.time() % 60 < 50, "a minute has room", seconds=15)


@contextlib.contextmanager
def api_options(stack, **options):
    """The API's workers with other options in [api], for the duration of a with block."""
    conf = stack.stack.ccs.conf
    text = conf.read_text()

    def use(changed):
        conf.write_text(changed)
        before = set(stack.children("api"))
        assert stack.stack.processes()["api"].send(signal.SIGHUP)
        stack.wait_until(lambda: not before & set(stack.children("api"))
                         and len(stack.children("api")) == len(before), "all workers are new")

    use(text + "\n[api]\n" + "".join(f"{name} = {value}\n" for name, value in options.items()))
    try:
        yield
    finally:
        use(text)


def told(answer):
    return tuple(int(answer.headers[name]) for name in HEADERS)


def check_refused(answer, code, limit):
    assert (answer.status, answer.json["code"]) == (429, code)
    assert told(answer)[:2] == (limit, 0)
    assert re.fullmatch(r"[1-9][0-9]?", answer.headers["Retry-After"])
    # Whoever waits so long is in the next minute.
    waited = int(time.time()) + int(answer.headers["Retry-After"])
    assert waited >= told(answer)[2] - 1 and told(answer)[2] % 60 == 0


def test_X6_X8_every_answer_to_a_client_tells(stack, asterisk):
    client, other = stack.new_client("TELLME", requests_per_minute=50), stack.new_client("NOTME")
    room_in_this_minute(stack)
    api, foreign = client.api, other.accountcode
    answers = [
        (200, api.get(ME)),
        (200, api.get("/monitoring/callingsummary")),
        (200, api.post("/queues/quickcall", {"phone_number": asterisk.numbers("busy")[0]})),
        (400, api.post("/queues/quickcall", b"{")),
        (400, api.get("/client-call-details/details", start_date="yesterday")),
        (400, api.post("/queues/insertdataincallqueue", {"batch_id": 1, "data": ["x"] * 100_001})),
        (403, api.get("/monitoring/activecalls", accountcode=foreign)),
        (403, api.post("/auth/logout")),
    ]
    assert [status for status, _ in answers] == [answer.status for _, answer in answers]
    remaining = [told(answer)[1] for _, answer in answers]
    assert remaining == list(range(49, 49 - len(answers), -1))
    assert {told(answer)[0] for _, answer in answers} == {50}


def test_strangers_and_public_addresses_are_not_counted(stack):
    client = stack.new_client("PUBLIC", requests_per_minute=1)
    room_in_this_minute(stack)
    assert told(client.api.get(ME))[1] == 0
    answers = [client.api.get("/monitoring/health"), client.api.get("/monitoring/status"),
               client.api.get("/no/such/address"), client.api.as_client("wrong").get(ME)]
    assert [answer.status for answer in answers] == [200, 200, 404, 401]
    for answer in answers:
        assert not any(answer.headers[name] for name in HEADERS)
    check_refused(client.api.get(ME), "too_many_requests", 1)


def test_an_inactive_client_is_counted_too(stack):
    client = stack.new_client("GONE", requests_per_minute=2)
    client.set_active(False)
    stack.wait_until(lambda: client.api.get(ME).status in (403, 429), "the client is inactive")
    room_in_this_minute(stack)
    codes = [client.api.get(ME).json["code"] for _ in range(3)]
    assert codes[-1] == "too_many_requests" and set(codes[:-1]) <= {"client_inactive", codes[-1]}


def test_B4_the_fast_pool_and_the_sql_pool_count_together(stack):
    client = stack.new_client("BOTH", requests_per_minute=4)
    room_in_this_minute(stack)
    paths = [ME, "/monitoring/callingsummary"] * 2
    assert [told(client.api.get(path))[1] for path in paths] == [3, 2, 1, 0]
    for path in paths[:2]:
        check_refused(client.api.get(path), "too_many_requests", 4)


@pytest.mark.parametrize("option, code, body", [
    ("inserts_per_minute", "too_many_inserts", {"phone_number": ""}),
    ("exports_per_minute", "too_many_exports", None)])
def test_B4_an_endpoint_has_a_limit_of_its_own(stack, option, code, body):
    client, other = stack.new_client("ENDPOINT"), stack.new_client("BYSTANDER")

    def use(who):
        if body:
            return who.api.post("/queues/quickcall", body)
        return who.api.get("/client-call-details/details", start_date="x")

    with api_options(stack, **{option: 2}):
        room_in_this_minute(stack)
        assert [told(use(client))[:2] for _ in range(2)] == [(2, 1), (2, 0)]
        check_refused(use(client), code, 2)
        assert client.api.get(ME).status == 200
        assert told(use(other))[:2] == (2, 1)


def test_B4_all_clients_together_have_a_limit(stack):
    client, other = stack.new_client("SHARING"), stack.new_client("SHARING-TOO")
    with api_options(stack, total_requests_per_minute=3):
        room_in_this_minute(stack)
        assert [told(who.api.get(ME))[:2] for who in (client, other, client)] == [
            (3, 2), (3, 1), (3, 0)]
        check_refused(other.api.get(ME), "system_limit", 3)
