"""PostgreSQL's disk is full: inserts are refused, live calls go on to their ends, and nothing is lost when there is space
again. PostgreSQL's files are on a small file system of their own, which needs the right to mount one."""
import contextlib
import os
import subprocess

import pytest
from stack import numbers

from farmed import compare, farmed_stack

SERVERS, CHANNELS = 4, 15
MEGABYTE = 1 << 20
SPACE = 400 * MEGABYTE


@pytest.fixture
def live(request):
    with farmed_stack(request, SERVERS, CHANNELS, speed=2, seed=3) as live, small_disk(live):
        yield live


@contextlib.contextmanager
def small_disk(live):
    """PostgreSQL's data move there, and back at the end."""
    data = live.stack.postgres.data
    aside = data.with_name("aside")
    live.stop("postgres")
    data.rename(aside)
    data.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SPACE},mode=0700", "tmpfs", data], check=True)
    try:
        subprocess.run(["cp", "-a", f"{aside}/.", data], check=True)
        live.start("postgres")
        live.wait_ready()
        yield
        live.wait_ready()
        live.check_segment()
    finally:
        live.stack.postgres.stop()
        subprocess.run(["umount", data], check=True)
        data.rmdir()
        aside.rename(data)
        live.start("postgres")


def fill(live):
    """Takes all of the space but what PostgreSQL has taken already; its file."""
    filler = live.stack.postgres.data / "filler"
    with open(filler, "wb") as file, contextlib.suppress(OSError):
        while True:
            os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, 64 << 10)
    return filler


def insert_until_refused(live):
    """Until PostgreSQL has no room for one more batch; the answer, and the batches that were taken."""
    taken = []
    for batch_id in range(1000, 2000):
        data = [{"phone_number": number, "custom_data": {"note": "x" * 900}}
                for number in numbers.mixed(100, seed=batch_id, ring=1, talk=5)]
        answer = live.api.post("/queues/insertdataincallqueue/", {"batch_id": batch_id, "data": data})
        if answer.status != 200:
            return answer, taken
        taken.append(batch_id)
    raise AssertionError("the disk is never full")


def failures(live) -> int:
    """How often the dispatcher was told that there is no room, or lost PostgreSQL to that."""
    log = (live.stack.log_dir / "ccs-dispatcher.log").read_text()
    return log.count("No space left on device") + log.count("database.lost")


def test_inserts_are_refused_and_nothing_is_lost(live, capsys):
    batch = live.insert(numbers.mixed(300, seed=1, ring=1, talk=8))
    live.dispatch()
    live.wait_until(lambda: live.live_calls() > 20, "calls are live")
    before = failures(live)
    filler = fill(live)
    refused, taken = insert_until_refused(live)
    assert refused.status == 503 and int(refused.headers["Retry-After"]) > 0 and refused.json["detail"]
    live.wait_until(lambda: not any(server["channels"] for server in live.stack.rig().show().values()),
                    "live calls have gone on to their ends", seconds=60)
    assert live.children("dispatcher") and failures(live) > before
    filler.unlink()
    if not live.stack.processes()["postgres"].pid():  # no room for its own journal: it gives up
        live.start("postgres")
    live.wait_ready()
    live.dispatch()
    for batch_id, total in ((batch, 300), *((one, 100) for one in taken)):
        report = live.wait_finished(batch_id)
        assert (report.total, report.open, report.unknown) == (total, 0, 0)
    compare(live).check(CHANNELS)
    with capsys.disabled():
        print(f"\n{failures(live) - before} failures, {len(taken)} batches before one was refused")
