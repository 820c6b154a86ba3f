"""setup-channels: shares that follow from what account and servers have, by HTTP and by ccsctl."""
import json

import pytest
from signing import check_refused

SETUP = "/controls/setup-channels/"
SERVER = {"host": "127.0.0.1", "port": 9, "ami_user": "ccs", "ami_secret": "very-secret-word",
          "channel_template": "PJSIP/{number}@trunk", "rate_limit": 10_000}  # nobody answers there: it is away


@pytest.fixture(scope="module")
def admin(stack):
    return stack.api.as_client(stack.ctl_json("key", "add")["api_key"])


@pytest.fixture(scope="module")
def servers(admin):
    """Two that are away, of 60 and 30 channels. Gone afterwards: others look at all servers there are."""
    made = [admin.post("/admin/servers", {**SERVER, "server_code": code, "allowed_active_calls": channels}).ok
            for code, channels in (("setup-a", 60), ("setup-b", 30))]
    yield {server["server_code"]: server["id"] for server in made}
    for server in made:
        assert admin.request("DELETE", f"/admin/servers/{server['id']}", headers={"If-Match": "*"}).status == 200


def change(admin, path, **values):
    return admin.request("PATCH", path, values, headers={"If-Match": "*"})


def share(admin, accountcode, server_code, **figures):
    return admin.post("/admin/allocations", {"accountcode": accountcode, "server_code": server_code, **figures})


def take_away(admin, client):
    for item in admin.get("/admin/allocations", accountcode=client.accountcode).ok["items"]:
        assert admin.request("DELETE", f"/admin/allocations/{item['client_id']}/{item['server_id']}",
                             headers={"If-Match": "*"}).status == 200


@pytest.fixture(scope="module")
def account(stack, admin):
    client = stack.new_client("SETUP", channels=100, rate_limit=1000)
    take_away(admin, client)
    return client


@pytest.fixture
def client(admin, account):
    """An account of 100 channels and 1,000 calls an hour, and no share; taken away again, as servers are counted whole."""
    change(admin, f"/admin/clients/{account.client_id}", allocated_channels=100).ok
    yield account
    take_away(admin, account)


def figures(answer) -> dict:
    return {one["server_code"]: (one["channels"], one["rate_limit"], one["reason"]) for one in answer["shares"]}


def test_E11_Q13_automatic_shares_follow_the_account_and_the_servers(admin, servers, client):
    assert share(admin, client.accountcode, "setup-a", automatic=True).ok["channels"] == 60
    assert share(admin, client.accountcode, "setup-b", automatic=True).ok["channels"] == 30
    said = client.api.post(SETUP).ok
    assert figures(said) == {"setup-a": (60, 667, "whole_server"), "setup-b": (30, 333, "whole_server")}
    assert (said["allocated_channels"], said["effective_channels"], said["rate_limit"]) == (100, 90, 1000)
    assert said["allocated_servers"]["setup-a"]["allowed_active_calls"] == 60
    change(admin, f"/admin/clients/{client.client_id}", allocated_channels=10).ok  # it would be refused with fixed shares
    said = client.api.post(SETUP).ok
    assert figures(said) == {"setup-a": (7, 700, "part"), "setup-b": (3, 300, "part")}
    assert said["in_force"] is True and client.api.post(SETUP).ok == said


def test_E11_what_an_administrator_has_set_stays_and_the_rest_is_divided(stack, admin, servers, client):
    share(admin, client.accountcode, "setup-a", automatic=True).ok
    share(admin, client.accountcode, "setup-b", channels=20, rate_limit=50).ok
    path = f"/admin/allocations/{client.client_id}/{servers['setup-a']}"
    assert admin.get(path).ok.items() >= {"automatic": True, "channels": 60, "rate_limit": 950}.items()
    change(admin, f"/admin/clients/{client.client_id}", allocated_channels=70).ok
    assert figures(client.api.post(SETUP).ok) == {"setup-a": (50, 950, "part"), "setup-b": (20, 50, "by_hand")}
    change(admin, path, channels=5).ok  # now somebody has
    assert admin.get(path).ok.items() >= {"automatic": False, "channels": 5, "rate_limit": 950}.items()
    assert figures(client.api.post(SETUP).ok)["setup-a"] == (5, 950, "by_hand")
    change(admin, path, automatic=True).ok
    assert admin.get(path).ok["channels"] == 50
    check_refused(change(admin, path, automatic=True, channels=3), 400, "invalid_field")
    check_refused(share(admin, client.accountcode, "setup-a", channels=3), 400, "missing_field")


