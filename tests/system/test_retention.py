"""Numbers whose time is over: a piece at a time they are erased, and what is counted stays."""
import concurrent.futures
import json

import psycopg2.errors
import pytest

STEP = "select erased from retention_step()"
NUMBER = "9876543210"


@pytest.fixture
def db(server):
    return server.database()


def fill(db, client, entries, *, ended_days_ago, rejected="[]"):
    """A finished batch: its first entry's id."""
    with db.committing() as cursor:
        cursor.execute("select count(*) from queue_master")
        batch = cursor.fetchone()[0] + 1
        cursor.execute("""insert into queue_master (client_id, batch_id, content, inserted_count, rejected, created_at, finished_at)
                          values (%s, %s, 'digest', %s, %s, now() - make_interval(days => %s), now()) returning id""",
                       [client, batch, entries, rejected, ended_days_ago])
        queue, = cursor.fetchone()
        cursor.execute("""insert into chunk (id, client_id, queue_master_id, entry_count, closed_at, closed_as)
                          values (nextval('chunk_id_seq'), %s, %s, %s, now() - make_interval(days => %s), 'done')
                          returning id * 1024""", [client, queue, entries, ended_days_ago])
        first, = cursor.fetchone()
        cursor.execute("""insert into entry (entry_id, client_id, queue_master_id, phone_number, number, e164, custom_data)
                          select %s + i, %s, %s, %s, %s, %s, '{"a": 1}' from generate_series(0, %s - 1) i""",
                       [first, client, queue, NUMBER, NUMBER, "91" + NUMBER, entries])
        cursor.execute("""insert into call_detail (entry_id, n, client_id, queue_master_id, server_id, did, disposition, reason,
                              is_final, started_at, ended_at, duration_ms, billsec_ms, number)
                          select entry_id, 1, client_id, queue_master_id, 1, '1', 'busy', '', true, now(), now(), 0, 0, e164
                            from entry where queue_master_id = %s""", [queue])
        cursor.execute("""insert into event (client_id, seq, type, occurred_at, entry_id, n, payload)
                          select client_id, entry_id, 'call_failed', now(), entry_id, 1,
                                 '{"call_id":"x","phone_number":"' || phone_number || '","did":"1"}'
                            from entry where queue_master_id = %s""", [queue])
    return queue


def keep(db, client, days):
    with db.committing() as cursor:
        cursor.execute("update client set retention_days = %s where id = %s", [days, client])


def step(db) -> int:
    with db.committing("ccs_dispatcher") as cursor:
        cursor.execute(STEP)
        return cursor.fetchone()[0]


def kept(db, queue) -> list:
    """How many entries, details and events of a batch have a number still, and how many there are of each."""
    with db.as_role("ccs_owner") as cursor:
        cursor.execute("""select count(*) filter (where e.number <> '' or e.custom_data is not null), count(*),
                                 count(*) filter (where d.number is not null), count(d.n),
                                 count(*) filter (where v.payload like '%%987654%%'), count(v.seq)
                            from entry e left join call_detail d using (entry_id) left join event v on v.entry_id = e.entry_id
                           where e.queue_master_id = %s""", [queue])
        return list(cursor.fetchone())


def test_what_is_older_is_erased_and_the_rest_stays(db):
    client, other = db.add_client("ONE"), db.add_client("OTHER")
    old, young = fill(db, client, 5, ended_days_ago=31), fill(db, client, 5, ended_days_ago=29)
    others = fill(db, other, 5, ended_days_ago=400)
    assert step(db) == 0  # nobody wants it
    keep(db, client, 30)
    assert step(db) > 0 and step(db) == 0
    assert kept(db, old) == [0, 5, 0, 5, 0, 5]
    assert kept(db, young) == kept(db, others) == [5, 5, 5, 5, 5, 5]
    assert bytes(db.value("select content from queue_master where id = %s", old)) == b""
    assert db.value("select payload from event order by seq limit 1") == '{"call_id":"x","phone_number":"","did":"1"}'


def test_rejected_numbers_go_too(db):
    client = db.add_client("ONE")
    queue = fill(db, client, 1, ended_days_ago=31, rejected=json.dumps([{"index": 1, "phone_number": "12"}]))
    keep(db, client, 30)
    step(db)
    assert db.value("select rejected from queue_master where id = %s", queue) == "[]"


def test_steps_are_bounded_and_side_by_side(db):
    client = db.add_client("ONE")
    queues = [fill(db, client, 600, ended_days_ago=31) for _ in range(6)]
    keep(db, client, 30)
    assert 600 <= step(db) <= 2047
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        while sum(pool.map(lambda _: step(db), range(4))):
            pass
    assert all(kept(db, queue) == [0, 600, 0, 600, 0, 600] for queue in queues)
    assert db.value("select entries from retention") == 3600


def test_what_has_not_ended_stays(db):
    client = db.add_client("ONE")
    queue = fill(db, client, 2, ended_days_ago=31)
    with db.committing() as cursor:
        cursor.execute("update chunk set closed_at = null, closed_as = null where queue_master_id = %s", [queue])
    keep(db, client, 1)
    assert kept(db, queue)[0] == 2 and step(db) == 0


def test_an_operator_sets_it_and_sees_what_it_did(db):
    client = db.add_client("ONE")
    fill(db, client, 3, ended_days_ago=31)
    db.ctl("client", "set", "ONE", "--retention-days=30")
    assert json.loads(db.ctl("client", "show", "ONE", "--json"))["retention_days"] == 30
    said, = json.loads(db.ctl("retention", "list", "--json"))["clients"]
    assert (said["retention_days"], said["due"], said["entries"], said["at"]) == (30, 3, 0, None)
    step(db)
    said, = json.loads(db.ctl("retention", "list", "--json"))["clients"]
    assert (said["due"], said["entries"]) == (0, 3) and said["ended_to"] and said["at"]
    assert "ONE" in db.ctl("retention", "list")
    db.ctl("client", "set", "ONE", "--retention-days=0")
    assert json.loads(db.ctl("client", "show", "ONE", "--json"))["retention_days"] is None
    assert "retention_days" in db.ctl("client", "set", "ONE", "--retention-days=36501", status=1)


@pytest.mark.parametrize("role", ["ccs_api", "ccs_login", "ccs_admin"])
def test_only_the_dispatcher_does_it(db, role):
    with db.as_role(role) as cursor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
        cursor.execute(STEP)
