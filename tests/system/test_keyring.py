"""Several keys of one client: made, listed, restricted, replaced, revoked; by the client, an administrator and ccsctl."""
import pytest
from load import Load
from signing import check_refused
from stack.stack import StackError
from ws_client import WebSocket

ME, KEYS = "/clients/me", "/clients/me/keys"


@pytest.fixture
def client(stack):
    return stack.new_client("KEYRING")


@pytest.fixture(scope="module")
def admin(stack):
    return stack.api.as_client(stack.ctl_json("key", "add", "--name=tests")["api_key"])


def by(api, key):
    return api.as_client(key)


def ask(client, key):
    return by(client.api, key).get(ME)


def but_use(key) -> dict:
    """When it was last used may be noted between two looks at it."""
    assert "last_used_at" in key
    return {name: value for name, value in key.items() if name != "last_used_at"}


def test_when_a_key_was_last_used_is_noted_soon_and_not_with_every_request(stack, client, admin):
    unused, made = (client.api.post(KEYS, {"name": name}).ok for name in ("unused", "used"))
    path = f"{KEYS}/{made['id']}"
    assert client.api.get(path).ok["last_used_at"] is None
    for _ in range(50):
        ask(client, made["api_key"]).ok
    other = stack.ctl_json("key", "add", "--name=noted")  # an administrator's, who is in no directory
    by(admin, other["api_key"]).get("/admin/me").ok
    stack.wait_until(lambda: client.api.get(path).ok["last_used_at"], "it is noted")
    assert client.api.get(path).ok["created_at"] <= client.api.get(path).ok["last_used_at"]
    stack.wait_until(lambda: stack.ctl_json("key", "show", str(made["id"]))["last_used_at"]
                     == client.api.get(path).ok["last_used_at"], "both tell the same")
    assert client.api.get(f"{KEYS}/{unused['id']}").ok["last_used_at"] is None
    stack.wait_until(lambda: admin.get(f"/admin/keys/{other['id']}").ok["last_used_at"], "an administrator's is noted")


def test_E18_a_client_makes_keys_and_sees_them_without_their_secrets(client):
    made = client.api.post(KEYS, {"name": "dialler", "scopes": ["read", "dial"], "expires_in_days": 30}).ok
    assert ask(client, made["api_key"]).status == 200 and made["expires_at"]
    listed = client.api.get(KEYS, sort="-id").ok
    assert listed["total"] == 2 and made["api_key"] not in str(listed)
    newest = listed["items"][0]
    assert but_use(newest) == but_use(client.api.get(f"{KEYS}/{made['id']}").ok)
    assert (newest["id"], newest["name"], newest["scopes"], newest["state"], newest["networks"]) \
        == (made["id"], "dialler", ["read", "dial"], "active", [])
    assert made["api_key"].startswith(newest["begins_with"])
    behind = client.api.get(KEYS, page=9).ok
    assert behind["items"] == [] and behind["total"] == 2
    assert client.api.get(KEYS, size=1).ok["items"][0]["name"] == "default"


@pytest.mark.parametrize("body, words", [
    ({"scopes": ["read", "write"]}, "scopes[1] does not fit"),
    ({"scopes": "read"}, "scopes"),
    ({"networks": ["192.0.2.17/24"]}, "networks[0] does not fit"),
    ({"networks": ["192.0.2.0/33"]}, "networks[0] does not fit"),
    ({"networks": ["localhost"]}, "networks[0] does not fit"),
    ({"networks": [f"192.0.2.{n}" for n in range(9)]}, "networks has 9 elements; at most 8"),
    ({"name": ""}, "name"),
    ({"expires_in_days": 0}, "expires_in_days"),
    ({"expires_in_days": 3651}, "expires_in_days"),
    ({"expires_in_days": "soon"}, "expires_in_days"),
])
def test_what_cannot_be_is_refused_by_name(client, body, words):
    answer = client.api.post(KEYS, body)
    assert answer.status == 400 and words in answer.json["detail"], answer.body
    assert client.api.get(KEYS).ok["total"] == 1


def test_a_client_has_so_many_keys_and_no_more(stack, client):
    stack.sql("""insert into api_key (client_id, digest, shown)
                 select %s, sha256((%s || n)::bytea), 'x' from generate_series(1, 49) n""",
              client.client_id, client.accountcode)
    check_refused(client.api.post(KEYS, {}), 409, "too_many_keys")


