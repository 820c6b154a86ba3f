"""ccsctl: what operators type, what it refuses, and what it leaves behind."""
import contextlib
import json
import os
import re
import select
import stat
import subprocess

import psycopg2
import pytest

from pg_cluster import PROGRAMS, ROOT

KEY = re.compile(r"ccs_live_[0-9A-Za-z]{38}")
CLIENT = {"name": "Some Company", "accountcode": "SOME", "username": "some", "did": "1234567890",
          "phone_number": "9876543210", "allocated_channels": 100, "rate_limit": 1000,
          "callbackurl": "", "active_time_start": "09:00", "active_time_end": "18:00"}
SERVER = {"server_code": "ast1", "host": "127.0.0.1", "port": 5038, "ami_user": "ccs",
          "channel_template": "PJSIP/{number}@{endpoint}", "allowed_active_calls": 50,
          "rate_limit": 500, "endpoint": "trunk"}
PASSWORD, SECRET = "secure_password", "s3cret of the manager"


def new_database(server):
    database = server.database()
    database.ctl("secret", "init")
    database.ctl("jwt-key", "init")
    return database


@pytest.fixture
def db(server):
    """A fresh database with a key for secrets."""
    return new_database(server)


@pytest.fixture(scope="module")
def empty(server):
    """One for all tests of what is refused: at the end nothing has been stored."""
    database = new_database(server)
    yield database
    for table in ("client", "server", "control", "audit"):
        assert database.value(f"select count(*) from {table}") == 0


def options(words):
    return [f"--{name.replace('_', '-')}={value}" for name, value in words.items()]


def add_client(db, *more, ends=0, text=PASSWORD, **changes):
    return db.ctl("client", "add", *options({**CLIENT, **changes}), "--password-stdin", *more,
                  text=text, status=ends)


def add_server(db, *more, ends=0, text=SECRET, **changes):
    return db.ctl("server", "add", *options({**SERVER, **changes}), "--ami-secret-stdin", *more,
                  text=text, status=ends)


def document_registration():
    """The registration that the onboarding document prints."""
    text = (ROOT / "tests/contract/onboarding.md").read_text()
    required, optional = re.findall(r"```json\n(.*?)```", text, re.DOTALL)[:2]
    return {**json.loads(required), **json.loads(optional)}


# Clients


def test_F1_F3_F4_B12_the_documents_registration_unchanged(db, tmp_path):
    registration = document_registration()
    path = tmp_path / "client.json"
    path.write_text(json.dumps({**registration, "did": "1234567890", "phone_number": "1234567890"}))
    added = json.loads(db.ctl("client", "add", "--file", path, "--json"))
    assert added.keys() == {"id", "accountcode", "api_key"}
    assert KEY.fullmatch(added["api_key"])
    shown = json.loads(db.ctl("client", "show", added["accountcode"], "--json"))
    for name in ("name", "accountcode", "username", "allocated_channels", "rate_limit",
                 "callbackurl", "is_active", "status"):
        assert shown[name] == registration[name]
    assert shown["active_time_start"] == "09:00:00" and shown["active_time_end"] == "18:00:00"


def test_a_client_for_people_and_for_machines(db):
    said = add_client(db)
    assert KEY.search(said) and "only this once" in said
    listed = json.loads(db.ctl("client", "list", "--json"))["clients"]
    assert [client["accountcode"] for client in listed] == ["SOME"]
    assert listed[0]["valid_keys"] == 1 and listed[0]["username"] == "some"
    assert "SOME" in db.ctl("client", "list")
    assert "no server" in db.ctl("client", "show", "SOME")


