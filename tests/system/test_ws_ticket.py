"""Tickets: a WebSocket for who can send no header, once, and no longer than the credential that asked for it."""
import pytest
from ws_client import Closed, Refused, WebSocket, can_connect


@pytest.fixture(scope="module")
def client(stack):
    client = stack.new_client("BROWSER")
    stack.wait_until(lambda: can_connect(stack, client), "the relay knows the new key")
    return client


def ticket_of(client, key=None):
    api = client.api.as_client(key) if key else client.api
    answer = api.post("/auth/ws-ticket").ok
    assert answer["expires_in"] == 30
    return answer["ticket"]


def offered(ticket, before="ccs-events, "):
    return {"headers": {"Sec-WebSocket-Protocol": f"{before}ccs-ticket.{ticket}"}}


def refusal_of(stack, **request):
    with pytest.raises(Refused) as caught:
        WebSocket.to(stack, **request)
    return caught.value.answer.status, caught.value.answer.json["code"]


def test_a_ticket_opens_one_connection_as_a_subprotocol_or_in_the_address(stack, client):
    for request in (lambda ticket: offered(ticket), lambda ticket: {"query": f"ticket={ticket}"},
                    lambda ticket: {"query": f"a=b&ticket={ticket}&c=d"}):
        ticket = ticket_of(client)
        with WebSocket.to(stack, **request(ticket)) as connection:
            assert connection.hear()["type"] == "connected"
            assert connection.subscribe()["type"] == "subscribed"
        assert refusal_of(stack, **request(ticket)) == (401, "ticket_used")


def test_our_subprotocol_is_chosen_and_no_other(stack, client):
    with WebSocket.to(stack, **offered(ticket_of(client))) as connection:
        assert connection.handshake.headers["Sec-WebSocket-Protocol"] == "ccs-events"
    with WebSocket.to(stack, **offered(ticket_of(client), before="chat,")) as connection:
        assert "Sec-WebSocket-Protocol" not in connection.handshake.headers
    with WebSocket.to(stack, client.key, headers={"Sec-WebSocket-Protocol": "chat, ccs-events"}) as connection:
        assert connection.handshake.headers["Sec-WebSocket-Protocol"] == "ccs-events"


def test_what_is_no_ticket_opens_nothing(stack, client):
    good = ticket_of(client)
    for ticket in ("x", good[:-1], good[:-1] + ("0" if good[-1] != "0" else "1"), client.key):
        assert refusal_of(stack, query=f"ticket={ticket}") in ((401, "ticket_invalid"), (401, "key_missing"))
    assert refusal_of(stack, query=f"ticket={good}", headers={"X-API-KEY": client.key}) == (400, "two_identities")
    with WebSocket.to(stack, query=f"ticket={good}") as connection:
        assert connection.hear()["type"] == "connected", "it has not been used by what was refused"


def test_a_ticket_is_good_for_nothing_else(stack, client):
    ticket = ticket_of(client)
    nobody = client.api.as_client(None)
    assert nobody.get("/clients/me", ticket=ticket).status == 401
    assert nobody.request("GET", "/clients/me", headers={"Authorization": f"Bearer {ticket}"}).status == 401


def test_a_connection_by_ticket_ends_with_the_key_that_asked_for_it(stack, client):
    made = client.api.post("/clients/me/keys", {"name": "for a while", "scopes": ["read"]}).ok
    stack.wait_until(lambda: client.api.as_client(made["api_key"]).post("/auth/ws-ticket").status == 200, "the key is good")
    ticket = ticket_of(client, made["api_key"])
    unused = ticket_of(client, made["api_key"])

    def opened():
        try:
            return WebSocket.to(stack, **offered(ticket))
        except Refused as refused:
            assert refused.answer.status == 503, refused  # the directory does not know the key yet
            return None

    with stack.wait_until(opened, "the relay knows the key") as connection:
        assert connection.hear()["type"] == "connected"
        assert client.api.request("DELETE", f"/clients/me/keys/{made['id']}").status == 200
        closed = connection.goodbye()
    assert (closed.code, closed.reason.partition(":")[0]) == (1008, "key_unknown")
    stack.wait_until(lambda: refusal_of(stack, **offered(unused)) == (401, "key_unknown"), "its other ticket is void")


def test_a_ticket_by_token_ends_with_its_session(stack, client):
    tokens = client.api.as_client(None).post("/auth/login", {"username": client.username, "password": client.password}).ok
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    nobody = client.api.as_client(None)
    ticket = nobody.request("POST", "/auth/ws-ticket", headers=bearer).ok["ticket"]
    with WebSocket.to(stack, **offered(ticket)) as connection:
        assert connection.hear()["type"] == "connected"
        assert nobody.request("POST", "/auth/logout", headers=bearer).status == 200
        closed = connection.goodbye()
    assert (closed.code, closed.reason.partition(":")[0]) == (1008, "session_ended")


def test_a_restarted_relay_takes_no_ticket_that_its_predecessor_may_have_seen(stack, client):
    used, unused = ticket_of(client), ticket_of(client)
    with WebSocket.to(stack, **offered(used)) as connection:
        stack.kill("relay")
        with pytest.raises(Closed):
            while True:
                connection.hear()
    stack.start("relay")
    stack.wait_until(lambda: can_connect(stack, client), "the relay is back")
    for ticket in (used, unused):
        assert refusal_of(stack, **offered(ticket)) == (401, "ticket_used")
    with WebSocket.to(stack, **offered(ticket_of(client))) as connection:
        assert connection.hear()["type"] == "connected"