def test_E18_a_key_is_good_from_its_networks_only(stack, client):
    near = client.api.post(KEYS, {"networks": ["10.0.0.0/8", "127.0.0.0/8", "2001:db8::/32"]}).ok
    far = client.api.post(KEYS, {"networks": ["192.0.2.0/24"]}).ok
    for _ in "SQL", "directory":
        assert ask(client, near["api_key"]).status == 200
        assert "may not be used from this address" in check_refused(ask(client, far["api_key"]), 403, "address_refused")
        stack.reload(client.client_id)
    assert client.api.get(f"{KEYS}/{near['id']}").ok["networks"] == ["10.0.0.0/8", "127.0.0.0/8", "2001:db8::/32"]


def test_Q4_a_revoked_key_is_refused_at_once_and_stays_revoked(client):
    made = client.api.post(KEYS, {}).ok
    assert ask(client, made["api_key"]).status == 200
    path = f"{KEYS}/{made['id']}"
    assert client.api.request("DELETE", path).ok == {"id": made["id"], "state": "revoked", "changed": True}
    assert ask(client, made["api_key"]).status == 401
    assert client.api.request("DELETE", path).ok["changed"] is False
    assert client.api.get(path).ok["state"] == "revoked"
    assert ask(client, client.key).status == 200  # the others go on


def test_Q4_a_key_gets_a_successor_and_both_are_good_for_a_while(client):
    old = client.api.post(KEYS, {"name": "rolling", "scopes": ["read"], "networks": ["127.0.0.0/8"]}).ok
    new = client.api.post(f"{KEYS}/{old['id']}/rotate", {"grace_seconds": 3600}).ok
    assert new["old_key_id"] == old["id"] and new["old_key_valid_until"]
    assert ask(client, old["api_key"]).status == ask(client, new["api_key"]).status == 200
    before, after = (client.api.get(f"{KEYS}/{one['id']}").ok for one in (old, new))
    assert (before["state"], after["state"]) == ("replaced", "active")
    assert all(before[name] == after[name] for name in ("name", "scopes", "networks"))
    check_refused(client.api.post(f"{KEYS}/{old['id']}/rotate", {}), 409, "key_ended")
    newest = client.api.post(f"{KEYS}/{new['id']}/rotate").ok
    assert newest["old_key_valid_until"] is None
    assert ask(client, new["api_key"]).status == 401 and ask(client, newest["api_key"]).status == 200
    check_refused(client.api.post(f"{KEYS}/{new['id']}/rotate", {}), 409, "key_ended")
    assert "leave it out" in client.api.post(f"{KEYS}/{newest['id']}/rotate", {"key_id": old["id"]}).json["detail"]


def test_A7_another_clients_keys_are_not_there(stack, client):
    theirs = stack.new_client("KEYRING2")
    key_id = theirs.api.get(KEYS).ok["items"][0]["id"]
    for method, path in ("GET", ""), ("DELETE", ""), ("POST", "/rotate"):
        check_refused(client.api.request(method, f"{KEYS}/{key_id}{path}"), 403, "not_yours")
    assert ask(theirs, theirs.key).status == 200


def test_E18_an_administrator_sees_and_changes_all_keys(client, admin):
    made = admin.post("/admin/keys", {"accountcode": client.accountcode, "scopes": ["read"]}).ok
    assert ask(client, made["api_key"]).ok["accountcode"] == client.accountcode
    listed = admin.get("/admin/keys", accountcode=client.accountcode).ok
    assert listed["total"] == 2 and {one["accountcode"] for one in listed["items"]} == {client.accountcode}
    new = admin.post(f"/admin/keys/{made['id']}/rotate", {}).ok
    assert ask(client, made["api_key"]).status == 401 and ask(client, new["api_key"]).status == 200
    assert admin.request("DELETE", f"/admin/keys/{new['id']}").ok["changed"] is True
    assert ask(client, new["api_key"]).status == 401
    check_refused(admin.get("/admin/keys/9007199254740991"), 404, "not_found")
    check_refused(admin.get("/admin/keys", accountcode="NOBODY-AT-ALL"), 404, "not_found")
    check_refused(admin.post("/admin/keys", {"accountcode": "NOBODY-AT-ALL"}), 404, "not_found")


def test_E18_administrators_keys_are_kept_the_same_way(stack, admin):
    made = admin.post("/admin/keys", {"scopes": ["read"]}).ok
    mine = by(admin, made["api_key"])
    total = mine.get("/admin/keys", accountcode="").ok["total"]
    assert [one["id"] for one in mine.get("/admin/keys", accountcode="", size=1, page=total).ok["items"]] == [made["id"]]
    check_refused(mine.post("/admin/keys", {}), 403, "scope_missing")
    new = admin.post(f"/admin/keys/{made['id']}/rotate", {}).ok
    check_refused(mine.get("/admin/me"), 401, "key_revoked")
    stack.ctl_json("key", "revoke", str(new["id"]))
    check_refused(by(admin, new["api_key"]).get("/admin/me"), 401, "key_revoked")