@pytest.mark.parametrize("name, value", [
    ("name", ""), ("name", "x" * 201), ("name", "a\nb"), ("accountcode", "a b"),
    ("accountcode", "x" * 41), ("accountcode", "x';drop table client"), ("username", "a b"),
    ("did", "your_did_number"), ("did", ""), ("phone_number", "+"), ("allocated_channels", "-1"),
    ("allocated_channels", "100001"), ("allocated_channels", "1.5"), ("rate_limit", "many"),
    ("callbackurl", "http://example.com/"), ("callbackurl", "example.com"),
    ("active_time_start", "25:00"), ("active_time_start", "9"),
    ("active_time_end", "2024-01-01T18:00:00Z"), ("is_active", "perhaps"), ("status", "asleep"),
    ("timezone", "Mars/Olympus"), ("timezone", "IST"), ("timezone", "UTC+3"), ("region", "ind"),
    ("requests_per_minute", "0"), ("weight", "0"),
])
def test_F1_a_wrong_value_names_the_field(empty, name, value):
    is_no_number = name in ("allocated_channels", "rate_limit") and not value.isdigit()
    ends = 2 if is_no_number or name == "is_active" else 1
    assert name in add_client(empty, ends=ends, **{name: value})


@pytest.mark.parametrize("name", CLIENT)
def test_F1_each_missing_field_is_named(empty, name, tmp_path):
    given = {key: value for key, value in {**CLIENT, "password": PASSWORD}.items() if key != name}
    path = tmp_path / "client.json"
    path.write_text(json.dumps(given))
    assert f"{name} is missing" in empty.ctl("client", "add", "--file", path, status=1)


@pytest.mark.parametrize("url, ends", [
    ("postgresql://user:pass@host:5432/db", 0), ("postgresql+asyncpg://user:pass@host/db", 0),
    ("postgresql+psycopg://user:pass@host/db", 0), ("", 0), ("mysql://user:pass@host/db", 1),
    ("postgresql+asyncpg", 1), ("host=/tmp", 1),
])
@pytest.mark.parametrize("name", ["asyncdatabaseurl", "syncdatabaseurl"])
def test_F2_database_addresses(db, tmp_path, name, url, ends):
    path = tmp_path / "client.json"
    path.write_text(json.dumps({**CLIENT, "password": PASSWORD, name: url}))
    said = db.ctl("client", "add", "--file", path, status=ends)
    assert (name in said) == bool(ends) and "pass@" not in said


@pytest.mark.parametrize("text, expected", [
    ("{", "line 1"), ("[]", "object"), ('{"naem": "x"}', '"naem"'),
    ('{"name": "x", "name": "y"}', "duplicate"), ('{"rate_limit": "9"}', "rate_limit"),
])
def test_a_bad_file_is_refused_with_its_place(empty, tmp_path, text, expected):
    path = tmp_path / "client.json"
    path.write_text(text)
    assert expected in empty.ctl("client", "add", "--file", path, status=2)


def test_names_that_are_taken(db):
    add_client(db)
    assert "accountcode is taken" in add_client(db, ends=1)
    assert "username is taken" in add_client(db, accountcode="OTHER", ends=1)
    assert len(json.loads(db.ctl("client", "list", "--json"))["clients"]) == 1


def shown(db) -> dict:
    return json.loads(db.ctl("client", "show", "SOME", "--json"))


def test_B10_a_changed_client_keeps_the_rest(db):
    add_client(db, calls_per_second=7, requests_per_minute=9, weight=3)
    before = shown(db)
    changes = {"name": "Other Company", "allocated_channels": 5, "calls_per_second": 0,
               "active_time_start": "10:00:00", "status": "paused", "callbackurl": "https://x.y/z"}
    db.ctl("client", "set", "SOME", *options(changes))
    after = shown(db)
    assert after == {**before, **changes, "updated_at": after["updated_at"], "version": 2}
    assert db.value("select count(*) from control where kind = 'reload'") == 2
    detail = db.value("select detail from audit where action = 'client.change'")
    assert sorted(detail["changed"]) == sorted(changes)


@pytest.mark.parametrize("words, why", [
    (["--username=other"], "username"), (["--region=in"], "region"), (["--timezone=Mars/One"], "timezone"),
    (["--number-check=none"], "number_check"), (["--allowed-regions=IN,us"], "allowed_regions[1]"),
    (["--allowed-regions=USA"], "allowed_regions"), (["--allowed-types=emergency"], "allowed_types"),
    (["--daily-caps=US"], "daily_caps"), (["--daily-caps=US:-1"], "daily_caps"),
    (["--rate-limit=-1"], "rate_limit"), ([], "nothing to change")])
