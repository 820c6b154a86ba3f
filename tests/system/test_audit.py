"""The auditor: channels that leak are found, given back, and counted."""
import subprocess

from places import PROGRAMS


def leak(stack, client):
    """One channel more than its calls hold."""
    subprocess.run([PROGRAMS / "tests/system/leak", stack.stack.ccs.node, str(client.client_id)], check=True)


def counter(stack, name):
    return stack.ctl_json("shm", "show")["counters"][name]


def test_a_leaked_channel_is_found_and_can_be_used_again(stack, asterisk):
    client = stack.new_client("LEAKY", channels=1)
    before = counter(stack, "drift")
    leak(stack, client)  # all that it has
    call_id = client.call(asterisk.numbers("busy")[0])
    assert client.outcome(call_id)["disposition"] == "busy"
    assert counter(stack, "drift") == before + 1
    stack.check_segment()
    assert f"{before + 1} repaired" in stack.stack.ccs.ctl("status")
    assert stack.ctl_json("status")["grants"]["repaired"] == before + 1


def test_a_leak_during_calls_is_found_too(stack, asterisk):
    client = stack.new_client("DRIPPING", channels=10)
    batch_id = client.insert(asterisk.numbers("answered", 10, talk=4))
    client.dispatch()
    stack.wait_until(lambda: client.live_calls() == 10, "its channels are in use")
    before = counter(stack, "drift")
    leak(stack, client)
    stack.wait_until(lambda: counter(stack, "drift") == before + 1, "it is found")
    stack.wait_until(lambda: client.api.get("/clients/me/limits").ok["channels"]["used"] <= 10, "it is repaired")
    assert client.wait_finished(batch_id).dispositions == {"completed": 10}


def test_all_grants_are_looked_at_all_the_time(stack):
    rounds = counter(stack, "audits")
    stack.wait_until(lambda: counter(stack, "audits") >= rounds + 2, "two rounds")


def test_a_share_that_comes_back_has_the_calls_that_live(stack, asterisk):
    """No leak, and no drift either way."""
    client = stack.new_client("RETURNING", channels=2)
    batch_id = client.insert(asterisk.numbers("answered", 4, talk=3))
    client.dispatch()
    stack.wait_until(lambda: client.live_calls() == 2, "two calls are live")
    before = counter(stack, "drift")
    stack.sql("delete from allocation where client_id = %s", client.client_id)
    stack.reload(client.client_id)
    stack.wait_until(lambda: client.api.get("/clients/allocated-servers").ok["allocated_servers"] == {}, "it is gone")
    stack.stack.ccs.ctl("alloc", "set", client.accountcode, "ast1", "--channels=2", "--rate-limit=1000")
    assert client.wait_finished(batch_id).dispositions == {"completed": 4}
    rounds = counter(stack, "audits")
    stack.wait_until(lambda: counter(stack, "audits") >= rounds + 2, "all is counted once more")
    assert counter(stack, "drift") == before
