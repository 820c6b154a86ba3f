"""Tokens that nobody issued, and some that are no longer or not yet good, at every door that takes one."""
import hashlib
import http.client
import json
import random
import ssl
import time
import urllib.parse

import pytest
from signing import (CHANGE, ME, SQL, check_refused, encode, forge, refresh, sign_in,
                     with_token)

# The pool that answers, by its route: fast, sql, login.
DOORS = {"fast": ("GET", ME), "sql": ("GET", SQL), "login": ("POST", CHANGE)}
MUTATIONS = 600


@pytest.fixture(scope="module")
def client(stack):
    return stack.new_client("FORGER")


@pytest.fixture(scope="module")
def tokens(client):
    return sign_in(client).ok


def times(iat, exp):
    """Seconds from now."""
    now = int(time.time())
    return {"iat": now + iat, "nbf": now + iat, "exp": now + exp}


EXPIRED, INVALID = "token_expired", "token_invalid"
FORGERIES = {
    "expired": (EXPIRED, lambda: {"claims": times(-100, -40)}),
    "expired and for something else": (INVALID, lambda: {"claims": {**times(-100, -40), "aud": "x"}}),
    "issued in the future": (INVALID, lambda: {"claims": times(100, 200)}),
    "not yet good": (INVALID, lambda: {"claims": {"nbf": int(time.time()) + 100}}),
    "good before it was issued": (INVALID, lambda: {"claims": {"nbf": int(time.time()) - 900}}),
    "without an end": (INVALID, lambda: {"claims": {"exp": None}}),
    "an end that is text": (INVALID, lambda: {"claims": {"exp": "9999999999"}}),
    "an end in the year 287396": (INVALID, lambda: {"claims": {"exp": 1 << 63}}),
    "unsigned": (INVALID, lambda: {"digest": None}),
    "unsigned, and says so": (INVALID, lambda: {"head": {"alg": "none"}, "digest": None}),
    "says none, and is signed": (INVALID, lambda: {"head": {"alg": "none"}}),
    "HS512": (INVALID, lambda: {"head": {"alg": "HS512"}, "digest": hashlib.sha512}),
    "HS512 that says HS256": (INVALID, lambda: {"digest": hashlib.sha512}),
    "RS256": (INVALID, lambda: {"head": {"alg": "RS256"}}),
    "the empty key": (INVALID, lambda: {"secret": b""}),
    "a key of its own": (INVALID, lambda: {"secret": b"x" * 32}),
    "a key that nobody has": (INVALID, lambda: {"head": {"kid": "nobody00"}}),
    "a key of /dev/null": (INVALID, lambda: {"head": {"kid": "../../../dev/null"}, "secret": b""}),
    "a key that it brings": (INVALID, lambda: {"head": {"jwk": {"kty": "oct", "k": "eA"}}, "secret": b"x"}),
    "a key by address": (INVALID, lambda: {"head": {"jku": "https://localhost/keys"}}),
    "not a JWT": (INVALID, lambda: {"head": {"typ": "JOSE"}}),
    "for somebody else": (INVALID, lambda: {"claims": {"aud": "https://example.com"}}),
    "for both": (INVALID, lambda: {"claims": {"aud": ["ccs-api", "ccs-refresh"]}}),
    "for nobody": (INVALID, lambda: {"claims": {"aud": None}}),
    "of another issuer": (INVALID, lambda: {"claims": {"iss": "CCS"}}),
    "a user by name": (INVALID, lambda: {"claims": {"sub": "1"}}),
    "a user who does not exist": ("session_ended", lambda: {"claims": {"sub": (1 << 53) - 1}}),
    "a password before": ("session_ended", lambda: {"claims": {"ver": 99}}),
}


def test_what_is_forged_well_is_good(stack, client, tokens):
    """Else nothing below would mean what it says."""
    for claims in {}, times(-1000, 20), times(-1000, -5), times(25, 60), {"admin": True}:
        token = forge(stack, tokens["access_token"], claims=claims)
        assert with_token(client, token).status == 200, claims
    assert forge(stack, tokens["access_token"]) == tokens["access_token"]


@pytest.mark.parametrize("name", FORGERIES)
def test_A5_a_forgery_opens_no_door(stack, client, tokens, name):
    code, how = FORGERIES[name]
    token = forge(stack, tokens["access_token"], **how())
    if token.endswith("."):  # two parts and nothing more: not even a token
        code = "key_malformed"
    for method, path in DOORS.values():
        detail = check_refused(with_token(client, token, method, path, {}), 401, code)
        assert not any(part and part in detail for part in token.split("."))


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_refreshes_nothing(stack, client, tokens, name):
    code, how = FORGERIES[name]
    check_refused(refresh(client, forge(stack, tokens["refresh_token"], **how())), 401, code)


def test_a_session_that_never_began_refreshes_nothing(stack, client, tokens):
    token = forge(stack, tokens["refresh_token"], claims={"sid": (1 << 53) - 1})
    check_refused(refresh(client, token), 401, "session_ended")


def mutations(tokens, count):
    """Characters, lengths, parts of the other token, and what a part says, encoded again."""
    chance = random.Random(20261122)
    mine, other = tokens["access_token"], tokens["refresh_token"]
    letters = "ABCabc019-_.=+/%"
    for _ in range(count):
        at, way = chance.randrange(len(mine)), chance.randrange(6)
        parts = mine.split(".")
        which = chance.randrange(3)
        if way == 0:
            yield mine[:at] + chance.choice(letters) + mine[at + 1:]
        elif way == 1:
            yield mine[:at]
        elif way == 2:
            yield mine[:at] + chance.choice(letters) + mine[at:]
        elif way == 3:
            parts[which] = other.split(".")[which]
            yield ".".join(parts)
        elif way == 4:
            chance.shuffle(parts)
            yield ".".join(parts)
        else:
            claims = {"sub": chance.randrange(1 << 53), "sid": 1, "ver": 1, "iss": "ccs", "aud": "ccs-api",
                      "jti": "x", **times(-10, 600)}
            parts[1] = encode(json.dumps(claims).encode())
            yield ".".join(parts)


def test_no_mutation_passes_nginx_and_a_worker(stack, client, tokens):
    where = urllib.parse.urlsplit(stack.base_url)
    connection = http.client.HTTPSConnection(where.hostname, where.port,
                                             context=ssl.create_default_context(cafile=stack.ca_file))
    refused = 0
    for token in mutations(tokens, MUTATIONS):
        if token == tokens["access_token"]:
            continue
        connection.request("GET", f"/api/v1{ME}", headers={"Authorization": f"Bearer {token}"})
        reply = connection.getresponse()
        answer = json.loads(reply.read())
        assert (reply.status, answer["status_code"]) == (401, 401), token
        assert answer["code"] in ("token_invalid", "key_malformed", "key_missing"), token
        refused += 1
    connection.close()
    assert refused > MUTATIONS / 2
    assert with_token(client, tokens["access_token"]).status == 200
    assert refresh(client, tokens["refresh_token"]).status == 200
