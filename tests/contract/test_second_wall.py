"""What holds when the application's own check is missing: every statement of the API, run for one client and asked for
another's rows. Row-level security shows and changes nothing of them."""
import re
import sys

import psycopg2
import psycopg2.errors
import pytest
from places import ROOT
from tenants import STATE

sys.path.append(str(ROOT / "tests/system"))
from pg_cluster import Server, statements  # noqa: E402  (found by the line above)

ZONE, MARK = "Asia/Kolkata", "mark-of-theirs"

# Statements by the parameters with which they reach another client's rows; $name is an id of that client. A statement that
# is not here fails the first test.
ASKS = {
    "batches_open": ["$client", [999], [b"x"], [1], ["[]"], [0], [None], True, ZONE],
    "batch_append": ["$client", 999, b"x", 1, "[]", "$queue", 0, None],
    "batch_find": ["$client", "$batch"],
    "load_end": ["$client", 998, 900_000_001, b"x", 1, "[]", 0, None, [900_000_001], [1], True, ZONE],
    "load_append": ["$client", 997, "$queue", b"x", 1, "[]", 0, None, [900_000_002], [1]],
    "quick_calls": ["$client", ["9020000001"], ["9020000001"], [None], [None], [None], [None], [None], [None]],
    "dispatch_calls": ["$client"],
    "batch_order": ["$client", "$queue", "cancel"],
    "batch_settings_hold": ["$client", "$queue"],
    "batch_settings_set": ["$client", "$queue", '{"channels": 3}'],
    "call_off": ["$client", "$entry"],
    "sandbox_open": ["$client"],
    "shares_read": ["$client"],
    "shares_write": ["$client", [1], [1], [1]],
    "queue_masters_pick": ["$client", None, None, ZONE, None, 10, 0, False],
    "queue_master_find": ["$client", "$batch", True],
    "queue_masters_load": ["$client", ["$queue"]],
    "entries_pick": ["$client", "$queue", 10, 0],
    "entries_find": ["$client", "$queue", None, None, None, [], [], 10, 0, False],
    "dialplan_call": ["$client", "$entry"],
    "entries_export": ["$client", "$queue", 0, 2, None, [], []],
    "entries_load": ["$client", ["$entry"], 0],
    "summary_hours": ["$client", "2026-01-01", "2026-01-01", None, ZONE],
    "summary_total": ["$client", "2026-01-01", "2026-01-01", None, ZONE],
    "report": ["$client", "2026-01-01", "2026-01-01", ZONE, "server", 10],
    "events_after": ["$client", 0, None, None, None, None, 10, 10],
    "webhook_state": ["$client"],
    "webhook_deliveries": ["$client", None, None, 10],
    "webhook_secrets_retire": ["$client", 60],
    "webhook_secret_add": ["$client", b"y"],
    "webhook_test": ["$client"],
    "webhook_replay": ["$client", 1, 1],
    "webhook_replay_dead": ["$client"],
    "details_total": ["$client", None, None, None],
    "details_pick": ["$client", None, None, ZONE, None, 10, 0, False, None, 0, 0],
    "details_pick_some": ["$client", None, None, ZONE, None, 10, 0, False, None, 0, 0, "$queue", None, None],
    "details_load": ["$client", ["$entry"], [1]],
    "key_insert": ["$client", b"1" * 32, "x", "another", 0, "read", "", 50, 0],
    "key_list": ["$client", None, 10, 0, False],
    "key_end": ["$key", "$client", "X", "X"],
    "key_replace": ["$client", 0, b"0" * 32, "x", 0, False, "X", "X"],
    "key_revoke": ["$client", 0, "X"],
    "idempotency_find": ["$client", "key"],
    "idempotency_store": ["$client", "another key", b"0" * 32, b"{}", False],
    "allocations_of_client": ["$client"],
    "allocated_servers": ["$client"],
    "change_reload": ["$client"],
    "session_end": ["$session", "$client"],
    "caller_ids": ["$client"],
    "context_allowed": ["$client", "survey"],
    "batch_outlook": ["$client"],
    "why_entry": ["$client", "$entry"],
    "why_batch": ["$client", "$queue"],
    "subject_step": ["$client", 0, ["9876543210"]],
    "subject_withdraw": ["$client", ["$entry"]],
    "subject_open": ["$client", ["$entry"]],
    "subject_erase": ["$client", ["$entry"], ["9876543210"]],
    "dnc_add": ["$client", 0, ["919020000002"], "api", "X"],
    "dnc_remove": ["$client", 0, ["919020000001"]],
    "dnc_head": ["$client", 0],
    "dnc_part": ["$client", 0, "", 10, 0, None],
    "dnc_end_chunks": ["$client", ["$chunk"], ["$batch"]],
}
# Statements without such a wall, and why.
OPEN = {
    "client_by_key": "finds out who asks",
    "client_by_certificate": "finds out who asks",
    "client_by_accountcode": "an operator's, through the role that owns all",
    "client_by_id": "the client of a credential that was believed",
    "client_by_session": "finds out who asks",
    "session_refresh": "finds out who asks: the token in it is the proof",
    "session_client": "puts the wall up",
    "audit_insert": "only adds, in the name of whom the API has recognised",
    "export_begin": "only locks",
    "export_end": "only locks",
    "load_begin": "only locks, and takes an id",
    "load_chunks": "only takes ids",
    "report_period": "only counts days",
    "schema_exists": "no client's",
    "schema_number": "no client's",
    "dnc_check": "of the client whose wall it is, and says which of the numbers asked about are on its lists",
    "entry_copy": "goes past the wall, which COPY cannot take: the claim of a chunk checks its entries again",
}


