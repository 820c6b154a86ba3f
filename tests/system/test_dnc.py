"""Numbers that must not be called: everybody's, a client's and a batch's lists, when entries come in and when they are dialled."""
import pytest

INSERT, LIST = "/queues/insertdataincallqueue", "/dnc"


@pytest.fixture
def client(stack, request):
    return stack.new_client(f"DNC-{request.node.name[5:30].upper().replace('_', '-')}", channels=4)


@pytest.fixture(scope="module")
def operator(stack):
    """Everybody's list is empty again afterwards: others call the same numbers."""
    admin = stack.api.as_client(stack.ctl_json("key", "add", "--name=of-dnc")["api_key"])
    yield admin
    listed = [item["number"] for item in admin.get("/admin/dnc").ok["items"]]
    if listed:
        admin.request("DELETE", "/admin/dnc", {"phone_numbers": [f"+{number}" for number in listed]}).ok


def e164(number):
    return f"91{number}"


def lists(client, *numbers, path=LIST):
    return client.api.post(path, {"phone_numbers": list(numbers)}).ok


def unlists(client, *numbers, path=LIST):
    return client.api.request("DELETE", path, {"phone_numbers": list(numbers)}).ok


def insert(client, batch_id, numbers, **query):
    return client.api.post(INSERT, {"batch_id": batch_id, "data": [{"phone_number": one} for one in numbers]}, **query)


def ended(client, batch_id):
    """Disposition, reason and attempts by number."""
    return {row["phone_number"]: (row["disposition"], row["reason"], row["attempts"]) for row in client.report(batch_id).rows}


def test_U16_a_list_is_shown_and_changed(client):
    assert client.api.get(LIST).ok == {"items": [], "total": 0, "page": 1, "size": 50, "pages": 0, "version": 0, "changed_at": None}
    said = lists(client, "98765 43210", "+44 20 7946 0000", "+919876543210")
    assert (said["added_count"], said["total"], said["version"]) == (2, 2, 1)
    again = client.api.post(LIST, {"phone_number": "09876543210"}).ok
    assert (again["added_count"], again["total"], again["version"]) == (0, 2, 1)
    page = client.api.get(LIST).ok
    assert [(item["number"], item["source"], item["added_by"]) for item in page["items"]] == [
        ("442079460000", "api", f"client:{client.accountcode}"), ("919876543210", "api", f"client:{client.accountcode}")]
    assert page["changed_at"] == page["items"][0]["added_at"]
    [one] = client.api.get(LIST, number="+919876543210").ok["items"]
    assert one["number"] == "919876543210"
    assert client.api.get(LIST, number="9876543211").ok["total"] == 0
    assert client.api.get(LIST, size=1, page=2).ok["items"] == [one]
    gone = unlists(client, "9876543210", "9876543212")
    assert (gone["removed_count"], gone["total"], gone["version"]) == (1, 1, 2)
    assert unlists(client, "9876543210")["version"] == 2


@pytest.mark.parametrize("body, code, detail", [
    ({}, "bad_request", "send either phone_number or phone_numbers"),
    ({"phone_number": "9876543210", "phone_numbers": ["9876543210"]}, "bad_request", "send either"),
    ({"phone_number": 9876543210}, "invalid_type", "phone_number is no text"),
    ({"phone_numbers": []}, "invalid_value", "1 to 1000"),
    ({"phone_numbers": "9876543210"}, "invalid_value", "must be an array"),
    ({"phone_numbers": ["9876543210"] * 1001}, "invalid_value", "1 to 1000"),
    ({"phone_numbers": ["9876543210", "12"]}, "invalid_number", "phone_numbers[1] has fewer than 3 digits"),
    ({"phone_number": "1234567"}, "invalid_number", "phone_number is no number of region IN"),
], ids=str)
def test_U16_what_is_no_number_is_refused_and_nothing_is_stored(stack, body, code, detail):
    answer = stack.api.post(LIST, body)
    assert (answer.status, answer.json["code"]) == (400, code) and detail in answer.json["detail"]
    assert stack.api.get(LIST).ok["version"] == 0


