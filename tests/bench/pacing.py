#!/usr/bin/python3
"""A trunk whose capacity is halved, and given back, while a batch is dialled: how many calls ccs keeps on it, and how many the
trunk refuses.

    tests/bench/pacing.py [--programs build/release] [--trunk 200] [--seconds 60]

Prints Markdown, for docs/BENCHMARKS.md. The server may have twice as many calls as its trunk, so nothing but refusals
tells what the trunk bears. Counted from call details: calls in progress are those that the trunk took, refused is every
attempt that ended in congestion.
"""
import sys
import time

import dialling

TALKS = (3, 4, 5)  # seconds: a fourth of the trunk is freed each second
STEP_S = 5  # a row of the table
SETTLED_S = 30  # after a change


def parse():
    parser = dialling.argument_parser(__doc__)
    parser.add_argument("--trunk", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=60, help="with each capacity")
    return parser.parse_args()


def run(wanted):
    """The phases, (began, capacity), and all calls, (started, ended, refused), of the same clock."""
    phases = []
    with dialling.farmed(wanted.programs, servers=1, channels=2 * wanted.trunk, speed=1) as (stack, db):
        count = 3 * wanted.seconds * wanted.trunk // min(TALKS)
        dialling.insert(stack, count, first_batch=1, talks=TALKS)
        for capacity in (wanted.trunk, wanted.trunk // 2, wanted.trunk):
            stack.rig().set_mood(f"trunk={capacity}")
            if not phases:
                stack.api.dispatch()
            phases.append((time.time(), capacity))
            time.sleep(wanted.seconds)
        end = time.time()
        stack.ccs.ctl("halt", "--all", "--reason", "the curve is drawn")
        dialling.wait_until(lambda: not any(server["channels"] for server in stack.rig().show().values()), 60,
                            "the last call has ended")
        dialling.wait_until(lambda: dialling.one(db, "select count(*) from attempt") == dialling.finished(db), 60,
                            "every detail is stored")
        with db.cursor() as cursor:
            cursor.execute("""select extract(epoch from started_at)::float8, extract(epoch from ended_at)::float8,
                                     disposition = 'congestion' from call_detail where n > 0 order by 1""")
            return [*phases, (end, 0)], cursor.fetchall()


def between(calls, begin, end):
    """Mean calls in progress, attempts, refused."""
    busy = sum(max(0, min(ended, end) - max(started, begin)) for started, ended, refused in calls if not refused)
    begun = [refused for started, _, refused in calls if begin <= started < end]
    return busy / (end - begin), len(begun), sum(begun)


def main():
    wanted = parse()
    phases, calls = run(wanted)
    print("| second | trunk | in progress | used | begun | refused |\n|---|---|---|---|---|---|")
    for (began, capacity), (end, _) in zip(phases, phases[1:]):
        at = began
        while at + STEP_S <= end:
            busy, begun, refused = between(calls, at, at + STEP_S)
            print(f"| {at - phases[0][0]:.0f} | {capacity} | {busy:.0f} | {busy / capacity:.0%} | {begun} | {refused} |")
            at += STEP_S
    for (began, capacity), (end, _) in zip(phases, phases[1:]):
        busy, begun, refused = between(calls, began + SETTLED_S, end)
        print(f"\nA trunk of {capacity}, from {SETTLED_S} s after the change: {busy / capacity:.1%} used, {refused} of"
              f" {begun:,} refused ({refused / max(begun, 1):.2%}).")
    print(f"\nLoad of the machine at the end: {dialling.load_1m()}.", file=sys.stderr)


if __name__ == "__main__":
    main()