def test_a_refused_change_of_a_client_names_the_field(db, words, why):
    add_client(db)
    before = shown(db)
    assert why in db.ctl("client", "set", "SOME", *words, status=2 if why == "rate_limit" else 1)
    assert shown(db) == before
    assert "NOBODY" in db.ctl("client", "set", "NOBODY", "--weight=2", status=1)


def test_what_numbers_a_client_may_call_is_set_and_reset(db):
    names = ("number_check", "allowed_regions", "allowed_types", "daily_caps")
    usual = [None, ["IN"], ["default"], []]
    add_client(db)
    assert [shown(db)[name] for name in names] == usual
    db.ctl("client", "set", "SOME", "--number-check=syntax", "--allowed-regions=IN,US",
           "--allowed-types=default,premium", "--daily-caps=US:500,other:50,all:9000")
    assert [shown(db)[name] for name in names] == [
        "syntax", ["IN", "US"], ["default", "premium"], ["US:500", "other:50", "all:9000"]]
    assert "IN US" in db.ctl("client", "show", "SOME")
    db.ctl("client", "set", "SOME", "--number-check=", "--allowed-regions=", "--allowed-types=",
           "--daily-caps=")
    assert [shown(db)[name] for name in names] == usual


def test_the_schema_knows_the_types_of_numbers(db):
    """A list in a check of migration 0007, and shm/number_type.def."""
    add_client(db)
    known = re.findall(r"NUMBER_TYPE\(\w+, (\w+), (?:USUAL|ASKED),",
                       (ROOT / "shm/number_type.def").read_text())
    for name in [*known[1:], "all", "default"]:  # the first is "not looked up"
        db.ctl("client", "set", "SOME", f"--allowed-types={name}")
        assert shown(db)["allowed_types"] == [name]


# Secrets


def test_D8_secrets_are_stored_hashed_or_sealed_or_not_at_all(db):
    urls = {"asyncdatabaseurl": "postgresql+asyncpg://u:p4ssw0rd@h/d"}
    path = db.conf.parent / "client.json"
    path.write_text(json.dumps({**CLIENT, "password": PASSWORD, **urls}))
    key = json.loads(db.ctl("client", "add", "--file", path, "--json"))["api_key"]
    add_server(db)
    dump = subprocess.run(["pg_dump", db.dsn("ccs_owner")], capture_output=True, check=True).stdout
    assert b"SOME" in dump and b"ast1" in dump
    for secret in (PASSWORD, SECRET, "p4ssw0rd", key, key[16:]):
        assert secret.encode() not in dump
        assert secret.encode().hex().encode() not in dump
    assert db.value("select password_hash from app_user").startswith("$y$")
    assert db.value("select octet_length(ami_secret) from server") == len(SECRET) + 29


@pytest.mark.parametrize("option", ["--password=x", "--asyncdatabaseurl=x"])
def test_no_secret_is_taken_from_the_command_line(empty, option):
    said = empty.ctl("client", "add", option, status=2)
    assert "unrecognized option" in said or "ambiguous" in said


def test_the_key_file_is_private_and_never_replaced(db):
    path = db.conf.parent / "secret.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and path.stat().st_size == 32
    before = path.read_bytes()
    assert "exists" in db.ctl("secret", "init", status=1)
    assert path.read_bytes() == before
    path.chmod(0o644)
    assert "chmod 600" in add_server(db, ends=1)


def test_a_password_in_a_dsn_is_not_shown(db):
    text = db.conf.read_text().replace("user=ccs_api", "user=ccs_api password=geheim")
    db.conf.write_text(text)
    for words in (["conf", "show"], ["conf", "show", "--json"]):
        assert "geheim" not in db.ctl(*words)


# Servers and shares


