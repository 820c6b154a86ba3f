"""How clients write the address, and what they send although nothing needs it."""
import http.client

import pytest
from stack import certs, nginx, ports
from stack.api import Api

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


def answer_in_clear(port, path):
    connection = http.client.HTTPConnection(ports.HOST, port, timeout=10)
    connection.request("GET", path, headers={"Host": "localhost"})
    with connection.getresponse() as answer:
        return answer.status, answer.headers["Location"]


def test_A9_plain_http_is_the_way_to_https_where_it_is_configured(stack, client, tmp_path):
    """A second nginx before the same workers."""
    tls = stack.stack.folder / "tls"
    front = nginx.Nginx(tmp_path, stack.stack.ccs, None)
    with ports.Lease() as lease:
        port = lease.port()
        front.configure(certs.Certs(tls / "ca.pem", tls / "server.pem", tls / "server.key"),
                        HTTP_LISTEN=f"{ports.HOST}:{port}")
        front.start()
    try:
        path = f"/api/v1{ME}?page=1"
        assert answer_in_clear(port, path) == (308, f"https://localhost:{front.port}{path}")
        encrypted = Api(f"https://{ports.HOST}:{front.port}", client.key, ca_file=stack.ca_file)
        assert encrypted.get(ME).status == 200
    finally:
        front.stop()
