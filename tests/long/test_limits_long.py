"""Limits of clients, shares and servers that change at random while calls are live: held against the farm's own book, which
knows when each call began and ended on a server, and nothing of ccs.

A lowered limit hangs nobody up: what is live stays, and no call begins until fewer are. So what is checked is each beginning: the
calls that are live with it are no more than the limit; those of the last hour are no more than the calls an hour.
"""
import bisect
import collections
import random
import time

import pytest
from stack import numbers

from farmed import compare, farmed_stack

SERVERS, CHANNELS, SPEED, CLIENTS = 4, 15, 4, 3
CALLS, SECONDS = 3000, 75
EVERY_S = 9, 12  # a change
# A start may have been decided under what was in force so long before: plans are good for two seconds, and this machine is slow.
SETTLED_S = 5
NONE = 1_000_000


@pytest.fixture(scope="module")
def farmed(request):
    with farmed_stack(request, SERVERS, CHANNELS, speed=SPEED, seed=11) as live:
        yield live


class Limits:
    """What was in force from when on, of everything that has limits: ("client", 7) -> [(time, channels, rate)]."""

    def __init__(self, farmed, clients):
        self.farmed, self.clients, self.dice = farmed, clients, random.Random(3)
        self.history = collections.defaultdict(list)
        self.servers = {row["server_code"]: row["id"] for row in farmed.sql("select server_code, id from server")}
        for client in clients:
            self.set_client(client.client_id, 30, NONE, [7] * SERVERS)
        for server in self.servers.values():
            self.set_server(server, CHANNELS)

    def set_client(self, client, channels, rate, shares):
        """All in one transaction: at no moment do shares sum to more than their client has."""
        self._note(("client", client), channels, rate)
        for server, share in zip(self.servers.values(), shares):
            self._note(("share", (client, server)), share, rate // SERVERS)
        self.farmed.sql("""
            update client set allocated_channels = %(channels)s, rate_limit = %(rate)s where id = %(client)s;
            update allocation a set allowed_active_calls = n.channels, rate_limit = %(rate)s / %(servers)s
              from unnest(%(ids)s, %(shares)s) as n (server_id, channels)
             where a.client_id = %(client)s and a.server_id = n.server_id""",
                        client=client, channels=channels, rate=rate, servers=SERVERS,
                        ids=list(self.servers.values()), shares=shares)

    def set_server(self, server, channels):
        self._note(("server", server), channels, NONE)
        self.farmed.sql("update server set allowed_active_calls = %s where id = %s", channels, server)

    def _note(self, what, channels, rate):
        """In force from when it begins to be written on; the one before until the dispatcher has taken this one in."""
        self.history[what].append([time.time(), None, channels, rate])

    def taken_in(self):
        self.farmed.reload()
        now = time.time()
        for changes in self.history.values():
            for change in changes:
                change[1] = change[1] or now

    def change_some(self):
        for client in self.clients:
            shares = [self.dice.randint(0, 10) for _ in self.servers]
            # Calls an hour: hardly any, so that those of a while ago shut it, or as good as none.
            self.set_client(client.client_id, max(1, sum(shares)), self.dice.choice([200, 1600, NONE, NONE]), shares)
        for server in self.servers.values():
            self.set_server(server, self.dice.randint(1, CHANNELS))
        self.taken_in()

    def at(self, what, moment):
        """The most channels and calls an hour that may have been in force when a start at that moment was decided."""
        changes = self.history[what]
        held = [change for i, change in enumerate(changes)
                if change[0] <= moment and (i + 1 == len(changes) or moment - SETTLED_S <= changes[i + 1][1])]
        return max(change[2] for change in held), max(change[3] for change in held)


def supply(client, called):
    client.insert(called)
    client.dispatch()


def spans(book, owner, servers):
    """(begun, ended, the three things whose limits it takes) of every call that had a channel, in order of beginning."""
    found = []
    for originate in book.originates:
        if originate.verdict == "queued":
            client, server, ending = owner[originate.number], servers[originate.server], book.endings[originate.call_id]
            found.append((originate.at, ending.at, (("client", client), ("share", (client, server)), ("server", server))))
    return sorted(found)


def exceeded(calls, limits):
    """Starts above a limit; and how many met one, so that we know that limits were in the way."""
    begun, ended = collections.defaultdict(list), collections.defaultdict(list)
    above, met = [], 0
    for at, end, limited in calls:
        for what in limited:
            channels, rate = limits.at(what, at)
            live = len(begun[what]) + 1 - bisect.bisect_right(ended[what], at)
            in_hour = len(begun[what]) + 1  # we look at less than an hour
            if live > channels or in_hour > rate:
                above.append((at, what, live, channels, in_hour, rate))
            met += live == channels
            begun[what].append(at)
            bisect.insort(ended[what], end)
    return above, met


def test_no_call_begins_above_a_limit_whatever_changes(farmed, capsys):
    clients = [farmed.new_client(f"LIMITED{i}", channels=30) for i in range(CLIENTS)]
    taken = iter(numbers.mixed(CALLS * CLIENTS, seed=5, ring=1, talk=3))
    owner = {}
    limits = Limits(farmed, clients)
    limits.taken_in()
    for client in clients:
        called = [next(taken) for _ in range(CALLS)]
        owner |= dict.fromkeys(map(numbers.national, called), client.client_id)
        supply(client, called)
    until, changes = time.monotonic() + SECONDS, 0
    while time.monotonic() < until:
        limits.change_some()
        changes += 1
        time.sleep(limits.dice.uniform(*EVERY_S))
    for client in clients:
        client.set_active(False)
    farmed.wait_until(lambda: not any(server["channels"] for server in farmed.stack.rig().show().values()),
                      "the last call is over", seconds=60)
    calls = spans(farmed.stack.rig().book(), owner, limits.servers)
    above, met = exceeded(calls, limits)
    with capsys.disabled():
        print(f"\n{len(calls)} starts, {changes} changes of {len(limits.history)} limits, {met} starts at a limit")
    assert not above, above[:5]
    assert len(calls) > 500 and met > 100
    compare(farmed)
