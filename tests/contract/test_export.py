"""Details as CSV: the same calls with the same columns as in JSON, however many they are, or visibly broken off."""
import csv
import http.client
import io
import os
import signal
import ssl
import urllib.parse

import pytest

DETAILS = "/client-call-details/details"
LARGE = 60_000

# So many finished attempts of one client, a second apart, each in a batch by its last digit.
_MANY = """
with masters as (
    insert into queue_master (client_id, batch_id, content, inserted_count)
    select %(client)s, k, '', 0 from generate_series(1, 10) k returning id, batch_id
), ids as (
    select nextval('chunk_id_seq') as chunk, k from generate_series(0, (%(count)s - 1) / 1000) k
), entries as (
    insert into entry (entry_id, client_id, queue_master_id, phone_number, number, custom_data)
    select chunk * 1024 + i, %(client)s, (select id from masters where batch_id = i %% 10 + 1), '9876543210', '9876543210',
           '{"say": "a, \\"b\\"", "i": ' || k * 1000 + i || '}'
      from ids, generate_series(0, 999) i
     where k * 1000 + i < %(count)s
    returning entry_id, queue_master_id
), hours as (
    insert into rollup_hour (client_id, server_id, local_date, local_hour, calls, busy)
    values (%(client)s, 1, '2024-06-01', 0, %(count)s, %(count)s)
)
insert into call_detail (entry_id, n, client_id, queue_master_id, server_id, did, disposition, hangup_cause, reason, is_final,
                         started_at, ended_at, duration_ms, billsec_ms)
select entry_id, 1, %(client)s, queue_master_id, 1, '911140000001', 'busy', 17, E'line\\nbreak', true,
       timestamptz '2024-06-01 00:00+05:30' + row_number() over (order by entry_id) / 3 * interval '1 second',
       timestamptz '2024-06-03 00:00+05:30', 1250, 0
  from entries
"""


@pytest.fixture(scope="module")
def exporter(stack):
    client = stack.new_client("EXPORTER")
    stack.sql(_MANY, client=client.client_id, count=2500)
    return client


def export(client, **query):
    answer = client.api.get(DETAILS, format="csv", **query)
    assert answer.status == 200 and answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert 'filename="calls.csv"' in answer.headers["Content-Disposition"]
    assert answer.body.endswith(b"\r\n")
    return list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))


def as_text(value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def test_Q15_csv_says_what_json_says(exporter):
    rows = export(exporter)
    assert len(rows) == 2500
    in_json = list(exporter.api.pages(DETAILS, status="busy"))
    assert [row["call_id"] for row in rows] == [row["call_id"] for row in in_json]
    for row, other in zip(rows[:300], in_json):
        assert list(row) == list(other)
        assert row.pop("custom_data") == '{"say": "a, \\"b\\"", "i": %d}' % other.pop("custom_data")["i"]
        for seconds in "duration", "billsec":
            assert float(row.pop(seconds)) == other.pop(seconds)
        assert row == {name: as_text(value) for name, value in other.items()}
    assert rows[0]["reason"] == "line\nbreak"


def test_Q15_csv_of_a_choice(stack, exporter):
    batch = export(exporter, batch_id=3)
    assert len(batch) == 250 and {row["batch_id"] for row in batch} == {"3"}
    assert [row["started_at"] for row in batch] == sorted(row["started_at"] for row in batch)
    assert export(exporter, status="completed") == [] == export(exporter, start_date="2024-06-02")
    assert len(export(exporter, start_date="2024-06-01", end_date="2024-06-01", status="busy")) == 2500
    assert export(stack.new_client("EMPTY")) == []
    for query in {"format": "xml"}, {"format": "csv", "start_date": "x"}, {"format": "csv", "batch_id": 99}:
        answer = exporter.api.get(DETAILS, **query)
        assert answer.status in (400, 403) and answer.headers.get_content_type() == "application/json"


def test_Q15_a_long_export_is_whole_or_breaks_off(stack):
    client = stack.new_client("ARCHIVIST")
    stack.sql(_MANY, client=client.client_id, count=LARGE)
    where = urllib.parse.urlsplit(stack.base_url)
    connection = http.client.HTTPSConnection(where.hostname, where.port,
                                             context=ssl.create_default_context(cafile=stack.ca_file))

    def ask():
        connection.request("GET", f"/api/v1{DETAILS}?format=csv", headers={"X-API-KEY": client.key})
        return connection.getresponse()

    assert ask().read().count(b"\nccs-") == LARGE
    answer = ask()
    assert answer.status == 200 and answer.read(1000)
    # Between two pieces: the next one finds its session gone.
    workers = stack.children("api")
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    try:
        stack.sql("select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = 'ccs_api'")
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
    with pytest.raises(http.client.IncompleteRead):
        answer.read()
    connection.close()
    stack.wait_until(lambda: client.api.get(DETAILS, size=1).status == 200, "workers are connected")
