"""How often a password may be tried: bounded for who guesses, and never a lock for who knows it."""
import asyncio
import http.client
import json
import ssl
import time
import urllib.parse

from siege import LOGIN, Line, besiege, repeat
from signing import ME, sign_in

GUESSES = 10_000
CONNECTIONS = 4


def from_elsewhere(stack, address, path, body):
    """A request from another address of the loopback network: another neighbourhood."""
    where = urllib.parse.urlsplit(stack.base_url)
    connection = http.client.HTTPSConnection(
        where.hostname, where.port, source_address=(address, 0),
        context=ssl.create_default_context(cafile=stack.ca_file))
    connection.request("POST", f"/api/v1{path}", json.dumps(body),
                       {"Content-Type": "application/json"})
    reply = connection.getresponse()
    answer = reply.status, reply.headers, json.loads(reply.read())
    connection.close()
    return answer


def test_guesses_at_one_user_are_few_and_he_is_not_locked_out(stack):
    client = stack.new_client("GUESSED")
    assert sign_in(client).status == 200  # from his own network
    statuses = []
    while 429 not in statuses:
        status, headers, body = from_elsewhere(
            stack, f"127.0.{len(statuses) + 1}.9", LOGIN,
            {"username": client.username, "password": "guess"})
        statuses.append(status)
        assert status in (401, 429)
    assert len(statuses) <= 10
    assert 1 <= int(headers["Retry-After"]) <= 12
    assert (body["status_code"], body["code"]) == (429, "too_many_passwords")
    # Nobody whom the system does not know has it any different.
    assert sign_in(client).status == 200


def test_ten_thousand_guesses_are_counted_and_others_go_on(stack):
    """From one network, which has a burst of 30 and then one in two seconds. What else is asked meanwhile is answered;
    how fast, tests/bench/guess.py tells."""
    client = stack.new_client("BESIEGED")
    where = stack.base_url, stack.ca_file
    key = {"X_API_KEY": client.key}
    me, active = [], []

    async def siege():
        guessing = asyncio.ensure_future(
            besiege(*where, [f"127.7.7.{host}" for host in range(1, CONNECTIONS + 1)], GUESSES))
        await asyncio.gather(
            guessing,
            repeat(await Line.open(*where), "GET", ME, me, guessing.done, **key),
            repeat(await Line.open(*where), "GET", "/client-call-details/details", active, guessing.done,
                   pause_s=0.02, **key))
        return guessing.result()

    began = time.monotonic()
    tally = asyncio.run(siege())
    seconds = time.monotonic() - began
    waits = {key[1]: count for key, count in tally.items() if isinstance(key, tuple)}
    assert tally[401] + tally[429] == GUESSES == tally[401] + sum(waits.values())
    # The last one of the burst may have begun while the first was answered.
    assert 25 <= tally[401] <= 30 + seconds / 2 + CONNECTIONS
    assert 1 <= min(waits) and max(waits) <= 12
    assert len(me) >= 100 and len(active) >= 100
    assert sign_in(client).status == 200  # from a network that nobody guesses from


def test_who_waits_as_long_as_he_is_told_is_heard(stack):
    """Retry-After suffices: a guess after it is one, not another 429."""

    def guess(user):
        status, headers, _ = from_elsewhere(stack, "127.6.6.6", LOGIN,
                                            {"username": user, "password": "guess"})
        return status, int(headers["Retry-After"] or 0)

    number, wait_s = 0, 0
    while not wait_s:
        status, wait_s = guess(f"nobody{number % 20}")
        number += 1
    assert status == 429 and number <= 50
    until = time.monotonic() + wait_s
    stack.wait_until(lambda: time.monotonic() > until, "the wait is over", seconds=wait_s + 10)
    assert guess(f"nobody{(number - 1) % 20}")[0] == 401
