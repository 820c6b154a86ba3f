"""TLS client certificates: who is known by one, and who is not."""
import contextlib
import http.client
import json
import ssl
import subprocess
import types

import pytest
from stack.api import Answer
from stack.proc import StackError
from walls import address, wall
from ws_client import Refused, WebSocket

ME = "/clients/me"


def openssl(*words):
    return subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True,
                          text=True).stdout


def has_expired(certificate):
    check = ["openssl", "x509", "-in", certificate.pem, "-noout", "-checkend", "0"]
    return subprocess.run(check, capture_output=True, check=False).returncode == 1


class Authority:
    """Signs certificates of clients."""

    def __init__(self, folder, name):
        folder.mkdir()
        self.folder, self.pem, self.key = folder, folder / "ca.pem", folder / "ca.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", self.key, "-out", self.pem, "-subj", f"/CN={name}", "-days", 2)

    def certificate(self, name, *, days=2):
        """A certificate and its key."""
        made = types.SimpleNamespace(pem=self.folder / f"{name}.pem", key=self.folder / f"{name}.key")
        request = self.folder / f"{name}.csr"
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                made.key, "-out", request, "-subj", f"/O=Zürich \"Calls\"/CN={name}", "-utf8")
        openssl("x509", "-req", "-in", request, "-CA", self.pem, "-CAkey", self.key,
                "-CAcreateserial", "-out", made.pem, "-days", days)
        printed = openssl("x509", "-in", made.pem, "-noout", "-fingerprint", "-sha256")
        made.fingerprint = printed.strip().partition("=")[2]
        return made


