"""What a receiver can be sure of, and what a client may ask for: signatures, secrets, tests, replays, the log."""
import base64
import contextlib
import hashlib
import hmac
import itertools
import os
import socket
import subprocess
import time

import pytest
from places import ROOT
from receiver import receiving
from stack.ports import Lease

EXAMPLES = ROOT / "docs/examples"


@pytest.fixture
def receiver(stack):
    with receiving(stack) as server:
        yield server


@pytest.fixture
def client(stack, receiver):
    made = stack.new_client("SIGNED", callbackurl=receiver.url)
    yield made
    stack.stack.ccs.ctl("client", "set", made.accountcode, "--callbackurl=")


def make_secret(client, **options) -> str:
    return client.api.post("/webhooks/secret", options).ok["secret"]


def arrived(stack, client, receiver):
    """A test, as it came."""
    event_id = client.api.post("/webhooks/test").ok["event_id"]
    return stack.wait_until(lambda: [one for one in receiver.deliveries if one.id == event_id], "the test has come")[0]


def standard(secret, delivery) -> str:
    text = f"{delivery.id}.{delivery.headers['webhook-timestamp']}.".encode() + delivery.body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.digest(key, text, "sha256")).decode()


def plain(secret, delivery) -> str:
    return hmac.new(secret.encode(), delivery.body, hashlib.sha256).hexdigest()


def test_Q21_both_kinds_of_signatures_and_two_secrets_while_one_is_changed(stack, client, receiver):
    bare = arrived(stack, client, receiver)
    assert bare.headers["webhook-signature"] is None and bare.headers["X-Signature"] is None
    assert abs(int(bare.headers["webhook-timestamp"]) - time.time()) < 60

    first = make_secret(client)
    signed = arrived(stack, client, receiver)
    assert signed.headers["webhook-signature"] == standard(first, signed)
    assert signed.headers["X-Signature"] == plain(first, signed)

    second = make_secret(client, grace_seconds=600)
    both = arrived(stack, client, receiver)
    assert both.headers["webhook-signature"].split() == [standard(second, both), standard(first, both)]
    assert both.headers["X-Signature"] == plain(second, both)
    assert both.headers["X-Signature-Previous"] == plain(first, both)

    third = make_secret(client, grace_seconds=0)
    last = arrived(stack, client, receiver)
    assert last.headers["webhook-signature"] == standard(third, last)
    assert last.headers["X-Signature-Previous"] is None
    assert [one["expires_at"] for one in client.api.get("/webhooks").ok["secrets"]] == [None]


def test_D8_a_secret_is_shown_once_and_stored_sealed(stack, client):
    secret = make_secret(client)
    assert secret not in str(client.api.get("/webhooks").ok)
    stored = stack.sql("select sealed from webhook_secret where client_id = %s", client.client_id)[0][0]
    assert secret.encode() not in bytes(stored)
    by_operator = stack.ctl_json("webhook", "secret", client.accountcode)
    assert by_operator["secret"] != secret and by_operator["old_secret_valid_until"]


def test_a_test_that_fails_is_not_sent_again_and_the_log_says_how_it_went(stack, client, receiver):
    receiver.answer = lambda event: 500
    arrived(stack, client, receiver)
    [row] = stack.wait_until(lambda: client.api.get("/webhooks/deliveries?outcome=dead").ok["items"], "it is in the log")
    assert (row["status"], row["attempt"], row["seq"]) == (500, 1, None)
    assert client.api.get("/webhooks").ok["waiting"] == 0


def test_what_was_given_up_and_what_has_arrived_is_sent_again_when_asked(stack, asterisk, client, receiver):
    call_id = client.call(asterisk.numbers("busy")[0])
    stack.wait_until(lambda: len(receiver.taken()) == 2, "both events have come")
    stack.wait_until(lambda: client.api.get("/webhooks").ok["delivered_to"] == 2, "that is stored")
    stack.sql("insert into webhook_retry (client_id, seq, due_at, dead_at) values (%s, 2, now(), now())", client.client_id)
    assert client.api.post("/webhooks/replay", {"dead": True}).ok["queued"] == 1
    stack.wait_until(lambda: len(receiver.taken()) == 3, "one has come again")
    assert client.api.post("/webhooks/replay", {"from_seq": 1, "to_seq": 99}).ok["queued"] == 2
    stack.wait_until(lambda: len(receiver.taken()) == 5, "both have come again")
    assert {event["call_id"] for event in receiver.events()} == {call_id}
    assert [one.id for one in receiver.taken()][:2] * 2 == [one.id for one in receiver.taken()][:2] + \
        [one.id for one in receiver.taken()][3:]
    stack.wait_until(lambda: len(client.api.get("/webhooks/deliveries?outcome=delivered").ok["items"]) == 5, "all are logged")
    page = client.api.get("/webhooks/deliveries?size=2").ok
    assert len(page["items"]) == 2 and page["next_before"] == page["items"][1]["id"]
    assert client.api.post("/webhooks/replay", {}).status == 400
    assert client.api.post("/webhooks/replay", {"from_seq": 5, "to_seq": 4}).status == 400
    assert stack.ctl_json("webhook", "replay", client.accountcode, "--from-seq=1")["queued"] == 1