@pytest.mark.parametrize("name, value", [
    ("host", "a b"), ("host", ""), ("port", "0"), ("port", "65536"), ("ami_user", "a\nAction: x"),
    ("channel_template", "PJSIP/trunk"), ("channel_template", "PJSIP/{nubmer}@x"),
    ("channel_template", "PJSIP/{number}\r\nApplication: System"), ("context", "a;b"),
    ("extension", "s,1"), ("did", "x"), ("prefix", "0a"), ("endpoint", "a/b"), ("status", "gone"),
    ("tls_ca", "ca.pem"), ("tls_ca", "/"), ("tls_ca", "/a b"), ("tls_name", "a b"),
    ("tls_name", "x" * 254),
])
def test_a_wrong_value_of_a_server_names_the_field(empty, name, value):
    field = {"did": "allocated_dids", "prefix": "provided_prefix", "endpoint": "provided_endpoints"}
    assert field.get(name, name) in add_server(empty, ends=1, **{name: value})


def test_a_template_with_an_endpoint_needs_one(empty):
    words = {name: value for name, value in SERVER.items() if name != "endpoint"}
    assert "provided_endpoints" in empty.ctl("server", "add", *options(words), "--ami-secret-stdin",
                                          text=SECRET, status=1)


def test_lists_are_given_one_by_one_or_with_commas(db):
    add_server(db, "--prefix=0", "--prefix=1", "--did=1,+22")
    server, = json.loads(db.ctl("server", "list", "--json"))["servers"]
    assert server["provided_prefix"] == ["0", "1"]
    assert server["allocated_dids"] == ["1", "+22"]
    assert server["context"] == ["default"] and server["extension"] == "s"


def listed(db) -> dict:
    server, = json.loads(db.ctl("server", "list", "--json"))["servers"]
    return server


def test_tls_of_a_server_is_off_and_once_on_verified(db):
    add_server(db)
    assert [listed(db)[name] for name in ("tls", "tls_verify", "tls_ca", "tls_name")] == [
        False, True, None, None]
    assert "127.0.0.1:5038  " in db.ctl("server", "list")
    db.ctl("server", "set", "ast1", "--tls=yes", "--port=5039", "--tls-ca=/etc/ccs/ca.pem",
           "--tls-name=ast1.example")
    assert [listed(db)[name] for name in ("tls", "tls_verify", "tls_ca", "tls_name")] == [
        True, True, "/etc/ccs/ca.pem", "ast1.example"]
    assert "127.0.0.1:5039 TLS  " in db.ctl("server", "list")
    db.ctl("server", "set", "ast1", "--tls-verify=no", "--tls-ca=", "--tls-name=")
    assert [listed(db)[name] for name in ("tls", "tls_verify", "tls_ca", "tls_name")] == [
        True, False, None, None]
    assert "127.0.0.1:5039 TLS, unverified" in db.ctl("server", "list")


def test_a_change_of_a_server_leaves_the_rest(db):
    add_server(db, "--prefix=0", "--did=1", calls_per_second=7, extension="77", tls="true")
    before, sealed = listed(db), db.value("select ami_secret from server")
    changes = {"host": "ast.example", "status": "draining", "allowed_active_calls": 3,
               "calls_per_second": 0}
    said = json.loads(db.ctl("server", "set", "ast1", *options(changes), "--json"))
    assert {name: value["to"] for name, value in said.pop("changes").items()} == changes
    assert said == {"id": before["id"], "server_code": "ast1", "version": before["version"] + 1}
    after = listed(db)
    assert after == {**before, **changes, "version": before["version"] + 1, "updated_at": after["updated_at"]}
    assert db.value("select ami_secret from server") == sealed
    db.ctl("server", "set", "ast1", "--ami-secret-stdin", text="another")
    assert db.value("select ami_secret from server") != sealed
    assert db.value("select array_agg(detail -> 'changed' order by id) from audit"
                    " where action = 'server.change'") == [
        ["host", "allowed_active_calls", "calls_per_second", "status"], ["ami_secret"]]
    assert db.value("select count(*) from control where kind = 'reload'") == 3


def test_a_change_of_a_server_is_checked_like_a_new_one(db):
    add_server(db)
    before = listed(db)
    for words, name in ((["ast2", "--port=1"], "server_code ast2"), (["ast1"], "nothing to change"),
                        (["ast1", "--port=0"], "port"), (["ast1", "--tls-ca=x"], "tls_ca"),
                        (["ast1", "--channel-template=PJSIP/x"], "channel_template")):
        assert name in db.ctl("server", "set", *words, status=1)
    assert "SERVER is missing" in db.ctl("server", "set", "--port=1", status=2)
    path = db.conf.parent / "server.json"
    path.write_text(json.dumps({"provided_endpoints": []}))
    assert "provided_endpoints is empty" in db.ctl("server", "set", "ast1", "--file", path, status=1)
    assert listed(db) == before


