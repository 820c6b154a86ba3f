"""Starts a server in a session of its own, waits until it is ready, stops exactly it.

A server is known by its pid file and by a marker that its command line contains (a path inside its
own folder), so that neither a stale file nor a reused pid makes us signal a stranger, and so that
`down` finds what an earlier `up`, dead by now, has started.
"""
import os
import pwd
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from .seen import look

# The child writes the pid file itself: no moment in which it runs and nobody could find it.
_WRITE_PID_AND_EXEC = 'echo $$ >"$0" && exec "$@"'

# Children of this interpreter, kept so that they are reaped and none counts as abandoned.
_children: dict[int, subprocess.Popen] = {}


class StackError(Exception):
    """A server did not start, answer or stop. The text is for people and shows the log's end."""


def last_lines(path, count=15) -> str:
    """The end of a log, indented to stand below an error; says so when there is nothing."""
    try:
        with open(path, "rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - 400 * count))
            lines = log.read().decode(errors="replace").splitlines()[-count:]
    except OSError as error:
        lines = [f"({error.strerror})"]
    return "\n".join("    " + line for line in lines or ["(empty)"])


def wait_until(condition, *, seconds, what, check=None, progress=None):
    """Returns the first true value of condition(); after that many seconds StackError says what its last look saw.

    check() may raise to end the wait early, for example when the server has died. progress(text)
    is called about once a second.
    """
    started = time.monotonic()
    told = 0
    pause = 0.005
    while True:
        value = condition()
        if value:
            return value
        if check:
            check()
        waited = time.monotonic() - started
        if waited >= seconds:
            value, seen = look(condition)
            if value:
                return value
            raise StackError(f"waited {seconds:g} s in vain until {what}" + (seen and f"; last seen: {seen}"))
        if progress and int(waited) > told:
            told = int(waited)
            progress(f"{told} s: waiting until {what}")
        time.sleep(min(pause, seconds - waited))
        pause = min(pause * 1.5, 0.1)


def _command(pid) -> bytes:
    """The command line. A zombie's is empty, so that it does not count as running; so is a kernel thread's, and, for a moment,
    that of a process that becomes another program: only looking again tells these apart."""
    sleeping = 0
    while not (command := Path(f"/proc/{pid}/cmdline").read_bytes()) and sleeping < 10:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        if state in "ZX":
            break
        sleeping += state not in "RD"  # running, or waiting for a disk
    return command


@dataclass(frozen=True)
class Process:
    """One server: started by this process or an earlier one."""

    name: str
    marker: str  # a part of its command line that no other process has: a path in its own folder
    pid_file: Path
    log: Path  # its standard output and error

    def pid(self) -> int | None:
        """Its process id while it runs, else None."""
        try:
            pid = int(self.pid_file.read_text())
            command = _command(pid)
        except (OSError, ValueError):
            return None
        return pid if self.marker.encode() in command.replace(b"\0", b" ") else None

    def start(self, argv, *, keep_fds=(), env=None, cwd=None, user=None) -> int:
        """Starts it detached from our terminal and session. keep_fds stay open in it."""
        if self.pid():
            raise StackError(f"{self.name} is already running as process {self.pid()}")
        if not any(self.marker in str(word) for word in argv):
            raise ValueError(f"the command line of {self.name} does not contain {self.marker}")
        account = pwd.getpwnam(user) if user else None
        with open(self.log, "ab") as log:
            child = subprocess.Popen(
                ["/bin/sh", "-c", _WRITE_PID_AND_EXEC, self.pid_file.absolute(), *map(str, argv)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                pass_fds=keep_fds, env=env, cwd=cwd, user=account and account.pw_uid,
                group=account and account.pw_gid, extra_groups=[] if account else None)
        _children[child.pid] = child
        try:
            wait_until(lambda: self.pid() or child.poll() is not None, seconds=10,
                       what=f"{self.pid_file} names a process with {self.marker} in its command")
        except StackError:
            child.kill()
            raise
        return child.pid

    def wait_ready(self, condition, *, seconds=30, logs=(), progress=None):
        """Waits for condition() while the process lives; StackError shows the last log lines."""

        def still_alive():
            if not self.pid():
                raise StackError(f"{self.name} ended while it started")

        try:
            return wait_until(condition, seconds=seconds, what=f"{self.name} is ready",
                              check=still_alive, progress=progress)
        except StackError as error:
            shown = "".join(f"\n  {log}:\n{last_lines(log)}" for log in (self.log, *logs))
            raise StackError(f"{error}{shown}") from None

    def send(self, number=signal.SIGTERM) -> bool:
        """Sends it a signal; False when it is not running."""
        pid = self.pid()
        if pid:
            os.kill(pid, number)
        return pid is not None

    def stop(self, *, seconds=10, how=signal.SIGTERM) -> bool:
        """Stops it, at last with SIGKILL for its whole session; False when it was not running."""
        pid = self.pid()
        if pid:
            os.kill(pid, how)
            try:
                self._wait_gone(pid, seconds)
            except StackError:
                os.killpg(pid, signal.SIGKILL)
                self._wait_gone(pid, seconds)
        self.pid_file.unlink(missing_ok=True)
        return pid is not None

    def kill(self) -> bool:
        """kill -9, of this process alone, for tests of what happens then."""
        return self.stop(how=signal.SIGKILL)

    def _wait_gone(self, pid, seconds):
        wait_until(lambda: self.pid() != pid, seconds=seconds, what=f"{self.name} has ended")
        if pid in _children:
            _children.pop(pid).wait()
