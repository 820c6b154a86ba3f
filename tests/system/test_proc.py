"""How the stack knows the processes that it has started."""
import os
import signal

from stack.proc import Process, wait_until

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
