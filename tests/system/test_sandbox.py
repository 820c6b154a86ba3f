"""Test keys: what is sent with one is played by the sandbox, apart from everything live."""
import pytest
from signing import check_refused
from stack.stack import StackError
from ws_client import WebSocket

INSERT, CALL, KEYS = "/queues/insertdataincallqueue", "/queues/quickcall", "/clients/me/keys"
OUTCOMES = {"01": "busy", "02": "no_answer", "03": "rejected", "04": "invalid", "05": "congestion", "06": "failed",
            "00": "completed"}


def number(ending) -> str:
    return "98765432" + ending


@pytest.fixture(scope="module")
def client(stack):
    """Without a channel on any server: nothing of it can be dialled."""
    return stack.new_client("SANDBOXED", channels=0)


@pytest.fixture(scope="module")
def trial_key(client):
    made = client.api.post(KEYS, {"name": "trial", "test": True}).ok
    assert made["api_key"].startswith("ccs_test_")
    return made["api_key"]


@pytest.fixture(scope="module")
def tested(stack, client, trial_key):
    return client.api.as_client(trial_key)


def outcome(stack, api, call_id) -> dict:
    def ended():
        call = api.get(f"/calls/{call_id}").ok
        return call if call["status"] not in ("queued", "dialing", "ringing", "answered") else None
    return stack.wait_until(ended, f"{call_id} has ended")


def test_every_outcome_comes_by_the_last_digits_and_nobody_is_rung(stack, asterisk, client, tested):
    answer = tested.post(INSERT, {"batch_id": 1, "data": [{"phone_number": number(ending)} for ending in OUTCOMES]})
    assert answer.ok["test"] is True and answer.ok["inserted_count"] == len(OUTCOMES)
    assert tested.post("/controls/dispatch-calls").ok["dispatched"] == len(OUTCOMES)
    stack.wait_until(lambda: tested.get("/queues/batches/1").ok["status"] == "finished", "all are played")
    page = tested.get("/client-call-details/details", batch_id=1).ok
    assert page["test"] is True
    assert {row["phone_number"][-2:]: row["disposition"] for row in page["items"]} == OUTCOMES
    assert {row["server_code"] for row in page["items"]} == {"ccs-sandbox"}
    assert next(row for row in page["items"] if row["phone_number"].endswith("00"))["billsec"] >= 1
    assert set(asterisk.times_rung([number(ending) for ending in OUTCOMES]).values()) == {0}


def test_what_is_tested_and_what_is_live_do_not_meet(stack, client, tested):
    tested.post(INSERT, {"batch_id": 2, "data": [{"phone_number": number("01")}]}).ok
    me, live = tested.get("/clients/me").ok, client.api.get("/clients/me").ok
    assert me["accountcode"] == f"{client.accountcode}.test" and me["id"] != live["id"] and "test" not in live
    check_refused(client.api.get("/queues/batches/2"), 403, "not_yours")
    assert client.api.get(f"/clients/queue-masters/{live['id']}").ok["total"] == 0
    assert client.api.get("/monitoring/callingsummary").ok["total_calls"] == 0
    check_refused(tested.get(f"/clients/queue-masters/{live['id']}"), 403, "not_yours")
    assert list(tested.get("/clients/allocated-servers").ok["allocated_servers"]) == ["ccs-sandbox"]
    assert client.api.get("/clients/allocated-servers").ok["allocated_servers"].keys() == {"ast1"}


def test_events_of_a_test_say_so_and_go_to_test_keys_only(stack, client, trial_key, tested):
    stack.reload()
    socket = WebSocket.to(stack, trial_key)
    socket.subscribe("call_started", "call_failed")
    call_id = tested.post(CALL, {"phone_number": number("01")}).ok["call_id"]
    ended = outcome(stack, tested, call_id)
    assert (ended["disposition"], ended["test"]) == ("busy", True)
    events = [socket.hear() for _ in range(2)]
    assert [event["type"] for event in events] == ["call_started", "call_failed"]
    assert all(event["payload"]["test"] is True and event["payload"]["call_id"] == call_id for event in events)
    assert client.api.get("/events", after=0).ok["items"] == []


def test_a_call_that_is_being_played_can_be_hung_up(stack, tested):
    call_id = tested.post(CALL, {"phone_number": number("99")}).ok["call_id"]
    stack.wait_until(lambda: tested.get(f"/calls/{call_id}").ok["status"] == "answered", "it is answered")
    tested.post(f"/calls/{call_id}/hangup").ok
    ended = outcome(stack, tested, call_id)
    assert ended["disposition"] == "completed" and ended["billsec"] < 60


def test_a_killed_dispatcher_goes_on_with_what_was_being_played(stack, tested):
    call_id = tested.post(CALL, {"phone_number": number("03")}).ok["call_id"]
    long_id = tested.post(CALL, {"phone_number": number("98")}).ok["call_id"]
    stack.wait_until(lambda: tested.get(f"/calls/{long_id}").ok["status"] == "answered", "it is answered")
    stack.kill("dispatcher")
    assert outcome(stack, tested, call_id)["disposition"] == "rejected"
    assert tested.get(f"/calls/{long_id}").ok["status"] == "answered"
    tested.post(f"/calls/{long_id}/hangup").ok
    assert outcome(stack, tested, long_id)["disposition"] == "completed"


def test_the_database_keeps_both_worlds_apart(stack, client, tested):
    code = f"{client.accountcode}.test"
    with pytest.raises(StackError, match="test accounts have the sandbox"):
        stack.stack.ccs.ctl("alloc", "set", code, "ast1", "--channels=1", "--rate-limit=1")
    with pytest.raises(StackError, match="test accounts have the sandbox"):
        stack.stack.ccs.ctl("alloc", "set", client.accountcode, "ccs-sandbox", "--channels=0", "--rate-limit=0")


def test_keys_of_a_test_account_are_made_by_the_shell_listed_and_replaced_by_their_kind(stack, client, tested):
    made = stack.ctl_json("key", "add", client.accountcode, "--test", "--name=shell")
    assert made["api_key"].startswith("ccs_test_")
    shell = tested.as_client(made["api_key"])
    listed = shell.get(KEYS).ok["items"]
    assert {"trial", "shell"} <= {key["name"] for key in listed} and all(key["begins_with"].startswith("ccs_test_") for key in listed)
    new = shell.post("/clients/regenerate-api-key").ok["api_key"]
    assert new.startswith("ccs_test_") and tested.as_client(new).get("/clients/me").ok["test"] is True
    rotated = tested.post(f"{KEYS}/{next(key['id'] for key in tested.get(KEYS, sort='-id').ok['items'])}/rotate", {}).ok
    assert rotated["api_key"].startswith("ccs_test_")
    with pytest.raises(StackError, match="only a client has a test account"):
        stack.ctl_json("key", "add", "--test")
    again = client.api.request("POST", KEYS, {"test": True}, headers={"Idempotency-Key": "test-once"})
    assert again.ok == client.api.request("POST", KEYS, {"test": True}, headers={"Idempotency-Key": "test-once"}).ok
