"""The database by itself: every statement, migrations, privileges, walls between clients, sums of
allocations and partitions, on a real PostgreSQL."""
import io
import itertools
import json
import subprocess
import threading
from datetime import datetime, timedelta, timezone

import psycopg2
import psycopg2.errors
import pytest

from pg_cluster import PROGRAMS, statements

PREPARABLE = ("select", "insert", "update", "delete", "with")


@pytest.fixture(scope="module")
def db(server):
    """One migrated database for tests that keep out of each other's way; a program of others reads its views."""
    server.cluster.psql("create role reader login in role ccs_report")
    return server.database()


# Statements


@pytest.mark.parametrize("query, role", [(query, role) for query in statements()
                                         for role in query.roles], ids=str)
def test_statement_fits_the_schema_and_its_role(db, query, role):
    """PREPARE checks names and types, EXPLAIN EXECUTE the role's privileges as well."""
    with db.as_role(role) as cursor:
        if "%lld" in query.text:
            cursor.execute("select nextval('chunk_id_seq') >> 30")
            partition, = cursor.fetchone()
            empty = b"PGCOPY\n\xff\r\n\0" + bytes(8) + b"\xff\xff"
            cursor.copy_expert(query.text.replace("%lld", str(partition)), io.BytesIO(empty))
        elif query.text.split()[0].lower() in PREPARABLE:
            nulls = ", ".join(["null"] * query.parameters)
            cursor.execute(f"prepare {query.name} as {query.text}")
            cursor.execute(f"explain execute {query.name}" + (f"({nulls})" if nulls else ""))
        else:
            cursor.execute(query.text)


def test_every_statement_has_a_name_of_its_own():
    names = [query.name for query in statements()]
    assert len(names) == len(set(names)) > 30


# Migrations


def test_migrating_again_changes_nothing(server):
    database = server.database(migrated=False)
    first = json.loads(database.ctl("db", "migrate", "--json"))
    assert [name[:4] for name in first["applied"]] == [f"{n:04}" for n in
                                                       range(1, first["version"] + 1)]
    assert json.loads(database.ctl("db", "migrate", "--json"))["applied"] == []
    assert "as it was" in database.ctl("db", "migrate")
    assert database.value("select max(number) from schema_version") == first["version"]
    database.ctl("db", "check")