def test_U16_M8_at_insert_listed_entries_end_and_are_counted(stack, client, asterisk):
    first, second, third = asterisk.numbers("busy", 3)
    lists(client, first, f"+91{second}")
    tried = insert(client, 1, [first, second, third], dry_run=1).ok
    assert (tried["inserted_count"], tried["suppressed_count"]) == (3, 2)
    said = insert(client, 1, [first, second, third]).ok
    assert (said["inserted_count"], said["suppressed_count"]) == (3, 2)
    replayed = insert(client, 1, [first, second, third])
    assert replayed.headers["Idempotent-Replayed"] == "true" and replayed.ok == said
    assert ended(client, 1)[first] == ("suppressed", "do not call: client", 0)  # before anything is dispatched
    batch = client.api.get("/queues/batches/1").ok
    assert (batch["counts"]["suppressed"], batch["counts"]["pending"]) == (2, 1)
    unlists(client, first)  # what has ended stays so
    client.dispatch()
    client.wait_finished(1)
    assert ended(client, 1) == {first: ("suppressed", "do not call: client", 0), second: ("suppressed", "do not call: client", 0),
                                third: ("busy", "busy", 1)}
    shown = client.api.get(f"/clients/calling-queue-entries/{client.client_id}/1", status="suppressed").ok["items"]
    assert [(row["phone_number"], row["reason"]) for row in shown] == [(one, "do not call: client") for one in (first, second)]


def test_U16_a_file_and_a_quick_call_are_held_against_the_list(stack, client, asterisk):
    first, second = asterisk.numbers("busy", 2)
    lists(client, first)
    said = client.api.request("POST", "/queues/batches/2/entries", f"phone_number\n{first}\n{second}\n".encode(),
                              headers={"Content-Type": "text/csv"}).ok
    assert (said["inserted_count"], said["suppressed_count"]) == (2, 1)
    call = {"phone_number": first}
    assert client.api.post("/queues/quickcall", call, dry_run=1).ok["state"] == "suppressed"
    answer = client.api.post("/queues/quickcall", call).ok
    assert answer["state"] == "suppressed"
    shown = client.api.get(f"/calls/{answer['call_id']}").ok
    assert (shown["status"], shown["reason"]) == ("suppressed", "do not call: client")
    assert client.api.post("/queues/quickcall", {"phone_number": second}).ok["state"] == "queued"


def test_U16_a_number_that_is_listed_after_the_insert_is_not_dialled(stack, client, asterisk):
    first, second = asterisk.numbers("busy", 2)
    assert "suppressed_count" not in insert(client, 3, [first, second]).ok
    lists(client, first)
    entries = client.api.get(f"/clients/calling-queue-entries/{client.client_id}/3").ok["items"]
    [waits] = [entry["id"] for entry in entries if entry["phone_number"] == first]
    why = client.api.get(f"/queues/entries/{waits}/explain").ok
    assert [(gate["gate"], gate["detail"]) for gate in why["gates"] if gate["gate"] == "dnc" and gate["blocks"]] == [
        ("dnc", "the number is on the account's do-not-call list")]
    client.dispatch()
    client.wait_finished(3)
    assert ended(client, 3) == {first: ("suppressed", "do not call: client", 0), second: ("busy", "busy", 1)}
    [told] = stack.sql("select payload::json from event where client_id = %s and type = 'call_failed' and n = 0", client.client_id)
    assert (told[0]["disposition"], told[0]["reason"], told[0]["attempt"]) == ("suppressed", "do not call: client", 0)
    assert client.api.get("/monitoring/callingsummary").ok["total_calls"] == 1


def test_U16_each_list_holds_for_whom_it_is_of(stack, client, operator, asterisk):
    other = stack.new_client(f"{client.accountcode}-2", channels=4)
    everybodys, clients, batchs, free = asterisk.numbers("busy", 4)
    numbers = [everybodys, clients, batchs, free]
    insert(client, 4, numbers).ok
    insert(client, 5, numbers).ok
    insert(other, 4, numbers).ok
    assert operator.post("/admin/dnc", {"phone_number": f"+91{everybodys}"}).ok["added_count"] == 1
    lists(client, clients)
    lists(client, batchs, path="/queues/batches/4/dnc")
    assert [item["number"] for item in client.api.get(LIST).ok["items"]] == [e164(clients)]
    assert [item["number"] for item in client.api.get("/queues/batches/4/dnc").ok["items"]] == [e164(batchs)]
    assert client.api.get("/queues/batches/5/dnc").ok["total"] == other.api.get(LIST).ok["total"] == 0
    for one in (client, other):
        one.dispatch()
    reports = [ended(one, batch) for one, batch in ((client, 4), (client, 5), (other, 4)) if one.wait_finished(batch)]
    reasons = [[report[number][1] for number in numbers] for report in reports]
    assert reasons == [
        ["do not call: everybody", "do not call: client", "do not call: batch", "busy"],
        ["do not call: everybody", "do not call: client", "busy", "busy"],
        ["do not call: everybody", "busy", "busy", "busy"]]
    added = client.api.post(INSERT, {"batch_id": 6, "queue_id": 4, "data": [{"phone_number": one} for one in (batchs, free)]}).ok
    assert added["suppressed_count"] == 1
    national = operator.post("/admin/dnc", {"phone_number": free})
    assert (national.status, national.json["code"]) == (400, "invalid_number")


