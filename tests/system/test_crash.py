"""kill -9 in the middle of a batch on real Asterisk: whatever dies, nobody is rung twice and every entry ends once. Many
kills, also of parts that are not here, on simulated ones: test_torture.py."""
import psycopg2

# What may be in doubt after a crash: the entries armed ahead and the Originates not yet answered
# (dispatcher.ami_window of them), for the one server of this stack.
DOUBT = 2 + 20


def start_batch(stack, asterisk, count=500):
    numbers = asterisk.mixed(count, talk=3)
    batch = stack.insert(numbers=numbers)
    stack.dispatch()
    stack.wait_until(lambda: stack.live_calls() > 50, "more than 50 calls are live")
    return batch, numbers


def check_books(stack, asterisk, report, numbers):
    assert report.total == len(numbers) and report.open == 0
    assert all(row["finals"] == 1 and row["attempts"] <= 1 for row in report.rows)
    assert max(asterisk.cdr_per_attempt(report).values()) == 1
    assert max(asterisk.times_rung(numbers).values()) == 1
    assert report.not_as_dialled() == []


def test_dispatcher_killed_mid_batch_dials_nobody_twice(stack, asterisk):
    batch, numbers = start_batch(stack, asterisk)
    [victim] = stack.children("dispatcher")
    live = stack.live_calls()
    stack.kill("dispatcher")
    stack.wait_until(lambda: stack.children("dispatcher") not in ([], [victim]),
                     "the dispatcher has been respawned")
    stack.wait_ready()
    assert live > 50

    report = stack.wait_finished(batch)
    check_books(stack, asterisk, report, numbers)
    assert report.unknown <= DOUBT


def test_whole_dispatcher_killed_mid_batch(stack, asterisk):
    batch, numbers = start_batch(stack, asterisk)
    stack.kill("dispatcher-holder")
    stack.start("dispatcher")
    report = stack.wait_finished(batch)
    check_books(stack, asterisk, report, numbers)
    # Events of calls that ended while nobody held the AMI connection are lost with it.
    assert report.unknown <= DOUBT + 100


def test_graceful_stop_leaves_no_doubt(stack, asterisk):
    batch, numbers = start_batch(stack, asterisk, 200)
    stack.stop("dispatcher")
    stack.start("dispatcher")
    report = stack.wait_finished(batch)
    check_books(stack, asterisk, report, numbers)
    assert report.unknown == 0


def test_asterisk_killed_mid_batch(stack, asterisk):
    batch, numbers = start_batch(stack, asterisk, 300)
    stack.kill("ast1")
    stack.start("ast1")
    report = stack.wait_finished(batch)
    assert report.total == 300 and report.open == 0
    assert all(row["finals"] == 1 and row["attempts"] <= 1 for row in report.rows)
    assert max(asterisk.times_rung(numbers).values()) == 1


def test_batch_goes_on_without_nginx(stack, asterisk):
    batch, numbers = start_batch(stack, asterisk, 150)
    stack.kill("nginx")
    stack.start("nginx")
    stack.wait_ready()
    report = stack.wait_finished(batch)
    check_books(stack, asterisk, report, numbers)
    assert report.unknown == 0


def test_what_the_killed_dispatcher_was_committing_is_known_to_the_next(stack, asterisk):
    """Its session goes on with what it had been sent. A slow commit must not come behind the back of its successor, which
    would take the attempt for never journalled and the entry for somebody else's: it would stay open for ever."""
    batch, numbers = start_batch(stack, asterisk, 150)
    with psycopg2.connect(stack.stack.superuser_dsn()) as slow:
        slow.cursor().execute("select from rollup_region where client_id = %s for update", (stack.client_id,))
        # Of the batch nothing may be left to be journalled by now: so there is more.
        more = stack.insert(asterisk.numbers("busy", 50))
        stack.dispatch()
        stack.wait_until(lambda: waiting_sessions(stack, "transactionid"), "the journal waits behind a lock")
        log = (stack.stack.log_dir / "ccs-dispatcher.log").stat().st_size
        stack.kill("dispatcher")
        stack.wait_until(lambda: waiting_sessions(stack, "advisory")
                         or "recover.done" in stack.log_since("ccs-dispatcher", log),
                         "the next dispatcher waits for it, or does not")
    slow.close()
    assert stack.wait_finished(more).dispositions == {"busy": 50}
    report = stack.wait_finished(batch)
    check_books(stack, asterisk, report, numbers)
    assert report.unknown == 0


def waiting_sessions(stack, lock):
    """The dispatcher's sessions that wait for a lock of this sort."""
    return stack.sql("select pid from pg_stat_activity where application_name = 'ccs-commits' and wait_event_type = 'Lock'"
                     " and wait_event = %s", lock)
