"""Endpoints as the document prints them or leaves them to be understood, one row each."""
import datetime
import re
import zoneinfo

import pytest
from described import description
from places import ROOT

DISPATCH, SETUP, CALL = "/controls/dispatch-calls", "/controls/setup-channels/", "/queues/quickcall/"
SECOND = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
GATES = re.findall(r"^GATE\((\w+)", (ROOT / "shm/gate.def").read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def client(stack):
    return stack.new_client("READER-2", channels=10, callbackurl="https://localhost/callback")


def test_E2_status(client):
    version = (ROOT / "VERSION").read_text().strip()
    assert client.api.as_client(None).get("/monitoring/status").ok \
        == {"status": "running", "version": version, "environment": "demo"}


def test_E3_F3_account_has_twelve_members_and_no_secret(client):
    account = client.api.get("/clients/me").ok
    assert list(account) == ["id", "name", "accountcode", "did", "phone_number",
                             "allocated_channels", "rate_limit", "callbackurl", "is_active",
                             "status", "created_at", "updated_at"]
    assert (account["id"], account["accountcode"]) == (client.client_id, client.accountcode)
    assert (account["is_active"], account["status"]) == (True, "active")
    assert SECOND.fullmatch(account["created_at"]) and SECOND.fullmatch(account["updated_at"])


def test_E5_shares_by_server_code(client):
    servers = client.api.get("/clients/allocated-servers").ok["allocated_servers"]
    assert list(servers) == ["ast1"]
    share = servers["ast1"]
    assert (share["allowed_active_calls"], share["status"]) == (10, "active")
    assert type(share["rate_limit"]) is int


@pytest.mark.parametrize("way", ["by query", "by body", "by neither", "by both"])
@pytest.mark.parametrize("path", [DISPATCH, SETUP])
def test_E10_E11_G1_G2_G3_account_code(client, way, path):
    code = {"accountcode": client.accountcode}
    query = code if way in ("by query", "by both") else {}
    body = code if way in ("by body", "by both") else None
    assert client.api.post(path, body, **query).ok["accountcode"] == client.accountcode


def test_E11_Q13_setup_channels_applies_what_is_stored_and_ends_no_call(stack, asterisk):
    client = stack.new_client("SETTER", channels=4)
    [number] = asterisk.numbers("answered", talk=4)
    call_id = client.call(number)
    stack.wait_until(lambda: client.live_calls() == 1, "the call is live")
    stack.sql("update allocation set allowed_active_calls = 0 where client_id = %s",
              client.client_id)
    said = client.api.post(SETUP).ok
    assert (said["status"], said["allocated_channels"], said["effective_channels"]) \
        == ("success", 4, 0)
    assert said["allocated_servers"]["ast1"]["allowed_active_calls"] == 0
    assert client.api.post(SETUP).ok == said
    waiting = client.call(asterisk.numbers("busy")[0])
    stack.wait_until(lambda: client.dispatch()["blocked_reason"] == "allocation_channels",
                     "the share is in force")
    assert client.outcome(call_id)["disposition"] == "completed"
    assert client.api.get(f"/calls/{waiting}").ok["status"] == "queued"  # perhaps journalled ahead, but not begun
    stack.sql("update allocation set allowed_active_calls = 4 where client_id = %s",
              client.client_id)
    client.api.post(SETUP).ok
    assert client.outcome(waiting)["disposition"] == "busy"


def test_E16_Q17_server_status(client):
    everything = client.api.get("/monitoring/serverstatus").ok
    assert everything["as_of"].endswith("Z")
    [server] = everything["servers"]
    assert (server["server_code"], server["status"]) == ("ast1", "active")
    assert (server["allowed"], server["active"]) == (10, 0)
    assert server["ami"]["connected"] is True and server["ami"]["since"].endswith("Z")
    assert {"rate_limit", "calls_per_second", "last_error"} <= set(server)
    assert client.api.get("/monitoring/serverstatus", server_code="ast1").ok["servers"][0][
        "server_code"] == "ast1"


def test_G7_today_by_any_clock(client):
    """A program's date may be a day before or after the client's."""
    india = datetime.datetime.now(zoneinfo.ZoneInfo("Asia/Kolkata")).date()
    for days in -1, 0, 1:
        day = india + datetime.timedelta(days=days)
        for path in "/client-call-details/summary", "/client-call-details/details":
            assert client.api.get(path, start_date=day, end_date=day).status == 200


def test_Q10_quick_call_is_answered_before_it_is_dialled_and_dialled_before_the_batch(stack, asterisk):
    client = stack.new_client("HURRIED", channels=1)
    # More than may be armed ahead, so that some of them wait in line beside it.
    batch = client.insert(asterisk.numbers("answered", 1, talk=4) + asterisk.numbers("busy", 30))
    client.dispatch()
    stack.wait_until(lambda: client.live_calls() == 1, "the batch is being dialled")
    said = client.api.post(CALL, {"phone_number": asterisk.numbers("busy")[0]}).ok
    assert (said["status"], said["state"], said["queue_id"]) == ("success", "queued", None)
    assert re.fullmatch(r"ccs-[0-9a-f]{14}01", said["call_id"])
    quick = client.outcome(said["call_id"])
    client.wait_finished(batch)
    later = stack.sql("""select count(*) from call_detail
                          where client_id = %s and queue_master_id is not null and started_at > %s""",
                      client.client_id, quick["started_at"])
    assert later[0][0] >= 20


def test_Q20_numbers_shown_are_those_of_the_share_in_turn(stack, asterisk):
    client = stack.new_client("ROTATING", channels=1)
    shown = ["911140000007", "911140000008", "911140000009"]
    stack.stack.ccs.ctl("alloc", "set", client.accountcode, "ast1", "--channels=1", "--rate-limit=1000",
                        *[f"--did={number}" for number in shown])
    batch = client.insert(asterisk.numbers("busy", 6), context="elsewhere", endpoint="other", prefix="9")
    client.dispatch()
    client.wait_finished(batch)
    rows = client.api.get("/client-call-details/details", batch_id=batch).ok["items"]
    assert [row["did"] for row in rows] == shown * 2


def test_D4_what_is_in_the_way_has_the_name_of_a_gate(stack, asterisk):
    client = stack.new_client("FENCED", channels=2)
    client.insert(asterisk.numbers("busy", 2))

    def is_blocked_by(gate):
        stack.reload(client.client_id)
        stack.wait_until(lambda: client.dispatch()["blocked_reason"] == gate, f"{gate} is in the way")
        assert gate in GATES

    stack.sql("update client set status = 'paused' where id = %s", client.client_id)
    is_blocked_by("paused")
    stack.sql("update client set status = 'active', rate_limit = 0, allocated_channels = 0"
              " where id = %s; delete from allocation where client_id = %s",
              client.client_id, client.client_id)
    is_blocked_by("client_channels")


def test_D3_why_nothing_is_called_can_be_asked(stack, asterisk):
    """Of the account, of a batch and of a number: one answer, and what to do about it."""
    client = stack.new_client("WONDERING")
    stack.sql("delete from allocation where client_id = %s", client.client_id)
    stack.reload(client.client_id)
    batch_id = client.insert(asterisk.numbers("busy"))
    client.dispatch()
    [entry] = client.api.get(f"/clients/calling-queue-entries/{client.client_id}/{batch_id}").ok["items"]
    for path in "/clients/me", f"/queues/queue-masters/{batch_id}", f"/queues/entries/{entry['id']}":
        told = stack.wait_until(lambda path=path: (answer := client.api.get(f"{path}/explain").ok)["blocked_by"] and answer,
                                "it is known")
        assert told["blocked_by"]["gate"] == "no_server" and told["blocked_by"]["who"] == "administrator"
        assert told["explanation"] == "no server is allocated to the account"
        order = [gate["gate"] for gate in told["gates"]]
        assert order == [gate for gate in GATES if gate in order]
    stack.stack.ccs.ctl("alloc", "set", client.accountcode, "ast1", "--channels=1", "--rate-limit=100")
    assert client.wait_finished(batch_id).dispositions == {"busy": 1}
    assert client.api.get(f"/queues/entries/{entry['id']}/explain").ok["status"] == "busy"


def test_every_gate_is_described():
    assert description().document["components"]["schemas"]["Gate"]["enum"] == GATES
