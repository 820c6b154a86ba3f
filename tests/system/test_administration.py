"""Clients, users, servers and shares by HTTP, as administrators make and change them; and two of them at once."""
import json
import re
import subprocess

import pytest
from places import ROOT
from signing import check_refused

SERVER = {"server_code": "adm1", "host": "127.0.0.1", "port": 9, "ami_user": "ccs", "ami_secret": "very-secret-word",
          "channel_template": "PJSIP/{prefix}{number}@{endpoint}", "allowed_active_calls": 50, "rate_limit": 500,
          "default_directory": "/var/spool/asterisk/monitor", "recording_directory": "/var/spool/asterisk/recordings",
          "provided_prefix": ["0", "1"], "context": ["default", "internal"],
          "allocated_dids": ["1234567890", "0987654321"], "provided_endpoints": ["1001", "1002"], "status": "disabled"}


@pytest.fixture(scope="module")
def admin(stack):
    return stack.api.as_client(stack.ctl_json("key", "add")["api_key"])


@pytest.fixture(scope="module")
def server(admin):
    """Gone afterwards: others look at all servers there are."""
    made = admin.post("/admin/servers", SERVER).ok
    yield made
    change(admin, f"/admin/servers/{made['id']}", None, method="DELETE").ok


def registration(accountcode, **other) -> dict:
    """What the integration document asks for, unchanged but for names that are one client's."""
    printed = (ROOT / "tests/contract/onboarding.md").read_text()
    fields = json.loads(re.search(r"#### Required Information:\n```json\n(.*?)```", printed, re.S)[1])
    return {**fields, "accountcode": accountcode, "username": accountcode.lower(), "did": "911140000001",
            "phone_number": "919811111111", **other}


def make(admin, accountcode, **other) -> dict:
    return admin.post("/admin/clients", registration(accountcode, **other)).ok


def change(admin, path, body, version="*", method="PATCH"):
    return admin.request(method, path, body, headers={"If-Match": version})


def test_E18_the_documents_registration_answers_id_key_and_account_code(stack, admin):
    made = make(admin, "ADM-E18")
    assert list(made) == ["id", "api_key", "accountcode"] and made["accountcode"] == "ADM-E18"
    me = stack.api.as_client(made["api_key"]).get("/clients/me").ok
    assert (me["id"], me["allocated_channels"], me["rate_limit"]) == (made["id"], 100, 1000)
    shown = admin.get(f"/admin/clients/{made['id']}")
    assert shown.headers["ETag"] == f'"{shown.ok["version"]}"'
    assert shown.ok["active_time_start"] == "09:00:00" and "password" not in shown.ok
    assert shown.ok == stack.ctl_json("client", "show", "ADM-E18")


def test_a_secret_is_written_and_never_read(stack, admin, server):
    made = make(admin, "ADM-SECRET", asyncdatabaseurl="postgresql://u:hush-hush@h/d")
    shown = admin.get(f"/admin/clients/{made['id']}")
    assert shown.ok["has_asyncdatabaseurl"] and b"hush" not in shown.body
    assert SERVER["ami_secret"] not in json.dumps(server)
    stored = stack.sql("select asyncdatabaseurl from client where id = %s", made["id"])[0][0]
    assert b"hush" not in bytes(stored)


def test_a_server_has_the_documents_ten_fields_and_its_manager(stack, admin, server):
    told = {**SERVER, "tls": False, "calls_per_second": 0}
    del told["ami_secret"]
    assert server.items() >= told.items()
    assert stack.ctl_json("server", "show", "adm1") == server


def test_what_is_wrong_is_named_and_nothing_is_made(stack, admin):
    before = stack.sql("select count(*) from client")[0][0]
    for body, code, word in (({**registration("ADM-BAD"), "rate_limit": -1}, "invalid_field", "rate_limit"),
                             ({**registration("ADM-BAD"), "rate_limits": 1}, "unknown_field", "rate_limits"),
                             ({"name": "X"}, "missing_field", "accountcode")):
        assert word in check_refused(admin.post("/admin/clients", body), 400, code)
    make(admin, "ADM-TAKEN")
    check_refused(admin.post("/admin/clients", registration("ADM-TAKEN", username="another")), 409, "accountcode_taken")
    check_refused(admin.get("/admin/clients/999999999"), 404, "not_found")
    assert stack.sql("select count(*) from client")[0][0] == before + 1


