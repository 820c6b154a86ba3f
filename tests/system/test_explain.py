"""Why is this not called? For each gate a situation in which only that one is shut, and everybody who may ask is told so."""
import contextlib
import datetime
import itertools
import json
import zoneinfo

import pytest

from farmed import WINDOW, farmed_stack
from live import FarEnd
from stack import proc

CHANNELS = WINDOW + 10  # of a server: more than may be unanswered
BEHAVED, MOODY, MUTE = "farm1", "farm2", "farm3"
INDIA = zoneinfo.ZoneInfo("Asia/Kolkata")


@pytest.fixture(scope="module")
def farmed(request):
    with farmed_stack(request, 3, CHANNELS) as live:
        yield live
        live.stack.rig().set_mood("normal")


@pytest.fixture(scope="module")
def far_end(farmed):
    return FarEnd(farmed)


_names = itertools.count(1)


def tenant(farmed, *, server=BEHAVED, channels=CHANNELS, rate=100_000, share=(CHANNELS, 100_000), **fields):
    """A client with a share of one server, or of none."""
    name = f"WHY{next(_names)}"
    client = farmed.new_client(name, channels=channels, rate_limit=rate, **fields)
    farmed.sql("delete from allocation where client_id = %s", client.client_id)
    if server:
        farmed.sql("""insert into allocation (client_id, server_id, allowed_active_calls, rate_limit)
                      select %s, id, %s, %s from server where server_code = %s""", client.client_id, *share, server)
    farmed.reload(client.client_id)
    return client


def set_client(farmed, client, **columns):
    for name, value in columns.items():
        farmed.sql(f"update client set {name} = %s where id = %s", value, client.client_id)
    farmed.reload(client.client_id)


def entry_of(call_id):
    return int(call_id.removeprefix("ccs-")[:14], 16)


def explain_entry(client, call_id):
    return client.api.get(f"/queues/entries/{entry_of(call_id)}/explain").ok


def explain_batch(client, batch_id):
    return client.api.get(f"/queues/queue-masters/{batch_id}/explain").ok


def explain_client(client):
    return client.api.get("/clients/me/explain").ok


def shut(answer) -> list:
    """Names of all gates that block."""
    return [gate["gate"] for part in (answer, *answer["servers"]) for gate in part["gates"] if gate["blocks"]]


def blocked_only_by(farmed, ask, gate):
    """Waits until that is so; the verdict."""

    def verdict():
        answer = ask()
        return shut(answer) == [gate] and answer["blocked_by"]

    found = farmed.wait_until(verdict, f"{gate} alone is in the way")
    assert found["gate"] == gate and found["blocks"]
    return found


def held_call(farmed, client, far_end):
    """A call that stays until it is hung up."""
    call_id = client.call(far_end.numbers("stays")[0])
    farmed.wait_until(lambda: explain_entry(client, call_id)["status"] == "answered", "the call is held")
    return call_id


@contextlib.contextmanager
def holding(farmed, client, far_end):
    call_id = held_call(farmed, client, far_end)
    try:
        yield
    finally:
        client.api.post(f"/calls/{call_id}/hangup").ok
        client.outcome(call_id)


# What the account is


def test_an_account_that_is_suspended(farmed):
    """It cannot ask, but its operator can."""
    client = tenant(farmed)
    set_client(farmed, client, status="suspended")
    farmed.wait_until(lambda: farmed.ctl_json("why", client.accountcode)["status"] == "suspended", "it is known")
    told = farmed.ctl_json("why", client.accountcode)
    assert [gate["gate"] for gate in told["gates"] if gate["blocks"]] == ["client_inactive"]
    assert told["explanation"] == "the account is suspended" and told["blocked_by"]["who"] == "administrator"


