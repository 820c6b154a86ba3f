#!/usr/bin/python3
"""Whole lives of calls: journal, Originate, events, detail, rollups and three durable events each, on a farm.

    tests/bench/cycles.py [--programs build/release] [--calls 200000]

Prints Markdown, for docs/BENCHMARKS.md. The floor is a bare libpq loop (tests/bench/bench_life.c) that issues the same
statements with as many calls in a transaction, beside nothing else.
"""
import sys

import dialling


def parse():
    parser = dialling.argument_parser(__doc__)
    parser.add_argument("--calls", type=int, default=200_000)
    parser.add_argument("--servers", type=int, default=50)
    parser.add_argument("--channels", type=int, default=2_000)
    parser.add_argument("--speed", type=int, default=20, help="of the farm: a call talks 2 s / speed")
    parser.add_argument("--pause", action="store_true", help="wait for Enter before dialling, for perf")
    return parser.parse_args()


def run(wanted, stack, db):
    dialling.insert(stack, wanted.calls, first_batch=1, talk=2)
    if wanted.pause:
        print({name: process.pid() for name, process in stack.processes().items()}, stack.superuser_dsn(), file=sys.stderr)
        input()
    usage, before, began = dialling.Usage.start(stack), dialling.measured(stack), dialling.now()
    stack.api.dispatch()
    dialling.wait_until(lambda: dialling.finished(db) >= wanted.calls, 600, "every call is over")
    took = dialling.now() - began
    return took, usage.since(stack), before, dialling.measured(stack)


def main():
    wanted = parse()
    with dialling.farmed(wanted.programs, servers=wanted.servers, channels=wanted.channels,
                         speed=wanted.speed) as (stack, db):
        took, used, before, after = run(wanted, stack, db)
    commits = after["counters"]["commits"] - before["counters"]["commits"]
    print("| calls | channels | servers | calls/s | calls a commit | commit p50 ms | turn p99 ms | freed to sent p99 us |"
          " dispatcher us/call | PostgreSQL | farm |\n|---|---|---|---|---|---|---|---|---|---|---|")
    us = {name: seconds / wanted.calls * 1e6 for name, seconds in used.items()}
    latency = after["latencies"]
    print(f"| {wanted.calls:,} | {wanted.channels:,} | {wanted.servers} | {wanted.calls / took:,.0f} |"
          f" {wanted.calls / commits:.0f} | {latency['commit']['p50_us'] / 1000:.1f} |"
          f" {latency['turn']['p99_us'] / 1000:.1f} | {latency['freed_to_sent']['p99_us']:,} |"
          f" {us['dispatcher']:.0f} | {us['postgres']:.0f} | {us['farm']:.0f} |")
    print(f"\nLoad of the machine: {dialling.load_1m()}.")


if __name__ == "__main__":
    main()
