"""The settings of a batch (registry/batch.def): said when it comes in, shown, part of what makes it the same, and changed later."""
import csv
import io
import json

import pytest

INSERT = "/queues/insertdataincallqueue/"
GIVEN = {"name": "Spring campaign", "channels": 3, "calls_per_second": 2, "weight": 5, "record": True, "amd": False,
         "retry": ["busy:3:600:linear", "no_answer:1:60"]}
NONE = {"name": None, "did": None, "channels": None, "calls_per_second": None, "weight": None, "start_at": None, "deadline": None,
        "ttl_seconds": None, "record": None, "amd": None, "retry": None, "context": None, "extension": None}


@pytest.fixture(scope="module")
def client(stack):
    return stack.new_client("SETTING")


@pytest.fixture(scope="module")
def fresh():
    """A batch_id that is free."""
    return iter(range(7000, 8000)).__next__


def refused(answer, status, code) -> str:
    assert (answer.status, answer.json["code"]) == (status, code), answer.body
    return answer.json["detail"]


def settings_of(client, batch_id):
    batch = client.api.get(f"/queues/batches/{batch_id}").ok
    return {name: batch[name] for name in NONE}


def insert(client, batch_id, **settings):
    return client.api.post(INSERT, {"batch_id": batch_id, "data": [{"phone_number": "9020000001"}], **settings})


def change(client, batch_id, body, match="*"):
    return client.api.request("PATCH", f"/queues/batches/{batch_id}", body, headers={"If-Match": match} if match else {})


def audited(stack, client):
    return stack.sql("""select action, actor, detail::text from audit where subject = %s and action like 'batch.%%'
                         order by id desc limit 1""", client.accountcode)[0]


def test_a_batch_without_settings_says_so(client, fresh):
    batch_id = fresh()
    insert(client, batch_id).ok
    assert settings_of(client, batch_id) == NONE
    assert client.api.get(f"/queues/batches/{batch_id}").headers["ETag"] == '"1"'


def test_settings_come_with_the_batch_and_are_shown(client, fresh):
    batch_id = fresh()
    insert(client, batch_id, **GIVEN, note="ignored").ok
    assert settings_of(client, batch_id) == {**NONE, **GIVEN}
    [row] = [row for row in client.api.pages(f"/clients/queue-masters/{client.client_id}") if row["batch_id"] == batch_id]
    assert {name: row[name] for name in GIVEN} == GIVEN and row["version"] == 2


def test_settings_are_part_of_what_makes_a_batch_the_same(client, fresh):
    batch_id = fresh()
    first = insert(client, batch_id, **GIVEN).ok
    again = insert(client, batch_id, **dict(reversed(GIVEN.items())))
    assert again.ok == first and again.headers["Idempotent-Replayed"] == "true"
    for other in {}, {**GIVEN, "channels": 4}, {"channels": 3}:
        assert refused(insert(client, batch_id, **other), 409, "batch_id_used")
    change(client, batch_id, {"channels": 9}).ok
    assert insert(client, batch_id, **GIVEN).ok == first, "what it came with, not what has become of it"
    assert settings_of(client, batch_id)["channels"] == 9


@pytest.mark.parametrize("name, value", [
    ("channels", -1), ("channels", 100_001), ("channels", "3"), ("channels", 1.5), ("channels", True),
    ("calls_per_second", -1), ("calls_per_second", []), ("weight", 0), ("start_at", "2026-12-01"), ("start_at", "2026-12-01T09:00:00"), ("start_at", 1795446000),
    ("deadline", "2026-02-30T09:00:00Z"), ("deadline", "2026-12-01T24:00:00Z"), ("deadline", "2026-12-01T09:00:00+99:00"),
    ("deadline", "2026-12-01 09:00:00Z"), ("ttl_seconds", -1), ("ttl_seconds", 31_622_401), ("weight", 1_000_001), ("name", 7), ("name", "x" * 201),
    ("name", "a\x07b"), ("did", 91), ("retry", "busy:1:60"), ("retry", [7]), ("retry", ["busy"]), ("retry", ["rejected:1:60"]),
    ("retry", ["busy:1:60", "failed:1:60", "busy:2:60"])])
