"""Whatever is sent to any endpoint: one of the document's statuses, JSON, the envelope; nobody else's data, and no worker dies."""
import json
import re

import nasty
import pytest
from endpoints import IDS, endpoints, missing_entries
from tenants import FILLED, make_world, new_key, remove_servers

SIZE = 16 << 20  # of the largest body that is taken: max_body_bytes
WORKER_BYTES = 128 << 20  # a request's memory (request_memory_bytes), and what a worker has anyway
SECOND = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@pytest.fixture(scope="module")
def theirs(stack, asterisk):
    return make_world(stack, asterisk, "BYSTANDER", 7_700_178)


@pytest.fixture(scope="module")
def ours(stack, asterisk, theirs):
    world = make_world(stack, asterisk, "FUMBLER", 32)
    yield world
    remove_servers(stack, world, theirs)


def deaths(stack) -> int:
    return (stack.stack.log_dir / "ccs-api.log").read_text(errors="replace").count("at=api.worker_died")


class Sender:
    """Sends to one endpoint and looks at what comes back."""

    def __init__(self, stack, endpoint, ours, theirs):
        self._stack, self._endpoint, self._ours = stack, endpoint, ours
        self._signs = theirs.secrets() if endpoint.who == "ADMIN" else theirs.signs()
        self._line = nasty.Line(stack, "127.9.9.9")
        self._credential = None
        self.path = endpoint.path({name: self.good(meaning)
                                   for name, meaning in endpoint.takes.path.items()})
        self.members = {name: self.good(meaning) for name, meaning in (endpoint.takes.body or {}).items()
                        if self.good(meaning) is not None}

    def good(self, meaning):
        return self._ours.ids[meaning] if meaning in IDS else FILLED[meaning]

    def _headers(self) -> dict:
        if self._endpoint.who == "PUBLIC":
            return {}
        if not self._credential:
            self._credential = self._make_credential()
        return self._credential

    def _make_credential(self) -> dict:
        client = self._ours.client
        if self._endpoint.who == "ADMIN":
            return {"X-API-KEY": self._stack.ctl_json("key", "add")["api_key"]}
        if self._endpoint.who == "SERVER":
            return {"X-API-KEY": self._stack.ctl_json("key", "add", "--server-code=ast1")["api_key"]}
        if self._endpoint.who != "USER":
            return {"X-API-KEY": new_key(self._stack, client)}
        signed_in = client.api.as_client(None).post(
            "/auth/login", {"username": client.username, "password": client.password})
        return {"Authorization": f"Bearer {signed_in.ok['access_token']}"}

    def send(self, body=None, *, path=None, method=None):
        method = method or self._endpoint.method
        status, headers, said = self._line.ask(method, path or self.path, body, {
            **self._headers(), "Content-Type": "application/json"})
        what = (method, path or self.path, body, status, said[:500])
        if status == 200 and self._endpoint.takes.spends:
            self._credential = None
        assert status in nasty.STATUSES, what
        assert not [sign for sign in self._signs if sign in said + str(headers).encode()], what
        if method == "HEAD" or (status == 200 and headers.get_content_type() in ("text/csv", "text/plain")):
            return
        assert headers.get_content_type() == "application/json", what
        answer = json.loads(said)
        assert isinstance(answer, dict), what
        if status != 200:
            assert isinstance(answer["detail"], str) and answer["detail"], what
            assert answer["status_code"] == status and SECOND.fullmatch(answer["timestamp"]), what
            assert isinstance(answer["code"], str) and answer["request_id"] == headers["X-Request-Id"], what


@pytest.fixture
def sender(stack, ours, theirs, endpoint):
    """And after all that: no worker has died, and theirs is as it was."""
    died, before = deaths(stack), theirs.state(stack)
    sender = Sender(stack, endpoint, ours, theirs)
    yield sender
    sender._line.close()
    assert deaths(stack) == died
    assert theirs.state(stack) == before