def test_two_administrators_never_overwrite_each_other_unseen(stack, admin):
    made = make(admin, "ADM-TWO")
    path = f"/admin/clients/{made['id']}"
    tag = admin.get(path).headers["ETag"]
    first = change(admin, path, {"rate_limit": 500}, tag)
    assert first.ok["rate_limit"] == 500 and first.headers["ETag"] != tag
    assert "read it again" in check_refused(change(admin, path, {"rate_limit": 900}, tag), 412, "stale")
    check_refused(admin.request("PATCH", path, {"rate_limit": 900}), 428, "version_needed")
    check_refused(change(admin, path, {"rate_limit": 900}, "seven"), 400, "bad_request")
    assert admin.get(path).ok["rate_limit"] == 500
    assert change(admin, path, {"rate_limit": 900}, first.headers["ETag"]).ok["rate_limit"] == 900
    assert change(admin, path, {"rate_limit": 901}).ok["version"] == first.ok["version"] + 2
    # By shell alike: a version that is another by now, and what it was is said where none is given.
    ctl = stack.stack.ccs
    refused = subprocess.run([ctl.programs / "ccsctl", "-c", ctl.conf, "client", "set", "ADM-TWO", "--rate-limit=1",
                              "--if-version=1"], capture_output=True, text=True, check=False)
    assert refused.returncode == 1 and "read it again" in refused.stderr
    assert "from 901 to 7" in ctl.ctl("client", "set", "ADM-TWO", "--rate-limit=7")


def test_a_change_is_in_the_audit_with_who_made_it_and_what_it_was(stack, admin):
    made = make(admin, "ADM-AUDIT")
    change(admin, f"/admin/clients/{made['id']}", {"rate_limit": 5, "name": "Somebody Else"}).ok
    rows = stack.sql("select actor, action, detail from audit where subject = 'ADM-AUDIT' order by id")
    assert [row["action"] for row in rows] == ["client.create", "client.change"]
    assert all(re.fullmatch(r"key:\d+", row["actor"]) for row in rows)
    assert rows[1]["detail"]["changed"] == ["name", "rate_limit"]
    assert rows[1]["detail"]["values"] == {"rate_limit": {"from": 1000, "to": 5}}


def test_a_client_that_is_disabled_is_out_at_once(stack, admin):
    made = make(admin, "ADM-OFF")
    client = stack.api.as_client(made["api_key"])
    client.get("/clients/me").ok
    change(admin, f"/admin/clients/{made['id']}", {"is_active": False}).ok
    check_refused(client.get("/clients/me"), 403, "client_inactive")
    check_refused(change(admin, f"/admin/clients/{made['id']}", {"accountcode": "ELSE"}), 400, "bad_request")
    check_refused(admin.request("DELETE", f"/admin/clients/{made['id']}"), 405, "method_not_allowed")


def test_shares_are_given_changed_and_taken_away(admin, server):
    made = make(admin, "ADM-SHARE")
    body = {"accountcode": "ADM-SHARE", "server_code": "adm1", "channels": 60, "rate_limit": 600}
    given = admin.post("/admin/allocations", body)
    assert given.ok.items() >= {**body, "client_id": made["id"], "server_id": server["id"]}.items()
    check_refused(admin.post("/admin/allocations", body), 409, "allocation_taken")
    path = f"/admin/allocations/{made['id']}/{server['id']}"
    assert "the client has 100" in check_refused(change(admin, path, {"channels": 101}), 400, "bad_request")
    assert change(admin, path, {"channels": 100}, given.headers["ETag"]).ok["channels"] == 100
    check_refused(change(admin, f"/admin/servers/{server['id']}", None, method="DELETE"), 409, "server_in_use")
    check_refused(change(admin, path, None, given.headers["ETag"], method="DELETE"), 412, "stale")
    assert change(admin, path, None, method="DELETE").ok["status"] == "success"
    check_refused(admin.get(path), 404, "not_found")