def test_a_bad_setting_is_named_and_nothing_is_stored(client, fresh, name, value):
    batch_id = fresh()
    assert refused(insert(client, batch_id, **{name: value}), 400, "invalid_field").startswith(name)
    assert client.api.get(f"/queues/batches/{batch_id}").status == 403
    insert(client, batch_id).ok
    assert refused(change(client, batch_id, {name: value}), 400, "invalid_field").startswith(name)
    assert settings_of(client, batch_id) == NONE


def as_parameter(value):
    if isinstance(value, list):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else value


def test_a_file_takes_them_as_parameters(client, fresh):
    batch_id = fresh()
    path = f"/queues/batches/{batch_id}/entries"
    load = lambda **query: client.api.request("POST", path, b"phone_number\n9020000001\n",  # noqa: E731
                                              headers={"Content-Type": "text/csv"},
                                              **{name: as_parameter(value) for name, value in query.items()})
    assert refused(load(channels="many"), 400, "invalid_field").startswith("channels")
    first = load(**GIVEN).ok
    assert settings_of(client, batch_id) == {**NONE, **GIVEN}
    assert load(**GIVEN).ok["queue_id"] == first["queue_id"]
    assert refused(load(**{**GIVEN, "weight": 6}), 409, "batch_id_used")


def test_no_rules_is_not_the_same_as_nothing_said(stack, client, fresh):
    batch_id = fresh()
    insert(client, batch_id, retry=[]).ok
    assert settings_of(client, batch_id)["retry"] == []
    assert refused(insert(client, batch_id), 409, "batch_id_used")
    assert change(client, batch_id, {"retry": ["failed:2:5"]}).ok["retry"] == ["failed:2:5"]
    assert change(client, batch_id, {"retry": None}).ok["retry"] is None
    stack.ctl_json("batch", "set", client.accountcode, str(batch_id), "--retry=busy:1:60,failed:2:5:exponential")
    assert settings_of(client, batch_id)["retry"] == ["busy:1:60", "failed:2:5:exponential"]
    stack.ctl_json("batch", "set", client.accountcode, str(batch_id), "--retry=")
    assert settings_of(client, batch_id)["retry"] == []


def test_a_part_has_none_but_a_did(client, fresh):
    batch_id = fresh()
    queue_id = insert(client, batch_id, channels=2).ok["queue_id"]
    assert "channels" in refused(insert(client, fresh(), queue_id=queue_id, channels=3), 400, "invalid_field")
    insert(client, fresh(), queue_id=queue_id).ok
    assert settings_of(client, batch_id)["channels"] == 2


def test_a_change_names_its_version_and_leaves_the_rest(stack, client, fresh):
    batch_id = fresh()
    insert(client, batch_id, **GIVEN).ok
    assert change(client, batch_id, {"channels": 7}, match=None).status == 428
    assert refused(change(client, batch_id, {"channels": 7}, match='"1"'), 412, "stale")
    done = change(client, batch_id, {"channels": 7, "name": None}, match='"2"')
    assert done.headers["ETag"] == '"3"' and done.ok["channels"] == 7 and done.ok["name"] is None
    assert settings_of(client, batch_id) == {**NONE, **GIVEN, "channels": 7, "name": None}
    assert "colour" in refused(change(client, batch_id, {"colour": "red"}), 400, "unknown_field")
    action, actor, detail = audited(stack, client)
    assert (action, actor) == ("batch.change", f"client:{client.accountcode}")
    assert json.loads(detail) == {"batch_id": batch_id, "changed": ["name", "channels"],
                                  "values": {"channels": {"from": 3, "to": 7}}}


