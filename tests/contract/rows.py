"""What is proved of the integration document, row by row (rows.toml).

    pytest -p rows tests/contract tests/system              the tests that name a row, then the coverage
    pytest -p rows --rows E6,X5 tests/contract tests/system those of some rows

A test names the rows it proves at the beginning of its name: test_E12_H1_average_divides_by_all_calls. The exit status is
not 0 when a row that does not wait has no test, or one that failed.
"""
import re
import tomllib
from pathlib import Path

import pytest

_ROWS = tomllib.loads(Path(__file__).with_name("rows.toml").read_text())
ROWS, WAITING = _ROWS["rows"], _ROWS["waiting"]
_NAME = re.compile(r"test_((?:[A-Z]\d+_)+)")


def rows_of(name) -> list[str]:
    """The rows that a test with this name proves."""
    named = _NAME.match(name)
    return named[1].strip("_").split("_") if named else []


def uncovered(names) -> list[str]:
    """What the names of all tests leave to be desired, in sentences."""
    proved = {row: name for name in names for row in rows_of(name)}
    return ([f"{name} names {row}, which is no row" for row, name in proved.items() if row not in ROWS]
            + [f"{row} waits and is no row" for row in WAITING if row not in ROWS]
            + [f"{row} has no test: {text}" for row, text in ROWS.items()
               if row not in proved and row not in WAITING])


def pytest_addoption(parser):
    parser.addoption("--rows", help="only the tests of these rows, separated by commas")


def pytest_configure(config):
    config.pluginmanager.register(_Coverage(config.getoption("--rows")), "row coverage")


class _Coverage:
    def __init__(self, wanted):
        self.wanted = set(wanted.split(",")) if wanted else set(ROWS)
        self.failed = {}  # name of a test function -> has any case of it failed?
        if not self.wanted <= set(ROWS):
            raise pytest.UsageError(f"no such row: {', '.join(sorted(self.wanted - set(ROWS)))}")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config, items):
        chosen = [item for item in items if self.wanted & set(rows_of(item.originalname))]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item):
        outcome = yield
        name = item.originalname
        self.failed[name] = self.failed.get(name, False) or not outcome.get_result().passed

    def _tests(self, row) -> list[str]:
        return [name for name in self.failed if row in rows_of(name)]

    def _verdict(self, row) -> str:
        tests = self._tests(row)
        if any(self.failed[name] for name in tests):
            return "FAILED"
        if tests:
            return "proved"
        return "waits" if row in WAITING else "NO TEST"

    def pytest_terminal_summary(self, terminalreporter):
        say = terminalreporter.write_line
        counts = {}
        say("")
        for row in ROWS:
            if row not in self.wanted:
                continue
            verdict = self._verdict(row)
            counts[verdict] = counts.get(verdict, 0) + 1
            say(f"{row:<4} {verdict:<8} {WAITING[row] if verdict == 'waits' else ROWS[row]}")
            for name in self._tests(row):
                say(f"{'':13} {'FAILED ' if self.failed[name] else ''}{name}")
        say("\n" + ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session):
        if session.exitstatus in (0, 5) and any(
                self._verdict(row) in ("FAILED", "NO TEST") for row in self.wanted):
            session.exitstatus = 1