def test_410_ends_it_until_the_address_is_set_again(stack, client, receiver):
    receiver.answer = lambda event: 410
    arrived(stack, client, receiver)
    stack.wait_until(lambda: client.api.get("/webhooks").ok["state"] == "disabled", "nothing more is sent")
    receiver.answer = lambda event: 200
    stack.stack.ccs.ctl("client", "set", client.accountcode, f"--callbackurl={receiver.url}?again")
    assert client.api.get("/webhooks").ok["state"] == "active"
    assert arrived(stack, client, receiver).path.endswith("?again")


def test_without_callbackurl_there_is_nothing_to_test(stack):
    client = stack.new_client("UNHOOKED")
    assert client.api.get("/webhooks").ok["state"] == "off"
    for path, body in (("/webhooks/test", None), ("/webhooks/replay", {"dead": True})):
        answer = client.api.post(path, body)
        assert (answer.status, answer.json["code"]) == (409, "no_callbackurl")


# The wall


@pytest.mark.parametrize("url", ["https://10.0.0.1/", "https://0xa9fea9fe/", "https://[::1]/", "https://user@example.com/",
                                 "https://example.com:25/", "http://example.com/", "gopher://example.com/"])
def test_an_address_that_is_not_public_is_refused_when_it_is_stored(stack, url):
    with pytest.raises(Exception, match="callbackurl"):
        stack.stack.ccs.ctl("client", "set", stack.accountcode, f"--callbackurl={url}")


def test_a_name_that_leads_to_us_by_now_is_refused_when_it_is_used(stack, client, receiver):
    """What a name resolves to is looked at for each socket; so is an address that got into the table some other way."""
    errors = {}
    for n, host in enumerate(("[::1]", "2130706433.", "127.0.0.1.nip.invalid"), start=1):
        stack.sql("update client set callbackurl = %s where id = %s", f"https://{host}:{receiver.port}/", client.client_id)
        client.api.post("/webhooks/test").ok
        rows = stack.wait_until(lambda n=n: (found := client.api.get("/webhooks/deliveries?outcome=dead").ok["items"])
                                and len(found) == n and found, "it has failed")
        errors[host] = rows[0]["error"]  # newest first
    assert errors["[::1]"] == "its address is not public" and all(errors.values())
    assert not receiver.taken()


def test_redirects_are_not_followed(stack, client, receiver):
    with receiving(stack) as inside:
        receiver.headers = {"Location": inside.url}
        receiver.answer = lambda event: 307
        arrived(stack, client, receiver)
        [row] = stack.wait_until(lambda: client.api.get("/webhooks/deliveries?outcome=dead").ok["items"], "it has failed")
        assert row["status"] == 307 and not inside.deliveries


# Receivers of others


@contextlib.contextmanager
def running(command, secrets, folder):
    with Lease() as lease, open(folder / "said", "w") as said:
        port = lease.port()
        words = [word.replace("PORT", str(port)) for word in command]
        process = subprocess.Popen(words, stdout=said, stderr=subprocess.STDOUT,
                                   env={**os.environ, "CCS_WEBHOOK_SECRET": " ".join(secrets), "CCS_SEEN": str(folder)})
        try:
            yield port
        finally:
            process.kill()
            process.wait()


def listens(port) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("command", [[str(EXAMPLES / "python/receive.py"), "PORT"],
                                     ["node", str(EXAMPLES / "javascript/receive.js"), "PORT"],
                                     ["php", "-S", "127.0.0.1:PORT", str(EXAMPLES / "php/receive.php")]],
                         ids=["python", "javascript", "php"])
def test_Q21_the_sample_receivers_believe_us_and_nobody_else(stack, client, receiver, tmp_path, command):
    secrets = [make_secret(client), make_secret(client)]
    receiver.behind = None
    with running(command, secrets[:1], tmp_path) as port:
        stack.wait_until(lambda: listens(port), "the sample listens")
        receiver.behind = port
        good = arrived(stack, client, receiver)
        assert good.status == 200
        headers = dict(good.headers.items())
        forged = [({**headers, "webhook-id": "1-1"}, good.body), (headers, good.body + b" "),
                  ({**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 3600)}, good.body),
                  ({**headers, "webhook-signature": "v1,AAAA"}, good.body),
                  ({name: value for name, value in headers.items() if name != "webhook-signature"}, good.body)]
        for other, body in forged:
            assert receiver.take("/", {**other, "Content-Length": str(len(body))}, body) == 401
        assert receiver.take("/", headers, good.body) == 200
        said = (tmp_path / "said").read_text()
        assert said.count(good.id) == 1, said  # the second time it was known


def test_retry_after_is_heeded(stack, asterisk, client, receiver):
    answers = itertools.chain([429], itertools.repeat(200))
    receiver.headers = {"Retry-After": "2"}
    receiver.answer = lambda event: next(answers)
    client.call(asterisk.numbers("busy")[0])
    stack.wait_until(lambda: len(receiver.taken()) == 2, "both have come")
    first, again = [one.at for one in receiver.deliveries if one.event["type"] == "call_started"]
    assert again - first >= 1.9
