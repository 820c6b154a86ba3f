"""What stands around every endpoint: nginx's own errors, keys and logs, limits, workers that come and go."""
import json
import os
import re
import signal
import socket
import ssl
import time

import pytest
from load import Load, tls
from walls import address, check_envelope, get, send_raw

STATUS = "/monitoring/status"
ME = "/clients/me"
CONNECTIONS = 200


@pytest.fixture(scope="module")
def client(stack):
    return stack.new_client("FRAME")



REFUSED_BY_NGINX = {
    "outside the API": (get("/"), 404),
    "the error's own address": (get("/ccs-error"), 404),
    "beside the API": (get("/api/v2/clients/me"), 404),
    "out of the API": (get("/api/v1/../../etc/passwd"), 404),
    "out of the tree": (get("/api/v1/../../../etc/passwd"), 400),
    "no method": (b"\r\nHELLO\r\n\r\n", 400),
    "no host": (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
    "NUL in the path": (get("/api/v1/%00"), 400),
    "TRACE": (get("/api/v1/clients/me").replace(b"GET", b"TRACE", 1), 405),
    "long path": (get("/api/v1/" + "x" * 9000), 414),
    "long query": (get("/api/v1/clients/me?x-api-key=" + "x" * 9000), 414),
    "long header": (get("/api/v1/clients/me", "X-API-KEY: " + "x" * 9000), 431),
    "many headers": (get("/api/v1/clients/me", *[f"X-{n}: {'x' * 1000}" for n in range(40)]), 431),
    "unknown version of HTTP": (get("/api/v1/clients/me").replace(b"HTTP/1.1", b"HTTP/2.0", 1), 505),
    "unknown encoding of the body": (get("/api/v1/clients/me", "Transfer-Encoding: gzip"), 501),
    "two lengths of the body": (get("/api/v1/clients/me", "Content-Length: 1", "Content-Length: 2"), 400),
    "no length of the body": (get("/api/v1/clients/me", "Content-Length: many"), 400),
    "large body": (get("/api/v1/clients/me", "Content-Length: 70000"), 413),
}


@pytest.mark.parametrize("case", REFUSED_BY_NGINX)
def test_X3_X4_what_nginx_refuses_is_in_the_envelope(stack, case):
    request, status = REFUSED_BY_NGINX[case]
    check_envelope(send_raw(stack.base_url, request), status)


def test_plain_http_on_the_https_port(stack):
    plain = stack.base_url.replace("https", "http", 1)
    check_envelope(send_raw(plain, get("/api/v1/clients/me")), 400, "https_required")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_only_modern_tls(stack):
    context = tls(stack)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with socket.create_connection(address(stack.base_url), timeout=15) as plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain, server_hostname="localhost")


def test_D6_request_id_is_echoed_or_made(client):
    def ids(sent):
        answer = client.api.request("GET", "/no/such/path", headers={"X-Request-Id": sent})
        assert answer.json["request_id"] == answer.headers["X-Request-Id"]
        return answer.headers["X-Request-Id"]

    assert ids("order-17.3_A") == "order-17.3_A"
    for strange in "a b", 'a"b', "x" * 65, "":
        assert re.fullmatch(r"[0-9a-f]{32}", ids(strange))


def test_internal_headers_of_a_client_mean_nothing(client):
    for name in "X-Accel-Redirect", "X-Ccs-Client-Id", "X-Ccs-Sql", "Proxy":
        answer = client.api.as_client(None).request("GET", ME, headers={name: "@ccs_sql"})
        assert answer.status == 401


def test_head_is_get_without_a_body(client):
    head = client.api.request("HEAD", ME)
    assert head.status == 200 and head.body == b""
    assert int(head.headers["Content-Length"]) == len(client.api.get(ME).body)


def test_body_in_chunks(stack, client):
    head = get("/api/v1/queues/quickcall", f"X-API-KEY: {client.key}", "Transfer-Encoding: chunked")
    body = b'8\r\n{"phone_\r\n10\r\nnumber":"12","a"\r\n3\r\n:1}\r\n0\r\n\r\n'
    answer = send_raw(stack.base_url, head.replace(b"GET", b"POST", 1) + body)
    check_envelope(answer, 400)
    assert "phone_number" in json.loads(answer[2])["detail"]


def test_F5_X6_Q19_the_request_limit(stack):
    client = stack.new_client("LIMITED", requests_per_minute=3)
    # The window is a minute of the clock: never begin at its very end.
    stack.wait_until(lambda: time.time() % 60 < 55, "a minute has room", seconds=10)
    remaining = [int(client.api.get(ME).headers["X-RateLimit-Remaining"]) for _ in range(3)]
    assert remaining == [2, 1, 0]
    refused = client.api.get(ME)
    assert refused.status == 429 and refused.json["code"] == "too_many_requests"
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    reset = int(refused.headers["X-RateLimit-Reset"])
    assert reset % 60 == 0 and 0 <= reset - time.time() <= 60
    assert client.api.get(STATUS).status == 200  # asks for no key, counts for nobody


