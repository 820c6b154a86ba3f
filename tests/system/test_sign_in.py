"""Users who sign in: tokens, and what ends them."""
import json
import time
import urllib.parse

import pytest
from signing import (CHANGE, LOGIN, LOGOUT, ME, REFRESH, SQL, anonymous, check_refused, claims_of,
                     kid_of, refresh, sign_in, sign_out, with_token)

NEW = "another-Password-1"


def form(client, path, **fields):
    return anonymous(client).request(
        "POST", path, urllib.parse.urlencode(fields).encode(),
        headers={"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"})


@pytest.fixture(scope="module")
def client(stack):
    return stack.new_client("SIGNER")


@pytest.fixture(scope="module")
def tokens(client):
    return sign_in(client).ok


# In


def test_A4_Q1_login_answers_what_oauth_clients_expect(client, tokens):
    assert tokens["token_type"] == "bearer" and tokens["expires_in"] == 1800
    assert tokens["access_token"].count(".") == tokens["refresh_token"].count(".") == 2
    claims = claims_of(tokens["access_token"])
    assert set(claims) == {"iss", "aud", "sub", "sid", "jti", "ver", "iat", "nbf", "exp"}
    assert claims["exp"] - claims["iat"] == 1800


def test_Q1_login_by_form(client):
    for fields in ({}, {"grant_type": "password", "scope": "", "client_id": "x"}):
        answer = form(client, LOGIN, username=client.username, password=client.password, **fields)
        assert with_token(client, answer.ok["access_token"]).status == 200
    answer = form(client, LOGIN, username=client.username, password=client.password,
                  grant_type="client_credentials")
    check_refused(answer, 400, "unsupported_grant_type")


@pytest.mark.parametrize("path", [ME, ME + "/", "/monitoring/activecalls", SQL])
def test_A4_a_token_opens_what_a_key_opens(client, tokens, path):
    assert with_token(client, tokens["access_token"], path=path).status == 200
    assert with_token(client, tokens["access_token"] + "x", path=path).status == 401


def test_a_token_dials(stack, client, tokens, asterisk):
    [number] = asterisk.numbers("busy")
    answer = with_token(client, tokens["access_token"], "POST", "/queues/quickcall/",
                        {"phone_number": number})
    assert client.outcome(answer.ok["call_id"])["disposition"] == "busy"


BAD_LOGINS = {
    "no password": {"username": "x"},
    "no username": {"password": "x"},
    "nothing": {},
    "a number": {"username": "x", "password": 1},
    "empty": {"username": "", "password": "x"},
    "long username": {"username": "x" * 65, "password": "x"},
    "long password": {"username": "x", "password": "x" * 257},
    "control bytes": {"username": "x", "password": "a\nb"},
    "a list": [],
    "no JSON": b"username=x",
    "NUL": b'{"username": "x", "password": "a\\u0000b"}',
}


@pytest.mark.parametrize("case", BAD_LOGINS)
def test_a_login_that_is_none(client, case):
    answer = anonymous(client).post(LOGIN, BAD_LOGINS[case])
    assert answer.status == 400, answer.body


def test_a_form_that_is_none(client):
    for fields in b"username=x&username=y&password=z", b"username=%zz&password=x", b"%00=x", b"":
        answer = anonymous(client).request(
            "POST", LOGIN, fields, headers={"Content-Type": "application/x-www-form-urlencoded"})
        assert answer.status == 400, answer.body


def test_Q1_wrong_password_and_unknown_user_look_alike(client):
    wrong, unknown = sign_in(client, "wrong"), sign_in(client, username="nobody-has-this-name")
    for answer in wrong, unknown:
        check_refused(answer, 401, "login_refused")
    assert wrong.json["detail"] == unknown.json["detail"]
    assert set(wrong.headers.keys()) == set(unknown.headers.keys())


# Which credential


def test_G10_bearer_takes_a_key_or_a_token_and_nothing_else_a_token(client, tokens):
    assert with_token(client, client.key).status == 200
    token = tokens["access_token"]
    for answer in (client.api.as_client(token).get(ME),
                   anonymous(client).get(ME, **{"x-api-key": token})):
        check_refused(answer, 401, "key_malformed")
    check_refused(with_token(client, tokens["refresh_token"]), 401, "token_invalid")
    check_refused(refresh(client, token), 401, "token_invalid")


def test_two_identities_in_one_request(stack, client, tokens):
    other = stack.new_client("SIGNER2")
    token = tokens["access_token"]
    for answer in (with_token(client, token, **{"X-API-KEY": other.key}),
                   with_token(client, token, **{"X-API-KEY": client.key}),
                   with_token(client, token, path=f"{ME}?x-api-key={other.key}"),
                   with_token(client, other.key, **{"X-API-KEY": client.key})):
        check_refused(answer, 400, "two_identities")


