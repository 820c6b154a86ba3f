"""nginx as the outer wall: what one address or one key may ask, told in the envelope; whose address it is."""
import collections
import contextlib
import json
import secrets
import threading
import time
import zlib

import pytest
from stack.api import Api
from walls import check_envelope, connect, get, read_answer, send_raw, wall
from ws_client import PATH as WS
from ws_client import Refused, WebSocket

ME = "/api/v1/clients/me"
HEALTH = "/api/v1/monitoring/health"
BATCH = "/api/v1/queues/insertdataincallqueue"
LOGIN = "/api/v1/auth/login"
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ATTACKER = "127.0.0.2"


@pytest.fixture(scope="module")
def client(stack):
    return stack.new_client("WALLED")


def random_key():
    """A key that nobody has, and that only a look-up tells from a real one."""
    text = "ccs_live_" + "".join(secrets.choice(BASE62) for _ in range(32))
    check = zlib.crc32(text.encode())
    digits = ""
    for _ in range(6):
        check, digit = divmod(check, 62)
        digits = BASE62[digit] + digits
    return text + digits


class Flood:
    """Requests over a few kept connections, as fast as they go."""

    def __init__(self, url, requests, *, source=None, connections=4):
        self.statuses = collections.Counter()
        self._url, self._source = url, source
        self._requests = [requests[i::connections] for i in range(connections)]
        self._lock = threading.Lock()
        self.refusal = None

    def run(self):
        """Sends all of them; the seconds that took."""
        began = time.monotonic()
        threads = [threading.Thread(target=self._send, args=(part,)) for part in self._requests]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.monotonic() - began

    def _send(self, requests):
        with connect(self._url, source=self._source) as sock, sock.makefile("rb") as reply:
            for request in requests:
                sock.sendall(request)
                answer = read_answer(reply)
                with self._lock:
                    self.statuses[answer[0]] += 1
                    if answer[0] == 429:
                        self.refusal = answer