@pytest.fixture(scope="module")
def authority(stack, tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca") / "ours", "authority of ours")


@pytest.fixture(scope="module")
def gate(stack, authority):
    ca = stack.stack.folder / "clients-ca.pem"  # where nginx may read it
    ca.write_bytes(authority.pem.read_bytes())
    with wall(stack, client_ca=ca) as gate:
        yield gate


def ctl(stack, *words):
    return json.loads(stack.stack.ccs.ctl("client-cert", *words, "--json"))


class Holder:
    """A client and a certificate that stands for it."""

    def __init__(self, stack, authority, name):
        self.client = stack.new_client(name)
        self.certificate = authority.certificate(self.client.accountcode)
        self.said = ctl(stack, "add", self.client.accountcode, self.certificate.pem)


@pytest.fixture(scope="module")
def holder(stack, authority):
    return Holder(stack, authority, "HOLDER")


def context_of(gate, certificate=None):
    context = ssl.create_default_context(cafile=gate.ca_file)
    if certificate:
        context.load_cert_chain(certificate.pem, certificate.key)
    return context


def ask(gate, path, *, certificate=None, headers=None):
    """One request over a connection of its own."""
    connection = http.client.HTTPSConnection(*address(gate.base_url), timeout=10,
                                             context=context_of(gate, certificate))
    try:
        connection.request("GET", f"/api/v1{path}", headers=headers or {})
        reply = connection.getresponse()
        return Answer(reply.status, reply.headers, reply.read())
    finally:
        connection.close()


def by_key(client):
    return {"X-API-KEY": client.key}


def refused(answer, status, code):
    assert (answer.status, answer.json["code"]) == (status, code)
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("path", [ME, "/monitoring/callingsummary"])
def test_whoever_shows_it_is_that_client(gate, holder, path):
    answer = ask(gate, path, certificate=holder.certificate)
    assert answer.status == 200 and answer.headers["X-RateLimit-Limit"]
    if path == ME:
        assert answer.json["accountcode"] == holder.client.accountcode


def connect(stack, gate, certificate):
    """A WebSocket by a certificate, once the relay knows it."""
    def opened():
        with contextlib.suppress(Refused):
            return WebSocket.to(gate, context=context_of(gate, certificate))

    socket = stack.wait_until(opened, "the relay knows the certificate")
    assert socket.hear()["type"] == "connected"
    return socket


def test_it_opens_a_websocket(stack, gate, holder):
    connect(stack, gate, holder.certificate).hang_up()


def test_what_ccsctl_says_of_it(stack, authority, holder):
    said, listed = holder.said, ctl(stack, "list", holder.client.accountcode)["certificates"]
    assert said["fingerprint"] == holder.certificate.fingerprint.replace(":", "").lower()
    assert said["subject"] == f"CN={holder.client.accountcode},O=Zürich \\\"Calls\\\""
    assert [each["fingerprint"] for each in listed] == [said["fingerprint"]]
    assert listed[0]["not_after"] == said["not_after"]
    assert said["fingerprint"] in stack.stack.ccs.ctl("client-cert", "list")


def test_one_that_stands_for_nobody(gate, authority, holder):
    stranger = authority.certificate("stranger")
    refused(ask(gate, ME, certificate=stranger), 401, "certificate_unknown")
    answer = ask(gate, ME, certificate=stranger, headers=by_key(holder.client))
    assert answer.ok["accountcode"] == holder.client.accountcode
    assert ask(gate, "/monitoring/health", certificate=stranger).status == 200


def test_none_at_all(gate, holder):
    refused(ask(gate, ME), 401, "key_missing")
    assert ask(gate, ME, headers=by_key(holder.client)).status == 200


def test_one_of_another_authority(gate, holder, tmp_path):
    """Though it says the same of itself."""
    foreign = Authority(tmp_path / "theirs", "authority of theirs").certificate(
        holder.client.accountcode)
    refused(ask(gate, ME, certificate=foreign), 401, "certificate_refused")
    refused(ask(gate, ME, certificate=foreign, headers=by_key(holder.client)), 401,
            "certificate_refused")


def test_an_expired_one(stack, gate, authority, holder):
    old = authority.certificate("old", days=0)
    stack.wait_until(lambda: has_expired(old), "its only second is over")
    refused(ask(gate, ME, certificate=old), 401, "certificate_refused")
    with pytest.raises(StackError, match="has expired"):
        ctl(stack, "add", holder.client.accountcode, old.pem)


def test_beside_a_key_it_must_be_the_same_client(stack, gate, holder):
    same = ask(gate, ME, certificate=holder.certificate, headers=by_key(holder.client))
    assert same.status == 200
    other = ask(gate, ME, certificate=holder.certificate, headers=by_key(stack.client))
    refused(other, 400, "two_identities")


def test_nobody_writes_a_certificate_into_a_header(gate, holder):
    pem = holder.certificate.pem.read_text().replace("\n", "%0A")
    names = ["SSL-Client-Cert", "SSL_CLIENT_CERT", "X-SSL-Client-Cert", "X-Certificate",
             "X-Ccs-Certificate", "X-Ccs-Client"]
    for value in pem, holder.said["fingerprint"], str(holder.client.client_id):
        headers = {name: value for name in names}
        refused(ask(gate, ME, headers=headers), 401, "key_missing")
        with pytest.raises(Refused) as caught:
            WebSocket.to(gate, headers=headers)
        assert caught.value.answer.status == 401


def test_a_gate_without_authorities_knows_nobody_by_it(stack, holder):
    with wall(stack) as plain:
        refused(ask(plain, ME, certificate=holder.certificate), 401, "key_missing")


def test_a_removed_one_is_good_no_longer(stack, gate, authority):
    leaver = Holder(stack, authority, "LEAVING")
    assert ask(gate, ME, certificate=leaver.certificate).status == 200
    with connect(stack, gate, leaver.certificate) as socket:
        removed = ctl(stack, "remove", leaver.certificate.fingerprint)
        assert removed == {"accountcode": leaver.client.accountcode}
        refused(ask(gate, ME, certificate=leaver.certificate), 401, "certificate_unknown")
        assert socket.goodbye().code == 1008
    assert ctl(stack, "list", leaver.client.accountcode)["certificates"] == []


def test_without_a_dispatcher_postgresql_knows_it(stack, gate, holder):
    stack.kill("dispatcher-holder")
    try:
        stack.wait_until(lambda: ask(gate, "/monitoring/health").status == 503, "it is away")
        assert ask(gate, ME, certificate=holder.certificate).status == 200
        other = ask(gate, ME, certificate=holder.certificate, headers=by_key(stack.client))
        refused(other, 400, "two_identities")
    finally:
        stack.start("dispatcher")
        stack.wait_ready()


def test_it_makes_a_new_key_as_a_signed_in_user_does(gate, stack, authority):
    """In the place of all old ones; the certificate stays what it is."""
    owner = Holder(stack, authority, "KEYMAKER")
    connection = http.client.HTTPSConnection(*address(gate.base_url), timeout=10,
                                             context=context_of(gate, owner.certificate))
    connection.request("POST", "/api/v1/clients/regenerate-api-key")
    reply = connection.getresponse()
    made = json.loads(reply.read())
    connection.close()
    assert reply.status == 200
    assert ask(gate, ME, headers=by_key(owner.client)).status == 401
    assert ask(gate, ME, headers={"X-API-KEY": made["api_key"]}).status == 200
    assert ask(gate, ME, certificate=owner.certificate).status == 200


def test_mistakes_of_the_operator(stack, authority, holder, tmp_path):
    accountcode, pem = holder.client.accountcode, holder.certificate.pem
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    for words, message in [(("add", accountcode), "is missing"),
                           (("add", accountcode, tmp_path / "none"), "cannot read"),
                           (("add", accountcode, rubbish), "no X.509 certificate"),
                           (("add", accountcode, holder.certificate.key), "no X.509 certificate"),
                           (("add", "NOBODY", authority.certificate("x").pem), "no client"),
                           (("add", stack.client.accountcode, pem), "stands for a client already"),
                           (("remove", "abc"), "64 hex digits"),
                           (("remove", "0" * 64), "no client has")]:
        with pytest.raises(StackError, match=message):
            ctl(stack, *words)
