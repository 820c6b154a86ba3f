"""Whatever a request names and its client does not own: one answer, whether it exists or not."""
import pytest

DETAILS = "/client-call-details/details"
NOBODYS = ["0", "999999999", str(2**53 - 1), str(2**53), str(2**64), "-1", "x", "1.0", "%20", "ccs-"]


@pytest.fixture(scope="module")
def client(stack):
    return stack.new_client("OURS")


@pytest.fixture(scope="module")
def other(stack):
    """Somebody else, with a batch and a server of his own."""
    client = stack.new_client("THEIRS")
    client.batch_id = client.insert(["9020000001"])
    client.queue_id = client.api.get(f"/queues/batches/{client.batch_id}").ok["id"]
    stack.sql("""
        insert into server (server_code, host, port, ami_user, ami_secret, channel_template,
                            allowed_active_calls, rate_limit, status)
        values ('theirs', '127.0.0.1', 1, 'x', 'x', 'PJSIP/{number}', 1, 1, 'disabled')""")
    return client


def refusal(answer):
    assert answer.status == 403, answer.body
    body = answer.json
    return body["detail"], body["code"], set(body)


def paths_with(client, queue):
    """Every path that holds an id, with these."""
    return [f"/clients/queue-masters/{client}", f"/clients/calling-queue-entries/{client}/{queue}",
            f"/queues/batches/{queue}", f"/calls/{queue}"]


@pytest.fixture(scope="module")
def refused(client):
    return refusal(client.api.get("/clients/queue-masters/999999999"))


def test_A7_Q11_ids_in_the_path(client, other, refused):
    for path in paths_with(other.client_id, other.queue_id):
        assert refusal(client.api.get(path)) == refused
    own = client.client_id
    for queue in other.queue_id, other.batch_id:
        assert refusal(client.api.get(f"/clients/calling-queue-entries/{own}/{queue}")) == refused
        assert refusal(client.api.get(f"/queues/batches/{queue}")) == refused


@pytest.mark.parametrize("name", NOBODYS)
def test_A7_ids_that_nobody_has(client, refused, name):
    for path in paths_with(name, name) + [f"/clients/calling-queue-entries/{client.client_id}/{name}"]:
        assert refusal(client.api.get(path)) == refused


def test_A7_calls(client, other, refused):
    theirs, ours = (one.call("9020000001") for one in (other, client))
    strange = [theirs, theirs[:-2] + "00", ours[:-2] + "00", ours[:-2] + "02", ours[:-2] + "ff", ours.upper(),
               ours[:-1], ours + "0", "ccs-" + "f" * 16, "ccs-" + "0" * 16, "ccs-" + "g" * 16]
    for call_id in strange:
        assert refusal(client.api.get(f"/calls/{call_id}", wait=30)) == refused
    assert client.api.get(f"/calls/{ours}").status == 200


@pytest.mark.parametrize("path", ["/monitoring/serverstatus", "/monitoring/callingsummary",
                                  "/client-call-details/summary"])
@pytest.mark.parametrize("code", ["theirs", "nobodys", "", "'; drop table server; --"])
def test_A7_server_codes(client, other, refused, path, code):
    assert refusal(client.api.get(path, server_code=code)) == refused


@pytest.mark.parametrize("path", ["/monitoring/activecalls", "/monitoring/serverstatus",
                                  "/monitoring/callingsummary", "/client-call-details/summary", DETAILS])
def test_A7_account_codes(client, other, refused, path):
    for code in other.accountcode, "NOBODY", "":
        assert refusal(client.api.get(path, accountcode=code)) == refused


def test_A7_batches_of_details(client, other, refused):
    for batch_id in other.batch_id, other.queue_id, 999999999:
        assert refusal(client.api.get(DETAILS, batch_id=batch_id)) == refused


def test_without_a_key_nothing_is_told_apart(client, other):
    for path in paths_with(other.client_id, other.queue_id) + paths_with("x", "x"):
        assert client.api.as_client(None).get(path).status == 401
