"""A million random picks under limits that change at random: the unit test, for longer."""
import os
import re
import subprocess

from places import PROGRAMS


def test_a_million_picks_exceed_no_limit(capsys):
    done = subprocess.run([PROGRAMS / "tests/unit/dispatcher/test_picks"], check=False, text=True,
                          capture_output=True, env={**os.environ, "CCS_PICKS": "1000000"})
    assert done.returncode == 0, done.stdout + done.stderr
    counted = re.search(r"(\d+) picks, (\d+) changes of limits", done.stdout + done.stderr)
    assert int(counted[1]) >= 1_000_000
    with capsys.disabled():
        print(f"\n{counted[0]}")
