"""What programs of others read by SQL: docs/SQL.md as it is printed, and what their logins cannot see."""
import json
import re

import psycopg2.errors
import pytest

from pg_cluster import ROOT

BLOCK = re.compile(r"^```sql ?(\w*)\n(.*?)^```$", re.M | re.S)
PAGE = [(kind or "acme_reports", text.strip()) for kind, text in BLOCK.findall((ROOT / "docs/SQL.md").read_text())]
VIEWS = ("client", "batch", "batch_outcome", "entry", "call", "hour")
NUMBER = "9876543210"


@pytest.fixture(scope="module")
def db(server):
    """Two clients with a call each, and what the page sets up."""
    database = server.database()
    for accountcode in ("ACME", "OTHER"):
        fill(database, accountcode)
    for kind, text in PAGE:
        if kind in ("superuser", "owner"):
            with database.committing("postgres" if kind == "superuser" else "ccs_owner") as cursor:
                cursor.execute(text)
    server.cluster.psql("create role stranger login in role ccs_report; create role sees_all login in role ccs_report")
    with database.committing() as cursor:
        cursor.execute("insert into report_grant values ('sees_all', null, true)")
    return database


def fill(db, accountcode):
    client, server = db.add_client(accountcode), db.add_server(accountcode.lower())
    with db.committing() as cursor:
        cursor.execute("""insert into queue_master (client_id, batch_id, content, inserted_count, dispatched_at)
                          values (%s, 1, '', 1, now()) returning id""", [client])
        queue, = cursor.fetchone()
        cursor.execute("insert into chunk (id, client_id, queue_master_id, entry_count) values (nextval('chunk_id_seq'), %s, %s, 1)"
                       " returning id * 1024", [client, queue])
        entry, = cursor.fetchone()
        cursor.execute("insert into entry (entry_id, client_id, queue_master_id, phone_number, number, e164, custom_data)"
                       " values (%s, %s, %s, %s, %s, %s, '{}')", [entry, client, queue, NUMBER, NUMBER, "91" + NUMBER])
        cursor.execute("""insert into call_detail (entry_id, n, client_id, queue_master_id, server_id, did, disposition, reason,
                              is_final, started_at, ended_at, duration_ms, billsec_ms, number)
                          values (%s, 1, %s, %s, %s, '1', 'completed', '', true, now(), now(), 61500, 60000, %s)""",
                       [entry, client, queue, server, "91" + NUMBER])
        cursor.execute("insert into rollup_hour (client_id, server_id, local_date, local_hour, calls, completed)"
                       " values (%s, %s, current_date, 9, 1, 1)", [client, server])
        cursor.execute("insert into rollup_batch values (%s, 'completed', 1)", [queue])


def read(db, login, text) -> list:
    with db.as_role(login) as cursor:
        cursor.execute(text)
        return cursor.fetchall()


@pytest.mark.parametrize("login, text", [one for one in PAGE if one[0] not in ("superuser", "owner")])
def test_what_the_page_prints_can_be_run(db, login, text):
    read(db, login, text)


def test_the_page_is_not_empty():
    assert len(PAGE) >= 8


@pytest.mark.parametrize("view", VIEWS)
def test_a_login_sees_its_client_only(db, view):
    assert {row[0] for row in read(db, "acme_reports", f"select client_id from report.{view}")} == {
        db.value("select id from client where accountcode = 'ACME'")}
    assert len(read(db, "sees_all", f"select * from report.{view}")) == 2
    assert read(db, "stranger", f"select * from report.{view}") == []


def test_becoming_the_role_shows_no_more(db):
    with db.as_role("stranger") as cursor:
        cursor.execute("set role ccs_report")
        cursor.execute("select count(*) from report.call")
        assert cursor.fetchone() == (0,)


def test_numbers_are_masked_unless_they_may_be_seen(db):
    both = "select phone_number, (select max(number) from report.call) from report.entry"
    assert read(db, "acme_reports", both) == [("******3210", "********3210")]
    assert set(read(db, "sees_all", both)) == {(NUMBER, "91" + NUMBER)}


def test_a_function_of_the_readers_own_learns_nothing_of_others(db):
    """security_barrier: a condition that tells what it is shown is asked about the reader's own rows only."""
    with db.as_role("acme_reports") as cursor:
        with pytest.raises(psycopg2.errors.DatabaseError, match="ACME|acme"):
            cursor.execute("select from report.client where accountcode::integer = 1 and name <> 'ACME' or accountcode::integer = 2")


def test_the_views_have_no_custom_data_and_no_secret(db):
    columns = read(db, "sees_all", "select column_name from information_schema.columns where table_schema = 'report'")
    assert len(columns) > 40
    assert not [name for [name] in columns if re.search("custom|secret|digest|hash|database|ami|callback", name)]


def test_who_may_see_what_is_recorded(db):
    with db.committing() as cursor:
        cursor.execute("update report_grant set sees_numbers = true where login = 'sees_all'")
    acts = json.loads(db.ctl("audit", "list", "--action=report", "--json"))["acts"]
    assert (acts[0]["actor"], acts[0]["action"], acts[0]["subject"]) == ("sql:ccs_owner", "report.update", "sees_all")
    assert [one["action"] for one in acts[1:]] == ["report.insert", "report.insert"]
    db.ctl("audit", "verify")


def test_postgresql_logs_no_values_of_rows(db):
    for role in ("ccs_owner", "ccs_api", "ccs_login", "ccs_admin", "ccs_dispatcher"):
        assert read(db, role, "show log_error_verbosity") == [("terse",)]