def test_a_client_that_is_paused(farmed, far_end):
    client = tenant(farmed)
    set_client(farmed, client, status="paused")
    call_id = client.call(far_end.numbers("busy")[0])
    for ask in lambda: explain_entry(client, call_id), lambda: explain_client(client):
        verdict = blocked_only_by(farmed, ask, "paused")
        assert verdict["detail"] == "calling is paused for the account" and verdict["who"] == "client"
    farmed.wait_until(lambda: explain_client(client)["blocked_by"]["since"], "the dispatcher has looked")
    set_client(farmed, client, status="active")
    assert client.outcome(call_id)["disposition"] == "busy"
    assert explain_client(client)["blocked_by"] is None


def test_the_hours_in_which_it_may_call(farmed, far_end):
    client = tenant(farmed)
    opens = datetime.datetime.now(INDIA).replace(microsecond=0) + datetime.timedelta(hours=2)
    client.set_window(opens, opens + datetime.timedelta(hours=1))
    call_id = client.call(far_end.numbers("busy")[0])
    verdict = blocked_only_by(farmed, lambda: explain_entry(client, call_id), "window_closed")
    assert datetime.datetime.fromisoformat(verdict["next_at"].replace("Z", "+00:00")) == opens
    assert blocked_only_by(farmed, lambda: explain_client(client), "window_closed")["who"] == "time"


@pytest.mark.parametrize("cap, detail", [("all:1", "1 of 1 calls of the day used"),
                                         ("IN:1", "1 of 1 calls of the day into region IN used")])
def test_the_days_calls(farmed, far_end, cap, detail):
    client = tenant(farmed)
    farmed.stack.ccs.ctl("client", "set", client.accountcode, "--number-check=full", f"--daily-caps={cap}")
    client.outcome(client.call(far_end.numbers("busy")[0]))
    call_id = client.call(far_end.numbers("busy")[0])
    verdict = blocked_only_by(farmed, lambda: explain_entry(client, call_id), "daily_cap")
    assert verdict["detail"] == detail and verdict["next_at"]
    told = farmed.wait_until(lambda: explain_client(client)["blocked_by"], "the client as a whole waits")
    assert told["gate"] == "daily_cap" and told["since"]


# What was ordered


def test_a_batch_that_nobody_dispatched_or_that_is_paused_or_canceled(farmed, far_end):
    client = tenant(farmed)
    batch_id = client.insert(far_end.numbers("busy", 2))
    entries = client.api.get(f"/clients/calling-queue-entries/{client.client_id}/{batch_id}").ok["items"]
    asks = [lambda: explain_batch(client, batch_id), lambda: explain_entry(client, entries[0]["call_id"])]
    for ask in asks:
        verdict = blocked_only_by(farmed, ask, "not_dispatched")
        assert verdict["since"] and verdict["who"] == "client"
        assert ask()["status"] == "pending"
    client.api.post(f"/queues/batches/{batch_id}/pause").ok
    client.dispatch()
    for ask in asks:
        verdict = blocked_only_by(farmed, ask, "paused")
        assert verdict["detail"] == "the batch is paused" and verdict["since"]
    assert explain_client(client)["blocked_by"] is None
    client.api.post(f"/queues/batches/{batch_id}/cancel").ok
    for ask in asks:
        farmed.wait_until(lambda ask=ask: ask()["status"] in ("canceled", "finished"), "it is over")
        assert ask()["gates"] == ask()["servers"] == [] and ask()["blocked_by"] is None
    assert "canceled, called off before it was dialled" in asks[1]()["explanation"]


def test_a_number_that_is_being_called(farmed, far_end):
    client = tenant(farmed)
    [number] = far_end.numbers("stays")
    first = client.call(number)
    farmed.wait_until(lambda: explain_entry(client, first)["status"] == "answered", "it is answered")
    live = explain_entry(client, first)
    assert live["gates"] == [] and live["explanation"] == "the call is in progress: answered"
    second = client.call(number)
    assert blocked_only_by(farmed, lambda: explain_entry(client, second), "number_live")["who"] == "time"
    client.api.post(f"/calls/{first}/hangup").ok
    client.outcome(first)
    farmed.wait_until(lambda: explain_entry(client, second)["status"] == "answered", "its turn has come")
    client.api.post(f"/calls/{second}/hangup").ok
    ended = client.outcome(second)
    over = explain_entry(client, second)
    assert over["status"] == ended["disposition"] == "completed" and over["ended_at"]
    assert over["explanation"].startswith("the call ended at ")


