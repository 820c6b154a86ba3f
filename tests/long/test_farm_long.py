"""10,000 calls over 50 simulated Asterisks of changing moods, while dispatcher and relay are killed, counted from the
farm's own book."""
import random
import time

import pytest

from farmed import compare, farmed_stack
from stack import numbers

SERVERS, CALLS = 50, 10_000
KILLS_EVERY_S = (0.5, 2)
MOODS = ("normal", "normal", "normal", "late=300", "shuffled", "twice", "half=60", "slow=3000",
         "refuse", "deny", "restart=3", "noise=20", "silent", "reject", "trunkless",
         "shuffled,twice,noise=20,late=100")
VICTIMS = ("dispatcher", "dispatcher", "dispatcher", "relay", "dispatcher-holder", "api-worker")


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


def test_nobody_is_rung_twice_whatever_is_killed(farmed, capsys):
    farm, dice = farmed.stack.rig(), random.Random(farmed.seed)
    batch = farmed.insert(numbers.mixed(CALLS, seed=farmed.seed, ring=2, talk=5))
    farmed.dispatch()
    began = next_kill = time.monotonic()
    kills = dict.fromkeys(VICTIMS, 0)
    while farmed.report(batch).open > CALLS // 10:
        assert time.monotonic() - began < 300
        farm.set_mood(dice.choice(MOODS), f"farm{dice.randrange(SERVERS) + 1}")
        if time.monotonic() >= next_kill:
            victim = dice.choice(VICTIMS)
            kill(farmed, victim)
            kills[victim] += 1
            next_kill = time.monotonic() + dice.uniform(*KILLS_EVERY_S)
    farm.set_mood("normal")

    report = farmed.wait_finished(batch, seconds=120)
    assert (report.total, report.open) == (CALLS, 0)
    ledger = compare(farmed)
    with capsys.disabled():
        print(f"\n{time.monotonic() - began:.0f} s, killed {kills}, {ledger.cuts} connections cut, "
              f"{len(ledger.in_doubt)} in doubt, {dict(ledger.dispositions)}")
    ledger.check(farmed.channels)
    assert sum(kills.values()) >= 5 and ledger.cuts > 10
