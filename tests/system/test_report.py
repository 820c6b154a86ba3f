"""GET /monitoring/report: figures of calls in groups, against rows that were counted by hand."""
import datetime
import zoneinfo

import pytest

INDIA = zoneinfo.ZoneInfo("Asia/Kolkata")
REPORT = "/monitoring/report"
DAY = {"start_date": "2024-06-10", "end_date": "2024-06-10"}

# When it began, seconds from dial to hang-up and from answer to hang-up, how it ended, cause, server, did, batch.
#
#   09:59:50 ├─── 1 ───────────────┤ 10:00:30
#   10:00:00   ├── 2 ──┤ 10:00:10                  1, 2 and 3 at once from 10:00:05 to 10:00:10
#   10:00:05      ├ 3 ─┼────┤ 10:00:25
#   10:00:10           ├ 4 ┤ 10:00:12              begins when 2 ends: 1, 3 and 4
#   10:30:00                          5            never in progress: refused at once
#   23:59:59                                ├ 6 ── 00:00:19
CALLS = [
    ("09:59:50", 40, 30, "completed", 16, "one", "911", 1),
    ("10:00:00", 10, 0, "busy", 17, "one", "911", 1),
    ("10:00:05", 20, 10, "completed", 16, "two", "912", 2),
    ("10:00:10", 2, 0, "failed", None, "one", "912", None),
    ("10:30:00", 0, 0, "failed", None, "two", "912", 2),
    ("23:59:59", 20, 5.5, "completed", 16, "one", "911", None),
]


def server_ids(stack):
    for code in "one", "two":
        stack.sql("""insert into server (server_code, host, port, ami_user, ami_secret, channel_template, allowed_active_calls,
                                         rate_limit, status)
                     select 'report-' || %s, '127.0.0.1', 9, 'ccs', ''::bytea, 'PJSIP/{number}@x', 1, 1, 'disabled'""", code)
    return dict(stack.sql("select right(server_code, 3), id from server where server_code like 'report-%%'"))


def call(stack, client, servers, one):
    """As the dispatcher would have written it, rollup and all."""
    time, duration, billsec, disposition, cause, server, did, batch = one
    at = datetime.datetime.fromisoformat(f"2024-06-10T{time}").replace(tzinfo=INDIA)
    stack.sql(f"""
        insert into queue_master (client_id, batch_id, content, inserted_count)
        select %(client)s, %(batch)s, '', 1 where %(batch)s is not null on conflict do nothing;
        insert into call_detail (entry_id, n, client_id, queue_master_id, server_id, did, disposition, hangup_cause, reason,
                                 is_final, started_at, ended_at, duration_ms, billsec_ms)
        values (nextval('chunk_id_seq') * 1024, 1, %(client)s,
                (select id from queue_master where client_id = %(client)s and batch_id = %(batch)s), %(server)s, %(did)s,
                %(disposition)s, %(cause)s, 'x', true, %(at)s, %(end)s, %(ms)s, %(billsec)s);
        insert into rollup_hour as r (client_id, server_id, local_date, local_hour, calls, duration_ms, billsec_ms, {disposition})
        values (%(client)s, %(server)s, %(date)s, %(hour)s, 1, %(ms)s, %(billsec)s, 1)
        on conflict (client_id, local_date, local_hour, server_id) do update
           set calls = r.calls + 1, duration_ms = r.duration_ms + excluded.duration_ms,
               billsec_ms = r.billsec_ms + excluded.billsec_ms, {disposition} = r.{disposition} + 1""",
              client=client.client_id, batch=batch, server=servers[server], did=did, disposition=disposition, cause=cause,
              at=at, end=at + datetime.timedelta(seconds=duration), ms=duration * 1000, billsec=int(billsec * 1000),
              date=at.date(), hour=at.hour)


@pytest.fixture(scope="module")
def reported(stack):
    client = stack.new_client("REPORTED")
    servers = server_ids(stack)
    for one in CALLS:
        call(stack, client, servers, one)
    for server_id in servers.values():
        stack.sql("""insert into allocation (client_id, server_id, allowed_active_calls, rate_limit)
                     values (%s, %s, 0, 0)""", client.client_id, server_id)
    yield client
    stack.sql("""delete from allocation where server_id = any(%s); delete from server where server_code like 'report-%%'""",
              list(servers.values()))
    stack.reload()


def figures(calls, answered, asr, acd, duration, billsec, peak):
    return {"calls": calls, "answered": answered, "asr": asr, "acd": acd, "duration": duration, "billsec": billsec,
            "peak_concurrency": peak}