def test_a_number_that_may_not_be_called_any_more_has_ended(farmed):
    client = tenant(farmed)
    farmed.stack.ccs.ctl("client", "set", client.accountcode, "--number-check=full", "--allowed-regions=IN,US")
    batch_id = client.insert(["+12025550100"])
    farmed.stack.ccs.ctl("client", "set", client.accountcode, "--allowed-regions=IN")
    [entry] = client.api.get(f"/clients/calling-queue-entries/{client.client_id}/{batch_id}").ok["items"]
    asked = lambda: explain_entry(client, entry["call_id"])  # noqa: E731
    farmed.wait_until(lambda: shut(asked()) == ["not_dispatched", "number_denied"], "the rule has changed")
    client.dispatch()
    farmed.wait_until(lambda: asked()["status"] == "suppressed", "it has ended")
    assert asked()["explanation"].endswith("suppressed, not allowed: region US")


# What the account may use


# The shares sum to the client's own limits at most, so that those alone are in the way only after a share has moved.


def move_share(farmed, client):
    farmed.sql("""update allocation set server_id = (select id from server where server_code = %s)
                   where client_id = %s""", MOODY, client.client_id)
    farmed.reload(client.client_id)


def test_all_channels_of_the_account(farmed, far_end):
    client = tenant(farmed, channels=1, share=(1, 100_000))
    with holding(farmed, client, far_end):
        move_share(farmed, client)
        call_id = client.call(far_end.numbers("busy")[0])
        for ask in lambda: explain_entry(client, call_id), lambda: explain_client(client):
            assert blocked_only_by(farmed, ask, "client_channels")["detail"] == "1 of 1 channels of the account in use"
    client.outcome(call_id)


def test_the_accounts_calls_per_hour(farmed, far_end):
    client = tenant(farmed, rate=20, share=(CHANNELS, 20))  # one at once, the next in minutes
    client.outcome(client.call(far_end.numbers("busy")[0]))
    move_share(farmed, client)
    call_id = client.call(far_end.numbers("busy")[0])
    verdict = blocked_only_by(farmed, lambda: explain_entry(client, call_id), "client_rate")
    assert verdict["detail"] == "1 calls started in the last hour, of 20 an hour" and verdict["next_at"]


def test_the_accounts_calls_per_second(farmed, far_end):
    client = tenant(farmed)
    set_client(farmed, client, calls_per_second=1)
    batch_id = client.insert(far_end.numbers("busy", 100))
    client.dispatch()
    verdict = blocked_only_by(farmed, lambda: explain_batch(client, batch_id), "client_cps")
    assert verdict["detail"] == "at most 1 calls a second" and verdict["next_at"]
    client.api.post(f"/queues/batches/{batch_id}/cancel").ok


def batch_with(client, numbers, **settings):
    batch_id = next(_batches)
    client.api.post("/queues/insertdataincallqueue/", {"batch_id": batch_id, **settings,
                                                       "data": [{"phone_number": number} for number in numbers]}).ok
    client.dispatch()
    return batch_id


_batches = itertools.count(9001)