def test_a_server_that_was_never_used_can_go_and_one_with_calls_stays(stack, admin):
    unused = admin.post("/admin/servers", {**SERVER, "server_code": "adm2"}).ok
    assert change(admin, f"/admin/servers/{unused['id']}", None, method="DELETE").status == 200
    used = admin.post("/admin/servers", {**SERVER, "server_code": "adm3"}).ok
    stack.sql("insert into rollup_hour (client_id, server_id, local_date, local_hour, calls)"
              " values (%s, %s, '2001-01-01', 1, 1)", stack.client_id, used["id"])
    detail = check_refused(change(admin, f"/admin/servers/{used['id']}", None, method="DELETE"), 409, "server_has_calls")
    assert "administrator" in detail and "disabled" in detail
    stack.sql("delete from rollup_hour where server_id = %s", used["id"])
    assert change(admin, f"/admin/servers/{used['id']}", None, method="DELETE").status == 200


def test_users_of_a_client(stack, admin):
    made = make(admin, "ADM-USERS")
    person = {"username": "adm-second", "password": "a long password", "accountcode": "ADM-USERS"}
    user = admin.post("/admin/users", person).ok
    assert (user["client_id"], user["role"], user["accountcode"]) == (made["id"], "client", "ADM-USERS")
    anonymous = stack.api.as_client(None)
    login = {"username": "adm-second", "password": "a long password"}
    bearer = {"Authorization": f"Bearer {anonymous.post('/auth/login', login).ok['access_token']}"}
    assert anonymous.request("GET", "/clients/me", headers=bearer).ok["accountcode"] == "ADM-USERS"
    path = f"/admin/users/{user['id']}"
    change(admin, path, {"password": "another password", "new_name": "adm-third"}).ok
    check_refused(anonymous.request("GET", "/clients/me", headers=bearer), 401, "session_ended")
    login = {"username": "adm-third", "password": "another password"}
    bearer = {"Authorization": f"Bearer {anonymous.post('/auth/login', login).ok['access_token']}"}
    assert change(admin, path, None, method="DELETE").status == 200
    check_refused(anonymous.request("GET", "/clients/me", headers=bearer), 401, "session_ended")
    check_refused(anonymous.post("/auth/login", login), 401, "login_refused")


def test_what_administrators_make_takes_no_idempotency_key(stack, admin):
    made = make(admin, "ADM-IDEM")
    for method, path, body in (("POST", "/admin/clients", registration("ADM-IDEM-2")),
                               ("PATCH", f"/admin/clients/{made['id']}", {"rate_limit": 1})):
        answer = admin.request(method, path, body, headers={"Idempotency-Key": "once", "If-Match": "*"})
        check_refused(answer, 400, "idempotency_key_refused")
    assert admin.get("/admin/clients", accountcode="ADM-IDEM-2").ok["total"] == 0
    client = stack.api.as_client(made["api_key"])
    answer = client.request("POST", "/queues/batches/1/entries", b"phone_number\n9020000001\n",
                            headers={"Idempotency-Key": "once", "Content-Type": "text/csv"})
    assert "batch_id" in check_refused(answer, 400, "idempotency_key_refused")


def test_lists_are_filtered_and_paged(admin):
    for n in range(3):
        make(admin, f"ADM-PAGE-{n}")
    one = admin.get("/admin/clients", accountcode="ADM-PAGE-1").ok
    assert (one["total"], [item["accountcode"] for item in one["items"]]) == (1, ["ADM-PAGE-1"])
    latest = admin.get("/admin/clients", sort="-id", size=2).ok
    assert [item["accountcode"] for item in latest["items"]] == ["ADM-PAGE-2", "ADM-PAGE-1"]
    beyond = admin.get("/admin/clients", page=1000).ok
    assert beyond["items"] == [] and beyond["total"] == latest["total"] >= 3
    for path in "/admin/users", "/admin/servers", "/admin/allocations":
        assert admin.get(path, size=1).ok["total"] >= 1


