"""The segment is a window that can always be rebuilt from PostgreSQL."""
import pytest


def start_batch(stack, asterisk):
    batch = stack.insert(asterisk.mixed(200, talk=3))
    stack.dispatch()
    stack.wait_until(lambda: stack.live_calls() > 20, "calls are live")
    return batch


def remove_segment(stack):
    objects = stack.stack.ccs.shared_memory()
    assert len(objects) == 3
    stack.stack.ccs.remove_shared_memory()
    return objects


def test_segment_lost_while_running(stack, asterisk):
    batch = start_batch(stack, asterisk)
    objects = remove_segment(stack)
    stack.wait_until(lambda: stack.stack.ccs.shared_memory() == objects, "it has been made anew")
    stack.wait_ready()
    report = stack.wait_finished(batch)
    assert report.total == 200 and report.open == 0
    assert all(row["finals"] == 1 and row["attempts"] <= 1 for row in report.rows)
    assert max(asterisk.cdr_per_attempt(report).values()) == 1
    assert report.not_as_dialled() == []


def test_segment_lost_while_the_dispatcher_is_down(stack, asterisk):
    batch = start_batch(stack, asterisk)
    stack.kill("dispatcher-holder")
    remove_segment(stack)
    stack.start("dispatcher")
    stack.wait_ready()
    report = stack.wait_finished(batch)
    assert report.total == 200 and report.open == 0
    assert max(asterisk.cdr_per_attempt(report).values()) == 1
    assert report.not_as_dialled() == []


@pytest.mark.parametrize("part", ["api", "dispatcher"])
def test_check_finds_nothing_wrong_with_a_segment_in_use(stack, asterisk, part):
    batch = start_batch(stack, asterisk)
    stack.check_segment()
    stack.stop(part)
    stack.start(part)
    stack.wait_ready()
    stack.check_segment()
    assert stack.wait_finished(batch).open == 0