def test_all_channels_of_a_batch_that_lets_others_pass(farmed, far_end):
    client = tenant(farmed)
    batch_id = batch_with(client, far_end.numbers("stays", 3), channels=2)
    verdict = blocked_only_by(farmed, lambda: explain_batch(client, batch_id), "batch_channels")
    assert verdict["detail"] == "2 of 2 channels of the batch in use" and verdict["who"] == "client"
    other = batch_with(client, far_end.numbers("busy", 5))
    farmed.wait_until(lambda: client.api.get(f"/queues/batches/{other}").ok["status"] == "finished", "the other batch is dialled")
    assert explain_batch(client, other)["blocked_by"] is None
    assert client.api.get(f"/queues/batches/{batch_id}").ok["counts"]["queued"] == 1
    # what it may is changed while it is dialled
    client.api.request("PATCH", f"/queues/batches/{batch_id}", {"channels": 3}, headers={"If-Match": "*"}).ok
    farmed.wait_until(lambda: client.api.get(f"/queues/batches/{batch_id}").ok["counts"]["answered"] == 3, "its third call")
    client.api.request("PATCH", f"/queues/batches/{batch_id}", {"channels": 1}, headers={"If-Match": "*"}).ok
    assert client.api.get(f"/queues/batches/{batch_id}").ok["counts"]["answered"] == 3, "nobody is hung up"
    for row in client.api.get(f"/clients/calling-queue-entries/{client.client_id}/{batch_id}").ok["items"]:
        client.api.post(f"/calls/{row['call_id']}/hangup").ok


def test_a_batchs_calls_per_second(farmed, far_end):
    client = tenant(farmed)
    batch_id = batch_with(client, far_end.numbers("busy", 100), calls_per_second=1)
    verdict = blocked_only_by(farmed, lambda: explain_batch(client, batch_id), "batch_cps")
    assert verdict["detail"] == "at most 1 calls of the batch a second" and verdict["next_at"]
    client.api.post(f"/queues/batches/{batch_id}/cancel").ok


def test_no_server(farmed, far_end):
    client = tenant(farmed, server=None)
    call_id = client.call(far_end.numbers("busy")[0])
    verdict = blocked_only_by(farmed, lambda: explain_entry(client, call_id), "no_server")
    assert verdict["who"] == "administrator"
    assert explain_client(client)["servers"] == []


def test_a_share_that_is_switched_off(farmed, far_end):
    client = tenant(farmed)
    farmed.sql("update allocation set status = 'disabled' where client_id = %s", client.client_id)
    farmed.reload(client.client_id)
    call_id = client.call(far_end.numbers("busy")[0])
    verdict = blocked_only_by(farmed, lambda: explain_entry(client, call_id), "allocation_off")
    assert verdict["server_code"] == BEHAVED


def test_all_channels_of_a_share(farmed, far_end):
    client = tenant(farmed, share=(1, 100_000))
    with holding(farmed, client, far_end):
        call_id = client.call(far_end.numbers("busy")[0])
        verdict = blocked_only_by(farmed, lambda: explain_entry(client, call_id), "allocation_channels")
        assert verdict["detail"] == "1 of 1 channels of the account in use on server farm1"
    client.outcome(call_id)


def test_a_shares_calls_per_hour(farmed, far_end):
    client = tenant(farmed, share=(CHANNELS, 20))
    client.outcome(client.call(far_end.numbers("busy")[0]))
    call_id = client.call(far_end.numbers("busy")[0])
    verdict = blocked_only_by(farmed, lambda: explain_entry(client, call_id), "allocation_rate")
    assert verdict["detail"].startswith("1 calls started in the last hour, of 20") and verdict["next_at"]


# What a server can do


@pytest.mark.parametrize("limit, gate, detail", [
    ({"status": "disabled"}, "server_down", "server farm1 is disabled"),
    ({"status": "draining"}, "server_down", "server farm1 takes no new calls: it is being drained"),
    ({"allowed_active_calls": 0}, "server_channels", "0 of 0 channels in use on server farm1"),
    ({"rate_limit": 0}, "server_rate", " calls started in the last hour, of 0 an hour on server farm1")])
def test_what_the_operator_allows_of_a_server(farmed, far_end, limit, gate, detail):
    client = tenant(farmed)
    with farmed.server_limited(BEHAVED, **limit):
        call_id = client.call(far_end.numbers("busy")[0])
        for ask in lambda: explain_entry(client, call_id), lambda: explain_client(client):
            verdict = blocked_only_by(farmed, ask, gate)
            assert verdict["detail"].endswith(detail) and verdict["server_code"] == BEHAVED
        # an operator sees the same, by call, and in words
        farmed.wait_until(lambda: [one["gate"] for one in farmed.ctl_json("why", call_id)["gates"] if one["blocks"]]
                          == [gate], "ccsctl names it alone")
        words = farmed.wait_until(lambda: (said := farmed.stack.ccs.ctl("why", client.accountcode))
                                  and f"SHUT  {gate}" in said and said, "ccsctl says so")
        assert detail in words
    assert client.outcome(call_id)["disposition"] == "busy"


