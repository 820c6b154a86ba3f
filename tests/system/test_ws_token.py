"""A WebSocket opened by a user's token: whom it tells what, and everything that ends it."""

import pytest
from signing import (CHANGE, check_refused, forge, kid_of, refresh, sign_in, sign_out, with_token)
from test_tokens import FORGERIES, times
from ws_client import Refused, WebSocket, listen

NEW = "another-Password-1"


def bearer(token):
    return {"headers": {"Authorization": f"Bearer {token}"}}


def watch(stack, tokens):
    """Connected by this token and subscribed. The relay waits for the directory after every change of a client."""

    def connect():
        try:
            return WebSocket.to(stack, **bearer(tokens["access_token"]))
        except Refused as refused:
            assert refused.answer.status == 503, refused
            return None

    connection = stack.wait_until(connect, "the relay knows the session")
    assert connection.hear()["type"] == "connected"
    assert connection.subscribe()["type"] == "subscribed"
    return connection


def check_refused_at_the_door(stack, code, **request):
    with pytest.raises(Refused) as caught:
        WebSocket.to(stack, **request)
    check_refused(caught.value.answer, 401, code)


def check_closed(connection, code):
    closed = connection.goodbye()
    assert closed.code == 1008 and closed.reason.startswith(f"{code}: "), closed


def check_open(client, connection, asterisk):
    """It still hears of its client's calls."""
    call_id = client.call(asterisk.numbers("busy")[0])
    connection.hear_until(lambda message: message["type"] == "call_failed"
                          and message["payload"]["call_id"] == call_id)


@pytest.fixture(scope="module")
def client(stack):
    return stack.new_client("ONLOOKER")


@pytest.fixture(scope="module")
def tokens(client):
    return sign_in(client).ok


# In


def test_a_token_opens_what_a_key_opens(stack, client, tokens, asterisk):
    with watch(stack, tokens) as by_token, listen(stack, client) as by_key:
        call_id = client.call(asterisk.numbers("busy")[0])
        told = [connection.hear_until(lambda message: message["type"] == "call_failed")
                for connection in (by_token, by_key)]
    assert told[0] == told[1] and told[0][-1]["payload"]["call_id"] == call_id


def test_a_token_comes_by_bearer_only_and_is_an_access_token(stack, client, tokens):
    with watch(stack, tokens):  # the directory is current: nobody is told to try again
        token = tokens["access_token"]
        check_refused_at_the_door(stack, "token_invalid", **bearer(tokens["refresh_token"]))
        check_refused_at_the_door(stack, "key_malformed", headers={"X-API-KEY": token})
        check_refused_at_the_door(stack, "key_malformed", query=f"x-api-key={token}")
        check_refused_at_the_door(stack, "key_missing", query=f"access_token={token}")
        with pytest.raises(Refused) as caught:
            WebSocket.to(stack, client.key, **bearer(token))
        assert (caught.value.answer.status, caught.value.answer.json["code"]) == (400, "two_identities")


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_opens_nothing(stack, client, tokens, name):
    code, how = FORGERIES[name]
    token = forge(stack, tokens["access_token"], **how())
    check_refused_at_the_door(stack, "key_malformed" if token.endswith(".") else code, **bearer(token))


# Out


def test_a_connection_ends_with_its_token(stack, client, tokens, asterisk):
    short = forge(stack, tokens["access_token"], claims=times(-100, -27))  # 30 seconds are forgiven
    with watch(stack, {"access_token": short}) as short_lived, watch(stack, tokens) as connection:
        check_closed(short_lived, "token_expired")
        check_refused_at_the_door(stack, "token_expired", **bearer(short))
        check_open(client, connection, asterisk)


def test_a_refreshed_session_keeps_its_connection(stack, client, asterisk):
    before = sign_in(client).ok
    with watch(stack, before) as connection:
        after = refresh(client, before["refresh_token"]).ok
        with watch(stack, after) as another:
            check_open(client, another, asterisk)
            check_open(client, connection, asterisk)


