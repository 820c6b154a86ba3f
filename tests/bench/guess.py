#!/usr/bin/python3
"""What others notice of somebody who guesses passwords: how long their requests take, with and without.

    tests/bench/guess.py [--programs build/release] [--guesses 10000] [--rounds 3]

Prints Markdown, for docs/BENCHMARKS.md. Whoever guesses is a process of its own, on the same machine. nginx lets 5 tries a
second of one address pass; with that limit lifted the workers' own is met, 60 a minute of one network. Guesses from 300
networks pass both and meet the limit of all together: 120 hashes at once, then two a second, the most that the system ever
computes for people who do not know a password.
"""
import argparse
import asyncio
import collections
import itertools
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy"), str(ROOT / "tests")]

from siege import Line, besiege, repeat  # noqa: E402
from stack import numbers  # noqa: E402
from stack.progress import Teller  # noqa: E402
from stack.stack import Plan, Stack  # noqa: E402

PER_S = 500
QUIET_S = 20
ONE_NETWORK = [f"127.7.7.{host}" for host in (1, 2, 3, 4)]
SHIPPED, LIFTED = 5, 100_000  # nginx.logins_per_second
MANY_NETWORKS = [f"127.8.{network}.1" for network in range(256)] + [f"127.9.{network}.1" for network in range(44)]

# name, addresses, nginx's limit
SIEGES = [("none", [], SHIPPED),
          ("from one network", ONE_NETWORK, SHIPPED),
          ("from one network, nginx's limit lifted", ONE_NETWORK, LIFTED),
          ("from 300 networks", MANY_NETWORKS, SHIPPED)]


def percentile_ms(values, part):
    return 1000 * sorted(values)[min(len(values) - 1, int(len(values) * part))]


def attack(results, base_url, ca_file, addresses, count):
    began = time.monotonic()
    tally = asyncio.run(besiege(base_url, ca_file, addresses, count, users=200, every_s=1 / PER_S))
    results.put((tally, time.monotonic() - began))


async def work(stack, phones, done, taken):
    """Two clients' programs at work: one asks for its account, one calls."""
    where = stack.base_url, stack.folder / "tls/ca.pem"
    key = {"X_API_KEY": stack.tenant["api_key"]}
    await asyncio.gather(
        repeat(await Line.open(*where), "GET", "/clients/me", taken["me"], done, **key),
        repeat(await Line.open(*where), "POST", "/queues/quickcall/", taken["quickcall"], done,
               body=lambda: {"phone_number": next(phones)}, pause_s=0.04, **key))


class Row:
    """One kind of siege, and what others noticed of it."""

    def __init__(self, name, addresses, at_the_wall):
        self.name, self.addresses, self.at_the_wall = name, addresses, at_the_wall
        self.taken = {"me": [], "quickcall": []}
        self.tally, self.seconds = collections.Counter(), 0

    def measure(self, programs, guesses):
        """On a stack of its own: full limits, and no calls of the row before."""
        with tempfile.TemporaryDirectory(prefix="ccs-bench-") as folder:
            plan = Plan(programs=programs, channels=200, rate_limit=1_000_000,
                        settings={"nginx": {"logins_per_second": self.at_the_wall}})
            stack = Stack.up(folder, plan, Teller(sys.stderr))
            try:
                phones = itertools.cycle(numbers.numbers("busy", 1000))
                if self.addresses:
                    self._siege(stack, phones, guesses)
                else:
                    until = time.monotonic() + QUIET_S
                    asyncio.run(work(stack, phones, lambda: time.monotonic() > until, self.taken))
                    self.seconds += QUIET_S
            finally:
                stack.down()

    def _siege(self, stack, phones, guesses):
        results = multiprocessing.Queue()
        attacker = multiprocessing.Process(target=attack, args=(
            results, stack.base_url, stack.folder / "tls/ca.pem", self.addresses, guesses))
        attacker.start()
        asyncio.run(work(stack, phones, lambda: not results.empty(), self.taken))
        tally, seconds = results.get()
        attacker.join()
        self.tally.update(tally)
        self.seconds += seconds

    def text(self, rounds):
        figures = " | ".join(f"{percentile_ms(self.taken[what], part):.2f}"
                             for what in ("me", "quickcall") for part in (0.5, 0.99))
        guesses = self.tally[401] + self.tally[429]
        return (f"| {self.name} | {guesses / self.seconds:,.0f} "
                f"| {self.tally[401] // rounds} of {guesses // rounds:,} | {figures} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", default="build/release")
    parser.add_argument("--guesses", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    rows = [Row(*siege) for siege in SIEGES]
    for _ in range(wanted.rounds):  # in turn, so that what else the machine does meets all rows alike
        for row in rows:
            row.measure(wanted.programs, wanted.guesses)
    print("| guesses | a second | hashed | GET /clients/me p50 ms | p99 ms | quick call p50 ms | p99 ms |\n"
          "|---|---|---|---|---|---|---|")
    for row in rows:
        print(row.text(wanted.rounds))


if __name__ == "__main__":
    main()
