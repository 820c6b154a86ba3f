"""The short form of `make torture`: every kind of process killed and stopped under load, then counted."""
import subprocess

from places import PROGRAMS, ROOT

SCALE = ("--kills=100", "--backends=2", "--stops=6", "--longest-stop=2", "--pause=0.05", "--servers=4", "--channels=6")


def test_a_hundred_kills_ring_nobody_twice_and_forget_nobody():
    done = subprocess.run([ROOT / "tests/torture/torture.py", f"--programs={PROGRAMS}", *SCALE],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