def test_shares(db):
    add_client(db)
    add_server(db)
    assert "server_code ast9" in db.ctl("alloc", "set", "SOME", "ast9", "--channels=1",
                                        "--rate-limit=1", status=1)
    assert "accountcode NONE" in db.ctl("alloc", "set", "NONE", "ast1", "--channels=1",
                                        "--rate-limit=1", status=1)
    db.ctl("alloc", "set", "SOME", "ast1", "--channels=50", "--rate-limit=500", "--did=7",
           "--calls-per-second=3")
    db.ctl("alloc", "set", "SOME", "ast1", "--channels=40", "--rate-limit=400", "--status=draining")
    share, = json.loads(db.ctl("alloc", "list", "SOME", "--json"))["allocations"]
    assert share.items() >= {"accountcode": "SOME", "server_code": "ast1", "channels": 40,
                     "rate_limit": 400, "calls_per_second": 3, "status": "draining",
                     "allocated_dids": ["7"]}.items()  # what was not said again has stayed
    assert "the client has 100 and 1000" in db.ctl("alloc", "set", "SOME", "ast1",
                                                   "--channels=101", "--rate-limit=1", status=1)
    assert "ast1" in db.ctl("client", "show", "SOME")


# What a change leaves behind


def test_every_change_leaves_a_control_row_a_notification_and_an_audit_row(db):
    with contextlib.closing(psycopg2.connect(db.dsn("ccs_dispatcher"))) as listener:
        listener.autocommit = True
        listener.cursor().execute("listen ccs")
        client = json.loads(add_client(db, "--json"))["id"]
        add_server(db)
        db.ctl("alloc", "set", "SOME", "ast1", "--channels=1", "--rate-limit=1")
        while len(listener.notifies) < 3:
            assert select.select([listener], [], [], 10)[0]
            listener.poll()
    with db.as_role("ccs_owner") as cursor:
        cursor.execute("select client_id, kind from control order by id")
        assert cursor.fetchall() == [(client, "reload"), (None, "reload"), (client, "reload")]
        cursor.execute("select action, subject, actor like 'ccsctl:_%%' from audit order by id")
        assert cursor.fetchall() == [
            ("client.create", "SOME", True), ("server.create", "ast1", True),
            ("allocation.create", "SOME ast1", True)]


def test_a_refused_change_leaves_nothing(db):
    add_client(db)
    before = db.value("select (select count(*) from control), (select count(*) from audit)")
    add_client(db, ends=1)
    assert db.value("select (select count(*) from control), (select count(*) from audit)") == before
    assert db.value("select count(*) from api_key") == 1


# Configuration, usage, and a world that is not there


def test_a_sound_configuration(db):
    assert "sound" in db.ctl("conf", "check")
    shown = json.loads(db.ctl("conf", "show", "--json"))
    assert shown["common"]["node"].startswith("ccs") and shown["segment"]["live_calls"] == "4096"


def test_keys_that_sign_are_made_rotated_and_retired(empty):
    path = empty.conf.parent / "jwt.keys"
    path.unlink()

    def keys():
        return json.loads(empty.ctl("jwt-key", "list", "--json"))["keys"]

    assert "jwt-key init" in empty.ctl("jwt-key", "list", status=1)
    empty.ctl("jwt-key", "init")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "exists" in empty.ctl("jwt-key", "init", status=1)
    [first] = keys()
    assert first["state"] == "signs" and first["needed_until"] is None
    empty.ctl("jwt-key", "rotate")
    [old, new] = keys()
    assert (old["kid"], old["state"], new["state"]) == (first["kid"], "verifies", "signs")
    assert old["needed_until"] > new["made_at"]
    assert old["kid"] in empty.ctl("jwt-key", "list")
    empty.ctl("jwt-key", "retire", old["kid"])
    assert [key["kid"] for key in keys()] == [new["kid"]]
    for refused in (old["kid"], new["kid"], "x" * 200):
        empty.ctl("jwt-key", "retire", refused, status=1)
    secret = path.read_text().split()[-1]
    assert len(secret) == 64 and secret not in empty.ctl("jwt-key", "list", "--json")


