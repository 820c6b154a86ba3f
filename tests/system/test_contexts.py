"""A batch's answered calls go on in the context that it asks for: on servers that offer it, where its client may, by the farm's own
book."""
import itertools

import pytest

from farmed import farmed_stack
from live import FarEnd

INSERT = "/queues/insertdataincallqueue/"
CHANNELS = 10
USUAL, SURVEY = ("ccs-answered", "s"), "ccs-survey"


@pytest.fixture(scope="module")
def farmed(request):
    with farmed_stack(request, 2, CHANNELS, speed=10) as live:
        live.stack.ccs.ctl("server", "set", "farm2", f"--offered-contexts={SURVEY}")
        yield live


@pytest.fixture(scope="module")
def far_end(farmed):
    return FarEnd(farmed)


_ids = itertools.count(1)


def tenant(farmed, name, allowed=SURVEY):
    client = farmed.new_client(name, channels=2 * CHANNELS)
    farmed.stack.ccs.ctl("client", "set", client.accountcode, f"--allowed-contexts={allowed}")
    farmed.reload()
    return client


def body(numbers, **settings):
    return {"batch_id": next(_ids), **settings, "data": [{"phone_number": number} for number in numbers]}


def batch_with(client, numbers, **settings):
    given = body(numbers, **settings)
    client.api.post(INSERT, given).ok
    client.dispatch()
    return given["batch_id"]


def counts(client, batch_id):
    return client.api.get(f"/queues/batches/{batch_id}").ok["counts"]


def finished(farmed, client, batch_id):
    farmed.wait_until(lambda: client.api.get(f"/queues/batches/{batch_id}").ok["status"] == "finished", f"{batch_id} is dialled")


def went(farmed, numbers):
    """Where calls to these numbers were sent: (server, context, extension) each."""
    return {(o.server, o.context, o.extension) for o in farmed.stack.rig().book().originates if o.number in numbers}


def refused(answer, code):
    assert (answer.status, answer.json["code"]) == (400, code), answer.body
    return answer.json["detail"]


def test_a_batch_goes_where_it_asks_to_and_others_as_before(farmed, far_end):
    client = tenant(farmed, "ASKS")
    asks, again, usual = (far_end.numbers("busy", 6) for _ in range(3))
    for batch_id in [batch_with(client, asks, context=SURVEY, extension="100"), batch_with(client, again, context=SURVEY),
                     batch_with(client, usual)]:
        finished(farmed, client, batch_id)
    assert went(farmed, asks) == {("farm2", SURVEY, "100")}
    assert went(farmed, again) == {("farm2", SURVEY, "s")}
    assert {where[1:] for where in went(farmed, usual)} == {USUAL}


def test_what_a_client_may_not_is_refused_by_each_way_in(farmed, far_end):
    client = tenant(farmed, "DENIED", "other")
    numbers = far_end.numbers("busy")
    post = lambda **settings: client.api.post(INSERT, body(numbers, **settings))  # noqa: E731
    assert "administrator" in refused(post(context=SURVEY), "context_denied")
    assert "context" in refused(post(extension="100"), "invalid_field")
    assert refused(post(context="a b"), "invalid_field").startswith("context")
    assert refused(post(context="other", extension="1,2"), "invalid_field").startswith("extension")
    refused(client.api.request("POST", f"/queues/batches/{next(_ids)}/entries", b"phone_number\n9020000001\n",
                               headers={"Content-Type": "text/csv"}, context=SURVEY), "context_denied")
    given = body(numbers)
    client.api.post(INSERT, given).ok
    refused(client.api.request("PATCH", f"/queues/batches/{given['batch_id']}", {"context": SURVEY}, headers={"If-Match": "*"}),
            "context_denied")


def test_a_batch_whose_context_nobody_offers_waits_alone(farmed, far_end):
    client = tenant(farmed, "NOWHERE", "elsewhere")
    waits = batch_with(client, far_end.numbers("busy", 3), context="elsewhere")
    explain = lambda: client.api.get(f"/queues/queue-masters/{waits}/explain").ok["blocked_by"]  # noqa: E731
    assert (explain()["gate"], explain()["who"]) == ("context_missing", "administrator")
    finished(farmed, client, batch_with(client, far_end.numbers("busy", 5)))
    assert counts(client, waits)["queued"] == 3
    numbers = far_end.numbers("busy", 3)
    client.api.request("PATCH", f"/queues/batches/{waits}", {"context": None}, headers={"If-Match": "*"}).ok
    finished(farmed, client, waits)
    # taken from it while a batch waits, and given back
    farmed.stack.ccs.ctl("client", "set", client.accountcode, f"--allowed-contexts={SURVEY}")
    given = body(numbers, context=SURVEY)
    client.api.post(INSERT, given).ok
    farmed.stack.ccs.ctl("client", "set", client.accountcode, "--allowed-contexts=elsewhere")
    farmed.reload()
    client.dispatch()
    finished(farmed, client, batch_with(client, far_end.numbers("busy", 5)))
    assert counts(client, given["batch_id"])["queued"] == 3
    farmed.stack.ccs.ctl("client", "set", client.accountcode, f"--allowed-contexts={SURVEY}")
    finished(farmed, client, given["batch_id"])
    assert went(farmed, numbers) == {("farm2", SURVEY, "s")}


def test_a_batch_whose_server_is_full_lets_others_pass(farmed, far_end):
    client = tenant(farmed, "FULL")
    farmed.stack.ccs.ctl("alloc", "set", client.accountcode, "farm2", "--channels=1", "--rate-limit=100000")
    farmed.reload()
    held = far_end.numbers("stays", 2)
    waits = batch_with(client, held, context=SURVEY)
    farmed.wait_until(lambda: counts(client, waits)["answered"] == 1, "the one channel is taken")
    finished(farmed, client, batch_with(client, far_end.numbers("busy", 5)))
    assert counts(client, waits)["queued"] == 1
    live = lambda: [row["call_id"] for row in client.api.get(  # noqa: E731
        f"/clients/calling-queue-entries/{client.client_id}/{waits}").ok["items"] if row["status"] == "answered"]
    first = live()
    client.api.post(f"/calls/{first[0]}/hangup").ok
    second = farmed.wait_until(lambda: [call_id for call_id in live() if call_id not in first], "the next one has the channel")
    client.api.post(f"/calls/{second[0]}/hangup").ok
    finished(farmed, client, waits)
    assert went(farmed, held) == {("farm2", SURVEY, "s")}
