"""Who may open a WebSocket, and what everybody else is answered: the API's own envelope, before the handshake."""
import contextlib
import re

import pytest
from stack.proc import Process
from ws_client import (PATH, PING, PONG, TEXT, Closed, Refused, WebSocket, can_connect, frame,
                       listen)

UNKNOWN = "ccs_live_" + "0" * 32 + "AAAAAA"  # the checksum is wrong


@pytest.fixture(scope="module")
def client(stack):
    client = stack.new_client("VISITOR")
    stack.wait_until(lambda: can_connect(stack, client), "the relay knows the new key")
    return client


def refused(stack, key=None, **request):
    with pytest.raises(Refused) as caught:
        WebSocket.to(stack, key, **request)
    return caught.value.answer


def check_envelope(answer, status, code):
    body = answer.json
    assert (answer.status, body["status_code"], body["code"]) == (status, status, code)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Strict-Transport-Security"] and answer.headers["X-Content-Type-Options"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", body["timestamp"])
    assert answer.headers["X-Request-Id"] == body["request_id"] != ""
    assert body["detail"]


@pytest.mark.parametrize("way", ["query", "in a query", "header", "bearer"])
def test_E17_A3_three_ways_to_show_a_key(stack, client, way):
    request = {"query": {"query": f"x-api-key={client.key}"},
               "in a query": {"query": f"a=b&x-api-key={client.key}&max-api-key=c"},
               "header": {"headers": {"X-API-KEY": client.key}},
               "bearer": {"headers": {"Authorization": f"Bearer {client.key}"}}}[way]
    with WebSocket.to(stack, **request) as socket:
        assert socket.hear()["type"] == "connected"


@pytest.mark.parametrize("path", [PATH, PATH + "/"])
def test_a_trailing_slash_is_the_same_address(stack, client, path):
    with WebSocket.to(stack, client.key, path=path) as socket:
        assert socket.hear()["type"] == "connected"


def test_no_key(stack):
    answer = refused(stack)
    check_envelope(answer, 401, "key_missing")
    assert "Bearer" in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("key,status,code", [
    (UNKNOWN, 401, "key_malformed"), ("x", 401, "key_malformed"), ("x" * 5000, 401, "key_malformed"),
    ("%00%0d%0aX-Evil:%201", 400, "bad_request"), ("%zz", 400, "bad_request")])
def test_wrong_keys(stack, key, status, code):
    check_envelope(refused(stack, key), status, code)


def test_a_key_that_nobody_has(stack, client):
    gone = stack.new_client("LEAVER")
    stack.wait_until(lambda: can_connect(stack, gone), "the relay knows the new key")
    stack.sql("delete from api_key where client_id = %s", gone.client_id)
    stack.reload(gone.client_id)
    stack.wait_until(lambda: not can_connect(stack, gone), "the relay knows that the key is gone")
    check_envelope(refused(stack, gone.key), 401, "key_unknown")


def test_two_different_keys(stack, client):
    answer = refused(stack, client.key, headers={"X-API-KEY": stack.client.key})
    check_envelope(answer, 400, "two_identities")


def test_A5_an_expired_key_is_refused_and_loses_its_connection(stack):
    client = stack.new_client("PASSING")
    with listen(stack, client) as events:
        stack.sql("""update api_key set expires_at = now() + interval '2 seconds'
                     where client_id = %s""", client.client_id)
        stack.reload(client.client_id)
        closed = events.goodbye()
    assert (closed.code, closed.reason) == (1008, "key_expired: the API key has expired")
    check_envelope(refused(stack, client.key), 401, "key_expired")


def test_an_inactive_client_is_refused_and_loses_its_connection(stack):
    client = stack.new_client("SLEEPER")
    with listen(stack, client) as events:
        client.set_active(False)
        closed = events.goodbye()
    assert (closed.code, closed.reason) == (1008, "client_inactive: the client is inactive")
    check_envelope(refused(stack, client.key), 403, "client_inactive")


@pytest.mark.parametrize("upgrade", ["h2c", "websocket, h2c", "websocketx", "TLS/1.3", None])
def test_nothing_but_websocket_comes_through(stack, client, upgrade):
    answer = refused(stack, client.key, headers={
        "Upgrade": upgrade, "HTTP2-Settings": "AAMAAABkAAQAAP__", "Connection":
        "Upgrade, HTTP2-Settings"})
    check_envelope(answer, 426, "upgrade_required")
    assert answer.headers["Upgrade"] == "websocket"


def test_the_relay_itself_refuses_h2c(stack, client):
    for upgrade in ("h2c", "H2C", "other", None):
        with pytest.raises(Exception) as caught:
            WebSocket.to_relay(stack.stack.ccs.run_dir, client.key, headers={
                "Upgrade": upgrade, "HTTP2-Settings": "AAMAAABkAAQAAP__"})
        answer = getattr(caught.value, "answer", None)
        assert answer is None or answer.status in (400, 403)


@pytest.mark.parametrize("headers", [
    {"Sec-WebSocket-Version": "8"}, {"Sec-WebSocket-Version": None}, {"Sec-WebSocket-Key": None},
    {"Sec-WebSocket-Key": "short"}, {"Sec-WebSocket-Key": "x" * 3000}])
def test_half_a_handshake(stack, client, headers):
    check_envelope(refused(stack, client.key, headers=headers), 400, "bad_handshake")


def test_only_get(stack, client):
    answer = refused(stack, client.key, method="POST", headers={"Content-Length": "0"})
    assert (answer.status, answer.json["status_code"]) == (405, 405)


