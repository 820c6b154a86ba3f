"""10,000 calls over 50 simulated Asterisks of changing moods, while dispatcher and relay are killed, counted from the
farm's own book."""
import collections
import itertools
import random
import time

import pytest

from farmed import compare, farmed_stack
from stack import numbers
from subscriber import audience, last_word

SERVERS, CALLS = 50, 10_000
KILLS_EVERY_S = (0.5, 2)
MOODS = ("normal", "normal", "normal", "late=300", "shuffled", "twice", "half=60", "slow=3000",
         "refuse", "deny", "restart=3", "noise=20", "silent", "reject", "trunkless",
         "shuffled,twice,noise=20,late=100")
VICTIMS = ("dispatcher", "relay", "dispatcher-holder", "dispatcher", "api-worker", "dispatcher")


# seed, channels of a server, and how much faster than life: few calls and many kills, and a flood.
@pytest.fixture(scope="module", params=[(1, 6, 4), (2, 6, 4), (3, 20, 10)], ids=str)
def farmed(request):
    seed, channels, speed = request.param
    with farmed_stack(request, SERVERS, channels, speed=speed, seed=seed, asterisk="both") as live:
        live.seed, live.channels = seed, channels
        yield live


def kill(live, victim):
    if victim == "dispatcher":
        live.wait_until(lambda: live.children("dispatcher"), "the dispatcher works")
    live.kill(victim)
    if victim in ("relay", "dispatcher-holder"):
        live.start(victim)


def harass(live, dice, batch):
    """Changes moods and kills parts until most of the batch is over; how often each part was killed."""
    farm, kills, victims = live.stack.rig(), collections.Counter(), itertools.cycle(VICTIMS)
    began = next_kill = time.monotonic()
    while live.report(batch).open > CALLS // 10:
        assert time.monotonic() - began < 300
        farm.set_mood(dice.choice(MOODS), f"farm{dice.randrange(SERVERS) + 1}")
        if time.monotonic() >= next_kill:
            victim = next(victims)
            kill(live, victim)
            kills[victim] += 1
            next_kill = time.monotonic() + dice.uniform(*KILLS_EVERY_S)
    farm.set_mood("normal")
    return kills


def test_whatever_is_killed_nobody_is_rung_twice_and_everybody_can_know(farmed, capsys):
    began = time.monotonic()
    with audience(farmed) as listeners:
        batch = farmed.insert(numbers.mixed(CALLS, seed=farmed.seed, ring=2, talk=5))
        farmed.dispatch()
        kills = harass(farmed, random.Random(farmed.seed), batch)
        report = farmed.wait_finished(batch, seconds=120)
        heard = last_word(farmed, listeners)
    assert (report.total, report.open) == (CALLS, 0)
    ledger = compare(farmed)
    with capsys.disabled():
        print(f"\n{time.monotonic() - began:.0f} s, killed {dict(kills)}, {ledger.summary()}",
              *heard, sep="\n")
    ledger.check(farmed.channels)
    assert set(kills) >= {"dispatcher", "relay", "dispatcher-holder"} and ledger.cuts.total() > 10
    assert all(one.connections > 1 for one in heard)
