"""Bad input gets the documented envelope, names what is wrong, and leaves nothing behind."""
import json
import re

import pytest

INSERT = "/queues/insertdataincallqueue/"
CALL = "/queues/quickcall/"
DISPATCH = "/controls/dispatch-calls"
GOOD = "9000050001"


@pytest.fixture(scope="module")
def client(stack):
    return stack.new_client("CARELESS")


@pytest.fixture(scope="module")
def other(stack):
    return stack.new_client("NEIGHBOUR")


def rows_of(stack, client):
    return stack.sql("""select (select count(*) from queue_master where client_id = %s),
                               (select count(*) from chunk where client_id = %s),
                               (select count(*) from entry where client_id = %s)""",
                     *[client.client_id] * 3)[0]


def check_envelope(answer, status, *words):
    assert answer.status == status, answer.body
    assert answer.headers.get_content_type() == "application/json"
    body = answer.json
    assert body["status_code"] == status
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", body["timestamp"])
    assert isinstance(body["detail"], str)
    for word in words:
        assert word in body["detail"], body["detail"]


def batch(*entries, **members):
    return {"batch_id": 9, "data": list(entries), **members}


BAD_BODIES = {
    "no JSON": (INSERT, b"{", "JSON"),
    "empty": (INSERT, b"", "JSON"),
    "not UTF-8": (INSERT, b'{"batch_id":9,"data":[{"phone_number":"\xff"}]}', "UTF-8"),
    "array": (INSERT, b"[]", "object"),
    "rest after the object": (INSERT, json.dumps(batch({"phone_number": GOOD})).encode() + b"x", ""),
    "no batch_id": (INSERT, {"data": [{"phone_number": GOOD}]}, "batch_id"),
    "batch_id text": (INSERT, batch({"phone_number": GOOD}, batch_id="9"), "batch_id"),
    "batch_id real": (INSERT, batch({"phone_number": GOOD}, batch_id=9.5), "batch_id"),
    "batch_id zero": (INSERT, batch({"phone_number": GOOD}, batch_id=0), "batch_id"),
    "batch_id beyond 2^53": (INSERT, batch({"phone_number": GOOD}, batch_id=2**53), "batch_id"),
    "no data": (INSERT, {"batch_id": 9}, "data"),
    "data object": (INSERT, {"batch_id": 9, "data": {}}, "data"),
    "data empty": (INSERT, batch(), "data"),
    "entry text": (INSERT, batch(GOOD), "data"),
    "no number at all": (INSERT, batch({}), "phone_number"),
    "number as a number": (INSERT, batch({"phone_number": 9000050001}), "phone_number"),
    "number too short": (INSERT, batch({"phone_number": "12"}), "phone_number"),
    "number too long": (INSERT, batch({"phone_number": "1" * 16}), "phone_number"),
    "letters": (INSERT, batch({"phone_number": "call me"}), "phone_number"),
    "custom_data text": (INSERT, batch({"phone_number": GOOD, "custom_data": "x"}), "custom_data"),
    "quick: no number": (CALL, {}, "phone_number"),
    "quick: null": (CALL, {"phone_number": None}, "phone_number"),
    "quick: array": (CALL, {"phone_number": [GOOD]}, "phone_number"),
    "quick: letters": (CALL, {"phone_number": "sip:me@example.com"}, "phone_number"),
    "quick: custom_data": (CALL, {"phone_number": GOOD, "custom_data": 1}, "custom_data"),
    "dispatch: accountcode": (DISPATCH, {"accountcode": 1}, "accountcode"),
}


@pytest.mark.parametrize("case", BAD_BODIES)
def test_F8_F9_bad_body(stack, client, case):
    path, body, word = BAD_BODIES[case]
    before = rows_of(stack, client)
    check_envelope(client.api.post(path, body), 400, word)
    assert rows_of(stack, client) == before


def test_Q7_no_valid_row_is_refused_and_one_is_enough(stack, client):
    rows = [{"phone_number": "12"}, {"phone_number": GOOD}, {"phone_number": ""}]
    before = rows_of(stack, client)
    check_envelope(client.api.post(INSERT, batch(*rows, batch_id=31), strict=1), 400, "phone_number")
    assert rows_of(stack, client) == before

    answer = client.api.post(INSERT, batch(*rows, batch_id=31)).ok
    assert answer["inserted_count"] == 1
    assert [row["index"] for row in answer["rejected"]] == [0, 2]
    assert client.report(31).total == 1


BAD_NUMBERS = ["", " ", "12", "1" * 16, "9" * 400, "98765x3210", "+", "++919876543210", "98765\n43210",
               "9876543210\r\nAction: Logoff", "9876543210\nVariable: X=1", "9876543210@evil",
               "9876543210&PJSIP/1@farend", "9876543210/n", "${EXTEN}", "9876543210,1", "\x00123456",
               "٩٨٧٦٥٤٣٢١٠", "9876543210;2"]


