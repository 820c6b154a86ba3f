#!/usr/bin/python3
"""Kills ccs at random under load, then counts: nobody rung twice, nobody forgotten.

    tests/torture/torture.py [--programs build/release] [--kills 1000] [--seed N]

A whole stack (PostgreSQL, nginx, ccs, a farm of simulated Asterisk servers, two of them over TLS) is called into by two
clients over HTTP, while its processes get kill -9 and SIGSTOP and PostgreSQL's backends kill -9. Then the farm's own book
is laid beside the database. Exit status 1 when a promise was broken; the folder with all logs is kept then.
"""
import argparse
import contextlib
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS.parent / "deploy"), str(TESTS)]

import verdict  # noqa: E402  (found by the line above, as all that follow)
from callers import Caller  # noqa: E402
from farmed import WINDOW  # noqa: E402
from live import Live  # noqa: E402
from stack.proc import StackError, wait_until  # noqa: E402
from stack.progress import Silent, Teller  # noqa: E402
from stack.stack import Plan, Stack  # noqa: E402
from strikes import BACKEND, Looks, Striker  # noqa: E402
from tls_front import TlsFront  # noqa: E402

OVER_TLS = 2  # of the servers
OPEN_LIMIT_S = 120  # nothing is open for longer after the last strike
CALM_CALLS = 20  # so many new calls, now and then, before the next strike


def options():
    known = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known.add_argument("--programs", default=TESTS.parent / "build/release", type=Path)
    known.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    known.add_argument("--kills", type=int, default=1000, help="kill -9 of processes of ccs")
    known.add_argument("--backends", type=int, default=50, help="kill -9 of backends of PostgreSQL")
    known.add_argument("--stops", type=int, default=100, help="SIGSTOPs")
    known.add_argument("--longest-stop", type=float, default=30, metavar="S")
    known.add_argument("--pause", type=float, default=0.6, metavar="S", help="between two strikes, on average")
    known.add_argument("--servers", type=int, default=8)
    known.add_argument("--channels", type=int, default=12, help="of each server")
    known.add_argument("--speed", type=int, default=4, help="rings and talks so many times faster than life")
    return known.parse_args()


@contextlib.contextmanager
def world(asked, tell):
    """A stack to be tortured, and where its folder is."""
    folder = tempfile.mkdtemp(prefix="ccs-torture-")
    plan = Plan(programs=str(asked.programs), servers=asked.servers, channels=asked.servers * asked.channels,
                rate_limit=10_000_000, ring_seconds=5,
                farm={"speed": asked.speed, "seed": asked.seed, "asterisk": "both"},
                settings={"dispatcher": {"ami_window": WINDOW, "reconnect_max_ms": 1000, "ami_timeout_ms": 3000}})
    live = Live(Stack.up(folder, plan, tell))
    with contextlib.ExitStack() as fronts:
        try:
            for server in live.stack.rig().servers[:OVER_TLS]:
                front = fronts.enter_context(TlsFront(server.ami_port, live.certificate,
                                                      live.certificate.with_suffix(".key")))
                live.stack.ccs.ctl("server", "set", server.name, f"--port={front.port}", "--tls=yes",
                                   f"--tls-ca={live.ca_file}")
            live.wait_ready()
            yield live
        finally:
            live.stack.down()


class Pace:
    """When the next strike comes: mostly at once, so that recoveries are met too; now and then when calls flow."""

    def __init__(self, looks, striker, pause_s):
        self._looks, self._striker, self._pause_s = looks, striker, pause_s

    def wait(self):
        calm = self._striker.dice.random() < 0.25
        longest_s = 10 * self._pause_s if calm else self._striker.dice.expovariate(1 / self._pause_s)
        until, begun = time.monotonic() + longest_s, self._begun() if calm else 0
        while time.monotonic() < until and not (calm and self._begun() >= begun + CALM_CALLS):
            time.sleep(max(0, min(0.05, until - time.monotonic())))
            self._striker.wake()

    def _begun(self) -> int:
        return self._looks.rows("select count(*) from attempt")[0][0]


