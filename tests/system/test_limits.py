"""No limit is ever exceeded: channels, calls an hour, the calling window; for clients and servers."""
import datetime
import zoneinfo

INDIA = zoneinfo.ZoneInfo("Asia/Kolkata")

# The most calls that were in progress at one moment, by the journal and the details: an end at the
# same microsecond as a start comes first, as its channel was free by then.
_MOST_AT_ONCE = """
select coalesce(max(live), 0) from (
    select sum(step) over (order by at, step) as live from (
        select started_at as at, 1 as step from call_detail where client_id = any(%s) and n > 0
        union all
        select ended_at, -1 from call_detail where client_id = any(%s) and n > 0) steps) running
"""


def most_at_once(stack, *clients):
    ids = [client.client_id for client in clients]
    return stack.sql(_MOST_AT_ONCE, ids, ids)[0][0]


def finish_watched(client, numbers):
    """Dials a batch; the most live calls that the API ever showed meanwhile, and its report."""
    batch = client.insert(numbers)
    client.dispatch()
    most = 0
    while client.report(batch).open:
        most = max(most, client.live_calls())
    return most, client.report(batch)


def test_B3_client_channels(stack, asterisk):
    client = stack.new_client("FIVE", channels=5)
    most, report = finish_watched(client, asterisk.numbers("answered", 30, talk=1))
    assert most == most_at_once(stack, client) == 5
    assert report.dispositions == {"completed": 30}


def test_B3_allocation_channels(stack, asterisk):
    client = stack.new_client("THREEOFTEN", channels=10)
    stack.stack.allocate(client.accountcode, channels=3)
    most, _ = finish_watched(client, asterisk.numbers("answered", 15, talk=1))
    assert most == most_at_once(stack, client) == 3


def test_B2_B3_server_channels_are_shared(stack, asterisk):
    clients = [stack.new_client(name, channels=20) for name in ("LEFT", "RIGHT")]
    with stack.server_limited("ast1", allowed_active_calls=6):
        batches = [(client, client.insert(asterisk.numbers("answered", 15, talk=1)))
                   for client in clients]
        for client, _ in batches:
            client.dispatch()
        for client, batch in batches:
            client.wait_finished(batch)
    assert most_at_once(stack, *clients) == 6
    assert all(most_at_once(stack, client) > 0 for client in clients)


def test_B10_lowered_channels_start_no_call_until_enough_have_ended(stack, asterisk):
    client = stack.new_client("SHRINKS", channels=12)
    batch = client.insert(asterisk.numbers("answered", 24, talk=2))
    client.dispatch()
    stack.wait_until(lambda: client.live_calls() == 12, "all channels are in use")
    client.set_limits(channels=4)
    lowered_at = stack.sql("select now()")[0][0]
    client.wait_finished(batch)
    # Every call begun later than a moment after the change found fewer than four others live.
    crowded = stack.sql("""
        select count(*) from call_detail late
         where client_id = %s and started_at > %s + interval '1 second'
           and (select count(*) from call_detail other
                 where other.client_id = late.client_id and other.started_at < late.started_at
                   and other.ended_at > late.started_at) >= 4""", client.client_id, lowered_at)
    assert crowded[0][0] == 0


def test_F5_Q19_calls_an_hour_of_a_client(stack, asterisk):
    # 200 an hour: a burst of 10, then one in 19 seconds.
    client = stack.new_client("HOURLY", rate_limit=200)
    batch = client.insert(asterisk.numbers("busy", 30))
    client.dispatch()
    stack.wait_until(lambda: client.attempts() >= 10 and client.live_calls() == 0,
                     "the burst is over")
    assert client.dispatch()["blocked_reason"] in ("client_rate", "allocation_rate")
    assert client.attempts() == 10
    client.set_limits(rate_limit=100_000)
    assert client.wait_finished(batch).dispositions == {"busy": 30}


def test_B2_Q19_calls_an_hour_of_a_server(stack, asterisk):
    client = stack.new_client("SERVERHOURLY")
    spent = stack.sql("select count(*) from attempt where armed_at > now() - interval '1 hour'")
    with stack.server_limited("ast1", rate_limit=max(20, spent[0][0])):
        batch = client.insert(asterisk.numbers("busy", 5))
        client.dispatch()
        stack.wait_until(lambda: client.dispatch()["blocked_reason"] == "server_rate",
                         "the server's rate is the reason")
        assert client.attempts() == 0
    assert client.wait_finished(batch).dispositions == {"busy": 5}


def test_B2_Q19_calls_an_hour_of_a_share_that_is_taken_away_and_given_again(stack, asterisk):
    client = stack.new_client("AGAIN", rate_limit=1000)

    def give_share():  # 20 an hour begin one by one
        stack.stack.ccs.ctl("alloc", "set", client.accountcode, "ast1", "--channels=5", "--rate-limit=20")

    def in_the_way():
        verdict = client.api.get(f"/queues/entries/{int(waits.removeprefix('ccs-')[:14], 16)}/explain").ok["blocked_by"]
        return verdict and verdict["gate"]

    give_share()
    stack.outcome(client.call(asterisk.numbers("busy")[0]))
    stack.sql("delete from allocation where client_id = %s", client.client_id)
    stack.reload(client.client_id)
    waits = client.call(asterisk.numbers("busy")[0])
    stack.wait_until(lambda: in_the_way() == "no_server", "the share is gone")
    give_share()
    stack.wait_until(lambda: in_the_way() == "allocation_rate", "what it began under the old share counts")
    assert client.attempts() == 1


def test_B5_Q18_closed_window_dials_nothing_and_opens(stack, asterisk):
    client = stack.new_client("NIGHT")
    now = datetime.datetime.now(INDIA)
    client.set_window(now + datetime.timedelta(hours=1), now + datetime.timedelta(hours=2))
    batch = client.insert(asterisk.numbers("busy", 3))
    assert client.dispatch()["blocked_reason"] == "window_closed"
    stack.outcome(stack.call(asterisk.numbers("busy")[0]))  # others are dialled meanwhile
    assert client.attempts() == 0

    opens = datetime.datetime.now(INDIA) + datetime.timedelta(seconds=3)
    client.set_window(opens, opens + datetime.timedelta(hours=1))
    report = client.wait_finished(batch)
    assert report.dispositions == {"busy": 3}
    first = stack.sql("select min(started_at) from call_detail where client_id = %s",
                      client.client_id)[0][0]
    assert opens.replace(microsecond=0) <= first

