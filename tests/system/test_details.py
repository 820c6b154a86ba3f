"""Details in any order, of one number, from page to page without counting, and as CSV."""
import contextlib
import csv
import datetime
import http.client
import io
import json

import psycopg2
import pytest
from stack.api import Api

DETAILS = "/client-call-details/details"
MANY = 4500  # three pieces of CSV
FIRST = datetime.datetime(2024, 5, 1, tzinfo=datetime.timezone.utc)


def fill(stack, client, count):
    """So many calls, two in the same second each; every tenth one busy. A tenth has a number of another spelling."""
    stack.sql("""
        with chunk_ids as materialized (select k, nextval('chunk_id_seq') as id from generate_series(0, %(n)s / 1000) k),
        rows as (select id * 1024 + i %% 1000 as entry_id, i, %(first)s::timestamptz + i / 2 * interval '1 second' as at,
                        case i %% 10 when 0 then 'busy' else 'completed' end as disposition,
                        '9800000' || lpad((i %% 1000)::text, 3, '0') as number
                   from generate_series(0, %(n)s - 1) i join chunk_ids on k = i / 1000),
        entries as (insert into entry (entry_id, client_id, phone_number, number, e164, custom_data)
                    select entry_id, %(client)s, number, number, '91' || number, '{"i": ' || i || '}' from rows),
        hours as (insert into rollup_hour (client_id, server_id, local_date, local_hour, calls, completed, busy, duration_ms)
                  select %(client)s, 1, '2024-05-01', 9, count(*), count(*) filter (where disposition = 'completed'),
                         count(*) filter (where disposition = 'busy'), 0 from rows)
        insert into call_detail (entry_id, n, client_id, server_id, did, disposition, hangup_cause, reason, is_final, started_at,
                                 ended_at, duration_ms, billsec_ms, number)
        select entry_id, 1, %(client)s, 1, '911140000001', disposition::disposition, 17, 'said "no", twice', true, at, at, 1250, 0,
               '91' || number from rows""", n=count, first=FIRST, client=client.client_id)


@pytest.fixture(scope="module")
def busy(stack):
    client = stack.new_client("EXPORTER")
    fill(stack, client, MANY)
    return client


@pytest.fixture(scope="module")
def quiet(stack):
    return stack.new_client("EXPORTS-NONE")


def ids(answer) -> list:
    return [row["call_id"] for row in answer.ok["items"]]


def walk(client, **query) -> list:
    """Every row, from cursor to cursor."""
    rows, cursor = [], {}
    while cursor is not None:
        answer = client.api.get(DETAILS, size=100, **query, **cursor).ok
        rows += answer["items"]
        assert (answer["next_cursor"] is None) == (len(answer["items"]) < 100)
        cursor = answer["next_cursor"] and {"cursor": answer["next_cursor"]}
    return rows


def number_of(row) -> int:
    return row["custom_data"]["i"]


def test_Q15_from_cursor_to_cursor_nothing_is_missed_or_twice(busy):
    assert [number_of(row) for row in walk(busy)] == list(range(MANY))
    backwards = [number_of(row) for row in walk(busy, sort="-started_at")]
    assert backwards == list(range(MANY))[::-1]
    some = walk(busy, status="busy", sort="-started_at")
    assert [number_of(row) for row in some] == list(range(0, MANY, 10))[::-1]


def test_pages_and_cursors_agree(busy):
    for sort in "started_at", "-started_at":
        first = busy.api.get(DETAILS, size=7, sort=sort)
        second = busy.api.get(DETAILS, size=7, sort=sort, page=2)
        assert ids(busy.api.get(DETAILS, size=7, sort=sort, cursor=first.ok["next_cursor"])) == ids(second)
        assert first.ok["total"] == second.ok["total"] == MANY
    assert busy.api.get(DETAILS, status="busy").ok["total"] == MANY // 10


@pytest.mark.parametrize("written", ["9800000017", "+91 98000-00017", "0 9800000017", "919800000017"])
def test_one_number_however_it_is_written(busy, written):
    found = busy.api.get(DETAILS, phone_number=written).ok
    assert [number_of(row) for row in found["items"]] == [17, 1017, 2017, 3017, 4017] and found["total"] == 5
    page = busy.api.get(DETAILS, phone_number=written, size=2, sort="-started_at").ok
    assert [number_of(row) for row in page["items"]] == [4017, 3017] and (page["total"], page["pages"]) == (5, 3)
    rest = busy.api.get(DETAILS, phone_number=written, size=5, sort="-started_at", cursor=page["next_cursor"]).ok
    assert [number_of(row) for row in rest["items"]] == [2017, 1017, 17]
    assert busy.api.get(DETAILS, phone_number=written, status="busy").ok["total"] == 0
    assert busy.api.get(DETAILS, phone_number=written, start_date="2024-05-02").ok["total"] == 0


def test_a_number_is_found_as_soon_as_its_call_is_over(client_of, asterisk):
    client = client_of("FOUND")
    [number, other] = asterisk.numbers("busy", 2)
    for one in number, other:
        client.outcome(client.call(one))
    [row] = client.api.get(DETAILS, phone_number=f"+91{number}").ok["items"]
    assert row["phone_number"] == number
    batch_id = client.insert([number])
    client.dispatch()
    client.wait_finished(batch_id)
    assert client.api.get(DETAILS, phone_number=number).ok["total"] == 2
    assert client.api.get(DETAILS, phone_number=number, batch_id=batch_id).ok["total"] == 1


@pytest.fixture
def client_of(stack):
    return stack.new_client