def test_a_users_token_is_needed_where_a_key_says_nothing(client):
    for path in LOGOUT, CHANGE:
        check_refused(client.api.post(path, {}), 403, "token_needed")
        check_refused(anonymous(client).post(path, {}), 401, "key_missing")


def test_an_inactive_client(stack):
    client = stack.new_client("SLEEPER")
    tokens = sign_in(client).ok
    client.set_active(False)
    stack.wait_until(lambda: with_token(client, tokens["access_token"]).status != 200, "refused")
    for answer in (with_token(client, tokens["access_token"]), sign_in(client),
                   with_token(client, tokens["access_token"], path=SQL),
                   refresh(client, tokens["refresh_token"])):
        assert "inactive" in check_refused(answer, 403, "client_inactive")
    check_refused(sign_in(client, "wrong"), 401, "login_refused")
    client.set_active(True)
    assert refresh(client, tokens["refresh_token"]).status == 200


# On


def test_refresh(stack, client):
    first = sign_in(client).ok
    second = refresh(client, first["refresh_token"]).ok
    assert second["refresh_token"] != first["refresh_token"]
    assert with_token(client, second["access_token"]).status == 200
    # The answer may have been lost: the same again gives the same successor.
    again = form(client, REFRESH, grant_type="refresh_token", refresh_token=first["refresh_token"])
    third = refresh(client, again.ok["refresh_token"]).ok
    assert with_token(client, third["access_token"]).status == 200

    # The first one now comes too late, so somebody has a copy: the session is over, for both.
    check_refused(refresh(client, first["refresh_token"]), 401, "token_reused")
    for token in third["access_token"], first["access_token"]:
        for path in ME, SQL:
            check_refused(with_token(client, token, path=path), 401, "session_ended")
    check_refused(refresh(client, third["refresh_token"]), 401, "session_ended")


def test_the_last_second_of_a_session_refreshes_nothing(stack, client):
    """There is no token that good: it would expire as it is issued."""
    tokens = sign_in(client).ok
    stack.sql("update user_session set expires_at = now() + interval '0.9 s' where id = %s",
              claims_of(tokens["access_token"])["sid"])
    check_refused(refresh(client, tokens["refresh_token"]), 401, "session_ended")


def test_refreshing_counts_as_a_request(stack):
    """Whoever repeats a refresh, which is allowed for a while, is held to the limit of his client."""
    client = stack.new_client("REFRESHER", requests_per_minute=3)
    # The limit counts by the minute of the clock: not across the end of one.
    stack.wait_until(lambda: time.time() % 60 < 45, "a minute has room")
    first = sign_in(client).ok["refresh_token"]
    answers = [refresh(client, first) for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
    check_refused(answers[-1], 429, "too_many_requests")
    assert int(answers[-1].headers["Retry-After"]) >= 1


def test_refresh_grace_ends(stack, client):
    first = sign_in(client).ok
    second = refresh(client, first["refresh_token"]).ok
    stack.sql("update user_session set refreshed_at = refreshed_at - interval '31 s' where id = %s",
              claims_of(first["access_token"])["sid"])
    check_refused(refresh(client, first["refresh_token"]), 401, "token_reused")
    check_refused(with_token(client, second["access_token"]), 401, "session_ended")


def test_a_session_has_an_end(stack, client):
    tokens = sign_in(client).ok
    stack.sql("update user_session set expires_at = now() where id = %s",
              claims_of(tokens["access_token"])["sid"])
    check_refused(refresh(client, tokens["refresh_token"]), 401, "session_ended")


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "e30.e30.e30", "x" * 5000, 7])
def test_refresh_tokens_that_are_none(client, token):
    assert refresh(client, token).status in (400, 401)


# Out


def test_logout_ends_this_session_at_once_and_no_other(stack, client):
    here, there = sign_in(client).ok, sign_in(client).ok
    assert sign_out(client, here["access_token"])["status"] == "success"
    for _ in range(20):  # whichever worker answers
        for path in ME, SQL:
            check_refused(with_token(client, here["access_token"], path=path), 401, "session_ended")
    check_refused(refresh(client, here["refresh_token"]), 401, "session_ended")
    check_refused(with_token(client, here["access_token"], "POST", LOGOUT), 401, "session_ended")
    assert with_token(client, there["access_token"]).status == 200
    assert refresh(client, there["refresh_token"]).status == 200


def test_many_logouts_leave_other_sessions_alone(stack, client):
    kept = sign_in(client).ok
    ended = [sign_in(client).ok for _ in range(20)]  # more than a row of the directory holds
    for tokens in ended:
        sign_out(client, tokens["access_token"])
    for _ in range(3):
        for tokens in ended:
            assert with_token(client, tokens["access_token"]).status == 401
        assert with_token(client, kept["access_token"]).status == 200
        stack.wait_ready()  # meanwhile the dispatcher has read it


