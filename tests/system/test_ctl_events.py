"""ccsctl events and ccsctl call trace: what an operator sees of calls."""
import json
import subprocess

import pytest


@pytest.fixture(scope="module")
def client(stack, asterisk):
    client = stack.new_client("WATCHED")
    for number in asterisk.numbers("busy", 2):
        stack.outcome(client.call(number))
    return client


def command(stack, *words):
    return [stack.stack.ccs.programs / "ccsctl", "-c", stack.stack.ccs.conf, *words]


def run(stack, *words):
    return subprocess.run(command(stack, *words), capture_output=True, text=True, timeout=60, check=False)


def test_the_last_events_of_a_client_and_of_all(stack, client, asterisk):
    said = run(stack, "events", "--client=WATCHED", "--json").stdout.splitlines()
    events = [json.loads(line) for line in said]
    log = client.api.get("/events").ok["items"]
    for event in log:
        del event["payload"]["custom_data"]
        event["prev"] = event["seq"] - 1
    assert events == log
    failed = run(stack, "events", "--types=call_failed", "--client=WATCHED", "--last=1").stdout
    assert len(failed.splitlines()) == 1 and "call_failed" in failed and "busy" in failed
    call_id = client.call(asterisk.numbers("busy")[0])
    stack.outcome(call_id)
    assert call_id in run(stack, "events").stdout.splitlines()[-1]


def test_follow_goes_on_with_what_happens(stack, client, asterisk):
    following = subprocess.Popen(command(stack, "events", "--client=WATCHED", "--follow", "--last=1", "--json"),
                                 stdout=subprocess.PIPE, text=True)
    try:
        first = json.loads(following.stdout.readline())
        call_id = client.call(asterisk.numbers("busy")[0])
        told = [json.loads(following.stdout.readline()) for _ in range(2)]
    finally:
        following.kill()
        following.wait()
    assert [event["seq"] for event in told] == [first["seq"] + 1, first["seq"] + 2]
    assert {event["payload"]["call_id"] for event in told} == {call_id}


def test_a_call_is_traced_from_its_insert_to_its_end(stack, client, asterisk):
    [number] = asterisk.numbers("answered", talk=1)
    call_id = client.call(number)
    stack.outcome(call_id)
    trace = json.loads(run(stack, "call", "trace", call_id, "--json").stdout)
    assert (trace["call"], trace["accountcode"], trace["phone_number"], trace["batch_id"]) \
        == (call_id, "WATCHED", number, None)
    steps = [(step["source"], step["attempt"], step["what"].split(",")[0].split(":")[0]) for step in trace["steps"]]
    assert [step for step in steps if step[0] == "event"] \
        == [("event", 1, "call_started"), ("event", 1, "call_answered"), ("event", 1, "call_ended")]
    assert any(source == "journal" and what.startswith("attempt on ast1") for source, _, what in steps)
    assert steps[0][0] == "entry" and ("detail", 1, "completed") in steps
    assert [step["at"] for step in trace["steps"]] == sorted(step["at"] for step in trace["steps"])
    text = run(stack, "call", "trace", call_id).stdout
    assert "call_answered, seq" in text and "now: " in text


def test_a_call_that_waits_is_traced_with_what_it_waits_for(stack, client, asterisk):
    batch = client.insert(asterisk.numbers("busy"))
    [[entry_id]] = stack.sql("""select e.entry_id from entry e join queue_master q on q.id = e.queue_master_id
                                 where q.client_id = %s and q.batch_id = %s""", client.client_id, batch)
    assert "dispatch" in json.loads(run(stack, "call", "trace", str(entry_id), "--json").stdout)["now"]


@pytest.mark.parametrize("words,said", [
    (["call", "trace", "ccs-nothing"], "no call_id"), (["call", "trace", "ccs-1f0000000000ff01"], "there is no call"),
    (["events", "--client=NOBODY"], "NOBODY"), (["events", "--types=call_paused"], "call_paused")])
def test_what_is_not_there(stack, client, words, said):
    answer = run(stack, *words)
    assert answer.returncode == 1 and said in answer.stderr
