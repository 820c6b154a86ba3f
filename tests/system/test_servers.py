"""What a client is told about the servers that it has a share of."""
import pytest

SERVERS = "/clients/allocated-servers"
MEMBERS = ["allowed_active_calls", "rate_limit", "status", "server_code", "default_directory", "recording_directory",
           "provided_prefix", "context", "allocated_dids", "provided_endpoints"]


@pytest.fixture
def client(stack):
    return stack.new_client("SHARES", channels=7, rate_limit=70)


def share(client):
    [[code, share]] = client.api.get(SERVERS).ok["allocated_servers"].items()
    assert code == share["server_code"] == "ast1"
    return share


def test_F6_E5_the_documents_ten_members_and_the_three_of_the_share_first(stack, client):
    [server] = stack.sql("select * from server where server_code = 'ast1'")
    told = share(client)
    assert list(told) == MEMBERS
    assert (told["allowed_active_calls"], told["rate_limit"], told["status"]) == (7, 70, "active")
    for name in MEMBERS[4:]:
        assert told[name] == server[name]
    assert isinstance(told["context"], list) and told["context"]


def test_F6_numbers_shown_are_the_shares_own_if_it_has_any(stack, client):
    dids = ["911140000007", "+911140000008"]
    stack.sql("update allocation set allocated_dids = %s where client_id = %s", dids, client.client_id)
    assert share(client)["allocated_dids"] == dids
    assert client.api.post("/controls/setup-channels").ok["allocated_servers"]["ast1"] == share(client)


@pytest.mark.parametrize("of_server, of_share, told", [
    ("active", "draining", "draining"), ("draining", "active", "draining"), ("disabled", "draining", "disabled")])
def test_F6_the_more_closed_of_both_sides_counts(stack, client, of_server, of_share, told):
    stack.sql("update allocation set status = %s where client_id = %s", of_share, client.client_id)
    with stack.server_limited("ast1", status=of_server):
        assert share(client)["status"] == told


def test_F6_no_secret_of_the_server_is_told(stack, client):
    [server] = stack.sql("select host, channel_template from server where server_code = 'ast1'")
    said = client.api.get(SERVERS).body.decode()
    assert server["host"] not in said and server["channel_template"] not in said and "ami" not in said
