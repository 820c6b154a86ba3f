"""One real stack for all tests of a session: PostgreSQL, nginx, ccs, an Asterisk and its far end."""
import contextlib
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
sys.path[:0] = [str(TESTS.parent / "deploy"), str(TESTS)]

from contract_proxy import PRISM, contract_proxy  # noqa: E402  (found by the line above)
from described import DescribedApi  # noqa: E402
from live import FarEnd, Live  # noqa: E402
from places import PROGRAMS  # noqa: E402
from stack.progress import Silent  # noqa: E402
from stack.stack import Plan, Stack  # noqa: E402

CHANNELS = 100
RATE_LIMIT = 1_000_000  # calls an hour: high enough that only tests of rates meet it
_current = None
_unsound = False  # what a teardown finds is not yet counted when the stack ends


@pytest.fixture(scope="session")
def stack(request):
    """Everything running. The folder is kept when a test has failed: it holds the logs."""
    global _current
    folder = tempfile.mkdtemp(prefix="ccs-check-")
    built = Stack.up(folder, Plan(programs=str(PROGRAMS), channels=CHANNELS, rate_limit=RATE_LIMIT,
                                  ring_seconds=5, settings={"courier": {"retry_ms": 50}}), Silent())
    _current = Live(built)
    try:
        with judged(_current):
            yield _current
    finally:
        _current = None
        built.down()
        if not request.session.testsfailed and not _unsound:
            shutil.rmtree(folder)


@contextlib.contextmanager
def judged(live):
    """With a contract proxy between the tests and nginx, if there is one."""
    if not PRISM:
        yield
        return
    with contract_proxy(live, live.stack.folder / "prism") as address:
        DescribedApi.proxies = {live.base_url: address}
        yield
    DescribedApi.proxies = {}


def pytest_configure(config):
    config.addinivalue_line("markers", "exact_bytes: about bytes that a contract proxy spells anew or refuses")


@pytest.fixture(autouse=True)
def past_the_judge(request, monkeypatch):
    if request.node.get_closest_marker("exact_bytes"):
        monkeypatch.setattr(DescribedApi, "proxies", {})


@pytest.fixture(scope="session")
def asterisk(stack):
    """The telephones that ccs rings."""
    return FarEnd(stack)


@pytest.fixture(scope="module", autouse=True)
def segment_is_sound():
    """No module leaves the shared memory in a state that breaks a rule, a crash in a log, or a part down."""
    yield
    if _current:
        global _unsound
        _unsound = True
        left_down = _current.revive()
        _current.wait_ready()
        assert not left_down, f"the module has left down {', '.join(left_down)}"
        _current.check_segment()
        _current.check_logs()
        _unsound = False


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    """Shows the end of every log below a failure."""
    outcome = yield
    report = outcome.get_result()
    if report.failed and _current:
        report.sections.append(("logs", _current.stack.last_log_lines()))
