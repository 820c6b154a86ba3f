"""The short form of `make torture-events`: relay and dispatcher are killed under load, and consumers miss nothing."""
import subprocess

from places import ROOT

SCALE = ("--kills=3", "--calls=60", "--servers=2", "--pause=0.3")


def test_M9_consumers_that_resume_have_every_event_once():
    done = subprocess.run([ROOT / "tests/torture/events.py", *SCALE],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