@pytest.mark.parametrize("query", [{"cursor": "x"}, {"cursor": ""}, {"cursor": "1.2"}, {"cursor": "1.2.999"},
                                   {"cursor": f"{2**64}.1.1"}, {"cursor": "1.1.1", "page": 2}, {"sort": "duration"},
                                   {"phone_number": "x"}, {"format": "xml"}, {"format": ""},
                                   {"format": "csv", "page": 1}, {"format": "csv", "size": 10},
                                   {"format": "csv", "cursor": "1.1.1"}, {"format": "csv", "status": "done"}])
def test_Q15_strange_questions_are_refused_by_name(busy, query):
    answer = busy.api.get(DETAILS, **query)
    assert answer.status == 400 and any(name in answer.json["detail"] for name in query)


# CSV


def export(client, **query):
    answer = client.api.get(DETAILS, format="csv", **query)
    assert answer.status == 200, answer.body
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="calls.csv"'
    assert answer.headers["X-RateLimit-Remaining"] and answer.headers["X-Request-Id"]
    text = answer.body.decode()
    assert text.count("\r\n") == text.count("\n")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def as_text(value) -> str:
    """A member of JSON as CSV has it."""
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, (bool, dict)) else str(value)


def told_as_text(one) -> dict:
    """One item of JSON as a line of CSV has it. Who passes JSON on may write 0.000 as 0."""
    seconds = {name: f"{one[name]:.3f}" for name in ("duration", "billsec")}
    return {name: as_text(value) for name, value in one.items()} | seconds


def test_Q15_csv_has_every_row_with_the_members_of_json(busy):
    rows, told = export(busy), walk(busy)
    assert len(rows) == MANY and list(rows[0]) == list(told[0])
    for row, one in zip(rows, told):
        assert told_as_text(one) == row
    assert rows[0]["reason"] == 'said "no", twice'


def test_Q15_ndjson_has_every_row_with_the_members_of_json(busy):
    answer = busy.api.get(DETAILS, format="ndjson", status="busy")
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/x-ndjson"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="calls.ndjson"'
    lines = answer.body.decode().split("\n")
    assert lines.pop() == "" and [json.loads(line) for line in lines] == walk(busy, status="busy")
    assert busy.api.get(DETAILS, format="ndjson").body.count(b"\n") == MANY
    assert busy.api.get(DETAILS, format="ndjson", start_date="2025-01-01").body == b""


def test_a_spreadsheet_computes_nothing_of_csv(stack):
    client = stack.new_client("FORMULAS")
    fill(stack, client, 2)
    stack.sql("update call_detail set reason = '=cmd|x, \"y\"' where client_id = %s", client.client_id)
    [plain, _], [safe, _] = export(client), export(client, spreadsheet=1)
    assert (plain["reason"], plain["e164"]) == ('=cmd|x, "y"', "+919800000000")
    assert (safe["reason"], safe["e164"], safe["phone_number"]) == ('\'=cmd|x, "y"', "'+919800000000", "9800000000")


def test_Q15_csv_of_some(busy):
    assert len(export(busy, status="busy")) == MANY // 10
    backwards = export(busy, phone_number="9800000017", sort="-started_at")
    assert [json.loads(row["custom_data"])["i"] for row in backwards] == [4017, 3017, 2017, 1017, 17]
    assert export(busy, start_date="2025-01-01") == []


def test_csv_of_nothing_is_a_line_of_names(quiet):
    answer = quiet.api.get(DETAILS, format="csv")
    assert answer.body.startswith(b'call_id,batch_id,attempt,') and answer.body.count(b"\r\n") == 1


def test_head_of_csv(busy):
    head = busy.api.request("HEAD", DETAILS, format="csv")
    assert head.status == 200 and head.body == b"" and head.headers["Content-Type"].startswith("text/csv")
    assert len(export(busy, status="busy")) == MANY // 10  # it has let go of its place


def test_an_export_that_fails_breaks_off(stack, busy):
    """In its third piece, when its beginning has been sent long ago: nobody may take it for the whole."""
    straight = Api(stack.base_url, busy.key, ca_file=stack.ca_file)  # a proxy would make an answer of it
    # A piece is two statements; the fifth that looks at call_detail divides by zero.
    stack.sql("""create sequence fuse; grant usage on fuse to ccs_api;
                 create policy boom on call_detail as restrictive to ccs_api
                  using (1 / greatest(5 - (select nextval('fuse')), 0) >= 0)""")
    try:
        with pytest.raises(http.client.IncompleteRead) as broken:
            straight.get(DETAILS, format="csv")
    finally:
        stack.sql("drop policy boom on call_detail; drop sequence fuse")
    assert broken.value.partial.startswith(b"call_id,")
    assert len(export(busy)) == MANY


def test_B4_one_export_of_a_client_and_some_of_all(stack, busy, quiet):
    lock = "select pg_advisory_lock(hashtextextended(%s, 0))"

    def refused(client):
        answer = client.api.get(DETAILS, format="csv")
        return answer.status == 429 and answer.json["code"] == "too_many_exports" and int(answer.headers["Retry-After"]) > 0

    with contextlib.closing(psycopg2.connect(stack.stack.superuser_dsn())) as other, other.cursor() as held:
        held.execute(lock, [f"ccs.export of client {busy.client_id}"])
        assert refused(busy) and refused(busy)
        assert export(quiet) == [] and busy.api.get(DETAILS).status == 200
        held.execute("select pg_advisory_unlock_all()")
        assert len(export(busy, status="busy")) == MANY // 10
        for place in 1, 2:
            held.execute(lock, [f"ccs.export {place}"])
        assert refused(busy) and refused(quiet)
        held.execute("select pg_advisory_unlock_all()")
        assert export(quiet) == []