def test_nobody_changes_anothers_batch_nor_one_that_is_over(stack, client, fresh):
    batch_id = fresh()
    insert(client, batch_id).ok
    other = stack.new_client("SETTING2")
    assert change(other, batch_id, {"channels": 1}).status == 403
    client.api.post(f"/queues/batches/{batch_id}/cancel").ok
    assert refused(change(client, batch_id, {"channels": 1}), 409, "batch_over")


def test_a_did_is_one_that_the_account_may_show(client, fresh):
    batch_id = fresh()
    insert(client, batch_id).ok
    assert refused(change(client, batch_id, {"did": "4711"}), 400, "did_denied")
    [own] = [client.api.get("/clients/me").ok["did"]]
    assert change(client, batch_id, {"did": own}).ok["did"] == own


def test_an_operator_lists_shows_and_changes_batches(stack, client, fresh):
    batch_id = fresh()
    queue_id = insert(client, batch_id, **GIVEN).ok["queue_id"]
    which = client.accountcode, str(batch_id)
    listed = stack.ctl_json("batch", "list", client.accountcode)
    assert listed["total"] >= len(listed["batches"]) and listed["batches"][0]["batch_id"] == batch_id
    shown = stack.ctl_json("batch", "show", *which)
    assert {name: shown[name] for name in GIVEN} == GIVEN and (shown["open"], shown["version"]) == (1, 2)
    done = stack.ctl_json("batch", "set", *which, "--channels=8", "--name=", "--if-version=2")
    assert done == {"queue_id": queue_id, "version": 3, "changes": {"channels": {"from": 3, "to": 8},
                                                                    "name": {"from": GIVEN["name"], "to": None}}}
    assert settings_of(client, batch_id) == {**NONE, **GIVEN, "channels": 8, "name": None}
    action, actor, _ = audited(stack, client)
    assert action == "batch.change" and actor.startswith("ccsctl:")
    for verb, column in ("pause", "paused_at"), ("cancel", "canceled_at"):
        assert stack.ctl_json("batch", verb, *which, "--yes") == {"queue_id": queue_id, "changed": True}
        assert stack.ctl_json("batch", "show", *which)[column]
        assert audited(stack, client)[0] == f"batch.{verb}"


def test_all_entries_of_a_batch_are_exported(stack, client, fresh):
    """More of them than a piece has, as CSV for programs and for spreadsheets, and as the lists have them, line by line."""
    batch_id, count = fresh(), 2500
    entries = [{"phone_number": "+9190200%05d" % i, "custom_data": {"i": i}} for i in range(count)]
    client.api.post(INSERT, {"batch_id": batch_id, "data": entries}).ok
    path = f"/queues/batches/{batch_id}/entries"
    answer = client.api.get(path, format="ndjson")
    lines = [json.loads(line) for line in answer.body.splitlines()]
    assert [line["custom_data"]["i"] for line in lines] == list(range(count))
    assert lines[:3] == client.api.get(f"/clients/calling-queue-entries/{client.client_id}/{batch_id}", size=3).ok["items"]
    rows = list(csv.DictReader(io.StringIO(client.api.get(path).body.decode(), newline="")))
    assert len(rows) == count and all(rows[0][name] == str(lines[0][name]) for name in ("id", "call_id", "phone_number", "status"))
    guarded = list(csv.DictReader(io.StringIO(client.api.get(path, spreadsheet=1).body.decode(), newline="")))
    assert guarded[7]["phone_number"] == "'" + rows[7]["phone_number"]
    assert client.api.get(path, status="busy", format="ndjson").body == b""
    assert len(client.api.get(path, status="pending", format="ndjson").body.splitlines()) == count
    assert refused(client.api.get(path, format="xml"), 400, "bad_request") == "format must be csv or ndjson"
    assert client.api.get("/queues/batches/999999999/entries").status == 403
    [(action, actor)] = stack.sql("select action, actor from audit where action = 'entries.export' order by id desc limit 1")
    assert actor == f"client:{client.accountcode}"
