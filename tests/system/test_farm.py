"""ccs on twenty simulated Asterisks that misbehave: nobody is rung twice, and ccs says what happened."""
import itertools

import pytest

from farmed import WINDOW, compare, farmed_stack
from stack import numbers
from stack.proc import StackError
from subscriber import audience, last_word

SERVERS, CHANNELS = 20, 10

HARMLESS = {2: "late=300", 3: "shuffled", 4: "twice", 5: "noise=50", 6: "slow=3000",
            7: "shuffled,twice,noise=20,late=100", 8: "deny", 9: "answer", 10: "busy"}
CUTTING = {11: "half=60", 12: "restart=2", 13: "refuse"}  # may leave calls in doubt
FAILING = {14: "reject", 15: "trunkless"}  # fail at once, and would have room for a whole batch


@pytest.fixture(scope="module")
def farmed(request):
    with farmed_stack(request, SERVERS, CHANNELS, speed=10, asterisk="both") as live:
        yield live


@pytest.fixture
def farm(farmed):
    running = farmed.stack.rig()
    yield running
    running.set_mood("normal")
    farmed.wait_ready()


_seeds = itertools.count()


def start_batch(farmed, count, **how):
    batch = farmed.insert(numbers.mixed(count, seed=next(_seeds), **how))
    farmed.dispatch()
    return batch


def finish(farmed, batch, count):
    report = farmed.wait_finished(batch, seconds=60)
    assert (report.total, report.open) == (count, 0)
    ledger = compare(farmed)
    ledger.check(CHANNELS)
    return report, ledger


def failures(farmed) -> int:
    """Attempts that the server failed with, not the called party."""
    return farmed.sql("select count(*) from call_detail where disposition = 'failed'")[0][0]


def test_B1_B2_batch_over_moody_servers_while_dispatcher_and_relay_are_killed(farmed, farm):
    """What ccs says of every call, to PostgreSQL and to subscribers, beside what the farm has in its book."""
    for server, mood in {**HARMLESS, **CUTTING, **FAILING}.items():
        farm.set_mood(mood, f"farm{server}")
    with audience(farmed) as listeners:
        batch = start_batch(farmed, 2000, ring=2, talk=4)
        farmed.wait_until(lambda: farmed.attempts() > 500, "a quarter of the batch is dialled")
        farmed.kill("relay")
        farmed.start("relay")
        farmed.wait_until(lambda: farmed.attempts() > 700, "a third of the batch is dialled")
        [victim] = farmed.children("dispatcher")
        farmed.kill("dispatcher")
        farmed.wait_until(lambda: farmed.children("dispatcher") not in ([], [victim]), "it is back")
        farmed.wait_until(lambda: farmed.attempts() > 1700, "most of the batch is dialled")
        farm.set_mood("normal")

        report, ledger = finish(farmed, batch, 2000)
        heard = last_word(farmed, listeners)
    assert all(one.connections > 1 for one in heard)
    assert report.unknown == ledger.in_doubt.total() > 0
    doubtful = {server for server, found in ledger.of_server.items() if found["unknown"]}
    assert doubtful <= {f"farm{server}" for server in CUTTING}


def test_U17_what_dialplans_tell_survives_a_killed_dispatcher(farmed, farm):
    farm.set_mood("results")
    farm.set_mood("results,twice,shuffled", "farm1")
    batch = start_batch(farmed, 600, talk=4)
    begun = farmed.attempts()
    farmed.wait_until(lambda: farmed.live_calls() > 100, f"many calls are live, {begun} were begun before")
    [victim] = farmed.children("dispatcher")
    farmed.kill("dispatcher")
    farmed.wait_until(lambda: farmed.children("dispatcher") not in ([], [victim]), "it is back")
    finish(farmed, batch, 600)
    told = farmed.sql("""select e.number, d.result::text, v.payload::jsonb -> 'result' ->> 'digit' as event
                           from queue_master m join entry e on e.queue_master_id = m.id
                           join call_detail d on d.entry_id = e.entry_id and d.disposition = 'completed'
                           join event v on v.entry_id = d.entry_id and v.n = d.n and v.type = 'call_ended'
                          where m.batch_id = %s""", batch)
    assert len(told) > 200
    assert [row for row in told
            if row["result"] != f'{{"digit": "{row["number"][-1]}"}}' or row["event"] != row["number"][-1]] == []


@pytest.mark.parametrize("mood", ["reject", "trunkless"])
def test_B2_a_server_that_fails_at_once_does_not_swallow_the_batch(farmed, farm, mood):
    """What it fails with is tried once more, on another server, and ends there as the called party will have it."""
    farm.set_mood(mood, "farm1")
    failed = failures(farmed)
    report, _ = finish(farmed, start_batch(farmed, 400, talk=1), 400)
    assert not report.not_as_dialled()
    assert 0 < failures(farmed) - failed <= 2 * WINDOW
    farm.set_mood("normal", "farm1")
    for _ in range(30):  # a batch may be over before the server's pause is
        failed = failures(farmed)
        report, _ = finish(farmed, start_batch(farmed, 200, talk=1), 200)
        assert not report.not_as_dialled() and failures(farmed) - failed <= 1
        if any(o.server == "farm1" and o.verdict == "queued"
               for o in farm.book().originates[-200:]):
            return
    raise AssertionError("farm1 is never tried again")


def test_silence_ends_and_every_call_has_an_end(farmed, farm):
    farm.set_mood("silent", "farm3")
    batch = start_batch(farmed, 300, ring=1, talk=3)
    farmed.wait_until(lambda: farmed.report(batch).open <= WINDOW, "only the silent one's are open")
    farm.set_mood("normal", "farm3")
    report, _ = finish(farmed, batch, 300)
    assert report.unknown <= WINDOW


