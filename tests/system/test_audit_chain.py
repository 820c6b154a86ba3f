"""The audit: every act is a link of a chain, and whatever is done to it afterwards is found."""
import concurrent.futures
import json
import os
import re
import subprocess

import psycopg2
import psycopg2.errors
import pytest

from pg_cluster import PROGRAMS

ANCHOR = re.compile(r"^\d+:[0-9a-f]{64}$", re.M)
ACT = "insert into audit (actor, action, subject, detail) values (%s, 'test.act', %s, %s)"


@pytest.fixture(scope="module")
def db(server):
    """A database with ten acts, which every test leaves behind as it was."""
    database = server.database()
    for i in range(10):
        act(database, f"actor {i}", '{"n": %d, "text": "ä, \\" and \\n"}' % i)
    damage(database, "create table kept as select * from audit", "create table kept_link as select * from audit_link")
    return database


@pytest.fixture(autouse=True)
def as_it_was(db):
    yield
    damage(db, "truncate audit, audit_link", "insert into audit overriding system value select * from kept",
           "insert into audit_link select * from kept_link")


def act(database, actor, detail="{}", role="ccs_owner"):
    with database.committing(role) as cursor:
        cursor.execute(ACT, [actor, "subject", detail])


def verify(database, *words, status=0):
    return database.ctl("audit", "verify", *words, status=status)


def anchor_of(database):
    return ANCHOR.search(verify(database)).group()


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


def test_a_whole_chain_is_verified_and_says_its_anchor(db):
    assert "10 acts" in verify(db)
    first = anchor_of(db)
    assert first.startswith("10:")
    act(db, "another")
    second = json.loads(verify(db, "--anchor", first, "--json"))
    assert second["acts"] == 11 and second["held_against_anchor"] and second["anchor"] != first


def test_an_empty_audit_is_whole(server):
    assert "empty" in verify(server.database())


@pytest.mark.parametrize("column, change", [
    ("actor", "overlay(actor placing chr(ascii(actor) # 1) from 1 for 1)"),
    ("action", "action || ' '"),
    ("subject", "''"),
    ("detail", "jsonb_set(detail, '{n}', '5')"),
    ("at", "at + interval '1 microsecond'"),
    ("address", "'192.0.2.1'"),
])
def test_one_changed_value_is_found(db, column, change):
    before = db.value(f"select {column}::text from audit where id = 5")
    damage(db, f"update audit set {column} = {change} where id = 5")
    assert db.value(f"select {column}::text from audit where id = 5") != before
    assert "position 5" in verify(db, status=1)


def test_one_flipped_bit_of_any_link_is_found(db):
    for position in (1, 5, 10):
        flip = f"update audit_link set hash = set_bit(hash, 77, 1 - get_bit(hash, 77)) where position = {position}"
        damage(db, flip)
        assert f"position {position}" in verify(db, status=1)
        damage(db, flip)
        assert "10 acts" in verify(db)


def test_rows_moved_between_acts_are_found(db):
    damage(db, "update audit set actor = case id when 3 then 'actor 3' else 'actor 2' end where id in (3, 4)")
    assert "position 3" in verify(db, status=1)


def test_what_was_removed_is_found(db):
    damage(db, "delete from audit where id = 5")
    assert "position 5" in verify(db, status=1)
    damage(db, "delete from audit_link where position = 5")
    assert "position 5 is missing" in verify(db, status=1)


def test_a_row_without_a_link_is_found(db):
    damage(db, "insert into audit (actor, action, subject) values ('ghost', 'x', 'y')")
    assert "no link" in verify(db, status=1)


def test_a_cut_end_is_found_by_an_anchor(db):
    anchor = anchor_of(db)
    damage(db, "delete from audit_link where position > 8", "delete from audit where id > 8")
    assert "8 acts" in verify(db)  # by itself it looks whole
    assert "its end was removed" in verify(db, "--anchor", anchor, status=1)


def test_a_chain_made_anew_is_found_by_an_anchor(db):
    anchor = anchor_of(db)
    damage(db, "update audit set actor = 'nobody' where id = 2", "delete from audit_link")
    damage(db, """do $$
        declare known audit; head bytea := decode(repeat('00', 32), 'hex');
        begin
            for known in select * from audit order by id loop
                head := sha256(head || convert_to(audit_text(known.id, known), 'UTF8'));
                insert into audit_link values (known.id, known.id, head);
            end loop;
        end $$""")
    assert "10 acts" in verify(db)
    assert "made anew" in verify(db, "--anchor", anchor, status=1)
    assert "64 hex digits" in verify(db, "--anchor", "x" * 70, status=1)


def test_writers_at_once_make_one_chain(db):
    def write(i):
        for k in range(5):
            act(db, f"writer {i}", json.dumps({"k": k}), role="ccs_api" if i % 2 else "ccs_owner")

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert "50 acts" in verify(db)


def test_an_act_that_was_undone_leaves_no_gap(db):
    connection = psycopg2.connect(db.dsn("ccs_owner"))
    with connection.cursor() as cursor:
        cursor.execute(ACT, ["nobody", "x", "{}"])
    connection.rollback()
    connection.close()
    act(db, "somebody")
    assert "11 acts" in verify(db)


@pytest.mark.parametrize("role", ["ccs_owner", "ccs_api", "ccs_login", "ccs_dispatcher"])
@pytest.mark.parametrize("text", ["update audit set actor = 'x'", "delete from audit", "truncate audit, audit_link",
                                  "delete from audit_link"])
def test_nobody_changes_it(db, role, text):
    with db.as_role(role) as cursor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
        cursor.execute(text)


def test_acts_are_listed_and_filtered(db):
    acts = json.loads(db.ctl("audit", "list", "--json"))["acts"]
    assert [one["position"] for one in acts] == list(range(10, 0, -1))
    assert acts[0]["detail"] == {"n": 9, "text": 'ä, " and \n'} and acts[0]["address"] is None
    for words, positions in ((["--actor=actor 3"], [4]), (["--before=3"], [2, 1]), (["--action=test"], range(10, 0, -1)),
                             (["--action=test.act", "--before=2"], [1]), (["--subject=nobody"], [])):
        listed = json.loads(db.ctl("audit", "list", *words, "--json"))["acts"]
        assert [one["position"] for one in listed] == list(positions), words
    assert "actor 9" in db.ctl("audit", "list", "--before=11")


def test_an_operators_act_tells_from_where_he_came(db):
    db.add_client("ADDRESS")
    db.add_server("address")
    subprocess.run([PROGRAMS / "ccsctl", "-c", db.conf, "alloc", "set", "ADDRESS", "address", "--channels=1",
                    "--rate-limit=1"], check=True, capture_output=True,
                   env={**os.environ, "SSH_CONNECTION": "2001:db8::7 4711 192.0.2.1 22"})
    last = json.loads(db.ctl("audit", "list", "--json"))["acts"][0]
    assert (last["action"], last["address"]) == ("allocation.create", "2001:db8::7")
    assert "11 acts" in verify(db)
