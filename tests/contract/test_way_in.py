"""How clients write the address, and what they send although nothing needs it."""
import json

import pytest
from stack.api import Api
from walls import address, check_envelope, get, send_raw, wall

ME = "/clients/me"


@pytest.fixture(scope="module")
def client(stack):
    return stack.new_client("ENTRANT")


@pytest.mark.parametrize("base", ["", "/", "//"])
@pytest.mark.parametrize("path", [ME, "/monitoring/callingsummary", "/monitoring/health"])
def test_A1_base_address_with_and_without_slashes(client, base, path):
    assert client.api.get(base + path).ok.keys() == client.api.get(path).ok.keys()


@pytest.mark.parametrize("name", ["X-API-KEY", "x-api-key", "X-Api-Key"])
def test_A2_header_name_in_any_case(client, name):
    answer = client.api.as_client(None).request("GET", ME, headers={name: client.key})
    assert answer.ok["accountcode"] == client.accountcode


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8",
                                          "text/plain", ""])
def test_A8_content_type_without_a_body(client, content_type):
    headers = {"Content-Type": content_type}
    assert client.api.request("GET", ME, headers=headers).status == 200
    for path in "/controls/dispatch-calls", "/controls/setup-channels/":
        for body in None, b"":
            assert client.api.request("POST", path, body, headers=headers).status == 200


def test_A9_plain_http_is_the_way_to_https_where_it_is_configured(stack, client):
    """People follow a redirect. A program gets an error that says what to do: it would send its key in clear each time
    before it is redirected."""
    with wall(stack, plain_http=True) as gate:
        host, port = address(gate.http_url)
        head = f"Host: {host}"
        status, headers, _ = send_raw(gate.http_url, get("/docs/?page=1", head))
        assert (status, headers["location"]) == (308, f"{gate.base_url}/docs/?page=1")
        answer = send_raw(gate.http_url, get(f"/api/v1{ME}", head, f"X-API-KEY: {client.key}"))
        check_envelope(answer, 403, "https_required")
        assert "location" not in answer[1] and "https://" in json.loads(answer[2])["detail"]
        encrypted = Api(gate.base_url, client.key, ca_file=stack.ca_file)
        assert encrypted.get(ME).status == 200