def kept(path, *lines, method="GET"):
    """A request that leaves its connection open."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()


def until_refused(ask, most=200):
    """Calls ask(0), ask(1) ..., each an answer, until one is a refusal: how many were not, the seconds that took, each
    of which gives back what a second may use, and the refusal."""
    began = time.monotonic()
    for passed in range(most):
        answer = ask(passed)
        if answer[0] == 429:
            return passed, time.monotonic() - began, answer
    raise AssertionError(f"{most} requests and none was refused")


def spend(gate, request, *, source=None):
    """Sends one request over a kept connection until_refused()."""
    with connect(gate.base_url, source=source) as sock, sock.makefile("rb") as reply:
        def ask(_):
            sock.sendall(request)
            return read_answer(reply)

        return until_refused(ask)


def status_of(gate, path, *lines, source=None):
    return send_raw(gate.base_url, get(path, *lines), source=source)[0]


def test_ten_thousand_random_keys_from_one_address(stack, client):
    """The workers see what the zone lets through, and another tenant sees nothing of it at all."""
    rate, burst_seconds = 50, 2
    requests = [kept(ME, f"X-API-KEY: {random_key()}") for _ in range(10_000)]
    with wall(stack, reads_per_second=rate, burst_seconds=burst_seconds) as gate:
        other = Api(gate.base_url, client.key, ca_file=gate.ca_file)
        flood = Flood(gate.base_url, requests, source=ATTACKER)
        thread = threading.Thread(target=flood.run)
        began = time.monotonic()
        thread.start()
        answers = []
        while thread.is_alive() or not answers:
            answers.append(other.get("/clients/me").status)
            time.sleep(0.03)  # below the rate that the other tenant has itself
        elapsed = time.monotonic() - began
    assert set(answers) == {200}
    assert set(flood.statuses) == {401, 429} and sum(flood.statuses.values()) == 10_000
    assert flood.statuses[401] <= rate * (burst_seconds + elapsed) + 1
    check_envelope(flood.refusal, 429, "too_many_requests")


def test_retry_after_suffices(stack):
    with wall(stack, reads_per_second=1, burst_seconds=1) as gate:
        _, _, (_, headers, _) = spend(gate, kept(HEALTH), source=ATTACKER)
        refused = time.monotonic()
        stack.wait_until(lambda: time.monotonic() > refused + int(headers["retry-after"]),
                         "the time is over")
        assert status_of(gate, HEALTH, source=ATTACKER) == 200


def test_every_kind_of_request_has_a_zone_of_its_own(stack, client):
    """One that is used up leaves the others open, and other addresses, too."""
    key = f"X-API-KEY: {client.key}"
    kinds = {
        "reads": kept(HEALTH),
        "inserts": kept("/api/v1/queues/quickcall", "Content-Length: 0", method="POST"),
        "logins": kept(LOGIN, "Content-Length: 0", method="POST"),
        "handshakes": kept(WS, "Upgrade: websocket", "Connection: Upgrade"),
    }
    with wall(stack, **{f"{name}_per_second": 1 for name in kinds}, burst_seconds=3) as gate:
        for request in kinds.values():
            passed, seconds, refusal = spend(gate, request, source=ATTACKER)
            assert 3 <= passed <= 5 + seconds
            check_envelope(refusal, 429, "too_many_requests")
        assert status_of(gate, ME, key, source="127.0.0.3") == 200
        with WebSocket.to(gate, client.key) as socket:
            assert socket.hear()["type"] == "connected"


def test_a_handshake_that_is_too_much(stack, client):
    with wall(stack, handshakes_per_second=1, burst_seconds=1) as gate:
        with contextlib.ExitStack() as opened, pytest.raises(Refused) as caught:
            for _ in range(20):
                opened.enter_context(WebSocket.to(gate, client.key))
        assert caught.value.answer.status == 429
        assert caught.value.answer.json["code"] == "too_many_requests"


def test_a_key_is_counted_wherever_it_comes_from(stack, client):
    """Whichever way it is sent; another key of the same address is not."""
    ways = [("127.0.0.2", ME, f"X-API-KEY: {client.key}"),
            ("127.0.0.3", ME, f"Authorization: Bearer {client.key}"),
            ("127.0.0.4", f"{ME}?a=b&x-api-key={client.key}", "Accept: */*")]
    with wall(stack, key_requests_per_second=1, burst_seconds=5) as gate:
        def ask(number):
            source, path, line = ways[number % len(ways)]
            answer = send_raw(gate.base_url, get(path, line), source=source)
            assert answer[0] in (200, 429)
            return answer

        passed, seconds, refusal = until_refused(ask)
        assert 6 <= passed <= 7 + seconds
        check_envelope(refusal, 429, "too_many_requests")
        other = f"X-API-KEY: {stack.client.key}"
        assert [status_of(gate, ME, other, source=ATTACKER) for _ in range(3)] == [200] * 3


def test_whoever_has_seen_what_we_show_of_a_key_cannot_use_up_its_limit(stack, client):
    shown = client.key[:15]
    with wall(stack, key_requests_per_second=1, burst_seconds=2) as gate:
        for _ in range(10):
            guess = shown + random_key()[15:]
            assert status_of(gate, ME, f"X-API-KEY: {guess}", source=ATTACKER) == 401
        assert status_of(gate, ME, f"X-API-KEY: {client.key}") == 200


def test_a_token_is_counted_by_itself(stack, client):
    def sign_in():
        answer = client.api.post("/auth/login", {"username": client.username,
                                                 "password": client.password})
        return f"Authorization: Bearer {answer.ok['access_token']}"

    first, second = sign_in(), sign_in()
    with wall(stack, key_requests_per_second=1, burst_seconds=2) as gate:
        passed, seconds, _ = spend(gate, kept(ME, first))
        assert 2 <= passed <= 4 + seconds
        assert status_of(gate, ME, second) == 200


@contextlib.contextmanager
def upload(gate, *lines, source=None):
    """The beginning of a large body, for as long as the with block lasts: its connection."""
    with connect(gate.base_url, source=source) as sock, sock.makefile("rb") as reply:
        sock.sendall(kept(BATCH, *lines, method="POST") + b"1\r\n[\r\n")
        yield reply


def test_large_bodies_under_way_are_limited(stack, client):
    """Of an address and of a key; small ones, and those of others, find their way meanwhile."""
    large, key = "Content-Length: 2000000", f"X-API-KEY: {client.key}"
    other = f"X-API-KEY: {stack.client.key}"
    small = get(BATCH, key, "Content-Length: 0").replace(b"GET", b"POST", 1)
    with wall(stack, large_bodies=2) as gate:
        with contextlib.ExitStack() as uploads:
            for _ in range(2):
                uploads.enter_context(upload(gate, large, key, source="127.0.0.2"))
            for lines, source in [((large, other), "127.0.0.2"),  # the address's limit
                                  ((large, key), "127.0.0.3"),  # the key's
                                  (("Transfer-Encoding: chunked", key), "127.0.0.3")]:
                with upload(gate, *lines, source=source) as reply:
                    check_envelope(read_answer(reply), 429, "too_many_connections")
            assert send_raw(gate.base_url, small, source="127.0.0.2")[0] == 400
            with upload(gate, large, other, source="127.0.0.4"):
                pass

        def there_is_room():
            with upload(gate, "Content-Length: 1000000", key, source="127.0.0.2") as reply:
                reply.raw._sock.settimeout(0.2)
                try:
                    return read_answer(reply)[0] != 429
                except TimeoutError:
                    return True

        stack.wait_until(there_is_room, "those that ended have made room")


def test_connections_of_an_address_are_limited(stack, client):
    """Also whoever has no more of them, and sends nonsense, hears it in the envelope."""
    with wall(stack, connections_per_address=2) as gate, contextlib.ExitStack() as opened:
        for _ in range(2):
            opened.enter_context(WebSocket.to(gate, client.key))
        check_envelope(send_raw(gate.base_url, get(HEALTH)), 429, "too_many_connections")
        check_envelope(send_raw(gate.base_url, b"NONSENSE\r\n\r\n"), 400, "bad_request")
        assert status_of(gate, HEALTH, source=ATTACKER) == 200


def clients_in(gate, stack, path, count=1):
    """Who asked for path, in nginx's log, once it has that many lines of it."""
    def found():
        lines = [line for line in gate.access_log.read_text().splitlines() if f'path="{path}"' in line]
        return len(lines) == count and [line.split("client=")[1].split()[0] for line in lines]

    return stack.wait_until(found, f"{path} is in the log")