def test_Q5_a_list_knows_its_statuses(admin):
    for path, values in (("/admin/clients", "active, paused or suspended"), ("/admin/servers", "active, draining or disabled")):
        assert values in check_refused(admin.get(path, status="closed"), 400, "bad_request")
    assert all(item["status"] == "active" for item in admin.get("/admin/clients", status="active").ok["items"])


@pytest.fixture
def administrators(stack, admin):
    """Two, with a password each: username -> (id, header of who has signed in)."""
    login = {"password": "a long password"}
    made = {}
    for name in "adm-first@ccs", "adm-other@ccs":
        user = admin.post("/admin/users", {"username": name, **login}).ok
        assert (user["role"], user["accountcode"]) == ("admin", None)
        token = stack.api.as_client(None).post("/auth/login", {"username": name, **login}).ok["access_token"]
        made[name] = user["id"], {"Authorization": f"Bearer {token}"}
    yield made
    stack.sql("delete from user_session where user_id = any(%s)", [user_id for user_id, _ in made.values()])
    stack.sql("delete from app_user where id = any(%s)", [user_id for user_id, _ in made.values()])


def test_Q5_nobody_deletes_himself(stack, administrators):
    (first, bearer), (other, _) = administrators.values()
    api = stack.api.as_client(None)

    def delete(user_id):
        return api.request("DELETE", f"/admin/users/{user_id}", headers={**bearer, "If-Match": "*"})
    check_refused(delete(first), 409, "own_user")
    assert delete(other).status == 200
    check_refused(delete(first), 409, "own_user")


def test_Q5_the_last_administrator_stays(stack, administrators):
    """Where no administrator's key is good, the last who signs in is the last there is."""
    first, other = administrators
    ctl = stack.stack.ccs
    keys = stack.sql("select id, expires_at from api_key where client_id is null and revoked_at is null"
                     " and coalesce(expires_at > now(), true)")
    stack.sql("update api_key set expires_at = now() where id = any(%s)", [key["id"] for key in keys])
    try:
        others = stack.sql("select count(*) from app_user where role = 'admin' and username <> all(%s)", [first, other])
        assert others[0][0] == 0  # of this test's process: the others have their own
        assert "deleted" in ctl.ctl("user", "delete", first, "--yes")
        refused = subprocess.run([ctl.programs / "ccsctl", "-c", ctl.conf, "user", "delete", other, "--yes"],
                                 capture_output=True, text=True, check=False)
        assert refused.returncode == 1 and "last administrator" in refused.stderr
    finally:
        for key in keys:
            stack.sql("update api_key set expires_at = %s where id = %s", key["expires_at"], key["id"])
    assert "deleted" in ctl.ctl("user", "delete", other, "--yes")


def test_nobody_but_an_administrator_with_the_right_scope(stack, admin):
    check_refused(stack.api.get("/admin/clients"), 403, "administrator_needed")
    reader = stack.api.as_client(stack.ctl_json("key", "add", "--scopes", "read")["api_key"])
    assert reader.get("/admin/clients").status == 200
    check_refused(reader.post("/admin/clients", registration("ADM-NO")), 403, "scope_missing")


def test_the_shell_asks_before_what_cannot_be_undone(stack, admin):
    admin.post("/admin/servers", {**SERVER, "server_code": "adm4"}).ok
    ctl = stack.stack.ccs
    words = [ctl.programs / "ccsctl", "-c", ctl.conf, "server", "delete", "adm4"]
    refused = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert refused.returncode == 1 and "--yes" in refused.stderr
    assert "adm4" in ctl.ctl("server", "list")
    assert "deleted" in ctl.ctl("server", "delete", "adm4", "--yes")
    assert "adm4" not in ctl.ctl("server", "list")
