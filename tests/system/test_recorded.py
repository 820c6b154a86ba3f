"""What the API writes into the audit: who, what, when, from which address; and nothing that is nobody's business."""
import re

import pytest

LOGIN = "/auth/login"
ANCHOR = re.compile(r"at=audit\.anchor anchor=(\d+:[0-9a-f]{64})")
DETAILS = "/client-call-details/details"


@pytest.fixture(scope="module")
def client(stack):
    return stack.new_client("RECORDED")


def acts(stack, *filters):
    return stack.ctl_json("audit", "list", *filters)["acts"]


def of(stack, client, action):
    return [one for one in acts(stack, f"--action={action}", f"--subject={client.accountcode}")]


def test_an_export_is_recorded_before_it_begins(stack, client):
    path = f"{DETAILS}?format=csv&phone_number=%2B919876543210&start_date=2026-01-01"
    assert client.api.get(path).status == 200
    export, = of(stack, client, "details.export")
    assert export["actor"] == f"client:{client.accountcode}" and export["address"] == "127.0.0.1"
    assert export["detail"]["by"].startswith("key ")
    assert export["detail"]["query"] == {"format": "csv", "phone_number": "*********3210",
                                         "start_date": "2026-01-01"}
    assert client.api.get(DETAILS).status == 200  # a page is no export
    assert client.api.get(f"{DETAILS}?format=csv&start_date=x").status == 400
    assert len(of(stack, client, "details.export")) == 1
    assert client.api.get(f"{DETAILS}?format=ndjson").status == 200
    assert len(of(stack, client, "details.export")) == 2


def test_a_refused_sign_in_is_recorded(stack, client):
    api = client.api.as_client(None)
    assert api.post(LOGIN, {"username": client.username, "password": "wrong password"}).status == 401
    refused, = of(stack, client, "login.refused")
    assert (refused["actor"], refused["address"]) == (f"user:{client.username}", "127.0.0.1")
    assert "wrong" not in str(refused)


def test_what_was_typed_as_the_name_of_nobody_is_not_kept(stack, client):
    before = len(acts(stack, "--actor=nobody"))
    typed = "my-password-in-the-wrong-place"
    assert client.api.as_client(None).post(LOGIN, {"username": typed, "password": "x" * 8}).status == 401
    found = acts(stack, "--actor=nobody")
    assert len(found) == before + 1 and (found[0]["action"], found[0]["subject"]) == ("login.refused", "")
    assert typed not in str(acts(stack))


def test_a_changed_password_is_recorded_and_so_is_a_wrong_one(stack):
    client = stack.new_client("RECORDED")
    api = client.api.as_client(None)
    token = api.post(LOGIN, {"username": client.username, "password": client.password}).ok["access_token"]
    headers = {"Authorization": f"Bearer {token}"}

    def change(current):
        return api.request("POST", "/auth/change-password", {"current_password": current, "new_password": "another one"},
                           headers=headers)

    assert change("a wrong one").status == 400
    assert change(client.password).status == 200
    assert [one["action"] for one in acts(stack, f"--subject={client.accountcode}")][:2] == [
        "password.change", "password.refused"]


def test_a_replaced_key_is_recorded_with_its_address(stack):
    client = stack.new_client("RECORDED")
    assert client.api.post("/clients/regenerate-api-key").status == 200
    replaced, = of(stack, client, "key.replace")
    assert replaced["address"] == "127.0.0.1" and len(replaced["detail"]["shown"]) == 15


def test_the_chain_of_all_that_is_whole_and_its_anchor_is_in_the_log(stack):
    said = stack.ctl_json("audit", "verify")
    assert said["acts"] == stack.sql("select count(*) from audit")[0][0] > 0
    log = (stack.stack.log_dir / "ccs-dispatcher.log").stat().st_size
    stack.kill("dispatcher")  # the next life begins with an anchor
    logged = stack.wait_until(lambda: ANCHOR.search(stack.log_since("ccs-dispatcher", log)),
                              "the dispatcher has logged an anchor")
    assert stack.ctl_json("audit", "verify", "--anchor", logged[1])["held_against_anchor"]


@pytest.fixture(scope="module")
def administrator(stack, client):
    return client.api.as_client(stack.ctl_json("key", "add")["api_key"])


def test_administrators_read_it_page_by_page(stack, administrator):
    every = acts(stack)
    page = administrator.get("/admin/audit?size=2&page=2").ok
    assert page["total"] >= len(every) and page["size"] == 2 and page["items"] == every[2:4]
    mine = administrator.get("/admin/audit?action=key&subject=RECORDED&size=1").ok["items"]
    assert all(one["action"].startswith("key.") and one["subject"] == "RECORDED" for one in mine)
    refused = administrator.get("/admin/audit?actor=")
    assert refused.status == 400 and "actor" in refused.json["detail"]


def test_clients_do_not(client):
    assert client.api.get("/admin/audit").status == 403


def test_an_administrator_erases_a_number_of_one_client_or_of_all(stack, administrator, asterisk):
    clients = [stack.new_client("RECORDED") for _ in range(2)]
    number, = asterisk.numbers("busy")
    for one in clients:
        one.insert([number])
    path = f"/admin/subjects/%2B91{number}"
    receipt, = administrator.request("DELETE", f"{path}?accountcode={clients[0].accountcode}").ok["receipts"]
    assert (receipt["accountcode"], receipt["erased"]["entries"], receipt["withdrawn"]) == (clients[0].accountcode, 1, 1)
    receipts = {one["accountcode"]: one["erased"]["entries"] for one in administrator.request("DELETE", path).ok["receipts"]}
    assert (receipts[clients[0].accountcode], receipts[clients[1].accountcode]) == (0, 1)
    assert acts(stack, "--action=subject.erase")[0]["actor"].startswith("key:")
    assert administrator.request("DELETE", f"{path}?accountcode=NOBODY").status == 404