ANY = pytest.mark.parametrize("endpoint", endpoints(), ids=str)
WITH_BODY = pytest.mark.parametrize("endpoint", [endpoint for endpoint in endpoints()
                                                 if endpoint.takes.body is not None], ids=str)
WITHOUT = pytest.mark.parametrize("endpoint", [endpoint for endpoint in endpoints()
                                               if endpoint.takes.body is None], ids=str)


def test_every_endpoint_has_an_entry():
    assert missing_entries() == []


@ANY
def test_X2_X3_X9_values_in_addresses(sender, endpoint):
    changes_anybodys = endpoint.who == "ADMIN" and endpoint.method != "GET"  # 01 is somebody's
    for name in endpoint.takes.path if not changes_anybodys else ():
        for value in nasty.some((endpoint, name), nasty.IN_ADDRESS):
            values = {other: sender.good(meaning) for other, meaning in endpoint.takes.path.items()}
            sender.send(path=endpoint.path({**values, name: value}))
    for name in [*endpoint.takes.query, "x-api-key", "unknown"]:
        for value in nasty.some((endpoint, name), nasty.IN_ADDRESS):
            sender.send(path=f"{sender.path}?{name}={value}")


@ANY
def test_X1_X2_X3_paths_and_methods(sender, endpoint):
    for path in nasty.paths(sender.path):
        sender.send(path=path)
    for method in nasty.METHODS:
        if method != endpoint.method:
            sender.send(method=method)


@WITH_BODY
def test_X2_X3_X9_members_of_bodies(sender, endpoint):
    values = [json.dumps(value).encode() for value in nasty.IN_BODY] + nasty.RAW_IN_BODY
    for name in [*endpoint.takes.body, "unknown"]:
        for value in nasty.some((endpoint, name), values):
            sender.send(nasty.body_with(sender.members, name, value))


@WITH_BODY
def test_X2_X3_X9_bodies(sender, endpoint):
    for body in nasty.BODIES:
        sender.send(body)
    for body in nasty.accidents(endpoint, json.dumps(sender.members).encode()):
        sender.send(body)


@WITHOUT
def test_X2_X3_X9_bodies_that_nobody_reads(sender, endpoint):
    for body in nasty.some(endpoint, nasty.BODIES, 5):
        sender.send(body)


BOMBS = {
    "arrays": b"[" * SIZE,
    "objects": b'{"a":' * (SIZE // 5),
    "entries of nothing": b'{"batch_id":1,"data":[' + b"{}," * (SIZE // 3),
    "entries that are numbers": b'{"batch_id":1,"data":[' + b"0," * (SIZE // 2),
    "one number": b'{"batch_id":' + b"9" * (SIZE - 12),
    "one text": b'{"batch_id":1,"data":[{"phone_number":"' + b"9" * (SIZE - 42) + b'"}]}',
    "one escaped text": b'{"batch_id":1,"data":[{"phone_number":"' + b"\\u0039" * (SIZE // 6 - 8) + b'"}]}',
    "custom data": b'{"batch_id":1,"data":[{"phone_number":"9020000001","custom_data":{"a":"' + b"x" * (SIZE - 90) + b'"}}]}',
    "one key": b'{"' + b"k" * (SIZE - 10) + b'":1}',
    "many keys": b"{" + b",".join(b'"%d":0' % n for n in range(SIZE // 12)) + b"}",
    "one key, often": b"{" + b'"k":0,' * (SIZE // 6) + b'"k":0}',
    "blanks": b" " * SIZE,
    "not UTF-8": b"\xff" * SIZE,
    "the wrong length": b"{" * (SIZE + 1),
}


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("endpoint", [one for one in endpoints() if one.pool == "BULK"], ids=str)
def test_X2_X3_a_worker_survives_a_bomb_within_its_memory(stack, sender, endpoint, bomb):
    sender.send(BOMBS[bomb])
    for pid in stack.children("api"):
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            [peak] = re.findall(r"VmHWM:\s*(\d+) kB", status.read())
        assert int(peak) << 10 < WORKER_BYTES