def test_ccsctl_does_the_same(stack, client):
    def ctl(*words):
        return stack.ctl_json("key", *map(str, words))

    made = ctl("add", client.accountcode, "--name=shell", "--scopes=read", "--networks=127.0.0.1,10.0.0.0/8",
               "--expires-in-days=1")
    assert ask(client, made["api_key"]).status == 200
    shown = ctl("show", made["id"])
    assert (shown["name"], shown["networks"], shown["state"]) == ("shell", ["127.0.0.1/32", "10.0.0.0/8"], "active")
    assert but_use(ctl("list", client.accountcode)["keys"][0]) == but_use(shown)
    new = ctl("rotate", made["id"], "--grace-seconds=60")
    assert ask(client, made["api_key"]).status == ask(client, new["api_key"]).status == 200
    assert ctl("revoke", made["id"])["changed"] is True and ask(client, made["api_key"]).status == 401
    with pytest.raises(StackError, match="there is no key 9007199254740991"):
        ctl("show", 9007199254740991)
    with pytest.raises(StackError, match="is no key's id"):
        ctl("revoke", "mine")
    text = stack.stack.ccs.ctl("key", "list", client.accountcode)
    assert f"{made['id']:<6} {client.accountcode}" in text and "3 keys.\n" in text


def test_every_change_stands_in_the_audit_without_a_secret(stack, client, admin):
    first = client.api.post(KEYS, {}).ok
    second = client.api.post(f"{KEYS}/{first['id']}/rotate").ok
    admin.request("DELETE", f"/admin/keys/{second['id']}")
    rows = stack.sql("select actor, action, detail::text from audit where subject = %s and action like 'key.%%' order by id",
                     client.accountcode)
    assert [row["action"] for row in rows] == ["key.create", "key.replace", "key.revoke"]
    assert rows[0]["actor"] == rows[1]["actor"] == f"client:{client.accountcode}"
    assert rows[2]["actor"].startswith("key:")
    assert not any(one["api_key"] in str(rows) for one in (first, second))


def test_a_request_may_be_repeated_and_makes_one_key(client):
    headers = {"Idempotency-Key": "the-same"}
    first, again = (client.api.request("POST", KEYS, {"name": "once"}, headers=headers) for _ in range(2))
    assert first.ok == again.ok and again.headers["Idempotent-Replayed"] == "true"
    assert client.api.get(KEYS).ok["total"] == 2


def test_revoked_under_load_with_the_dispatcher_stopped_nothing_is_accepted_any_more(stack):
    client = stack.new_client("LOADED", requests_per_minute=10_000_000)
    keeper = client.api.post(KEYS, {"name": "keeper"}).ok["api_key"]
    doomed = next(one["id"] for one in client.api.get(KEYS).ok["items"] if one["name"] == "default")
    stack.reload(client.client_id)
    stack.kill("dispatcher-holder")  # and its child: from here on nobody renews the directory
    try:
        with Load(stack, client, ME, 16) as load:
            load.wait_served(200)
            assert set(load.answers) == {200}
            gone = by(client.api, keeper).request("DELETE", f"{KEYS}/{doomed}")
            served = list(load.served)  # the next answer may be to a request that was sent before
            stack.wait_until(lambda: all(now > was for now, was in zip(load.served, served)), "all have asked since")
            load.answers.clear()
            load.wait_served(400)
        assert gone.ok["changed"] is True
        assert load.answers[200] == 0 and load.answers[401] >= 400 and set(load.answers) <= {200, 401}
        assert by(client.api, keeper).get(ME).status == 200
    finally:
        stack.start("dispatcher-holder")
        stack.wait_ready()


def test_revoked_a_key_takes_its_websocket_with_it(stack, client):
    stack.reload(client.client_id)
    socket = WebSocket.to(stack, client.key)
    keeper = client.api.post(KEYS, {}).ok["api_key"]
    doomed = client.api.get(KEYS).ok["items"][0]["id"]
    assert by(client.api, keeper).request("DELETE", f"{KEYS}/{doomed}").ok["changed"] is True
    closed = socket.goodbye()
    assert closed.code == 1008 and closed.reason.startswith("key_unknown: ")