@pytest.mark.parametrize("number", BAD_NUMBERS)
def test_Q25_number_that_is_none(stack, client, number):
    before = rows_of(stack, client)
    check_envelope(client.api.post(CALL, {"phone_number": number}), 400)
    assert rows_of(stack, client) == before


def test_Q20_Q25_no_client_value_reaches_asterisk_but_the_digits(stack, client, asterisk):
    [number] = asterisk.numbers("answered", talk=1)
    written = f"+91 {number[:5]}-{number[5:]}"
    poison = "\r\n\r\nAction: Originate\r\nVariable: X=${SHELL(id)}\r\nAccount: evil"
    call_id = client.call(written, custom_data={"note": poison, poison: [poison]})
    assert client.outcome(call_id)["disposition"] == "completed"
    assert asterisk.times_rung([number]) == {number: 1}
    [row] = [row for row in client.api.pages("/client-call-details/details")
             if row["call_id"] == call_id]
    assert row["phone_number"] == written
    assert row["custom_data"] == {"note": poison, poison: [poison]}
    for log in stack.stack.rig().servers[0].log_file, stack.stack.log_dir / "ccs-dispatcher.log":
        with open(log, errors="replace") as lines:
            assert "SHELL" not in lines.read()


def test_A2_A3_Q2_missing_and_wrong_keys(stack, client):
    def status(key, **query):
        answer = client.api.as_client(key).get("/clients/me", **query)
        if answer.status == 401:
            check_envelope(answer, 401)
            assert answer.headers["WWW-Authenticate"]
        return answer.status

    typo = client.key[:-1] + ("a" if client.key[-1] != "a" else "b")
    assert status(client.key) == 200
    assert status(None, **{"x-api-key": client.key}) == 200
    assert status(None) == status("") == status("x") == status(typo) == 401
    assert status("x" * 4000) == 401
    bearer = {"Authorization": f"Bearer {client.key}"}
    assert client.api.as_client(None).request("GET", "/clients/me", headers=bearer).status == 200


def test_two_identities_in_one_request(client, other):
    answer = client.api.get("/clients/me", **{"x-api-key": other.key})
    check_envelope(answer, 400, "key")


FOREIGN = [("GET", "/monitoring/callingsummary"), ("GET", "/monitoring/activecalls"),
           ("GET", "/client-call-details/details"), ("GET", "/client-call-details/summary"),
           ("POST", "/controls/dispatch-calls"), ("POST", "/controls/setup-channels/")]


@pytest.mark.parametrize("method, path", FOREIGN)
def test_A7_foreign_accountcode_looks_like_one_that_does_not_exist(client, other, method, path):
    real = client.api.request(method, path, accountcode=other.accountcode)
    unreal = client.api.request(method, path, accountcode="NOBODY")
    for answer in real, unreal:
        check_envelope(answer, 403)
    assert real.json["detail"] == unreal.json["detail"]


def test_A7_Q12_foreign_accountcode_in_the_body(client, other):
    check_envelope(client.api.post(DISPATCH, {"accountcode": other.accountcode}), 403)


def test_Q12_accountcodes_that_differ(client, other):
    answer = client.api.post(DISPATCH, {"accountcode": client.accountcode},
                             accountcode=other.accountcode)
    check_envelope(answer, 400, "accountcode")


def test_A6_Q2_inactive_client(stack):
    client = stack.new_client("GONE")
    assert client.api.get("/clients/me").status == 200
    client.set_active(False)
    stack.wait_until(lambda: client.api.get("/clients/me").status != 200, "the client is refused")
    check_envelope(client.api.get("/clients/me"), 403, "inactive")


@pytest.mark.parametrize("path, size", [(CALL, 70_000), (INSERT, 17_000_000)])
def test_too_large_a_body(stack, client, path, size):
    before = rows_of(stack, client)
    check_envelope(client.api.post(path, b" " * size), 413)
    assert rows_of(stack, client) == before


def test_unknown_path_and_method(client):
    check_envelope(client.api.get("/no/such/path"), 404)
    answer = client.api.request("DELETE", "/clients/me")
    check_envelope(answer, 405)
    assert "GET" in answer.headers["Allow"]


def test_bad_query(client):
    details = "/client-call-details/details"
    check_envelope(client.api.get(details, start_date="yesterday"), 400, "start_date")
    check_envelope(client.api.get(details, start_date="2026-02-30"), 400, "start_date")
    check_envelope(client.api.get(details, page=0), 400, "page")
    check_envelope(client.api.get(details, size=101), 400, "size")
