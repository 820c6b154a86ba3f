#!/usr/bin/python3
"""What one more API worker brings: requests a second and latency of 1 to 16 workers of the fast and of the sql pool, and
of 1 to 4 of the call pool.

    tests/bench/workers.py [--programs build/release] [--rounds 3] [--seconds 3]

All sizes take turns, round by round, set by `ccsctl workers set` on one running stack; what is printed (Markdown, for
docs/SCALING.md) are medians. The load is wrk over HTTPS, on the same machine. Needs the packages of deploy/packages-bench.
"""
import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

from api import REQUESTS_PER_MINUTE, Load, turns  # this folder's; it knows the way to deploy/
from stack.progress import Teller
from stack.stack import Plan, Stack

SIZES = (1, 2, 3, 4, 6, 8, 12, 16)
CLIENTS = 64
FEW = (1, 2, 3, 4)
OTHERS = {"fast": 2, "sql": 8, "call": 2}  # workers of the pools that are not being measured
WINDOW = {"active_time_start": "03:00", "active_time_end": "03:01"}  # nobody is dialled


def memory_kb(pid):
    """Its own memory and its share of what several have."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise ValueError(f"process {pid} has no PSS")


def backends(stack):
    """PostgreSQL's processes that serve sql workers."""
    found = stack.postgres.psql("select pid from pg_stat_activity where usename = 'ccs_api'", database="ccs")
    return [int(word) for word in found.split() if word.isdecimal()]


class Bench:
    """A stack whose pools change."""

    def __init__(self, stack, wanted):
        self.stack, self.wanted = stack, wanted
        tenant = stack.add_client("CROWD", requests_per_minute=REQUESTS_PER_MINUTE, number_check="syntax", **WINDOW)
        self.load = Load(f"{stack.base_url}/api/v1", {"X-API-KEY": tenant["api_key"]})

    def curve(self, pool, what, path, *, sizes=SIZES, entries=None):
        """The table of one kind of request. entries: of a POST (tests/bench/post.lua)."""
        def measure(workers):
            self.stack.ccs.ctl("workers", "set", *(f"{name}={number}" for name, number in {**OTHERS, pool: workers}.items()))
            self.load.run(path, CLIENTS, 1, entries=entries)  # connections, plans and caches
            return self.load.run(path, CLIENTS, self.wanted.seconds, entries=entries)

        results = turns({f"{what}, {size} {pool}": lambda size=size: measure(size) for size in sizes}, self.wanted.rounds)
        print(f"\n{what}, {CLIENTS} clients:\n\n| {pool} workers | requests/s | of the best | p50 ms | p99 ms | not 200 |\n"
              "|---|---|---|---|---|---|")
        best = max(result["rate"] for result in results.values())
        for size, result in zip(sizes, results.values()):
            print(f"| {size} | {result['rate']:,.0f} | {result['rate'] / best:.2f} | {result['p50']:.2f} | "
                  f"{result['p99']:.2f} | {result['failed']:.0f} |", flush=True)

    def memory(self):
        """Of workers that have worked."""
        shown = json.loads(self.stack.ccs.ctl("workers", "show", "--json"))
        print("\n| process | PSS kB, median | greatest |\n|---|---|---|")
        for pool in ("fast", "sql", "call"):
            self._row(f"{pool} worker", [worker["memory_kb"] for worker in shown["workers"]
                                         if worker["pool"] == pool and worker["requests"]])
        self._row("PostgreSQL's process of a sql or call worker", [memory_kb(pid) for pid in backends(self.stack)])

    @staticmethod
    def _row(name, kbs):
        print(f"| {name} | {statistics.median(kbs):,.0f} | {max(kbs):,} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=Path, default=Path("build/release"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ccs-bench-") as folder:
        os.chmod(folder, 0o755)  # nginx's workers have another account
        stack = Stack.up(Path(folder) / "stack", Plan(programs=str(wanted.programs), channels=10), Teller(sys.stderr))
        try:
            bench = Bench(stack, wanted)
            bench.curve("fast", "GET /clients/me", "/clients/me")
            bench.curve("sql", "GET /monitoring/callingsummary", "/monitoring/callingsummary")
            bench.curve("call", "POST /queues/insertdataincallqueue, 10 entries", "/queues/insertdataincallqueue/",
                        sizes=FEW, entries=10)
            bench.curve("call", "POST /queues/quickcall", "/queues/quickcall/", sizes=FEW, entries=0)
            bench.memory()
        finally:
            stack.down()


if __name__ == "__main__":
    main()