@pytest.fixture(scope="module")
def behind_proxies(stack):
    with wall(stack, trusted_proxies="127.0.0.9 127.0.0.8/31") as gate:
        yield gate


@pytest.mark.parametrize("source, forwarded, client_address", [
    ("127.0.0.9", "203.0.113.7", "203.0.113.7"),
    ("127.0.0.9", "198.51.100.1, 203.0.113.7", "203.0.113.7"),  # the proxy was told a lie
    ("127.0.0.9", "203.0.113.7, 127.0.0.8", "203.0.113.7"),  # through two of ours
    ("127.0.0.9", "rubbish", "127.0.0.9"),
    ("127.0.0.2", "203.0.113.7", "127.0.0.2"),  # a stranger
])
def test_the_real_address_comes_from_our_own_proxies_only(
        stack, behind_proxies, source, forwarded, client_address):
    path = f"{HEALTH}/{secrets.token_hex(4)}"
    send_raw(behind_proxies.base_url, get(path, f"X-Forwarded-For: {forwarded}"), source=source)
    assert clients_in(behind_proxies, stack, path) == [client_address]


def test_without_trusted_proxies_nobody_names_an_address(stack):
    path = f"{HEALTH}/{secrets.token_hex(4)}"
    with wall(stack) as gate:
        for header in "X-Forwarded-For", "X-Real-IP", "Forwarded":
            send_raw(gate.base_url, get(path, f"{header}: 203.0.113.7"))
        assert set(clients_in(gate, stack, path, 3)) == {"127.0.0.1"}


def test_an_ipv6_network_counts_as_one(stack):
    """Who has one address of a /64 has all of them."""
    with wall(stack, reads_per_second=1, burst_seconds=2, trusted_proxies="127.0.0.1") as gate:
        def ask(forwarded):
            answer = send_raw(gate.base_url, get(HEALTH, f"X-Forwarded-For: {forwarded}"))
            assert answer[0] in (200, 429)
            return answer

        passed, _, _ = until_refused(lambda number: ask(f"2001:db8:0:1::{number + 1:x}"))
        assert passed >= 3
        assert ask("2001:db8:0:2::1")[0] == 200
        assert [ask(f"192.0.2.{n}")[0] for n in range(8)] == [200] * 8


def test_the_defaults_do_not_bite_a_busy_client(stack, client):
    with wall(stack) as gate:
        flood = Flood(gate.base_url, [kept(ME, f"X-API-KEY: {client.key}")] * 500, connections=8)
        flood.run()
        assert dict(flood.statuses) == {200: 500}


def test_no_key_in_the_shared_memory_or_the_logs_of_nginx(stack, client):
    """What the zones keep of a key is not enough to use it."""
    with wall(stack, key_requests_per_second=1, burst_seconds=1) as gate:
        spend(gate, kept(f"{ME}?x-api-key={client.key}"))
        send_raw(gate.base_url, b"NONSENSE\r\n\r\n")
        stack.wait_until(lambda: "status=400" in gate.access_log.read_text(), "the log is written")
        for log in gate.access_log, gate.error_log:
            assert client.key[:27] not in log.read_text()


def test_a_wrong_network_is_refused_before_nginx_sees_it(stack):
    for wrong in "everybody", "10.0.0.0/33", "10.0.0.1; deny all":
        with pytest.raises(Exception, match="nginx.trusted_proxies"), wall(stack, trusted_proxies=wrong):
            pass
    assert json.loads(stack.stack.ccs.ctl("conf", "nginx", "--json"))["BURST_SECONDS"]