def test_subprotocols_and_extensions_are_not_ours(stack, client):
    headers = {"Sec-WebSocket-Protocol": "chat, bell", "Cookie": "a=" + "b" * 3000,
               "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}
    with WebSocket.to(stack, client.key, headers=headers) as socket:
        assert "Sec-WebSocket-Extensions" not in socket.handshake.headers
        assert "Sec-WebSocket-Protocol" not in socket.handshake.headers
        assert socket.hear()["type"] == "connected"


def test_long_addresses_and_headers_are_still_answered(stack, client):
    with WebSocket.to(stack, query=f"pad={'x' * 6000}&x-api-key={client.key}") as socket:
        assert socket.hear()["type"] == "connected"
    # As much as nginx lets pass: 8 kB a line, four such lines.
    answer = refused(stack, query="pad=" + "x" * 7900, headers={
        "Origin": "https://" + "o" * 7900, "Authorization": "Bearer " + "t" * 7900})
    check_envelope(answer, 401, "key_malformed")


def test_relay_away(stack, client):
    stack.kill("relay")
    answer = refused(stack, client.key)
    assert (answer.status, answer.json["code"]) == (502, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    stack.start("relay")
    stack.wait_until(lambda: can_connect(stack, client), "the relay is back")


def test_dispatcher_away(stack, client):
    stack.kill("dispatcher-holder")
    try:
        stack.wait_until(lambda: not can_connect(stack, client), "its heartbeat is stale")
        answer = refused(stack, client.key)
        check_envelope(answer, 503, "unavailable")
        assert int(answer.headers["Retry-After"]) > 0
    finally:
        stack.start("dispatcher")
    stack.wait_until(lambda: can_connect(stack, client), "the dispatcher is back")


def refused_by(folder, key, **request):
    with pytest.raises(Refused) as caught:
        WebSocket.to_relay(folder, key, **request)
    return caught.value.answer


def test_connections_of_one_client_are_limited(stack, client, relay):
    with relay(connections_per_client=2) as folder:
        first, second = (WebSocket.to_relay(folder, client.key) for _ in range(2))
        answer = refused_by(folder, client.key)
        assert (answer.status, answer.json["code"]) == (429, "too_many_connections")
        assert int(answer.headers["Retry-After"]) > 0
        WebSocket.to_relay(folder, stack.client.key).hang_up()
        first.hang_up()

        def there_is_room():
            with contextlib.suppress(Refused):
                return WebSocket.to_relay(folder, client.key)

        stack.wait_until(there_is_room, "a closed connection has made room").hang_up()
        second.hang_up()


def test_connections_from_one_address_are_limited(stack, client, relay):
    def come_from(address):
        return WebSocket.to_relay(folder, client.key, headers={"X-Client-Address": address})

    with relay(connections_per_address=2) as folder, contextlib.ExitStack() as open_ones:
        for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"):
            open_ones.enter_context(come_from(address))
        for address in ("192.0.2.1", "2001:db8::3"):
            answer = refused_by(folder, client.key, headers={"X-Client-Address": address})
            assert (answer.status, answer.json["code"]) == (429, "too_many_connections")
        come_from("192.0.2.2").hang_up()


def test_connections_are_limited(stack, client, relay):
    with relay(connections=1) as folder:
        with WebSocket.to_relay(folder, client.key):
            answer = refused_by(folder, stack.client.key)
            assert (answer.status, answer.json["code"]) == (503, "unavailable")


def test_origins_of_a_list_may_connect_and_so_may_programs(stack, client, relay):
    with relay(allowed_origins="https://a.example https://b.example:8443") as folder:
        for headers in ({}, {"Origin": "https://a.example"}, {"Origin": "HTTPS://B.example:8443"}):
            WebSocket.to_relay(folder, client.key, headers=headers).hang_up()
        for origin in ("https://c.example", "https://b.example", "null", "https://a.example.evil"):
            answer = refused_by(folder, client.key, headers={"Origin": origin})
            assert (answer.status, answer.json["code"]) == (403, "origin_refused")


def test_any_origin_may_connect_without_a_list(stack, client):
    with WebSocket.to(stack, client.key, headers={"Origin": "https://anybody.example"}) as socket:
        assert socket.hear()["type"] == "connected"


def test_a_second_relay_does_not_take_the_socket(stack, client, relay):
    with relay() as folder:
        second = Process("second", marker=str(folder), pid_file=folder / "pid2", log=folder / "log2")
        second.start([stack.stack.ccs.programs / "ccs-relay", "-c", folder / "ccs.conf"])
        stack.wait_until(lambda: not second.pid(), "the second has given up")
        assert "does another relay run" in (folder / "log2").read_text()
        WebSocket.to_relay(folder, client.key).hang_up()


def test_a_reader_that_answers_no_ping_is_hung_up(stack, client, relay):
    with relay(ping_seconds=1, hangup_seconds=3) as folder:
        silent = WebSocket.to_relay(folder, client.key)
        with WebSocket.to_relay(folder, client.key) as lively:
            pings = 0
            while pings < 5:  # past the end of the silent one
                opcode, payload = lively.frame()
                if opcode == PING:
                    lively.send(frame(payload, PONG))
                    pings += 1
            heard = []
            with pytest.raises(Closed) as caught:
                while True:
                    heard.append(silent.frame()[0])
        assert heard == [TEXT, PING] and caught.value.code is None