TOTAL = figures(6, 3, 50.0, 15.2, 92.0, 45.5, 3)
GROUPS = {
    "server": [{"server_code": "report-one"} | figures(4, 2, 50.0, 17.8, 72.0, 35.5, 2),
               {"server_code": "report-two"} | figures(2, 1, 50.0, 10.0, 20.0, 10.0, 1)],
    "did": [{"did": "911"} | figures(3, 2, 66.7, 17.8, 70.0, 35.5, 2),
            {"did": "912"} | figures(3, 1, 33.3, 10.0, 22.0, 10.0, 2)],
    "batch": [{"batch_id": None} | figures(2, 1, 50.0, 5.5, 22.0, 5.5, 1),
              {"batch_id": 1} | figures(2, 1, 50.0, 30.0, 50.0, 30.0, 2),
              {"batch_id": 2} | figures(2, 1, 50.0, 10.0, 20.0, 10.0, 1)],
    "hour": [{"date": "2024-06-10", "hour": 9} | figures(1, 1, 100.0, 30.0, 40.0, 30.0, 1),
             {"date": "2024-06-10", "hour": 10} | figures(4, 1, 25.0, 10.0, 32.0, 10.0, 2),
             {"date": "2024-06-10", "hour": 23} | figures(1, 1, 100.0, 5.5, 20.0, 5.5, 1)],
    "disposition": [{"disposition": "completed"} | figures(3, 3, 100.0, 15.2, 80.0, 45.5, 2),
                    {"disposition": "failed"} | figures(2, 0, 0.0, 0.0, 2.0, 0.0, 1),
                    {"disposition": "busy"} | figures(1, 0, 0.0, 0.0, 10.0, 0.0, 1)],
    "cause": [{"hangup_cause": 16} | figures(3, 3, 100.0, 15.2, 80.0, 45.5, 2),
              {"hangup_cause": None} | figures(2, 0, 0.0, 0.0, 2.0, 0.0, 1),
              {"hangup_cause": 17} | figures(1, 0, 0.0, 0.0, 10.0, 0.0, 1)],
}


@pytest.mark.parametrize("by", GROUPS)
def test_B7_groups_as_counted_by_hand(reported, by):
    answer = reported.api.get(REPORT, group_by=by, **DAY).ok
    assert answer["groups"] == GROUPS[by] and answer["total"] == TOTAL
    assert (answer["group_by"], answer["start_date"], answer["end_date"], answer["timezone"], answer["groups_total"]) == (
        by, "2024-06-10", "2024-06-10", "Asia/Kolkata", len(GROUPS[by]))


def test_a_day_begins_and_ends_in_the_clients_zone(stack, reported):
    """18:29:59 UTC of the 10th is the last second of it in India, and the afternoon of the 10th in Apia."""
    before = reported.api.get(REPORT, group_by="did", start_date="2024-06-09", end_date="2024-06-09").ok
    after = reported.api.get(REPORT, group_by="did", start_date="2024-06-11", end_date="2024-06-11").ok
    assert before["groups"] == after["groups"] == [] and after["total"] == figures(0, 0, 0.0, 0.0, 0.0, 0.0, 0)
    stack.sql("update client set timezone = 'Pacific/Apia' where id = %s", reported.client_id)
    reported.api.post("/controls/setup-channels").ok  # nobody answers from what was read before
    try:
        moved = reported.api.get(REPORT, group_by="did", start_date="2024-06-11", end_date="2024-06-11").ok
    finally:
        stack.sql("update client set timezone = 'Asia/Kolkata' where id = %s", reported.client_id)
        reported.api.post("/controls/setup-channels").ok
    assert moved["timezone"] == "Pacific/Apia" and moved["total"]["calls"] == 1  # 23:59:59 in India


def test_hours_and_servers_outlive_their_details(stack):
    client = stack.new_client("REPORT-OLD")
    stack.sql("""insert into rollup_hour (client_id, server_id, local_date, local_hour, calls, completed, duration_ms, billsec_ms)
                 values (%s, 1, '2024-06-10', 9, 4, 3, 10000, 9000)""", client.client_id)
    [hour] = client.api.get(REPORT, group_by="hour", **DAY).ok["groups"]
    assert hour == {"date": "2024-06-10", "hour": 9} | figures(4, 3, 75.0, 3.0, 10.0, 9.0, 0)
    assert client.api.get(REPORT, group_by="cause", **DAY).ok["groups"] == []


def test_without_dates_it_is_today(stack, asterisk):
    client = stack.new_client("REPORT-TODAY")
    client.outcome(client.call(asterisk.numbers("busy")[0]))
    assert client.api.get(REPORT).ok["group_by"] == "server"
    answer = client.api.get(REPORT, group_by="disposition").ok
    assert [(one["disposition"], one["calls"]) for one in answer["groups"]] == [("busy", 1)]
    assert answer["start_date"] == answer["end_date"] == datetime.datetime.now(INDIA).date().isoformat()


@pytest.mark.parametrize("query, named", [
    ({"group_by": "colour"}, "group_by"), ({"group_by": ""}, "group_by"),
    ({"group_by": "hour", "start_date": "x"}, "start_date"),
    ({"group_by": "hour", "start_date": "2024-01-01", "end_date": "2024-02-01"}, "31 days"),
    ({"group_by": "hour", "start_date": "9999-01-01"}, "start_date")])
def test_strange_questions_are_refused_by_name(reported, query, named):
    answer = reported.api.get(REPORT, **query)
    assert answer.status == 400 and named in answer.json["detail"]


def test_A7_another_clients_calls_are_in_no_report(stack, reported):
    other = stack.new_client("REPORT-OTHER")
    for by in GROUPS:
        assert other.api.get(REPORT, group_by=by, **DAY).ok["total"]["calls"] == 0
    assert other.api.get(REPORT, group_by="did", accountcode=reported.accountcode).status == 403
