"""kill -9 of random processes during large batches on real Asterisk, the newest and 16, counted from its own call records."""
import collections
import random
import shutil
import sys
import tempfile

import pytest
from stack.progress import Silent
from stack.stack import Plan, Stack

from live import FarEnd, Live
from places import PROGRAMS, ROOT

sys.path.append(str(ROOT / "tests/torture"))

from strikes import Striker  # noqa: E402  (found by the line above)

CHANNELS, WINDOW, AHEAD = 100, 20, 8


@pytest.fixture(params=[(None, 2000, 20), ("bullseye", 1000, 10)], ids=["newest", "16"])
def rig(request):
    """A stack, how many calls, how many kills."""
    suite, calls, kills = request.param
    folder = tempfile.mkdtemp(prefix="ccs-long-")
    plan = Plan(programs=str(PROGRAMS), channels=CHANNELS, rate_limit=1_000_000, ring_seconds=5, suite=suite,
                settings={"dispatcher": {"ami_window": WINDOW, "reconnect_max_ms": 1000}})
    built = Stack.up(folder, plan, Silent())
    failed_before = request.session.testsfailed
    try:
        yield Live(built), calls, kills
    finally:
        built.down()
        if request.session.testsfailed == failed_before:
            shutil.rmtree(folder)


def test_nobody_is_rung_twice_whatever_is_killed(rig, capsys):
    live, calls, kills = rig
    asterisk, striker = FarEnd(live), Striker(live, random.Random(calls))
    numbers = asterisk.mixed(calls, talk=3)
    batch = live.insert(numbers=numbers)
    live.dispatch()
    for k in range(1, kills + 1):
        live.wait_until(lambda: live.report(batch).open <= calls - k * calls // (kills + 2), f"kill {k} may come",
                        seconds=120)
        while striker.kills.total() < k:
            striker.kill()
    report = live.wait_finished(batch, seconds=240)
    assert (report.total, report.open) == (calls, 0)
    assert all(row["finals"] == 1 for row in report.rows)
    assert max(asterisk.cdr_per_attempt(report).values()) == 1
    rung = collections.Counter(asterisk.times_rung(numbers).values())
    assert max(rung) == 1
    # Only with the holder is the connection lost, and with it what was written and not answered, and what ended meanwhile.
    lost = striker.kills["dispatcher holder"]
    bound = lost * (AHEAD + WINDOW + CHANNELS)
    with capsys.disabled():
        print(f"\n{dict(striker.kills)}; rung {dict(rung)}; unknown {report.unknown}, at most {bound} = {lost} connections"
              f" lost x ({AHEAD} armed ahead + {WINDOW} unanswered + {CHANNELS} that may end meanwhile); not as dialled"
              f" {len(report.not_as_dialled())}")
    assert report.unknown <= bound
    assert len(report.not_as_dialled()) <= bound
    live.wait_ready()
    live.check_segment()
    live.check_logs()
