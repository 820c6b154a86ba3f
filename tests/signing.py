"""Users who sign in, and tokens that nobody issued."""
import base64
import hashlib
import hmac
import json

ME = "/clients/me"
SQL = "/client-call-details/details"  # answered by PostgreSQL
LOGIN, REFRESH = "/auth/login", "/auth/refresh"
LOGOUT, CHANGE = "/auth/logout", "/auth/change-password"


def anonymous(client):
    return client.api.as_client(None)


def sign_in(client, password=None, username=None):
    return anonymous(client).post(LOGIN, {"username": username or client.username,
                                          "password": password or client.password})


def with_token(client, token, method="GET", path=ME, body=None, **headers):
    return anonymous(client).request(
        method, path, body, headers={"Authorization": f"Bearer {token}", **headers})


def sign_out(client, token):
    return with_token(client, token, "POST", LOGOUT).ok


def refresh(client, token):
    return anonymous(client).post(REFRESH, {"refresh_token": token})


def check_refused(answer, status, code):
    assert (answer.status, answer.json["status_code"], answer.json["code"]) == (status, status, code)
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)
    return answer.json["detail"]


# Tokens


def encode(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def decode(token, part):
    return json.loads(base64.urlsafe_b64decode(token.split(".")[part] + "=="))


def claims_of(token):
    return decode(token, 1)


def kid_of(token):
    return decode(token, 0)["kid"]


def forge(stack, token, *, head=None, claims=None, digest=hashlib.sha256, secret=None):
    """The token with these members of head and claims changed (None takes one away), signed anew: with the secret of the
    key that it names, unless another is given, or not at all, with digest=None."""
    keys = dict(line.split()[::2] for line in (stack.stack.folder / "jwt.keys").read_text().splitlines()
                if not line.startswith("#"))

    def changed(part, changes):
        members = {**decode(token, part), **(changes or {})}
        kept = {name: value for name, value in members.items() if value is not None}
        return encode(json.dumps(kept, separators=(",", ":")).encode())

    text = f"{changed(0, head)}.{changed(1, claims)}"
    if not digest:
        return text + "."
    secret = bytes.fromhex(keys[kid_of(token)]) if secret is None else secret
    return f"{text}.{encode(hmac.new(secret, text.encode(), digest).digest())}"