def test_U16_changes_are_recorded_without_the_number(stack, client, operator, asterisk):
    [number] = asterisk.numbers("busy")
    lists(client, number)
    unlists(client, number)
    acts = [item for item in operator.get("/admin/audit", subject=client.accountcode).ok["items"] if item["action"].startswith("dnc.")]
    assert [act["action"] for act in acts] == ["dnc.remove", "dnc.add"]
    assert acts[0]["actor"] == f"client:{client.accountcode}" and acts[0]["detail"]["numbers"] == 1
    assert acts[0]["detail"]["number_macs"] == acts[1]["detail"]["number_macs"] and number not in str(acts)


def test_U16_a_key_that_only_dials_adds_and_does_not_remove(stack, client):
    key = stack.ctl_json("key", "add", client.accountcode, "--scopes=dial", "--name=dial-only")["api_key"]
    dial = client.api.as_client(key)
    assert dial.post(LIST, {"phone_number": "9876543210"}).status == 200
    assert dial.request("DELETE", LIST, {"phone_number": "9876543210"}).status == 403


def test_U16_digits_are_compared_where_numbers_are_checked_by_syntax_only(stack, client, asterisk):
    stack.stack.ccs.ctl("client", "set", client.accountcode, "--number-check=syntax")
    stack.reload(client.client_id)
    number, other = asterisk.numbers("busy", 2)
    lists(client, number)
    assert client.api.get(LIST).ok["items"][0]["number"] == number
    assert insert(client, 7, [number, other]).ok["suppressed_count"] == 1


def test_U16_who_asks_in_the_call_is_not_called_again(stack, client, asterisk):
    """The sample dialplan's extension, on a real Asterisk."""
    other = stack.new_client(f"{client.accountcode}-2", channels=2)
    [number] = asterisk.numbers("answered", talk=1)
    stack.stack.ccs.ctl("server", "set", "ast1", "--extension=opt-out")
    stack.reload()
    try:
        call = client.call(number)
        detail = stack.outcome(call)
    finally:
        stack.stack.ccs.ctl("server", "set", "ast1", "--extension=s")
        stack.reload()
    assert detail["disposition"] == "completed" and client.api.get(f"/calls/{call}").ok["opted_out"] is True
    [event] = stack.sql("select payload::json from event where client_id = %s and type = 'call_ended'", client.client_id)
    assert event[0]["opted_out"] is True
    [listed] = client.api.get(LIST).ok["items"]
    assert (listed["number"], listed["source"], listed["added_by"]) == (e164(number), "call", call)
    assert client.api.post("/queues/quickcall", {"phone_number": number}).ok["state"] == "suppressed"
    assert other.api.post("/queues/quickcall", {"phone_number": number}, dry_run=1).ok["state"] is None


def test_U16_a_list_goes_in_and_out_by_the_file(client):
    def load(text, kind, **query):
        return client.api.request("POST", f"{LIST}/load", text.encode(), headers={"Content-Type": kind}, **query)

    said = load("phone_number\n9876543210\n12\n", "text/csv").ok
    assert (said["added_count"], said["read_count"], said["rejected_count"]) == (1, 2, 1)
    assert said["rejected"] == [{"line": 3, "phone_number": "12", "detail": "line 3 has fewer than 3 digits; send 3 to 15"}]
    assert load("9876543211\n9876543210\n", "text/plain").ok["added_count"] == 1
    assert load('{"phone_number": "+442079460000"}\n', "application/octet-stream", format="ndjson").ok["added_count"] == 1
    broken = load("phone_number\n9876543212\na,b\n", "text/csv")
    assert (broken.status, broken.json["code"]) == (400, "invalid_csv")
    assert load("9876543210\n", "application/octet-stream").status == 400
    exported = client.api.get(LIST, format="csv")
    assert exported.headers["Content-Type"].startswith("text/csv")
    assert exported.body.decode().split() == ["phone_number", "442079460000", "919876543210", "919876543211", "919876543212"]
    assert client.api.get(LIST).ok["items"][0]["source"] == "file"