def test_logout_ends_the_connections_of_its_session_and_no_other(stack, client, tokens, asterisk):
    mine = sign_in(client).ok
    with watch(stack, tokens) as other, watch(stack, mine) as one, watch(stack, mine) as two:
        sign_out(client, mine["access_token"])
        check_closed(one, "session_ended")
        check_closed(two, "session_ended")
        check_open(client, other, asterisk)
        check_refused_at_the_door(stack, "session_ended", **bearer(mine["access_token"]))


def test_a_changed_password_ends_all_but_those_by_key(stack, asterisk):
    client = stack.new_client("ONLOOKER2")
    here, there = sign_in(client).ok, sign_in(client).ok
    with watch(stack, here) as one, watch(stack, there) as two, listen(stack, client) as by_key:
        change = {"current_password": client.password, "new_password": NEW}
        fresh = with_token(client, here["access_token"], "POST", CHANGE, change).ok
        check_closed(one, "session_ended")
        check_closed(two, "session_ended")
        check_open(client, by_key, asterisk)
        with watch(stack, fresh) as again:
            check_open(client, again, asterisk)


def test_a_refresh_token_used_twice_ends_the_connection(stack, client):
    first = sign_in(client).ok
    with watch(stack, first) as connection:
        second = refresh(client, first["refresh_token"]).ok
        refresh(client, second["refresh_token"]).ok
        check_refused(refresh(client, first["refresh_token"]), 401, "token_reused")
        check_closed(connection, "session_ended")


def test_all_of_many_sessions_that_end_at_once_lose_their_connections(stack, asterisk):
    """More than a row of the directory holds: those that it cannot tell apart are closed as well, and come again with a
    newer token. Whoever signs in afterwards notices nothing."""
    client = stack.new_client("ONLOOKER4")
    many = [sign_in(client).ok for _ in range(20)]
    connections = [watch(stack, tokens) for tokens in many]
    for tokens in many:
        sign_out(client, tokens["access_token"])
    for connection in connections:
        closed = connection.goodbye()
        assert closed.code == 1008
        assert closed.reason.split(":")[0] in ("session_ended", "token_outdated"), closed
    with watch(stack, sign_in(client).ok) as connection:
        check_open(client, connection, asterisk)


def test_an_inactive_client_loses_its_connection(stack):
    client = stack.new_client("ONLOOKER3")
    with watch(stack, sign_in(client).ok) as connection:
        client.set_active(False)
        check_closed(connection, "client_inactive")


def test_a_retired_key_ends_the_connections_of_its_tokens(stack, client, asterisk):
    before = sign_in(client).ok
    with watch(stack, before) as old, listen(stack, client) as by_key:
        stack.stack.ccs.ctl("jwt-key", "rotate")

        def signed_anew():
            tokens = sign_in(client).ok
            return kid_of(tokens["access_token"]) != kid_of(before["access_token"]) and tokens

        after = stack.wait_until(signed_anew, "the new key signs")
        with watch(stack, after) as new:
            check_open(client, old, asterisk)
            stack.stack.ccs.ctl("jwt-key", "retire", kid_of(before["access_token"]))
            check_closed(old, "token_invalid")
            check_open(client, new, asterisk)
            check_open(client, by_key, asterisk)
    check_refused_at_the_door(stack, "token_invalid", **bearer(before["access_token"]))


def test_without_a_dispatcher_a_connection_stays_until_its_token_expires(stack, client):
    tokens = sign_in(client).ok
    short = {"access_token": forge(stack, tokens["access_token"], claims=times(-100, -25))}
    with watch(stack, short) as expiring, watch(stack, tokens) as lasting:
        stack.kill("dispatcher-holder")
        try:
            check_closed(expiring, "token_expired")

            def status():
                try:
                    WebSocket.to(stack, **bearer(tokens["access_token"])).hang_up()
                except Refused as refused:
                    return refused.answer.status

            stack.wait_until(lambda: status() == 503, "its heartbeat is stale")
        finally:
            stack.start("dispatcher")
        stack.wait_ready()
        assert lasting.subscribe("call_failed")["events"] == ["call_failed"]
