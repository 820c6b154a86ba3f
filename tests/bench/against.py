#!/usr/bin/python3
"""ccs beside a bare AMI generator (tests/bench/bench_ami.c), in turns, on the same Asterisk: calls to a busy line.

    tests/bench/against.py [--programs build/release] [--calls 4000] [--farm]

Prints Markdown, for docs/BENCHMARKS.md. Both keep as many calls under way as there are channels; the time is that from the first
Originate to the end of the last call.
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile

import dialling
from stack import numbers
from stack.progress import Teller
from stack.stack import Plan, Stack


def parse():
    parser = dialling.argument_parser(__doc__)
    parser.add_argument("--calls", type=int, default=4_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--channels", type=int, default=40)
    parser.add_argument("--farm", action="store_true", help="a simulated server instead of a real one")
    return parser.parse_args()


def bare(wanted, server):
    done = subprocess.run(
        [f"{wanted.programs}/tests/bench/bench_ami", str(server.ami_port), server.ami_user,
         f"{server.technology}/%u@{server.endpoint}", server.context, server.exten, str(wanted.calls),
         str(wanted.channels)], env={**os.environ, "CCS_BENCH_SECRET": server.ami_secret}, check=True, capture_output=True)
    said = json.loads(done.stdout)
    return said["calls"] / said["seconds"]


def ours(wanted, stack, db, batch):
    stack.api.insert(batch, list(numbers.numbers("busy", wanted.calls)))
    done = dialling.finished(db)
    stack.api.dispatch()
    dialling.wait_until(lambda: dialling.finished(db) >= done + wanted.calls, 300, "every call is over")
    return wanted.calls / float(dialling.one(db, """
        select extract(epoch from max(ended_at) - min(started_at))
          from call_detail where queue_master_id = (select max(id) from queue_master)"""))


def main():
    wanted = parse()
    with tempfile.TemporaryDirectory(prefix="ccs-bench-") as folder:
        plan = Plan(programs=wanted.programs, channels=wanted.channels, rate_limit=dialling.RATE,
                    farm={} if wanted.farm else None)
        stack = Stack.up(folder, plan, Teller(sys.stderr))
        try:
            [server] = stack.rig().servers
            with dialling.superuser(stack) as db:
                rates = [(bare(wanted, server), ours(wanted, stack, db, i)) for i in range(1, wanted.rounds + 1)]
        finally:
            stack.down()
    generator, ccs = (statistics.median(part) for part in zip(*rates))
    print("| calls under way | bare AMI generator, calls/s | ccs, calls/s | ratio |\n|---|---|---|---|")
    print(f"| {wanted.channels} | {generator:,.0f} | {ccs:,.0f} |"
          f" {statistics.median(mine / bare_rate for bare_rate, mine in rates):.2f} |")
    print(f"\nLoad of the machine: {dialling.load_1m()}.", file=sys.stderr)


if __name__ == "__main__":
    main()