def test_a_server_that_fails_gets_a_pause_and_then_few_calls(farmed, far_end):
    client = tenant(farmed, server=MOODY)
    farmed.stack.rig().set_mood("reject", MOODY)

    def waits():  # one at a time, so that none is left that was armed before
        call_id = client.call(far_end.numbers("busy")[0])
        answer = farmed.wait_until(lambda: (now := explain_entry(client, call_id))["ended_at"] and now
                                   or shut(now) == ["server_breaker"] and now, "it failed, or waits")
        return answer["blocked_by"]

    verdict = farmed.wait_until(waits, "the server has a pause")
    assert verdict["gate"] == "server_breaker" and verdict["server_code"] == MOODY and verdict["next_at"]
    assert "server farm2 has failed too often (it refused calls)" in verdict["detail"]

    farmed.stack.rig().set_mood("normal", MOODY)
    assert client.outcome(client.call(far_end.numbers("busy")[0]))["disposition"] == "busy"
    farmed.stack.rig().set_mood("late=2000", MOODY)  # who hears little of it gives it more calls in time
    batch_id = client.insert(far_end.numbers("busy", WINDOW))
    client.dispatch()
    verdict = blocked_only_by(farmed, lambda: explain_batch(client, batch_id), "server_pace")
    assert "has just recovered" in verdict["detail"] and verdict["server_code"] == MOODY
    farmed.stack.rig().set_mood("normal", MOODY)
    client.api.post(f"/queues/batches/{batch_id}/cancel").ok


def test_a_server_that_does_not_answer(farmed, far_end):
    client = tenant(farmed, server=MUTE)
    farmed.stack.rig().set_mood("silent", MUTE)
    batch_id = client.insert(far_end.numbers("busy", WINDOW + 5))
    client.dispatch()
    verdict = blocked_only_by(farmed, lambda: explain_batch(client, batch_id), "server_backlog")
    assert verdict["detail"] == f"server farm3 owes an answer to {WINDOW} calls, of at most {WINDOW}"
    client.api.post(f"/queues/batches/{batch_id}/cancel").ok
    farmed.stack.rig().set_mood("normal", MUTE)


# Who may ask


def test_foreign_and_unknown_ids_are_refused_alike(farmed, far_end):
    client, other = tenant(farmed), tenant(farmed)
    call_id = client.call(far_end.numbers("busy")[0])
    batch_id = client.insert(far_end.numbers("busy"))
    queue_id = explain_batch(client, batch_id)["queue_id"]
    for path in f"/queues/entries/{entry_of(call_id)}/explain", f"/queues/queue-masters/{queue_id}/explain", \
            "/queues/entries/9007199254740991/explain", "/queues/queue-masters/9007199254740991/explain":
        refused = other.api.get(path)
        assert (refused.status, json.loads(refused.body)["code"]) == (403, "not_yours")


def test_operators_name_calls_batches_and_clients(farmed, far_end):
    client = tenant(farmed)
    batch_id = client.insert(far_end.numbers("busy"))
    [entry] = client.api.get(f"/clients/calling-queue-entries/{client.client_id}/{batch_id}").ok["items"]
    for words in (client.accountcode, str(batch_id)), (entry["call_id"],), (str(entry["id"]),):
        assert farmed.ctl_json("why", *words)["blocked_by"]["gate"] == "not_dispatched"
    assert farmed.ctl_json("why", client.accountcode)["blocked_by"] is None
    for words in ("NO-SUCH",), (client.accountcode, "987654321"), ("ccs-00000000000fff01",):
        with pytest.raises(proc.StackError):
            farmed.stack.ccs.ctl("why", *words)
