"""Every path answers with and without a trailing slash, as JSON, never with a redirect."""
import pytest

READS = ("/monitoring/health", "/monitoring/status", "/monitoring/activecalls",
         "/monitoring/serverstatus", "/monitoring/callingsummary", "/clients/me",
         "/clients/allocated-servers", "/client-call-details/details",
         "/client-call-details/summary")
WRITES = {"/queues/insertdataincallqueue": {"batch_id": 1, "data": [{"phone_number": "9000050000"}]},
          "/queues/quickcall": {"phone_number": "9020000000"},
          "/controls/dispatch-calls": None, "/controls/setup-channels": None}


@pytest.fixture(scope="module")
def client(stack):
    return stack.new_client("SLASH")


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("path", READS)
def test_X1_X4_X5_read(client, path, slash):
    answer = client.api.get(path + slash)
    assert isinstance(answer.ok, dict)
    assert answer.headers.get_content_type() == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Request-Id"]


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("path", WRITES)
def test_X1_X4_X5_write(client, path, slash):
    answer = client.api.post(path + slash, WRITES[path])
    assert answer.ok["status"] == "success"


@pytest.mark.parametrize("path", [path for path in READS if "health" not in path
                                  and not path.endswith("status")] + ["/monitoring/serverstatus"])
def test_X6_X8_authenticated_answers_carry_the_rate_limit(client, path):
    headers = client.api.get(path).headers
    assert 0 <= int(headers["X-RateLimit-Remaining"]) < int(headers["X-RateLimit-Limit"])
    assert int(headers["X-RateLimit-Reset"]) > 1_700_000_000
