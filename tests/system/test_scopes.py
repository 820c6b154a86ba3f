"""What a key may do: its scopes at every route, and administrators, who are no client's."""
import sys

import pytest
from places import ROOT
from signing import check_refused
from stack.stack import StackError
from ws_client import Refused, WebSocket

sys.path.append(str(ROOT / "tests/contract"))
from endpoints import endpoints  # noqa: E402  (found by the line above)

READ, DIAL, ADMIN = "/clients/me", "/controls/dispatch-calls", "/clients/revoke-api-key"
ME = "/admin/me"
PASSWORD = "a long password"


@pytest.fixture(scope="module")
def client(stack):
    return stack.new_client("SCOPES")


def new_key(stack, client, *scopes) -> str:
    made = stack.ctl_json("key", "add", *([client.accountcode] if client else []),
                          *(word for scope in scopes for word in ("--scopes", scope)))
    return made["api_key"]


def api_with(client, key):
    return client.api.as_client(key)


@pytest.fixture(scope="module")
def keys(stack, client) -> dict:
    """A key for each scope."""
    return {scope: new_key(stack, client, scope) for scope in ("read", "dial", "admin")}


CLIENTS = [one for one in endpoints() if one.who == "CLIENT"]


def probe(api, endpoint):
    """As much of a request as it takes to be admitted or not: the rest of it is wrong."""
    values = {name: 0 for name in endpoint.parameters}
    return api.request(endpoint.method, endpoint.path(values))


@pytest.mark.parametrize("endpoint", CLIENTS, ids=str)
def test_E18_each_route_takes_one_scope_and_says_which(client, keys, endpoint):
    needed = endpoint.scope.lower()
    for scope, key in keys.items():
        if scope == needed:
            continue
        answer = probe(api_with(client, key), endpoint)
        detail = check_refused(answer, 403, "scope_missing")
        assert f"needs the scope {needed}," in detail and "administrator" in detail


@pytest.mark.parametrize("endpoint", [one for one in CLIENTS if one.method == "GET"], ids=str)
def test_E18_the_right_scope_opens(client, keys, endpoint):
    answer = probe(api_with(client, keys[endpoint.scope.lower()]), endpoint)
    assert answer.json.get("code") != "scope_missing", answer.body


def test_a_key_may_have_several_scopes_and_without_any_named_has_all(stack, client):
    both, every = new_key(stack, client, "read", "dial"), new_key(stack, client)
    assert api_with(client, both).get(READ).status == 200
    assert api_with(client, both).post(DIAL, {}).status == 200
    check_refused(api_with(client, both).post(ADMIN, {}), 403, "scope_missing")
    for ask in (lambda api: api.get(READ), lambda api: api.post(DIAL, {}), lambda api: api.post(ADMIN, {})):
        assert ask(api_with(client, every)).status == 200


def test_a_new_key_in_the_place_of_one_may_do_the_same(stack, client):
    old = new_key(stack, client, "read", "admin")
    new = api_with(client, old).post("/clients/regenerate-api-key", {}).ok["api_key"]
    assert api_with(client, new).get(READ).status == 200
    check_refused(api_with(client, new).post(DIAL, {}), 403, "scope_missing")


def test_what_is_no_scope_is_refused_by_name(stack, client):
    with pytest.raises(StackError, match="scopes.*does not fit.*read, dial, admin"):
        new_key(stack, client, "write")
    with pytest.raises(StackError, match="no client has accountcode NOBODYATALL"):
        stack.ctl_json("key", "add", "NOBODYATALL")


def test_events_need_the_scope_read(stack, client, keys):
    socket = opened(stack, keys["read"])
    assert socket.hear()["type"] == "connected"
    socket.hang_up()
    with pytest.raises(Refused) as refused:
        WebSocket.to(stack, keys["dial"])
    check_refused(refused.value.answer, 403, "scope_missing")


def opened(stack, key):
    """The relay reads the directory only: it has to be there."""
    stack.reload()
    return WebSocket.to(stack, key)


def test_E18_a_scope_that_is_taken_away_is_gone_at_once(stack, client):
    key = new_key(stack, client, "read")
    assert api_with(client, key).get(READ).status == 200
    socket = opened(stack, key)
    stack.sql("update api_key set scopes = '{dial}' where shown = %s", key[:15])
    stack.reload(client.client_id)
    check_refused(api_with(client, key).get(READ), 403, "scope_missing")
    closed = socket.goodbye()
    assert closed.code == 1008 and closed.reason.startswith("scope_missing: ")


# ---- administrators ----