def test_a_changed_password_ends_all_sessions_at_once(stack):
    client = stack.new_client("CHANGER")
    here, there = sign_in(client).ok, sign_in(client).ok
    change = {"current_password": client.password, "new_password": NEW}
    fresh = with_token(client, here["access_token"], "POST", CHANGE, change).ok
    for _ in range(20):
        for tokens in here, there:
            for path in ME, SQL:
                check_refused(with_token(client, tokens["access_token"], path=path), 401,
                              "session_ended")
        assert with_token(client, fresh["access_token"]).status == 200
    check_refused(refresh(client, there["refresh_token"]), 401, "session_ended")
    assert refresh(client, fresh["refresh_token"]).status == 200
    check_refused(sign_in(client), 401, "login_refused")
    assert sign_in(client, NEW).status == 200
    assert client.api.get(ME).status == 200  # keys are another matter


def test_what_is_no_change_of_password(stack):
    client = stack.new_client("CHANGER2")
    token = sign_in(client).ok["access_token"]

    def change(current, new):
        return with_token(client, token, "POST", CHANGE,
                          {"current_password": current, "new_password": new})

    check_refused(change("wrong", NEW), 400, "wrong_password")
    check_refused(change(client.password, "seven77"), 400, "invalid_field")
    check_refused(change(client.password, client.password), 400, "invalid_field")
    check_refused(with_token(client, token, "POST", CHANGE, {}), 400, "missing_field")
    assert with_token(client, token).status == 200 and sign_in(client).status == 200


def test_a_directory_of_an_earlier_life_revives_nobody(stack):
    client = stack.new_client("REVENANT")
    tokens = sign_in(client).ok
    stack.wait_until(lambda: with_token(client, tokens["access_token"]).status == 200, "signed in")
    stack.kill("dispatcher-holder")
    sign_out(client, tokens["access_token"])
    check_refused(with_token(client, tokens["access_token"]), 401, "session_ended")
    stack.start("dispatcher")
    stack.wait_ready()
    check_refused(with_token(client, tokens["access_token"]), 401, "session_ended")


def test_a_key_revoked_while_no_dispatcher_runs_stays_revoked(stack):
    client = stack.new_client("REVENANT2")
    assert client.api.get(ME).status == 200
    stack.stop("dispatcher")
    stack.sql("update api_key set revoked_at = now() where client_id = %s", client.client_id)
    stack.wait_until(lambda: client.api.get(ME).status == 401, "the directory is too old to believe")
    stack.start("dispatcher")
    stack.wait_ready()
    for _ in range(20):
        check_refused(client.api.get(ME), 401, "key_revoked")


def test_a_token_is_checked_without_postgresql(stack):
    client = stack.new_client("ISLANDER")
    token = sign_in(client).ok["access_token"]

    def status(path):
        return with_token(client, token, path=path).status

    stack.sql("alter role ccs_api nologin")
    stack.sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'ccs_api'")
    try:
        stack.wait_until(lambda: status(ME) == 200, "the directory is current")
        assert status(SQL) == 503
        assert all(status(ME) == 200 for _ in range(20))
    finally:
        stack.sql("alter role ccs_api login")
    stack.wait_until(lambda: all(status(SQL) == 200 for _ in range(20)), "workers are connected")


# Keys


def test_keys_are_rotated_while_users_stay_signed_in(stack, client):
    before = sign_in(client).ok

    def is_good(tokens):
        return all(with_token(client, tokens["access_token"], path=path).status == 200
                   for path in (ME, SQL))

    # Processes look for new keys once a second. Whoever signs has not looked for so long, the others just now: they
    # see a token of a key that they have not read.
    long_enough = time.monotonic() + 1.1
    stack.wait_until(lambda: is_good(before) and time.monotonic() > long_enough, "others have looked")
    stack.stack.ccs.ctl("jwt-key", "rotate")
    after = sign_in(client).ok
    assert is_good(after) and is_good(before)
    old, new = json.loads(stack.stack.ccs.ctl("jwt-key", "list", "--json"))["keys"][-2:]
    assert kid_of(after["access_token"]) == new["kid"]
    assert kid_of(before["access_token"]) == old["kid"]
    stack.stack.ccs.ctl("jwt-key", "retire", old["kid"])
    stack.wait_until(lambda: with_token(client, before["access_token"]).status == 401,
                     "workers have noticed that the old key is gone")
    assert is_good(after)


# What is left behind


def test_no_secret_is_in_a_log_or_on_a_command_line(stack, client, tokens):
    secret = (stack.stack.folder / "jwt.keys").read_text().split()[-1]
    words = [client.password, NEW, secret, tokens["access_token"], tokens["refresh_token"],
             tokens["access_token"].rsplit(".", 1)[1]]
    for log in stack.stack.log_dir.glob("*.log"):
        text = log.read_text(errors="replace")
        assert not [word for word in words if word in text], log
    for process in stack.stack.processes().values():
        with open(f"/proc/{process.pid()}/cmdline", "rb") as words_of:
            line = words_of.read()
        assert not [word for word in words if word.encode() in line]
