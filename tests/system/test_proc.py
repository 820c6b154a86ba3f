"""How the stack knows the processes that it has started."""
import os
import signal

import pytest
from stack.proc import Process, StackError, wait_until

# Becomes another program a few hundred times.
AGAIN = """#!/bin/sh
[ "$1" -eq 0 ] || exec "$0" $(($1 - 1))
exec tail -f "$0"
"""


def start(tmp_path, times):
    script = tmp_path / "again"
    script.write_text(AGAIN)
    script.chmod(0o700)
    process = Process("again", marker=str(script), pid_file=tmp_path / "pid", log=tmp_path / "log")
    return process, process.start([script, times])


def test_a_process_that_execs_is_seen_at_every_moment(tmp_path):
    process, pid = start(tmp_path, 300)
    try:
        seen = set()
        while "tail" not in os.readlink(f"/proc/{pid}/exe"):
            seen.add(process.pid())
        assert seen == {pid}
    finally:
        process.kill()


def test_a_zombie_does_not_run(tmp_path):
    process, pid = start(tmp_path, 0)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: process.pid() is None, seconds=5, what="it is dead")
    assert os.path.exists(f"/proc/{pid}")
    process.kill()


class Clock:
    hour = 11

    def hands(self):
        return {"hour": self.hour, "minute": 5}

    def strikes(self):
        hands = self.hands()
        return hands["minute"] == 0 and hands["hour"]


def in_vain(condition) -> str:
    with pytest.raises(StackError) as told:
        wait_until(condition, seconds=0, what="noon")
    return str(told.value).removeprefix("waited 0 s in vain until noon")


def test_a_wait_in_vain_says_what_it_saw_last():
    clock = Clock()
    assert in_vain(lambda: clock.hands()["hour"] == 12) == "; last seen: hands() = {'hour': 11, 'minute': 5}"
    assert in_vain(lambda: (now := clock.hour) == 12 and now) == "; last seen: now = 11"
    assert in_vain(clock.strikes).endswith("hands = {'hour': 11, 'minute': 5}")
    assert in_vain(lambda: []) == "; last seen: []"
    assert in_vain(lambda: clock.hour == 12) == ""


def test_what_is_so_at_the_last_look_is_so():
    looks = iter([False, "noon"])
    assert wait_until(lambda: next(looks), seconds=0, what="noon") == "noon"