def test_two_migrators_at_once_apply_each_migration_once(server):
    database = server.database(migrated=False)
    command = [PROGRAMS / "ccsctl", "-c", database.conf, "db", "migrate", "--json"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [json.loads(child.communicate()[0]) for child in both]
    assert [child.returncode for child in both] == [0, 0]
    applied = said[0]["applied"] + said[1]["applied"]
    assert len(applied) == len(set(applied)) == said[0]["version"]


def test_a_failed_migration_leaves_nothing_behind(server):
    database = server.database(migrated=False)
    with database.committing() as cursor:
        cursor.execute("create table allocation (x int)")
    assert "allocation" in database.ctl("db", "migrate", status=1)
    assert database.value("select to_regclass('client')") is None
    assert database.value("select to_regclass('schema_version')") is None
    with database.committing() as cursor:
        cursor.execute("drop table allocation")
    database.ctl("db", "migrate")


def test_a_newer_schema_is_refused(server):
    database = server.database()
    with database.committing() as cursor:
        cursor.execute("insert into schema_version (number, name) values (9999, '9999_later')")
    for command in ("migrate", "check"):
        assert "9999" in database.ctl("db", command, status=1)


def test_an_older_schema_is_named_with_the_remedy(server):
    database = server.database(migrated=False)
    assert "ccsctl db migrate" in database.ctl("db", "check", status=1)


# Privileges

FORBIDDEN = {
    "ccs_api": """
        select * from ledger
        select ledger_add('x', 'x')
        select ami_secret from server
        select ami_user from server
        select * from server
        select password_hash from app_user
        select username from app_user
        update app_user set session_version = 1
        insert into user_session (user_id) values (1)
        update user_session set expires_at = now()
        delete from user_session
        set role ccs_login
        select asyncdatabaseurl from client
        select * from client
        select * from audit
        delete from retry
        insert into retry (entry_id) values (1)
        insert into rollup_retry (queue_master_id) values (1)
        update chunk set rests = true
        select sealed from webhook_secret
        insert into webhook_delivery (client_id) values (1)
        update webhook set seq = 1
        select epoch from node
        insert into attempt (entry_id, n) values (1, 1)
        insert into call_detail (entry_id, n) values (1, 1)
        insert into event (client_id, seq) values (1, 1)
        insert into client_seq (client_id) values (1)
        insert into rollup_hour (client_id) values (1)
        insert into rollup_batch (queue_master_id) values (1)
        insert into api_key (client_id) values (1)
        insert into client (name) values ('x')
        insert into server (host) values ('x')
        insert into allocation (client_id) values (1)
        insert into app_user (client_id) values (1)
        update attempt set did = 'x'
        update call_detail set reason = 'x'
        update entry set number = '123'
        update event set payload = 'x'
        update client set rate_limit = 1
        update api_key set client_id = 1
        update api_key set digest = 'x'
        delete from api_key
        update allocation set rate_limit = 1
        update control set done_at = now()
        update chunk set closed_at = now()
        update chunk set owner_node = 'x'
        update queue_master set content = 'x'
        update rollup_hour set calls = 0
        delete from entry
        delete from chunk
        delete from queue_master
        delete from control
        delete from call_detail
        truncate entry
        create table mine (x int)
        create temporary table mine (x int)
        create function mine() returns int language sql as 'select 1'
        drop table entry
        alter table entry add column x int
        alter table entry disable row level security
        alter role ccs_api superuser
        set role ccs_owner
        set role ccs_dispatcher
        set session authorization ccs_owner
        select setval('chunk_id_seq', 1)
        select * from dnc_listed('{1}', '{1}', '{1}')
        select * from dnc_end(424242, '{1}', '{1}', '{1}')
        select * from dnc_end_chunks(424242, '{1}', '{1}')
        insert into dnc_list (client_id, queue_master_id, version, numbers) values (0, 0, 1, 1)
        insert into dnc_number values (0, 0, '919020000001', 'api', 'x')
        update dnc_number set source = 'api'
        truncate dnc_number
        delete from dnc_list
        select partitions_advance()
        select * from pg_authid
        copy client to '/tmp/x'
        copy client from program 'true'
        insert into schema_version values (3, 'x')
    """,
    "ccs_login": """
        select * from ledger
        select * from server
        select asyncdatabaseurl from client
        select * from audit
        insert into app_user (client_id) values (1)
        insert into client (name) values ('x')
        insert into api_key (client_id) values (1)
        update app_user set username = 'x'
        update app_user set client_id = 1
        update client set rate_limit = 1
        update user_session set user_id = 1
        update user_session set expires_at = now()
        delete from app_user
        delete from control
        truncate user_session
        create table mine (x int)
        set role ccs_owner
        set role ccs_dispatcher
        select * from pg_authid
        select ami_secret from server
        select * from report.call
        select * from audit_link
        select * from audit_anchor()
        select * from entries_erase(1, '{1}')
        insert into attempt (entry_id, n) values (1, 1)
        insert into call_detail (entry_id, n) values (1, 1)
        insert into report_grant (login) values ('ccs_login')
        update audit set actor = 'x'
        update call_detail set reason = 'x'
        update entry set number = '123'
        delete from audit
        delete from entry
        delete from api_key
        alter table app_user disable row level security
        set role ccs_admin
        select partitions_advance()
    """,
    "ccs_admin": """
        insert into ledger_head values ('x', 1, 'x')
        select ledger_add('x', 'x')
        select password_hash from app_user
        select * from report.call
        select * from entries_erase(1, '{1}')
        insert into attempt (entry_id, n) values (1, 1)
        insert into call_detail (entry_id, n) values (1, 1)
        insert into audit_link (position) values (1)
        insert into report_grant (login) values ('ccs_admin')
        update audit set actor = 'x'
        update audit_link set hash = 'x'
        update entry set number = '123'
        update attempt set did = 'x'
        delete from audit
        delete from audit_link
        delete from entry
        truncate audit cascade
        drop table audit
        alter table audit disable trigger all
        create temporary table mine (x int)
        update user_session set user_id = 1
        update app_user set client_id = 1
        update app_user set role = 'admin'
        update call_detail set reason = 'x'
        update event set payload = 'x'
        delete from client
        delete from api_key
        delete from call_detail
        truncate client
        create table mine (x int)
        alter table api_key disable row level security
        set role ccs_owner
        set role ccs_dispatcher
        select * from pg_authid
        insert into schema_version values (3, 'x')
    """,
    "reader": """
        select * from public.ledger
        select * from public.ledger_head
        select * from public.client
        select * from public.entry
        select * from public.call_detail
        select * from public.attempt
        select * from public.event
        select * from public.chunk
        select * from public.queue_master
        select * from public.api_key
        select * from public.app_user
        select * from public.user_session
        select * from public.server
        select * from public.allocation
        select * from public.audit
        select * from public.audit_link
        select * from public.idempotency
        select * from public.control
        select * from public.halt
        select * from public.rollup_hour
        select * from public.rollup_batch
        select * from public.client_facts
        select * from public.report_scope
        select * from public.report_grant
        select * from public.caller_id
        select * from public.dnc_number
        select * from public.dnc_list
        select * from public.dnc_mine(1, '{1}')
        insert into public.report_grant (login) values ('reader')
        update public.call_detail set reason = 'x'
        delete from public.entry
        insert into public.client (name) values ('x')
        create table public.mine (x int)
        create temporary table mine (x int)
        create view report.mine as select 1
        create schema mine
        select * from public.audit_anchor()
        select * from public.subject_erase(1, '{}', '{}')
        select public.partitions_advance()
        select nextval('public.chunk_id_seq')
        set role ccs_owner
        set role ccs_api
        select * from pg_authid
        copy (select 1) to program 'true'
        set session_replication_role = replica
    """,
    "ccs_owner": """
        update ledger set decisions = 'x'
        delete from ledger
        truncate ledger
        update audit set actor = 'x'
        update audit set at = now() where id = -1
        delete from audit
        truncate audit, audit_link
        update audit_link set hash = ''
        delete from audit_link
        truncate audit_link
        set session_replication_role = replica
        set log_statement = 'none'
        set role postgres
        set session authorization postgres
        set role ccs_api
        select * from pg_authid
        select rolpassword from pg_authid
        update pg_authid set rolsuper = true
        copy client to '/tmp/x'
        copy client from '/tmp/x'
        copy client from program 'true'
        copy (select 1) to program 'true'
        select pg_read_file('/etc/passwd')
        select pg_ls_dir('/')
        select pg_reload_conf()
        select pg_switch_wal()
        select lo_export(1, '/tmp/x')
        alter role ccs_owner superuser
        alter role ccs_api superuser
        alter role ccs_api set log_error_verbosity = 'verbose'
        create role mine superuser
        drop role ccs_api
        create function mine() returns int language c as 'x'
        create publication mine for all tables
        create event trigger mine on ddl_command_start execute function audit_refuse()
        checkpoint
    """,
    "ccs_courier": """
        select * from ledger
        select * from client
        select did from client
        insert into client_database (client_id, seq) values (1, 1)
        delete from client_database
        select phone_number from client
        select * from entry
        select phone_number from entry
        select * from call_detail
        select * from attempt
        select * from api_key
        select * from app_user
        select * from user_session
        select * from server
        select * from allocation
        select * from audit
        select * from control
        insert into event (client_id, seq) values (1, 1)
        insert into audit (actor) values ('x')
        insert into control (kind) values ('reload')
        insert into webhook (client_id, seq) values (1, 1)
        insert into webhook_secret (client_id, sealed) values (1, '')
        update webhook set client_id = 1
        update webhook_secret set expires_at = null
        update webhook_delivery set status = 200
        update event set payload = 'x'
        update client set callbackurl = null
        update client_seq set seq = 1
        update entry set number = '123'
        delete from webhook
        delete from webhook_secret
        delete from event
        delete from entry
        create table mine (x int)
        create temporary table mine (x int)
        set role ccs_owner
        set role ccs_dispatcher
        select * from pg_authid
    """,
    "ccs_dispatcher": """
        insert into ledger select * from ledger
        update ledger_head set seq = 1
        delete from ledger
        select weeks_retire('event', 1)
        select password_hash from app_user
        select username from app_user
        select refresh_id from user_session
        update user_session set ended_at = null
        select asyncdatabaseurl from client
        select * from client
        select * from audit
        insert into entry (entry_id) values (1)
        insert into queue_master (client_id) values (1)
        insert into chunk (id) values (1)
        insert into control (kind) values ('reload')
        insert into client (name) values ('x')
        insert into server (host) values ('x')
        insert into allocation (client_id) values (1)
        insert into api_key (client_id) values (1)
        insert into app_user (client_id) values (1)
        insert into audit (actor) values ('x')
        update entry set number = '123'
        update attempt set did = 'x'
        update call_detail set reason = 'x'
        update event set payload = 'x'
        update client set rate_limit = 1
        update server set rate_limit = 1
        update server set ami_secret = 'x'
        update server set host = 'x'
        update allocation set rate_limit = 1
        update api_key set revoked_at = null
        update api_key set client_id = 1
        update queue_master set dispatched_at = now()
        update control set kind = 'reload'
        delete from dnc_number
        update dnc_number set source = 'api'
        delete from entry
        delete from attempt
        delete from call_detail
        delete from event
        delete from chunk
        delete from node
        truncate attempt
        create table mine (x int)
        create temporary table mine (x int)
        drop table attempt
        alter table attempt add column x int
        set role ccs_owner
        set role ccs_api
        select nextval('chunk_id_seq')
        select * from pg_authid
        copy (select 1) to program 'true'
        insert into schema_version values (3, 'x')
    """,
}


@pytest.mark.parametrize("role, text", [(role, line.strip()) for role, lines in FORBIDDEN.items()
                                        for line in lines.strip().splitlines()])
def test_role_may_not(db, role, text):
    with db.as_role(role) as cursor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
        cursor.execute(text)


def test_every_role_was_tried_thirty_times():
    assert all(len(set(lines.strip().splitlines())) >= 30 for lines in FORBIDDEN.values())


def test_no_leaf_partition_lets_the_api_read_around_the_wall(db):
    leaves = "select inhrelid::regclass::text from pg_inherits where inhparent = %s::regclass"
    for parent in ("entry", "attempt", "call_detail", "event"):
        with db.as_role("ccs_owner") as cursor:
            cursor.execute(leaves, [parent])
            names = [name for name, in cursor.fetchall()]
        assert names
        for name in names:
            with db.as_role("ccs_api") as cursor:
                with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                    cursor.execute(f"select * from {name}")


# Walls between clients


@pytest.fixture(scope="module")
def two_clients(db):
    """Two clients with a batch, an entry, a call and all that follows from it each."""
    ids = [db.add_client(f"WALL{i}") for i in (1, 2)]
    for client_id in ids:
        server_id = db.add_server(f"wall-{client_id}")
        with db.committing() as cursor:
            cursor.execute("insert into allocation values (%s, %s, 1, 1)", [client_id, server_id])
            cursor.execute("insert into api_key (client_id, digest, shown)"
                           " values (%s, sha256(%s), 'x')", [client_id, str(client_id).encode()])
            cursor.execute("insert into queue_master (client_id, batch_id, content, inserted_count)"
                           " values (%s, 1, 'x', 1) returning id", [client_id])
            master, = cursor.fetchone()
            cursor.execute("insert into chunk (id, client_id, queue_master_id, entry_count)"
                           " values (nextval('chunk_id_seq'), %s, %s, 1) returning id * 1024",
                           [client_id, master])
            entry, = cursor.fetchone()
            of_call = [entry, client_id, master]
            cursor.execute("insert into entry (entry_id, client_id, queue_master_id, phone_number,"
                           " number) values (%s, %s, %s, '123', '123')", of_call)
            cursor.execute("insert into attempt values (%s, 1, %s, %s, %s, '', 'n', 1, now())",
                           [*of_call, server_id])
            cursor.execute("insert into call_detail values (%s, 1, %s, %s, %s, '', 'busy', 17, 'x',"
                           " true, false, now(), null, now(), 0, 0)", [*of_call, server_id])
            cursor.execute("insert into event values (%s, 1, 'x', now(), %s, 1, '{}')",
                           [client_id, entry])
            cursor.execute("insert into client_seq values (%s, 1)", [client_id])
            cursor.execute("insert into control (client_id, kind) values (%s, 'reload')",
                           [client_id])
            cursor.execute("insert into rollup_hour values (%s, %s, '2026-01-01', 1)",
                           [client_id, server_id])
            cursor.execute("insert into rollup_batch values (%s, 'busy', 1)", [master])
            cursor.execute("insert into retry values (%s, now(), %s, %s)", of_call)
    return ids


WALLED = ("allocation", "server", "queue_master", "chunk", "entry", "attempt", "call_detail",
          "event", "client_seq", "control", "rollup_hour", "rollup_batch", "retry", "rollup_retry")


@pytest.mark.parametrize("table", WALLED)
def test_A7_the_api_sees_one_client_only(db, two_clients, table):
    column = "id" if table == "server" else "1"  # the API may not read all of server
    for client_id in two_clients:
        with db.as_role("ccs_api", client_id) as cursor:
            cursor.execute(f"select {column} from {table}")
            assert len(cursor.fetchall()) == 1
            if table not in ("server", "rollup_batch", "rollup_retry"):
                cursor.execute(f"select distinct client_id from {table}")
                assert cursor.fetchall() == [(client_id,)]


@pytest.mark.parametrize("table", WALLED)
def test_without_a_client_the_api_sees_nothing(db, two_clients, table):
    with db.as_role("ccs_api") as cursor:
        cursor.execute(f"select 1 from {table}")
        assert cursor.fetchall() == []


@pytest.mark.parametrize("text", [
    "insert into queue_master (client_id, batch_id, content, inserted_count) values (%s, 9, '', 0)",
    "insert into chunk (id, client_id, entry_count) values (nextval('chunk_id_seq'), %s, 1)",
    "insert into control (client_id, kind) values (%s, 'dispatch')",
    "insert into entry (entry_id, client_id, phone_number, number)"
    " values (nextval('chunk_id_seq') * 1024, %s, '123', '123')",
    "insert into api_key (client_id, digest, shown) values (%s, sha256('x'), 'x')",
])
def test_the_api_writes_for_its_client_only(db, two_clients, text):
    ours, theirs = two_clients
    with db.as_role("ccs_api", ours) as cursor:
        cursor.execute(text, [ours])
    with db.as_role("ccs_api", ours) as cursor:
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(text, [theirs])


def test_the_api_ends_keys_of_its_client_only(db, two_clients):
    ours, theirs = two_clients
    with db.as_role("ccs_api", ours) as cursor:
        cursor.execute("update api_key set revoked_at = now() returning client_id")
        assert cursor.fetchall() == [(ours,)]
        cursor.execute("select 1 from api_key where client_id = %s and revoked_at is null", [theirs])
        assert cursor.rowcount == 1


def test_a_chunk_cannot_join_another_clients_batch(db, two_clients):
    """Foreign keys look behind row-level security: the client is a part of this one."""
    ours, theirs = two_clients
    master = db.value("select id from queue_master where client_id = %s", theirs)
    with db.as_role("ccs_api", ours) as cursor:
        with pytest.raises(psycopg2.errors.ForeignKeyViolation):
            cursor.execute("insert into chunk (id, client_id, queue_master_id, entry_count)"
                           " values (nextval('chunk_id_seq'), %s, %s, 1)", [ours, master])


def test_the_api_dispatches_its_own_batch_only(db, two_clients):
    with db.as_role("ccs_api", two_clients[0]) as cursor:
        cursor.execute("update queue_master set dispatched_at = now()")
        assert cursor.rowcount == 1
        cursor.execute("update chunk set dispatched_at = now()")
        assert cursor.rowcount == 1


# Allocations


_serial = itertools.count()


@pytest.fixture
def shares(db):
    """A client with 100 channels and 1000 calls an hour, and two servers with 60/600 and 40/400."""
    tag = next(_serial)
    client = db.add_client(f"SHARES{tag}")
    servers = [db.add_server(f"shares-{end}{tag}") for end in "ab"]
    with db.committing() as cursor:
        for server_id, channels in zip(servers, (60, 40)):
            cursor.execute("insert into allocation values (%s, %s, %s, %s)",
                           [client, server_id, channels, channels * 10])
    return client, *servers


SET_CHANNELS = ("update allocation set allowed_active_calls = %s"
                " where client_id = %s and server_id = %s")


@pytest.mark.parametrize("text", [
    "update allocation set allowed_active_calls = 61 where client_id = %s and server_id = %s",
    "update allocation set rate_limit = 601 where client_id = %s and server_id = %s",
    "update client set allocated_channels = 99 where id = %s and %s > 0",
    "update client set rate_limit = 999 where id = %s and %s > 0",
])
def test_F7_shares_never_exceed_the_client(db, shares, text):
    with pytest.raises(psycopg2.errors.CheckViolation, match="the client has"):
        with db.committing() as cursor:
            cursor.execute(text, shares[:2])


def test_one_transaction_may_grow_here_and_shrink_there(db, shares):
    client, first, second = shares
    with db.committing() as cursor:
        cursor.execute(SET_CHANNELS, [90, client, first])
        cursor.execute(SET_CHANNELS, [10, client, second])
    assert db.value("select sum(allowed_active_calls) from allocation where client_id = %s",
                    client) == 100


def test_two_transactions_that_fit_alone_but_not_together(db, shares):
    client, first, second = shares
    with db.committing() as cursor:
        cursor.execute("update allocation set allowed_active_calls = 30 where client_id = %s",
                       [client])
    ready = threading.Barrier(2)
    outcomes = []

    def grow(server_id):
        try:
            with db.committing() as cursor:
                cursor.execute(SET_CHANNELS, [60, client, server_id])
                ready.wait(10)
            outcomes.append("fits")
        except psycopg2.errors.CheckViolation:
            outcomes.append("refused")

    threads = [threading.Thread(target=grow, args=[one]) for one in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == ["fits", "refused"]
    assert db.value("select sum(allowed_active_calls) from allocation where client_id = %s",
                    client) == 90


# Partitions


@pytest.fixture(scope="module")
def clock(server):
    """A database whose weeks go by: a sequence that has moved on does not come back."""
    return server.database()


def test_partitions_are_ready_for_this_week_and_the_next(clock):
    epoch = datetime(2026, 1, 5, tzinfo=timezone.utc)
    for weeks in (0, 1, 5):
        at = datetime.now(timezone.utc) + timedelta(weeks=weeks)
        week = (at - epoch).days // 7
        with clock.as_role("ccs_owner") as cursor:
            for _ in range(2):  # again: nothing changes
                cursor.execute("select partitions_advance(%s)", [at])
            for parent in ("entry", "attempt", "call_detail", "event"):
                for number in (week, week + 1):
                    cursor.execute("select to_regclass(%s) is not null", [f"{parent}_p{number}"])
                    assert cursor.fetchone() == (True,)
            cursor.execute("select nextval('chunk_id_seq')")
            chunk, = cursor.fetchone()
            assert chunk >> 30 == week
            assert chunk * 1024 + 1023 < 2**53
            for position in (0, 1023):
                cursor.execute("insert into entry (entry_id, client_id, phone_number, number)"
                               " values (%s, 1, '1', '123') returning tableoid::regclass::text",
                               [chunk * 1024 + position])
                assert cursor.fetchone() == (f"entry_p{week}",)
            cursor.execute("insert into event values (1, %s, 'x', %s, 1, 1, '{}')"
                           " returning tableoid::regclass::text", [weeks + 1, at])
            assert cursor.fetchone() == (f"event_p{week}",)


def test_the_dispatcher_advances_partitions_without_owning_them(clock):
    with clock.as_role("ccs_dispatcher") as cursor:
        cursor.execute("select partitions_advance(now() + interval '9 weeks')")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("create table x (y int)")


def test_events_are_dropped_by_the_week_when_they_are_old_enough(clock):
    with clock.as_role("ccs_owner") as cursor:
        for weeks in (30, 13):
            cursor.execute("select partitions_advance(now() - make_interval(weeks => %s))", [weeks])
            cursor.execute("insert into event values (2, %s, 'x', now() - make_interval(weeks => %s), 1, 1, '{}')", [100 - weeks, weeks])
        cursor.execute("select dropped from events_retire(140)")
        assert cursor.fetchone()[0] == 2, "two of thirty weeks ago: that week and the next"
        cursor.execute("select dropped from events_retire(140)")
        assert cursor.fetchone()[0] == 0
        cursor.execute("select array_agg(seq) from event where client_id = 2")
        assert cursor.fetchone()[0] == [87]


def test_chunk_ids_never_go_back(clock):
    with clock.as_role("ccs_owner") as cursor:
        cursor.execute("select nextval('chunk_id_seq')")
        before, = cursor.fetchone()
        cursor.execute("select partitions_advance(now() - interval '3 weeks')")
        cursor.execute("select nextval('chunk_id_seq')")
        assert cursor.fetchone()[0] > before
