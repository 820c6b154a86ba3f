#!/usr/bin/python3
"""Whole lives of calls: journal, Originate, events, detail, rollups and three durable events each, on a farm.

    tests/bench/cycles.py [--programs build/release] [--calls 200000]

Prints Markdown, for docs/BENCHMARKS.md. The floor is a bare libpq loop (tests/bench/bench_life.c) that issues the same
statements with as many calls in a transaction, while nothing else runs: its calls/s are those of a machine that it has for itself.
Alike in both is what PostgreSQL's process behind that one connection spends on a call; "SQL side" is calls a second of its CPU.
"""
import json
import subprocess
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
    dialling.insert(stack, wanted.calls, first_batch=1, talks=range(1, 4))
    if wanted.pause:
        print({name: process.pid() for name, process in stack.processes().items()}, stack.superuser_dsn(), file=sys.stderr)
        input()
    stream = dialling.one(db, "select pid from pg_stat_activity where application_name = 'ccs-commits'")
    usage, spent = dialling.Usage.start(stack), dialling.cpu_s(stream)
    before, began = dialling.measured(stack), dialling.now()
    stack.api.dispatch()
    dialling.wait_until(lambda: dialling.finished(db) >= wanted.calls, 600, "every call is over")
    took, spent = dialling.now() - began, dialling.cpu_s(stream) - spent
    return took, spent / wanted.calls * 1e6, usage.since(stack), before, dialling.measured(stack)


def bare(wanted, stack, db, group):
    """The same statements from a bare loop: calls/s, and us of its backend's CPU a call."""
    calls = 97 * 1024
    tenant = stack.add_client("BARE")
    stack.allocate("BARE")
    api = stack.api.as_client(tenant["api_key"])
    api.insert(1, [f"90001{i % 100_000:05d}" for i in range(calls)])
    stack.stop("dispatcher")
    chunk, master = dialling.row(db, "select min(id), min(queue_master_id) from chunk where client_id = %s",
                                 tenant["client_id"])
    said = json.loads(subprocess.run(
        [f"{wanted.programs}/tests/bench/bench_life", stack.superuser_dsn(), "bare", "1", str(tenant["client_id"]),
         str(wanted.servers), str(master), str(chunk), "97", str(group)], check=True, capture_output=True).stdout)
    return said["calls"] / said["seconds"], said["backend_s"] / said["calls"] * 1e6


def main():
    wanted = parse()
    with dialling.farmed(wanted.programs, servers=wanted.servers, channels=wanted.channels,
                         speed=wanted.speed) as (stack, db):
        took, stream_us, used, before, after = run(wanted, stack, db)
        group = round(wanted.calls / (after["counters"]["commits"] - before["counters"]["commits"]))
        bare_rate, bare_us = bare(wanted, stack, db, group)
    us = {name: seconds / wanted.calls * 1e6 for name, seconds in used.items()}
    rate = wanted.calls / took
    commit_p50, turn_p99, freed_p99 = (dialling.percentile(before, after, name, part) for name, part in
                                       (("commit", 0.5), ("turn", 0.99), ("freed_to_sent", 0.99)))
    print("| | calls/s | calls a commit | commit p50 ms | turn p99 ms | freed to sent p99 ms | dispatcher us/call |"
          " PostgreSQL us/call | farm us/call | SQL side us/call |\n|---|---|---|---|---|---|---|---|---|---|")
    print(f"| ccs, {wanted.channels:,} channels on {wanted.servers} servers | {rate:,.0f} | {group} |"
          f" {commit_p50 / 1000:.1f} | {turn_p99 / 1000:.1f} | {freed_p99 / 1000:.1f} | {us['dispatcher']:.0f} |"
          f" {us['postgres']:.0f} | {us['farm']:.0f} | {stream_us:.1f} |")
    print(f"| bare libpq loop, alone | {bare_rate:,.0f} | {group} | | | | | | | {bare_us:.1f} |")
    print(f"| ratio | {rate / bare_rate:.2f} | | | | | | | | {bare_us / stream_us:.2f} |")
    print(f"\nLoad of the machine: {dialling.load_1m()}.", file=sys.stderr)


if __name__ == "__main__":
    main()