def test_an_answer_that_nobody_heard_is_known_from_the_hangup(farmed, farm):
    """The call is answered while the connection is down, and hung up while ccs still asks for the
    list of channels: the only word of it is the Hangup of a channel that was up."""
    [number] = numbers.numbers("stays", 1, seed=next(_seeds), ring=4)
    call_id = farmed.call(number)

    def dialled():
        return [o for o in farm.book().originates if o.call_id == call_id]

    [originate] = farmed.wait_until(dialled, "the call is dialled")
    farm.set_mood("refuse", originate.server)
    farmed.wait_until(lambda: call_id in farm.book().answered, "it is answered")
    farm.set_mood("late=500", originate.server)
    farmed.wait_until(lambda: farm.show()[originate.server]["sessions"] == 1, "ccs logs in")
    farm.tell("hangup", originate.server)

    detail = farmed.outcome(call_id)
    assert (detail["disposition"], detail["estimated"]) == ("completed", True)


# ---- what an operator does ----

def server(farmed, code) -> dict:
    """As ccsctl sees it."""
    return next(one for one in status(farmed)["servers"] if one["server_code"] == code)


def status(farmed) -> dict:
    return farmed.ctl_json("status")


def written(farmed) -> int:
    """Originates so far."""
    return farmed.ctl_json("shm", "show")["counters"]["originates"]


def test_M11_a_full_trunk_gets_as_many_calls_as_it_bears(farmed, farm):
    farm.set_mood("trunk=4")
    batch = start_batch(farmed, 600, ring=1, talk=3)
    farmed.wait_until(lambda: all((server(farmed, f"farm{n}")["pace"] or CHANNELS) <= 5 for n in range(1, SERVERS + 1)),
                      "no server is given more calls than fit")
    farm.set_mood("normal")
    finish(farmed, batch, 600)


def test_halt_stops_dialling_within_a_turn_and_outlives_the_dispatcher(farmed, farm):
    batch = start_batch(farmed, 1200, ring=1, talk=3)
    farmed.wait_until(lambda: farmed.attempts() > 200, "calls are under way")
    told = farmed.ctl_json("halt", "--all", "--reason", "a drill")
    at_once = written(farmed)
    assert (told["who"], told["halted"], told["changed"]) == ("everybody", True, True)
    assert 0 < farmed.report(batch).open
    [halt] = status(farmed)["halts"]
    assert (halt["who"], halt["reason"]) == ("*", "a drill")
    assert farmed.api.post("/controls/dispatch-calls").ok["blocked_reason"] == "halted"

    farmed.wait_until(lambda: status(farmed)["live_calls"] == 0, "what was dialled has ended")
    [victim] = farmed.children("dispatcher")
    farmed.kill("dispatcher")
    farmed.wait_until(lambda: farmed.children("dispatcher") not in ([], [victim]), "it is back")
    farmed.wait_ready()
    assert written(farmed) == at_once

    assert farmed.ctl_json("resume", "--all")["changed"]
    finish(farmed, batch, 1200)
    assert status(farmed)["halts"] == []


def test_halt_of_one_client_is_not_another_ones(farmed, farm):
    other = farmed.new_client("UNHALTED", channels=SERVERS, rate_limit=1_000_000)
    farmed.ctl_json("halt", "--client", farmed.accountcode)
    try:
        batch = start_batch(farmed, 50, talk=1)
        [number] = numbers.numbers("answered", 1, seed=next(_seeds), talk=1)
        assert other.outcome(other.call(number))["disposition"] == "completed"
        assert farmed.report(batch).attempts == 0
    finally:
        farmed.ctl_json("resume", "--client", farmed.accountcode)
    finish(farmed, batch, 50)


def test_halt_wants_to_know_whose(farmed):
    for words in ["halt"], ["halt", "--all", "--client", "X"], ["resume", "--client", "NOBODY"]:
        with pytest.raises(StackError):
            farmed.stack.ccs.ctl(*words)


def test_a_drained_server_gets_no_calls_and_those_it_has_go_on(farmed, farm):
    batch = start_batch(farmed, 1500, ring=1, talk=5)
    farmed.wait_until(lambda: server(farmed, "farm2")["channels"] > 0, "it has calls")
    said = farmed.stack.ccs.ctl("server", "drain", "farm2", "--wait")
    drained = server(farmed, "farm2")
    assert "calls in progress" in said and said.splitlines()[-2] == "0 calls in progress"
    assert (drained["status"], drained["channels"]) == ("draining", 0)

    def dialled():
        return sum(o.server == "farm2" for o in farm.book().originates)

    before, open_then = dialled(), farmed.report(batch).open
    farmed.wait_until(lambda: farmed.report(batch).open < open_then - 50, "the others go on")
    assert dialled() == before
    farmed.stack.ccs.ctl("server", "undrain", "farm2")
    farmed.wait_until(lambda: dialled() > before, "it is dialled again")
    finish(farmed, batch, 1500)


def test_other_peoples_channels_are_counted_where_it_is_wanted(farmed, farm):
    farm.set_mood("noise=200", "farm4")
    with farmed.server_limited("farm4", count_foreign_calls=True):
        farmed.wait_until(lambda: server(farmed, "farm4")["foreign_channels"] >= CHANNELS, "they are counted")
        finish(farmed, start_batch(farmed, 300, talk=1), 300)
    farm.set_mood("normal", "farm4")
    farmed.wait_until(lambda: server(farmed, "farm4")["foreign_channels"] == 0, "nobody counts any more")