@pytest.fixture(scope="module")
def administrator(stack):
    """Signs in, as often as it is asked."""
    add_administrator(stack, "root@ccs")
    yield stack.api.as_client(None)
    [made] = stack.sql("select id from app_user where username = 'root@ccs'")
    stack.sql("delete from user_session where user_id = %s", made["id"])
    stack.sql("delete from app_user where id = %s", made["id"])


def add_administrator(stack, username):
    return stack.stack.ccs.ctl("user", "add", f"--username={username}", "--password-stdin", text=PASSWORD)


def sign_in(api, username="root@ccs"):
    return api.post("/auth/login", {"username": username, "password": PASSWORD}).ok


def asked(api, tokens, method="GET", path=ME, body=None):
    return api.request(method, path, body, headers={"Authorization": f"Bearer {tokens['access_token']}"})


def test_E18_an_administrator_signs_in_and_is_known(stack, administrator):
    tokens = sign_in(administrator)
    me = asked(administrator, tokens).ok
    assert me["role"] == "admin" and me["scopes"] == ["read", "dial", "admin"]
    shown = stack.ctl_json("user", "show", "root@ccs")
    assert (shown["id"], shown["role"], shown["accountcode"]) == (me["user_id"], "admin", None)


def test_an_administrators_key_has_scopes_too(stack, administrator):
    key = new_key(stack, None, "read")
    me = administrator.as_client(key).get(ME).ok
    assert me["scopes"] == ["read"] and me["key_id"] > 0
    blind = new_key(stack, None, "dial")
    detail = check_refused(administrator.as_client(blind).get(ME), 403, "scope_missing")
    assert "another administrator, or by ccsctl" in detail


def test_clients_are_no_administrators(client):
    assert "ccsctl" in check_refused(client.api.get(ME), 403, "administrator_needed")
    tokens = client.api.as_client(None).post("/auth/login", {"username": client.username,
                                                             "password": client.password}).ok
    check_refused(asked(client.api.as_client(None), tokens), 403, "administrator_needed")


@pytest.mark.parametrize("endpoint", CLIENTS, ids=str)
def test_administrators_have_no_account(stack, administrator, admin_key, endpoint):
    answer = probe(administrator.as_client(admin_key), endpoint)
    check_refused(answer, 403, "account_needed")


@pytest.fixture(scope="module")
def admin_key(stack):
    return new_key(stack, None)


def test_administrators_have_no_events(stack, admin_key):
    with pytest.raises(Refused) as refused:
        WebSocket.to(stack, admin_key)
    check_refused(refused.value.answer, 403, "account_needed")


def test_an_administrator_refreshes_changes_the_password_and_signs_out(administrator):
    first = sign_in(administrator)
    second = administrator.post("/auth/refresh", {"refresh_token": first["refresh_token"]}).ok
    third = asked(administrator, second, "POST", "/auth/change-password", {
        "current_password": PASSWORD, "new_password": PASSWORD + "!"}).ok
    check_refused(asked(administrator, second), 401, "session_ended")
    fourth = asked(administrator, third, "POST", "/auth/change-password", {
        "current_password": PASSWORD + "!", "new_password": PASSWORD}).ok
    assert asked(administrator, fourth).status == 200
    assert asked(administrator, fourth, "POST", "/auth/logout").status == 200
    check_refused(asked(administrator, fourth), 401, "session_ended")


def test_a_refresh_token_that_was_used_ends_an_administrators_session_too(stack, administrator):
    first = sign_in(administrator)
    second = administrator.post("/auth/refresh", {"refresh_token": first["refresh_token"]}).ok
    stack.sql("update user_session set refreshed_at = now() - interval '1 minute' where id ="
              " (select max(id) from user_session)")
    again = administrator.post("/auth/refresh", {"refresh_token": first["refresh_token"]})
    check_refused(again, 401, "token_reused")
    check_refused(asked(administrator, second), 401, "session_ended")


def test_who_is_removed_is_out_at_once(stack, administrator):
    add_administrator(stack, "temp")
    tokens = sign_in(administrator, "temp")
    assert asked(administrator, tokens).status == 200
    stack.ctl_json("user", "delete", "temp", "--yes")
    check_refused(asked(administrator, tokens), 401, "session_ended")
    with pytest.raises(StackError, match="temp"):
        stack.ctl_json("user", "delete", "temp", "--yes")
    recorded = stack.sql("select action from audit where subject = 'temp' order by id")
    assert [row["action"] for row in recorded] == ["user.create", "user.delete"]


def test_a_name_is_one_persons(stack, client):
    with pytest.raises(StackError, match="is taken"):
        add_administrator(stack, client.username)
