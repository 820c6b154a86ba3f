"""A client's own keys: replaced, revoked, and what becomes of the old ones and of tokens."""
import pytest

ME = "/clients/me"
REGENERATE = "/clients/regenerate-api-key"
REVOKE = "/clients/revoke-api-key"


@pytest.fixture
def client(stack):
    return stack.new_client("KEYS")


def status(client, key):
    return client.api.as_client(key).get(ME).status


def sign_in(client):
    """Headers of somebody who has signed in as the client's user."""
    tokens = client.api.as_client(None).post(
        "/auth/login", {"username": client.username, "password": client.password}).ok
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def by_token(client, headers, method, path, body=None):
    return client.api.as_client(None).request(method, path, body, headers=headers)


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_E4_X1_a_new_key_takes_the_place_of_the_old(client, method, slash):
    answer = client.api.request(method, REGENERATE + slash).ok
    assert answer["id"] == client.client_id
    assert answer["api_key"] != client.key
    assert answer["old_key_valid_until"] is None and answer["expires_at"] is None
    assert status(client, answer["api_key"]) == 200
    refused = client.api.get(ME)
    assert (refused.status, refused.json["code"]) == (401, "key_revoked")


def test_E4_D8_the_new_key_is_stored_as_a_digest(stack, client):
    key = client.api.post(REGENERATE).ok["api_key"]
    rows = stack.sql("select a.*, k.* from audit a, api_key k where k.client_id = %s and a.subject = %s",
                     client.client_id, client.accountcode)
    assert len(rows) >= 2 and key not in str(rows)
    assert "key.replace" in {row["action"] for row in rows}
    for log in stack.stack.log_dir.rglob("*"):
        assert not log.is_file() or key not in log.read_text(errors="replace"), log


def test_Q4_the_old_key_stays_good_for_the_configured_time(stack, client):
    with stack.api_configured(old_key_seconds=3600):
        answer = client.api.post(REGENERATE).ok
        assert answer["old_key_valid_until"] is not None
        assert status(client, client.key) == status(client, answer["api_key"]) == 200
        again = client.api.post(REGENERATE)  # whoever has found an old key gets no new one
        assert (again.status, again.json["code"]) == (403, "key_replaced")
        assert status(client, answer["api_key"]) == 200
    stack.sql("update api_key set expires_at = now() where replaced_at is not null and client_id = %s",
              client.client_id)
    stack.reload(client.client_id)
    stack.wait_until(lambda: status(client, client.key) == 401, "the old key's time is over")
    assert client.api.get(ME).json["code"] == "key_expired"


def test_Q4_a_key_with_an_end_is_replaced_by_one_that_lives_as_long(stack, client):
    stack.sql("""update api_key set created_at = now() - interval '1 day', expires_at = now() + interval '9 days'
                  where client_id = %s""", client.client_id)
    assert client.api.post(REGENERATE).ok["expires_at"] is not None
    [[days]] = stack.sql("""select extract(day from expires_at - created_at) from api_key
                             where client_id = %s and revoked_at is null""", client.client_id)
    assert days == 10


def test_Q4_tokens_stay_unless_they_are_revoked(client):
    headers = sign_in(client)
    client.api.key = client.api.post(REGENERATE).ok["api_key"]
    assert by_token(client, headers, "GET", ME).status == 200
    client.api.key = client.api.post(REGENERATE, {"revoke_tokens": True}).ok["api_key"]
    ended = by_token(client, headers, "GET", ME)
    assert (ended.status, ended.json["code"]) == (401, "session_ended")
    assert status(client, client.api.key) == 200
    refused = client.api.post(REGENERATE, {"revoke_tokens": "yes"})
    assert refused.status == 400 and "revoke_tokens" in refused.json["detail"]
    assert status(client, client.api.key) == 200


def test_Q4_by_a_token_all_keys_are_replaced(stack, client):
    headers = sign_in(client)
    stack.sql("""insert into api_key (client_id, digest, shown, name)
                 values (%s, sha256(%s), 'x', 'second')""", client.client_id, client.accountcode.encode())
    made = by_token(client, headers, "POST", REGENERATE).ok
    assert status(client, client.key) == 401 and status(client, made["api_key"]) == 200
    assert stack.sql("select count(*) from api_key where client_id = %s and revoked_at is null",
                     client.client_id) == [[1]]


def test_Q4_a_key_revokes_itself_and_a_token_makes_another(client):
    headers = sign_in(client)
    assert client.api.post(REVOKE).ok["status"] == "success"
    assert client.api.get(ME).json["code"] == "key_revoked"
    assert client.api.post(REGENERATE).status == 401
    made = by_token(client, headers, "POST", REGENERATE).ok
    assert status(client, made["api_key"]) == 200
    for _ in range(2):
        assert by_token(client, headers, "POST", REVOKE).ok["status"] == "success"
    assert status(client, made["api_key"]) == 401


def test_A7_another_clients_keys_stay(stack, client):
    other = stack.new_client("KEYS-OTHER")
    client.api.post(REVOKE, {"id": other.client_id, "client_id": other.client_id,
                             "accountcode": other.accountcode}).ok
    assert status(other, other.key) == 200