def test_a_change_is_seen_at_once(stack):
    """Workers believe the segment only as long as nothing has been changed since it was filled."""
    client = stack.new_client("CHANGED")
    for channels in 7, 3, 9:
        stack.stack.allocate(client.accountcode, channels=channels)
        servers = client.api.get("/clients/allocated-servers").ok["allocated_servers"]
        assert sum(server["allowed_active_calls"] for server in servers.values()) == channels


def test_no_kept_connection_starves(stack, client):
    with Load(stack, client, STATUS, CONNECTIONS) as load:
        stack.wait_until(lambda: min(load.served) >= 10, "every connection has ten answers", seconds=60)
    assert set(load.answers) == {200}
    assert max(load.slowest) < 5


@pytest.mark.parametrize("path, pool", [(ME, "fast"), ("/monitoring/callingsummary", "sql")])
def test_workers_leave_and_come_without_a_lost_request(stack, client, path, pool):
    with Load(stack, client, path, 8) as load:
        for _ in range(10):
            before = stack.workers(pool)
            served = sum(load.served)
            os.kill(before[0], signal.SIGTERM)
            stack.wait_until(lambda: before[0] not in stack.workers(pool)
                             and len(stack.workers(pool)) == len(before), "a new worker is there")
            stack.wait_until(lambda: sum(load.served) > served + 50, "requests go on")
    assert set(load.answers) == {200}


def test_roll_replaces_every_worker_and_loses_no_request(stack, client):
    with Load(stack, client, ME, 8) as load:
        before = set(stack.children("api"))
        assert stack.stack.processes()["api"].send(signal.SIGHUP)
        stack.wait_until(lambda: not before & set(stack.children("api"))
                         and len(stack.children("api")) == len(before), "all workers are new")
        served = sum(load.served)
        stack.wait_until(lambda: sum(load.served) > served + 50, "requests go on")
    assert set(load.answers) == {200}


def test_a_broken_configuration_is_not_taken(stack, client):
    conf = stack.stack.ccs.conf
    text = conf.read_text()
    before = set(stack.children("api"))
    try:
        conf.write_text(text + "\n[api]\nno_such_option = 1\n")
        stack.stack.processes()["api"].send(signal.SIGHUP)
        log = stack.stack.log_dir / "ccs-api.log"
        stack.wait_until(lambda: "at=api.reload_refused" in log.read_text(), "the refusal is logged")
    finally:
        conf.write_text(text)
    assert client.api.get(ME).status == 200
    assert set(stack.children("api")) == before


@pytest.mark.parametrize("pool", ["fast", "sql"])
def test_killed_workers_are_replaced(stack, client, pool):
    before = stack.workers(pool)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    stack.wait_until(lambda: len(stack.workers(pool)) == len(before)
                     and not set(before) & set(stack.workers(pool)), "all are replaced")
    assert client.api.get(ME).status == 200
    assert client.api.get("/monitoring/callingsummary").status == 200
    obituaries = (stack.stack.log_dir / "ccs-api.log").read_text()
    for pid in before:
        assert f"at=api.worker_died pool={pool} worker={pid} how=signal code=9" in obituaries


def test_workers_end_with_their_master(stack, client):
    before = stack.children("api")
    stack.kill("api")
    stack.wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in before),
                     "no worker is left")
    answer = client.api.get(ME)
    assert answer.status == 502 and answer.json["code"] == "unavailable"
    assert int(answer.headers["Retry-After"]) >= 1
    stack.start("api")
    stack.wait_until(lambda: client.api.get(ME).status == 200, "the API is back")


def test_a_second_master_is_refused(stack, client):
    ccs = stack.stack.ccs
    done = os.spawnv(os.P_WAIT, ccs.programs / "ccs-api", ["ccs-api", "-c", str(ccs.conf)])
    assert done != 0
    assert client.api.get(ME).status == 200


def test_A3_D8_no_key_in_any_log(stack):
    """A key in the query is allowed, so no log may hold a query: not of requests, not of errors."""
    client = stack.new_client("LEAKY")
    query = {"x-api-key": client.key}
    anybody = client.api.as_client(None)
    assert anybody.get(ME, **query).status == 200
    assert anybody.get("/no/such/path", **query).status == 404
    assert anybody.post("/queues/quickcall", b"{", **query).status == 400
    assert anybody.post("/queues/quickcall", b" " * 70_000, **query).status == 413
    send_raw(stack.base_url, get(f"/api/v1/{'x' * 9000}?x-api-key={client.key}"))
    send_raw(stack.base_url.replace("https", "http", 1), get(f"/api/v1/clients/me?x-api-key={client.key}"))
    stack.stop("api")
    assert anybody.get(ME, **query).status == 502
    stack.start("api")
    stack.wait_until(lambda: anybody.get(ME, **query).status == 200, "the API is back")

    access = stack.stack.log_dir / "access.log"
    written = 'path="/api/v1/no/such/path" status=404', 'path="/api/v1/clients/me" status=502'
    stack.wait_until(lambda: all(line in access.read_text() for line in written),
                     "nginx has written what it buffers")
    for log in stack.stack.log_dir.rglob("*"):
        if log.is_file():
            assert client.key not in log.read_text(errors="replace"), log
