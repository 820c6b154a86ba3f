"""Tells people what is happening: steps with the time they took, and a bar of counts."""
import contextlib
import shutil
import time

_BAR_WIDTH = 24
_PLAIN_EVERY_S = 2


class Teller:
    """Writes to one stream, rewriting the current line where that is a terminal."""

    def __init__(self, stream):
        self._stream = stream
        self._tty = stream.isatty()
        self._pending = False  # a line without its end stands on the terminal
        self._last_plain = 0.0

    def say(self, text=""):
        """One line that stays."""
        self._wipe()
        print(text, file=self._stream, flush=True)

    @contextlib.contextmanager
    def step(self, text):
        """Says what has been done and how long it took, once the block is left in peace."""
        started = time.monotonic()
        self.passing(f"  {text} ...")
        yield
        self.say(f"  {text:<50} {time.monotonic() - started:6.1f} s")

    def passing(self, text):
        """A line that the next one replaces; says nothing where lines cannot be replaced."""
        if self._tty:
            self._wipe()
            width = shutil.get_terminal_size().columns
            print(text[:width - 1], end="", file=self._stream, flush=True)
            self._pending = True

    def bar(self, done, total, counts):
        """How far it is: a bar on a terminal, else a line every two seconds."""
        filled = _BAR_WIDTH * done // total if total else _BAR_WIDTH
        text = f"  [{'#' * filled:<{_BAR_WIDTH}}] {done:>{len(str(total))}}/{total}  {counts}"
        if self._tty:
            self.passing(text)
        elif time.monotonic() - self._last_plain >= _PLAIN_EVERY_S or done == total:
            self.say(text)
            self._last_plain = time.monotonic()

    def _wipe(self):
        if self._pending:
            print("\r\033[K", end="", file=self._stream)
            self._pending = False


class Silent:
    """For tests: tells nobody."""

    def say(self, _=""):
        pass

    passing = say

    @contextlib.contextmanager
    def step(self, _):
        yield
