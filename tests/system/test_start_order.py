"""Servers may start in any order, and each may die alone: calls go on once all are there again."""
import contextlib
import fcntl
import itertools
import os
import struct

import pytest

PARTS = ("postgres", "api", "dispatcher", "nginx", "ast1")

# Five parts have 120 orders. In these seven any three parts appear in each of their six orders: what
# one part needs of another is a matter of two, at most three.
ORDERS = (
    "postgres ast1 nginx api dispatcher", "api dispatcher postgres nginx ast1",
    "nginx ast1 dispatcher api postgres", "ast1 postgres dispatcher api nginx",
    "nginx postgres dispatcher api ast1", "dispatcher ast1 nginx postgres api",
    "api ast1 nginx postgres dispatcher",
)


@pytest.fixture(autouse=True)
def nothing_stays_down(stack):
    """One failure is one failure: the next test, and the next file, find all parts running."""
    yield
    if stack.revive():
        stack.wait_ready()


def test_the_orders_hold_every_triple():
    seen = {triple for order in ORDERS for triple in itertools.combinations(order.split(), 3)}
    assert seen == set(itertools.permutations(PARTS, 3))


def call_succeeds(stack, asterisk):
    detail = stack.outcome(stack.call(asterisk.numbers("busy")[0]))
    assert detail["disposition"] == "busy"


@pytest.mark.parametrize("order", ORDERS)
def test_start_order(stack, asterisk, order):
    for part in PARTS:
        stack.stop(part)
    for part in order.split():
        stack.start(part)
    stack.wait_ready()
    call_succeeds(stack, asterisk)


@pytest.mark.parametrize("part", [*PARTS, "dispatcher-holder"])
def test_single_death(stack, asterisk, part):
    stack.kill(part)
    if part != "dispatcher":  # its holder respawns it
        stack.start(part)
    stack.wait_ready()
    call_succeeds(stack, asterisk)


_F_OFD_SETLKW = 38  # of <fcntl.h>; the module fcntl does not name it


@contextlib.contextmanager
def something_of_the_dispatcher_left(stack):
    """The lock of the segment, as a process has it that outlives its killed holder for a moment."""
    [state] = [path for path in stack.stack.ccs.shared_memory() if path.suffix == ".state"]
    with open(state, "r+b") as opened:
        fcntl.fcntl(opened, _F_OFD_SETLKW, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 1, 0))
        yield


def test_a_dispatcher_waits_for_the_end_of_the_one_before(stack, asterisk):
    log = (stack.stack.log_dir / "ccs-dispatcher.log").stat().st_size
    stack.kill("dispatcher-holder")
    with something_of_the_dispatcher_left(stack):
        stack.start("dispatcher")
        stack.wait_until(lambda: "at=segment.held" in stack.log_since("ccs-dispatcher", log), "it has met the lock")
    stack.wait_ready()
    call_succeeds(stack, asterisk)


def test_numbers_are_taken_while_the_dispatcher_is_dead(stack, asterisk):
    stack.kill("dispatcher-holder")
    stack.wait_until(lambda: stack.api.get("/monitoring/health").status == 503, "health says so")
    batch = stack.insert(asterisk.numbers("busy", 5))
    assert stack.dispatch()["status"] == "success"
    stack.start("dispatcher")
    assert stack.wait_finished(batch).dispositions == {"busy": 5}
    stack.wait_ready()


def test_without_postgres_requests_are_refused_and_live_calls_go_on(stack, asterisk):
    call_id = stack.call(asterisk.numbers("answered", talk=6)[0])
    stack.wait_until(lambda: stack.live_calls() == 1, "the call is live")
    stack.kill("postgres")
    body = {"batch_id": 4242, "data": [{"phone_number": asterisk.numbers("busy")[0]}]}
    refused = stack.api.post("/queues/insertdataincallqueue/", body)
    assert refused.status == 503 and int(refused.headers["Retry-After"]) >= 1
    assert stack.live_calls() == 1
    stack.start("postgres")
    stack.wait_ready()
    assert stack.outcome(call_id)["disposition"] == "completed"
    assert stack.report(4242).total == 0
