"""The decision ledger: each dial and each refusal, with what was known, in a chain that shows what is done to it."""
import json
import re
import subprocess

import psycopg2
import psycopg2.errors
import pytest

from pg_cluster import PROGRAMS

ANCHOR = re.compile(r"^\d+:[0-9a-f]{64}$", re.M)
NODE = "test-node"


# ---- what is written ----

@pytest.fixture
def client(stack, request):
    return stack.new_client(f"LEDGER-{request.node.name[5:25].upper().replace('_', '-')}", channels=4)


def words(decision):
    """A decision as a dict; "what" and "call" are its first two words."""
    what, call, *rest = re.findall(r'\S*"(?:[^"\\]|\\.)*"|\S+', decision)
    return {"what": what, "call": call, **dict(word.split("=", 1) for word in rest)}


def decisions(stack, client):
    links = [json.loads(line) for line in stack.stack.ccs.ctl("ledger", "export").splitlines()]
    return [word for link in links for word in map(words, link["decisions"]) if word["client"] == str(client.client_id)]


def test_M12_every_dial_and_every_refusal_stands_in_the_ledger(stack, client, asterisk):
    listed, *called = asterisk.numbers("busy", 6)
    batch = client.insert([listed, *called])
    client.api.post("/dnc", {"phone_number": listed}).ok  # noqa: B018
    client.dispatch()
    report = client.wait_finished(batch)
    said = decisions(stack, client)
    [refused] = [one for one in said if one["what"] == "refuse"]
    assert (refused["gate"], refused["reason"]) == ("dnc", '"do not call: client"')
    lists = re.compile(r"\d+/1/0")  # everybody's is of other tests
    assert lists.fullmatch(refused["dnc"])
    taken_back = [one["call"] for one in said if one["what"] == "taken_back"]
    dialled = [one for one in said if one["what"] == "dial"]
    for call in taken_back:
        dialled.remove(next(one for one in dialled if one["call"] == call))
    assert sorted(one["call"] for one in dialled) == sorted(report.attempt_ids())
    for one in dialled:
        assert one["zone"] == "Asia/Kolkata" and lists.fullmatch(one["dnc"])
        assert re.fullmatch(r"[0-9a-f]{32}", one["number"]) and re.fullmatch(r"\+?\d+", one["did"])
    assert len({one["number"] for one in [refused, *dialled]}) == 6
    assert not any(number in json.dumps(said) for number in called)


def test_M12_a_call_and_a_number_are_found(stack, client, asterisk):
    number = asterisk.numbers("busy")[0]
    call = client.call(number)
    client.outcome(call)
    found = stack.ctl_json("ledger", "find", call)["decisions"]
    assert found[-1]["decision"].startswith(f"dial {call} client={client.client_id} ")
    by_number = stack.ctl_json("ledger", "find", f"+91{number}")["decisions"]
    assert found[-1] in by_number
    assert stack.ctl_json("ledger", "find", "+442079460000")["decisions"] == []


# ---- what is done to it ----

@pytest.fixture(scope="module")
def db(server):
    database = server.database()
    for i in range(1, 11):
        damage(database, f"select ledger_add('{NODE}', E'dial ccs-{i:016x} client=7 did=\\u00e4\\nrefuse ccs-{i + 50:016x} client=7')")
    damage(database, "create table kept as select * from ledger", "create table kept_head as select * from ledger_head")
    return database


@pytest.fixture(autouse=True)
def as_it_was(request):
    yield
    if "db" in request.fixturenames:
        damage(request.getfixturevalue("db"), "truncate ledger, ledger_head", "insert into ledger select * from kept",
               "insert into ledger_head select * from kept_head")


def damage(database, *texts):
    """What somebody does who owns all of PostgreSQL, triggers and all."""
    connection = psycopg2.connect(database.dsn("postgres"))
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("set session_replication_role = replica")
            for text in texts:
                cursor.execute(text)
    finally:
        connection.close()


def verify(database, *words, status=0):
    return database.ctl("ledger", "verify", *words, status=status)


def check(path, *words):
    return subprocess.run([PROGRAMS / "ccsctl", "ledger", "check", path, *words], text=True, capture_output=True)


def test_M12_a_whole_chain_is_verified_and_says_its_anchor(db):
    said = verify(db)
    assert f"Node {NODE}: 20 decisions in links 1 to 10, each as it was written." in said
    anchor = ANCHOR.search(said).group()
    assert "the anchor's is still there" in verify(db, "--node", NODE, "--anchor", anchor)
    assert "each node has a chain: --node" in verify(db, "--anchor", anchor, status=1)


@pytest.mark.parametrize("statement, complaint", [
    ("update ledger set decisions = replace(decisions, 'client=7', 'client=8') where seq = 4", "position 4: its decisions"),
    ("update ledger set at = at + interval '1 microsecond' where seq = 4", "position 4: its decisions"),
    ("update ledger set hash = set_byte(hash, 0, get_byte(hash, 0) # 1) where seq = 4", "position 4: its decisions, or its hash"),
    ("update ledger set before = set_byte(before, 31, get_byte(before, 31) # 1) where seq = 4", "position 4 does not follow"),
    ("delete from ledger where seq = 4", "position 4 is missing"),
])
def test_M12_what_is_changed_is_found(db, statement, complaint):
    damage(db, statement)
    assert complaint in verify(db, status=1)


def test_M12_a_shortened_chain_and_one_made_anew_show_against_an_anchor(db):
    anchor = ANCHOR.search(verify(db)).group()
    damage(db, "delete from ledger where seq = 10")
    assert "before the anchor's 10" in verify(db, "--node", NODE, "--anchor", anchor, status=1)
    damage(db, "truncate ledger, ledger_head", *[f"select ledger_add('{NODE}', 'dial ccs-{i:016x} client=7')" for i in range(12)])
    assert "12 decisions" in verify(db)
    assert "position 10 is not the anchor's" in verify(db, "--node", NODE, "--anchor", anchor, status=1)


def test_M12_a_copy_is_verified_without_a_database(db, tmp_path):
    copy = db.ctl("ledger", "export")
    path = tmp_path / "ledger.ndjson"
    path.write_text(copy)
    assert "20 decisions in links 1 to 10" in check(path).stdout
    for at in range(0, len(copy.encode()), 97):
        flipped = bytearray(copy.encode())
        flipped[at] ^= 1
        path.write_bytes(flipped)
        assert check(path).returncode == 1, (at, flipped[max(0, at - 20):at + 20])
    path.write_text("".join(copy.splitlines(keepends=True)[3:]))
    assert "14 decisions in links 4 to 10" in check(path).stdout  # old weeks are gone
    assert "cannot be read" in check(tmp_path / "missing").stderr


def test_M12_nobody_changes_it_by_mistake(db):
    for statement in ("update ledger set decisions = ''", "delete from ledger", "truncate ledger"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege), db.committing("ccs_owner") as cursor:
            cursor.execute(statement)