@pytest.fixture(scope="module")
def db():
    server = Server()
    try:
        yield server.database()
    finally:
        server.close()


def fill(db, accountcode) -> dict:
    """A client that has one of everything; its ids."""
    client = db.add_client(accountcode)
    server = db.add_server(f"of-{accountcode}")
    ids = {"client": client, "batch": 7_700_000 + client}
    with db.committing() as cursor:
        def insert(text, *values):
            cursor.execute(text + " returning 1" if "returning" not in text else text, values)
            return cursor.fetchone()[0]

        insert("insert into allocation values (%s, %s, 1, 1)", client, server)
        ids["key"] = insert("insert into api_key (client_id, digest, shown) values (%s, sha256(%s), 'x') returning id",
                            client, accountcode.encode())
        user = insert("insert into app_user (client_id, username, password_hash) values (%s, %s, '$y$') returning id",
                      client, accountcode)
        ids["session"] = insert("insert into user_session (user_id, refresh_id, expires_at)"
                                " values (%s, 'x', now() + interval '1 day') returning id", user)
        queue = ids["queue"] = insert("""
            insert into queue_master (client_id, batch_id, content, inserted_count, open_chunks)
            values (%s, %s, '', 1, 1) returning id""", client, ids["batch"])
        insert("insert into rollup_queue values (%s, (now() at time zone %s)::date, 0, 1)", client, ZONE)
        entry = ids["entry"] = insert("insert into chunk (id, client_id, queue_master_id, entry_count)"
                                      " values (nextval('chunk_id_seq'), %s, %s, 1) returning id * 1024", client, queue)
        insert("""insert into entry (entry_id, client_id, queue_master_id, phone_number, number, custom_data)
                  values (%s, %s, %s, '9876543210', '9876543210', %s)""", entry, client, queue, f'{{"a": "{MARK}"}}')
        insert("insert into attempt values (%s, 1, %s, %s, %s, '', 'n', 1, now())", entry, client, queue, server)
        insert("""insert into call_detail values (%s, 1, %s, %s, %s, '', 'busy', 17, 'x', false, false, now(), null,
                                                  now(), 0, 0)""", entry, client, queue, server)
        insert("insert into rollup_hour values (%s, %s, '2026-01-01', 9, 1)", client, server)
        insert("insert into rollup_hour values (%s, %s, (now() at time zone %s)::date, 9, 1)", client, server, ZONE)
        insert("insert into idempotency values (%s, 'key', sha256('x'), %s, false)", client, MARK.encode())
        insert("insert into rollup_batch values (%s, 'busy', 0)", queue)
        insert("insert into retry values (%s, now(), %s, %s)", entry, client, queue)
        insert("insert into client_seq values (%s, 1)", client)
        insert("insert into webhook values (%s, 1)", client)
        insert("insert into webhook_secret (client_id, sealed, expires_at) values (%s, 'x', now() + interval '1 hour')", client)
        insert("insert into webhook_retry (client_id, seq, due_at, dead_at) values (%s, 2, now(), now())", client)
        insert("insert into webhook_delivery (client_id, seq, attempt, at, ms, outcome, error) values (%s, 1, 1, now(), 1, 'dead', %s)",
               client, MARK)
        insert("insert into event values (%s, 1, 'call_failed', now(), %s, 1, %s)", client, entry, f'{{"a": "{MARK}"}}')
        # Another entry, whose number the client may not call.
        ids["chunk"] = insert("insert into chunk (id, client_id, queue_master_id, entry_count)"
                              " values (nextval('chunk_id_seq'), %s, %s, 1) returning id", client, queue)
        insert("""insert into entry (entry_id, client_id, queue_master_id, phone_number, number, e164)
                  values (%s, %s, %s, '9020000001', '9020000001', '919020000001')""", ids["chunk"] * 1024, client, queue)
        insert("insert into dnc_list values (%s, 0, 1, 1)", client)
        insert("insert into dnc_number values (%s, 0, '919020000001', 'api', %s)", client, MARK)
    return ids