def test_E11_what_others_have_is_given_last(stack, admin, servers, client):
    other = stack.new_client("SETUP-OTHER", channels=100)
    take_away(admin, other)
    share(admin, other.accountcode, "setup-a", channels=50, rate_limit=1).ok
    try:
        share(admin, client.accountcode, "setup-a", automatic=True).ok
        share(admin, client.accountcode, "setup-b", automatic=True).ok
        change(admin, f"/admin/clients/{client.client_id}", allocated_channels=8).ok
        assert figures(client.api.post(SETUP).ok) == {"setup-a": (2, 250, "part"), "setup-b": (6, 750, "part")}
        change(admin, f"/admin/clients/{client.client_id}", allocated_channels=60).ok
        assert figures(client.api.post(SETUP).ok) == {"setup-a": (30, 500, "crowded"), "setup-b": (30, 500, "whole_server")}
    finally:
        take_away(admin, other)


def test_E11_a_server_that_is_away_gives_its_part_to_one_that_is_there(stack, admin, servers, client):
    """By ccsctl alike; a dry run changes nothing, and what changes is in the audit."""
    ctl = stack.stack.ccs
    for code in "ast1", "setup-a":
        ctl.ctl("alloc", "set", client.accountcode, code, "--automatic=yes")
    change(admin, f"/admin/clients/{client.client_id}", allocated_channels=4).ok
    before = admin.get("/admin/allocations", accountcode=client.accountcode).ok["items"]
    audited = len(setups(stack, client))
    tried = client.api.post(SETUP, dry_run=1).ok
    assert figures(tried) == {"ast1": (4, 1000, "crowded"), "setup-a": (0, 0, "down")} and tried["in_force"] is False
    shown = json.loads(ctl.ctl("alloc", "setup", client.accountcode, "--dry-run", "--json"))
    assert figures(shown) == figures(tried) and shown["dry_run"] is True
    assert admin.get("/admin/allocations", accountcode=client.accountcode).ok["items"] == before
    assert "away" in ctl.ctl("alloc", "setup", client.accountcode)
    again = client.api.post(SETUP).ok
    assert figures(again) == figures(tried) and again["in_force"] is True
    [row] = setups(stack, client)[audited:]
    assert row["actor"].startswith("ccsctl:")
    assert row["detail"]["shares"]["ast1"]["channels"]["to"] == 4 and row["detail"]["shares"]["setup-a"]["channels"]["to"] == 0


def setups(stack, client) -> list:
    return stack.sql("select actor, detail from audit where action = 'allocation.setup' and subject = %s order by id",
                     client.accountcode)


def test_E11_a_share_that_shrinks_drains(stack, asterisk, admin, client):
    share(admin, client.accountcode, "ast1", automatic=True).ok
    change(admin, f"/admin/clients/{client.client_id}", allocated_channels=2).ok
    calls = [client.call(number) for number in asterisk.numbers("answered", 2, talk=2)]
    stack.wait_until(lambda: client.live_calls() == 2, "both calls are live")
    change(admin, f"/admin/clients/{client.client_id}", allocated_channels=1).ok
    [one] = client.api.post(SETUP).ok["shares"]
    assert (one["channels"], one["live"], one["draining"]) == (1, 2, 1)
    waiting = client.call(asterisk.numbers("busy")[0])
    assert client.api.get(f"/calls/{waiting}").ok["status"] == "queued"
    assert [client.outcome(call)["disposition"] for call in calls] == ["completed"] * 2
    assert client.outcome(waiting)["disposition"] == "busy"


def test_E11_without_a_dispatcher_it_is_stored_and_says_so(stack, admin, client):
    share(admin, client.accountcode, "ast1", automatic=True).ok
    stack.kill("dispatcher-holder")
    try:
        stack.wait_until(lambda: client.api.get("/monitoring/health").status == 503, "it is known to be away")
        said = client.api.post(SETUP).ok
        assert said["in_force"] is False and said["shares"][0]["channels"] > 0
        assert "does not run" in stack.stack.ccs.ctl("alloc", "setup", client.accountcode)
    finally:
        stack.start("dispatcher-holder")
        stack.wait_ready()
    assert client.api.post(SETUP).ok["in_force"] is True