def test_the_shown_configuration_is_one(db, tmp_path):
    text = db.ctl("conf", "show")
    again = tmp_path / "again.conf"
    again.write_text(text)
    done = subprocess.run([PROGRAMS / "ccsctl", "-c", again, "conf", "show"], text=True,
                          capture_output=True, check=True)
    assert done.stdout == text


def test_an_option_that_is_one_of_several_words_is_no_other(db):
    text = db.conf.read_text()
    db.conf.write_text(text.replace("[common]\n", "[common]\nnumber_check = syntax\n"))
    assert json.loads(db.ctl("conf", "show", "--json"))["common"]["number_check"] == "syntax"
    db.conf.write_text(text.replace("[common]\n", "[common]\nnumber_check = none\n"))
    said = db.ctl("conf", "show", status=1)
    assert 'number_check is "none"; it must be one of: full syntax' in said and ":2:" in said


def test_every_problem_of_a_configuration_is_said_at_once(db):
    (db.conf.parent / "secret.key").unlink()
    (db.conf.parent / "jwt.keys").chmod(0o644)
    text = db.conf.read_text().replace(f"run_dir = {db.conf.parent}", "run_dir = /nowhere")
    db.conf.write_text(text + "[segment]\nevent_bytes = 1048577\n")
    said = db.ctl("conf", "check", status=1)
    for problem in ("run_dir", "secret_key_file", "jwt_key_file", "event_bytes"):
        assert problem in said
    assert len(json.loads(db.ctl("conf", "check", "--json", status=1))["problems"]) == 4


@pytest.mark.parametrize("words", [
    [], ["nonsense"], ["client"], ["client", "nonsense"], ["client", "show"],
    ["client", "show", "A", "B"], ["client", "add", "--nonsense"], ["alloc", "set", "A", "B", "C"],
    ["alloc", "set", "--channels=x"], ["status", "now"],
])
def test_what_is_not_understood_ends_with_2_and_help(empty, words):
    said = empty.ctl(*words, status=2)
    assert "--help" in said or "ccsctl COMMAND" in said


def test_help_names_every_command(empty):
    said = empty.ctl("--help")
    for command in ("db migrate", "client add", "server add", "alloc set", "shm check", "status"):
        assert command in said
    assert "--active-time-start" in empty.ctl("client", "add", "--help")


def test_without_a_database(db):
    db.conf.write_text(re.sub(r"host=\S+", "host=/nowhere", db.conf.read_text()))
    said = db.ctl("client", "list", status=1)
    assert "not available" in said and "/nowhere" in said


def test_without_a_dispatcher(db):
    for words in (["shm", "check"], ["shm", "show"], ["status"]):
        assert "dispatcher" in db.ctl(*words, status=1)
    status = json.loads(db.ctl("status", "--json", status=1))
    assert not status["healthy"] and status["database"]["healthy"]
    assert not [name for name in os.listdir("/dev/shm") if db.name in name]


# With everything running


def test_status_of_a_running_system(stack):
    stack.wait_ready()
    status = json.loads(stack.stack.ccs.ctl("status", "--json"))
    assert status["healthy"] and status["dispatcher"]["healthy"] and status["database"]["healthy"]
    assert [server["ami"] for server in status["servers"]] == ["up"]
    assert "running" in stack.stack.ccs.ctl("status")


def test_counters_and_latencies_of_a_running_system(stack):
    shown = json.loads(stack.stack.ccs.ctl("shm", "show", "--json"))
    assert shown["epoch"] >= 1 and "originates" in shown["counters"]
    assert set(shown["latencies"]["turn"]) == {"n", "p50_us", "p99_us", "max_us", "steps"}
    assert "Originates written to Asterisk" in stack.stack.ccs.ctl("shm", "show")