@pytest.fixture(scope="module")
def ours(db):
    return fill(db, "OURS")


@pytest.fixture(scope="module")
def theirs(db):
    return fill(db, "THEIRS")


NOBODYS = {"client": 424_242, "batch": 424_243, "queue": 424_244, "entry": 424_245, "session": 424_246, "key": 424_247,
           "chunk": 424_248}


def filled_in(value, ids):
    if isinstance(value, list):
        return [filled_in(one, ids) for one in value]
    if isinstance(value, str) and value.startswith("$"):
        return ids[value[1:]]
    return psycopg2.Binary(value) if isinstance(value, bytes) else value


def run(db, statement, asking, asked, watched):
    """What the API's role sees when it runs the statement for one client (its wall is that client's) with ids of another: rows
    as text, and whether it has changed anything of the watched one. Nothing of it is kept."""
    values = [filled_in(value, asked) for value in ASKS[statement.name]]
    connection = psycopg2.connect(db.dsn("postgres"))
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"prepare asked as {statement.text}")
            cursor.execute("select set_config('ccs.client_id', %s, true)", [str(asking["client"])])
            cursor.execute(STATE, {"id": watched["client"]})
            before = cursor.fetchall()
            cursor.execute("set local role ccs_api")
            try:
                cursor.execute(f"execute asked({', '.join(['%s'] * len(values))})", values)
            except (psycopg2.errors.InsufficientPrivilege, psycopg2.errors.ForeignKeyViolation):
                return "refused", False
            rows = str(cursor.fetchall())
            rows = re.sub(rf"\b{asked['batch']}\b", "batch", rows)  # some answer with what they were asked
            cursor.execute("reset role")
            cursor.execute(STATE, {"id": watched["client"]})
            return rows, cursor.fetchall() != before
    finally:
        connection.close()


API = [statement for statement in statements() if "ccs_api" in statement.roles]


def test_A7_every_statement_of_the_api_is_asked():
    names = {statement.name for statement in API}
    assert names == set(ASKS) | set(OPEN)


@pytest.mark.parametrize("statement", [one for one in API if one.name in ASKS], ids=str)
def test_A7_without_the_applications_check_the_database_still_walls(db, ours, theirs, statement):
    seen, changed = run(db, statement, asking=ours, asked=theirs, watched=theirs)
    nothing, _ = run(db, statement, asking=ours, asked=NOBODYS, watched=theirs)
    assert not changed and MARK not in seen
    assert seen == nothing or "refused" in (seen, nothing)
    # Whose it is sees or changes something, or all this says nothing.
    own, own_changed = run(db, statement, asking=theirs, asked=theirs, watched=theirs)
    assert own_changed or own != nothing
