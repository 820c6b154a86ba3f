"""What a dialplan asks about its calls: GET /dialplan/{call_id}, by the key of the server where the call is live."""
from urllib.parse import parse_qsl

import pytest

CUSTOM = {"customer_id": "CUST 001", "n": 7, "vip": True, "none": None, "list": [1], "a b": "x", "name": "Zoë & \"co\""}


@pytest.fixture(scope="module")
def made(stack):
    return stack.ctl_json("key", "add", "--server-code=ast1", "--name=dialplan")


@pytest.fixture(scope="module")
def dialplan(stack, made):
    """Asks as the server does."""
    return stack.api.as_client(made["api_key"])


@pytest.fixture(scope="module")
def call(stack, asterisk):
    """One that stays."""
    number = asterisk.numbers("stays")[0]
    call_id = stack.call(number, custom_data=CUSTOM)

    def live():
        return [one for one in stack.api.get("/monitoring/activecalls").ok["calls"]
                if one["call_id"] == call_id and one["state"] == "answered"]

    [shown] = stack.wait_until(live, "the call is answered")
    yield {**shown, "number": number}
    stack.api.post(f"/calls/{call_id}/hangup")
    stack.outcome(call_id)


def test_U24_a_live_call_of_the_server_is_told(dialplan, call, stack):
    told = dialplan.get(f"/dialplan/{call['call_id']}").ok
    assert told == {"call_id": call["call_id"], "batch_id": None, "attempt": 1, "accountcode": stack.accountcode,
                    "phone_number": call["number"], "did": call["did"], "custom_data": CUSTOM}


def test_U24_as_pairs_for_curl_and_hash(dialplan, call):
    answer = dialplan.get(f"/dialplan/{call['call_id']}", format="query")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    text = answer.body.decode()
    assert answer.status == 200 and not set(text) & set(" \r\n\"',;{}")
    pairs = dict(parse_qsl(text, keep_blank_values=True, strict_parsing=True))
    assert pairs.pop("custom_data").startswith('{"customer_id"')
    assert pairs == {"call_id": call["call_id"], "batch_id": "", "attempt": "1", "accountcode": pairs["accountcode"],
                     "phone_number": call["number"], "did": call["did"], "custom_data.customer_id": "CUST 001",
                     "custom_data.n": "7", "custom_data.vip": "true", "custom_data.name": "Zoë & \"co\""}


def test_U24_no_other_call_and_no_call_that_is_over(dialplan, call, stack, asterisk):
    number = asterisk.numbers("answered", talk=1)[0]
    over = stack.call(number)
    stack.outcome(over)
    stack.wait_until(lambda: dialplan.get(f"/dialplan/{over}").status == 404, "it has left the server")
    other_attempt = call["call_id"][:-1] + "2"
    for call_id in (over, other_attempt, "ccs-0000000000000101", "nonsense", "1795356975.7"):
        refused = dialplan.get(f"/dialplan/{call_id}")
        assert (refused.status, refused.json["code"]) == (404, "not_found"), call_id
    assert dialplan.get(f"/dialplan/{call['call_id']}", format="xml").status == 400


def test_U24_another_servers_key_and_other_peoples_keys_tell_nothing(stack, call):
    stack.stack.ccs.ctl("server", "add", "--server-code=elsewhere", "--host=127.0.0.1", "--port=9", "--ami-user=ccs",
                        "--channel-template=PJSIP/{number}@x", "--allowed-active-calls=1", "--rate-limit=1",
                        "--status=disabled", "--ami-secret-stdin", text="none")
    elsewhere = stack.ctl_json("key", "add", "--server-code=elsewhere")["api_key"]
    assert stack.api.as_client(elsewhere).get(f"/dialplan/{call['call_id']}").status == 404
    for key in (None, stack.ctl_json("key", "add")["api_key"]):
        refused = stack.api if key is None else stack.api.as_client(key)
        refused = refused.get(f"/dialplan/{call['call_id']}")
        assert (refused.status, refused.json["code"]) == (403, "server_key_needed")
    stack.sql("delete from server where server_code = 'elsewhere'")
    stack.reload()
    assert stack.api.as_client(elsewhere).get(f"/dialplan/{call['call_id']}").status == 401


@pytest.mark.parametrize("method, path", [
    ("GET", "/clients/me"), ("GET", "/monitoring/activecalls"), ("POST", "/queues/quickcall"), ("GET", "/admin/me"),
    ("GET", "/admin/audit"), ("POST", "/admin/keys"), ("POST", "/clients/regenerate-api-key"), ("GET", "/events")])
def test_U24_a_servers_key_is_good_for_nothing_else(dialplan, method, path):
    refused = dialplan.request(method, path, {} if method == "POST" else None)
    assert (refused.status, refused.json["code"]) == (403, "scope_missing")


def test_U24_only_administrators_make_them_and_they_are_bound_to_networks(stack, call):
    refused = stack.api.post("/clients/me/keys", {"server_code": "ast1"})
    assert (refused.status, refused.json["code"]) == (403, "administrator_needed")
    assert stack.api.post("/clients/me/keys", {"scopes": ["server"]}).status == 400
    admin = stack.api.as_client(stack.ctl_json("key", "add")["api_key"])
    for body in ({"server_code": "ast1", "scopes": ["read"]}, {"scopes": ["server"]}, {"scopes": ["read", "server"]},
                 {"server_code": "ast1", "accountcode": stack.accountcode}):
        refused = admin.post("/admin/keys", body)
        assert (refused.status, refused.json["code"]) == (400, "invalid_field"), body
    assert admin.post("/admin/keys", {"server_code": "nobody"}).status == 404
    far = admin.post("/admin/keys", {"server_code": "ast1", "scopes": ["server"], "networks": ["192.0.2.0/24"]}).ok
    refused = stack.api.as_client(far["api_key"]).get(f"/dialplan/{call['call_id']}")
    assert (refused.status, refused.json["code"]) == (403, "address_refused")


def test_U24_a_servers_key_is_shown_rotated_and_revoked(stack, call):
    admin = stack.api.as_client(stack.ctl_json("key", "add")["api_key"])
    made = stack.ctl_json("key", "add", "--server-code=ast1", "--name=turns")
    shown = admin.get(f"/admin/keys/{made['id']}").ok
    assert (shown["server_code"], shown["accountcode"], shown["scopes"]) == ("ast1", None, ["server"])
    assert stack.ctl_json("key", "show", str(made["id"]))["server_code"] == "ast1"
    administrators = admin.get("/admin/keys", accountcode="", sort="-id").ok["items"]
    assert administrators and all(key["server_code"] is None for key in administrators)
    path = f"/dialplan/{call['call_id']}"
    turned = admin.post(f"/admin/keys/{made['id']}/rotate").ok
    assert stack.api.as_client(made["api_key"]).get(path).status == 401
    assert stack.api.as_client(turned["api_key"]).get(path).status == 200
    assert admin.request("DELETE", f"/admin/keys/{turned['id']}").ok["changed"] is True
    assert stack.api.as_client(turned["api_key"]).get(path).status == 401