def strike(asked, looks, striker, tell):
    """All of them, in an order that the dice throw."""
    pace = Pace(looks, striker, asked.pause)
    longest_s = asked.longest_stop

    def left():
        backends = striker.kills[BACKEND]
        return {striker.kill: asked.kills - (striker.kills.total() - backends),
                striker.kill_backend: asked.backends - backends,
                lambda: striker.stop(longest_s): asked.stops - striker.stops.total()}

    total = asked.kills + asked.backends + asked.stops
    while any(n > 0 for n in left().values()):
        ways = left()
        striker.dice.choices(list(ways), [max(0, n) for n in ways.values()])[0]()
        tell.bar(striker.kills.total() + striker.stops.total(), total, "strikes")
        pace.wait()
    striker.wake(everybody=True)


def wait_over(looks, striker, tell):
    """Until every entry has ended and everything is acknowledged; how many seconds that took, None when not in time."""
    began = time.monotonic()

    def over():
        striker.supervise()
        entries, chunks, controls = looks.rows(verdict.OPEN)[0]
        tell.passing(f"  open: {entries} entries, {chunks} chunks, {controls} controls")
        return entries == chunks == controls == 0

    with contextlib.suppress(StackError):
        wait_until(over, seconds=OPEN_LIMIT_S, what="every entry has ended")
        return time.monotonic() - began
    return None


def torture(asked, live, tell):
    verdict.prepare(live)
    striker = Striker(live, random.Random(asked.seed))
    most_open = 6 * asked.servers * asked.channels

    def room():
        looks = Looks(live)  # of one caller, which is a thread
        return lambda: looks.rows(verdict.OPEN)[0]["entries"] < most_open

    clients = [live.client, live.new_client("SECOND")]
    callers = [Caller(client, 100 * (1 + n), room(), ring=2, talk=5) for n, client in enumerate(clients)]
    looks = Looks(live)
    for caller in callers:
        caller.start()
    strike(asked, looks, striker, tell)
    for caller in callers:
        caller.stop()
    for caller in callers:
        caller.join()
    seconds = wait_over(looks, striker, tell)
    found = verdict.judge(live, striker, callers, seconds)
    show(striker, callers, found, tell)
    if seconds is None:
        found.violations[f"open after {OPEN_LIMIT_S} s"] = [str(dict(live.sql(verdict.OPEN)[0]))]
    with contextlib.suppress(StackError):
        live.wait_ready()
    for what, check in (("segment", live.check_segment), ("logs", live.check_logs)):
        try:
            check()
        except (AssertionError, StackError) as error:
            found.violations[what] = [str(error)]
    return found.violations


def show(striker, callers, found, tell):
    tell.say()
    for name, n in sorted(striker.kills.items()):
        tell.say(f"  {'kill -9 of ' + name:<60} {n:>8}")
    for name, n in sorted(striker.stops.items()):
        tell.say(f"  {'SIGSTOP of ' + name:<60} {n:>8}")
    refused = ", ".join(f"{status or 'no answer'}: {n}" for caller in callers for status, n in caller.refusals.items())
    tell.say(f"  {'requests that had to be asked again':<60} {sum(c.asked_again for c in callers):>8}  ({refused})")
    for what, value in found.figures:
        tell.say(f"  {what:<60} {value!s:>8}")


def main():
    asked = options()
    tell = Teller(sys.stdout)
    began = time.monotonic()
    tell.say(f"torture: seed {asked.seed}, {asked.kills} kills, {asked.backends} of PostgreSQL, {asked.stops} stops")
    with world(asked, Silent()) as live:
        violations = torture(asked, live, tell)
        folder = live.stack.folder
    for what, examples in violations.items():
        tell.say(f"VIOLATED: {what}\n" + "\n".join(f"    {example}" for example in examples))
    tell.say(f"torture: {'FAILED, see ' + str(folder) if violations else 'passed'} after {time.monotonic() - began:.0f} s"
             f" (--seed {asked.seed})")
    if not violations:
        shutil.rmtree(folder)
    sys.exit(1 if violations else 0)


main()
