#!/usr/bin/python3
"""How soon a freed channel is dialled on: from the read that brought the Hangup to the bytes of the next Originate.

    tests/bench/refill.py [--programs build/release] [--seconds 10]

Prints Markdown, for docs/BENCHMARKS.md: as many live calls as there are channels, each refilled at once, at several lengths
of calls and so at several loads of the machine.
"""
import sys
import time

import dialling


def parse():
    parser = dialling.argument_parser(__doc__)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--servers", type=int, default=50)
    parser.add_argument("--channels", type=int, default=2_000)
    parser.add_argument("--talk", type=int, nargs="+", default=[40, 20, 8], help="tenths of a second that calls last on average, from a quarter to seven quarters of it")
    return parser.parse_args()


def machine():
    """Ticks of all cores: busy, and in all."""
    with open("/proc/stat", encoding="ascii") as stat:
        ticks = [int(n) for n in stat.readline().split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def run(wanted, talk):
    per_s = wanted.channels * 10 / talk
    with dialling.farmed(wanted.programs, servers=wanted.servers, channels=wanted.channels, speed=10) as (stack, db):
        dialling.insert(stack, int(wanted.channels * 2 + per_s * (wanted.seconds + 4)), first_batch=1, talks=range(max(1, talk // 4), talk * 7 // 4 + 1))
        stack.api.dispatch()
        dialling.wait_until(lambda: dialling.finished(db) >= wanted.channels * 2, 120, "the first calls are over")
        usage, done, ticks = dialling.Usage.start(stack), dialling.finished(db), machine()
        before = dialling.measured(stack)
        time.sleep(wanted.seconds)
        used, done, after = usage.since(stack), dialling.finished(db) - done, dialling.measured(stack)
        busy, total = (b - a for a, b in zip(ticks, machine()))
    ahead = after["counters"]["ahead"] - before["counters"]["ahead"]
    freed_p50, freed_p99, turn_p99, commit_p50 = (
        dialling.percentile(before, after, name, part) for name, part in
        (("freed_to_sent", 0.5), ("freed_to_sent", 0.99), ("turn", 0.99), ("commit", 0.5)))
    own = sum(used.values()) / wanted.seconds
    print(f"| {wanted.channels:,} | {talk / 10:.1f} | {done / wanted.seconds:,.0f} | {ahead / done:.0%} |"
          f" {freed_p50:,} | {freed_p99:,} | {turn_p99:,} | {commit_p50:,} | {own:.2f} | {busy / total:.0%} |", flush=True)


def main():
    wanted = parse()
    print("| live calls | s each | calls/s | armed ahead | freed to sent p50 us | p99 | turn p99 | commit p50 | cores used by ccs,"
          " PostgreSQL, farm | machine busy |\n|---|---|---|---|---|---|---|---|---|---|", flush=True)
    for talk in wanted.talk:
        run(wanted, talk)
    print(f"\nLoad of the machine at the end: {dialling.load_1m()}.", file=sys.stderr)


if __name__ == "__main__":
    main()
