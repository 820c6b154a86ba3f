"""Details and summaries: the document's sums, the client's own days, and nobody else's calls."""
import datetime
import zoneinfo

import pytest

INDIA = zoneinfo.ZoneInfo("Asia/Kolkata")
SUMMARY = "/client-call-details/summary"
TOTALS = "/monitoring/callingsummary"
DETAILS = "/client-call-details/details"
BUCKETS = ["Before 09AM", "09AM-11AM", "11AM-01PM", "01PM-03PM", "03PM-05PM", "05PM-07PM",
           "After 7PM", "Grand Total"]


def rollup(stack, client, date, hour, *, calls=1, completed=0, ms=0, server_id=1):
    stack.sql("""
        insert into rollup_hour (client_id, server_id, local_date, local_hour, calls, completed,
                                 duration_ms)
        values (%s, %s, %s, %s, %s, %s, %s)""",
              client.client_id, server_id, date, hour, calls, completed, ms)


def detail(stack, client, started_at, *, disposition="busy", batch_id=None, number="100", n=1):
    """One finished attempt with its rollup, as the dispatcher would have written it."""
    local = started_at.astimezone(INDIA)
    [[chunk_id]] = stack.sql("select nextval('chunk_id_seq')")
    master = None
    if batch_id:
        [[master]] = stack.sql("""
            insert into queue_master (client_id, batch_id, content, inserted_count)
            values (%s, %s, '', 1) returning id""", client.client_id, batch_id)
    stack.sql(f"""
        insert into entry (entry_id, client_id, queue_master_id, phone_number, number, custom_data)
        values (%(entry)s, %(client)s, %(master)s, %(number)s, %(number)s, '{{"a": 1.50}}');
        insert into call_detail (entry_id, n, client_id, queue_master_id, server_id, did,
                                 disposition, hangup_cause, reason, is_final, started_at, ended_at,
                                 duration_ms, billsec_ms, number)
        values (%(entry)s, %(n)s, %(client)s, %(master)s, %(server)s, '911140000001',
                %(disposition)s, 17, 'user busy', true, %(at)s,
                %(at)s::timestamptz + interval '1.25 s', 1250, 0, %(number)s);
        insert into rollup_hour as r (client_id, server_id, local_date, local_hour, calls,
                                      duration_ms, {disposition})
        select %(client)s, %(server)s, %(date)s, %(hour)s, 1, 1250, 1 where %(n)s > 0
        on conflict (client_id, local_date, local_hour, server_id) do update
           set calls = r.calls + 1, duration_ms = r.duration_ms + 1250,
               {disposition} = r.{disposition} + 1""",
              entry=chunk_id * 1024, client=client.client_id, master=master, number=number, n=n,
              server=1 if n else None, disposition=disposition, at=started_at,
              date=local.date(), hour=local.hour)
    return f"ccs-{chunk_id * 1024:014x}{n:02x}"


def at(*moment):
    return datetime.datetime(*moment, tzinfo=INDIA)


@pytest.mark.exact_bytes
def test_E12_H1_H2_the_documents_sums(stack):
    client = stack.new_client("SUMS")
    rollup(stack, client, "2024-01-01", 8, calls=1000, completed=900, ms=120_000_000)
    rollup(stack, client, "2024-01-31", 9, calls=500, completed=300, ms=60_750_000)
    answer = client.api.get(TOTALS, accountcode=client.accountcode, start_date="2024-01-01",
                            end_date="2024-01-31")
    assert answer.ok == {"total_calls": 1500, "successful_calls": 1200, "failed_calls": 300,
                         "success_rate": 80.0, "average_call_duration": 120.5,
                         "total_duration": 180750.0}
    assert b'"success_rate":80.0,' in answer.body and b'"total_duration":180750.0' in answer.body


def test_E14_H3_H4_buckets_in_the_documents_order(stack):
    client = stack.new_client("BUCKETS")
    for hour in range(24):
        rollup(stack, client, "2024-02-29", hour, calls=1 << hour, ms=(hour + 1) * 1000)
    summary = client.api.get(SUMMARY, start_date="2024-02-29", end_date="2024-02-29").ok["summary"]
    assert list(summary) == BUCKETS
    edges = [0, 9, 11, 13, 15, 17, 19, 24]
    for name, first, end in zip(BUCKETS, edges, edges[1:]):
        assert summary[name] == {"calls": sum(1 << hour for hour in range(first, end)),
                                 "duration": sum(hour + 1 for hour in range(first, end))}
    assert summary["Grand Total"] == {"calls": (1 << 24) - 1, "duration": 300}


def test_H3_no_calls_are_zeros(stack):
    client = stack.new_client("SILENT")
    assert client.api.get(SUMMARY).ok["summary"] == {name: {"calls": 0, "duration": 0}
                                                     for name in BUCKETS}
    assert client.api.get(TOTALS).ok == {"total_calls": 0, "successful_calls": 0, "failed_calls": 0,
                                         "success_rate": 0.0, "average_call_duration": 0.0,
                                         "total_duration": 0.0}
    assert client.api.get(DETAILS).ok == {"items": [], "total": 0, "page": 1, "size": 50,
                                          "pages": 0, "next_cursor": None}


def test_F11_H3_both_ends_of_a_period_count_and_rounded_parts_add_up(stack):
    client = stack.new_client("PERIOD")
    for day in range(1, 5):
        rollup(stack, client, f"2024-03-0{day}", 10, ms=600)
        rollup(stack, client, f"2024-03-0{day}", 12, ms=600)

    def calls(**period):
        return client.api.get(TOTALS, **period).ok["total_calls"]

    assert calls(start_date="2024-03-02", end_date="2024-03-03") == 4
    assert calls(start_date="2024-03-02", end_date="2024-03-02") == 2
    assert calls(start_date="2024-03-02") == 6  # until today
    assert calls(end_date="2024-03-02") == 2  # that day
    assert calls() == 0  # today
    summary = client.api.get(SUMMARY, start_date="2024-03-01", end_date="2024-03-01").ok["summary"]
    assert summary["Grand Total"] == {"calls": 2, "duration": 2}


def test_Q14_Q16_today_is_the_clients_day(stack):
    """Somewhere on earth it is another day already, or still."""
    client = stack.new_client("ELSEWHERE")
    for zone in "Pacific/Kiritimati", "Pacific/Pago_Pago":
        stack.sql("update client set timezone = %s where id = %s", zone, client.client_id)
        client.api.post("/controls/setup-channels").ok  # nobody answers from what was read before
        stack.sql("delete from rollup_hour where client_id = %s", client.client_id)
        rollup(stack, client, datetime.datetime.now(zoneinfo.ZoneInfo(zone)).date(), 0)
        assert client.api.get(TOTALS).ok["total_calls"] == 1


def test_B7_one_server(stack):
    client = stack.new_client("SERVED")
    [[server_id]] = stack.sql("select id from server where server_code = 'ast1'")
    rollup(stack, client, "2024-04-01", 9, calls=3, server_id=server_id)
    rollup(stack, client, "2024-04-01", 9, calls=4, server_id=server_id + 1000)
    day = {"start_date": "2024-04-01", "end_date": "2024-04-01"}
    assert client.api.get(TOTALS, **day).ok["total_calls"] == 7
    assert client.api.get(TOTALS, server_code="ast1", **day).ok["total_calls"] == 3
    summary = client.api.get(SUMMARY, server_code="ast1", **day).ok["summary"]
    assert summary["09AM-11AM"]["calls"] == 3
    assert client.api.get(TOTALS, server_code="nobody", **day).status == 403


@pytest.fixture(scope="module")
def detailed(stack):
    """A client with attempts at the ends of two days, one of them in a batch, and an entry that was
    never dialled."""
    client = stack.new_client("DETAILED")
    detail(stack, client, at(2024, 5, 1, 0, 0), disposition="completed")
    detail(stack, client, at(2024, 5, 1, 12, 0), n=0)
    detail(stack, client, at(2024, 5, 1, 23, 59, 59, 999_999), batch_id=5, number="+911234567890")
    detail(stack, client, at(2024, 5, 2, 0, 0))
    other = stack.new_client("DETAILED-2")
    detail(stack, other, at(2024, 5, 1, 12, 0), batch_id=5)
    return client


def test_E13_Q15_details_row(detailed):
    [row] = detailed.api.get(DETAILS, batch_id=5).ok["items"]
    assert row["phone_number"] == "+911234567890" and row["batch_id"] == 5
    assert row["attempt"] == 1 and row["is_final"] is True
    assert row["status"] == row["disposition"] == "busy"
    assert (row["hangup_cause"], row["reason"]) == (17, "user busy")
    assert row["started_at"] == "2024-05-01T18:29:59.999Z" and row["answered_at"] is None
    assert (row["duration"], row["billsec"]) == (1.25, 0)
    assert row["custom_data"] == {"a": 1.5} and row["recording_url"] is None
    assert row["did"] == "911140000001"


def test_F11_Q16_details_by_local_days(detailed):
    def total(**period):
        answer = detailed.api.get(DETAILS, **period).ok
        assert answer["total"] == len(answer["items"])
        return answer["total"]

    assert total(start_date="2024-05-01", end_date="2024-05-01") == 2
    assert total(start_date="2024-05-02") == 1
    assert total(end_date="2024-05-01") == 2
    assert total(start_date="2024-05-01", end_date="2024-05-02", status="busy") == 2
    assert total(status="completed") == 1
    assert total(batch_id=5, start_date="2024-05-02") == 0
    assert detailed.api.get(DETAILS, batch_id=6).status == 403
    assert total() == 3


def test_E13_Q11_details_page_by_page(detailed):
    everything = detailed.api.get(DETAILS).ok["items"]
    started = [row["started_at"] for row in everything]
    assert started == sorted(started)
    first = detailed.api.get(DETAILS, size=2).ok
    assert (first["total"], first["pages"], first["items"]) == (3, 2, everything[:2])
    assert detailed.api.get(DETAILS, page=2, size=2).ok["items"] == everything[2:]
    behind = detailed.api.get(DETAILS, page=9, size=2).ok
    assert (behind["total"], behind["page"], behind["items"]) == (3, 9, [])


@pytest.mark.parametrize("query", [{"start_date": "2024-02-30"}, {"start_date": "2023-02-29"},
                                   {"end_date": "2024-13-01"}, {"end_date": "24-01-01"},
                                   {"start_date": ""}, {"start_date": "2024-01-02T00:00"},
                                   {"start_date": "2024-01-02", "end_date": "2024-01-01"}])
@pytest.mark.parametrize("path", [DETAILS, SUMMARY, TOTALS])
def test_F11_dates_of_no_calendar(stack, path, query):
    answer = stack.api.get(path, **query)
    assert answer.status == 400 and any(name in answer.json["detail"] for name in query)
