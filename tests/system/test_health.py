"""Health names what fails, as soon as it is certain and no sooner, and says so when it is over."""
import os
import signal

import pytest

HEALTH = "/monitoring/health"


@pytest.fixture
def anybody(stack):
    yield stack.api.as_client(None)
    stack.wait_ready()


def unhealthy(stack, anybody, part):
    """Waits until this part fails; the answer."""
    def fails():
        answer = anybody.get(HEALTH)
        return answer.status == 503 and answer.json["checks"][part] == "failing" and answer

    answer = stack.wait_until(fails, f"health names the {part}")
    said = answer.json
    assert (said["status"], said["code"], said["status_code"]) == ("unhealthy", "unhealthy", 503)
    assert int(answer.headers["Retry-After"]) >= 1
    return said


def healthy(stack, anybody):
    stack.wait_until(lambda: anybody.get(HEALTH).status == 200, "all is well")
    assert anybody.get(HEALTH).ok == {"status": "healthy"}


def test_E1_Q3_healthy_for_anybody(anybody):
    for key in None, "no key at all":
        assert anybody.as_client(key).get(HEALTH).ok == {"status": "healthy"}


def test_Q3_a_dispatcher_that_is_away(stack, anybody):
    stack.kill("dispatcher-holder")
    said = unhealthy(stack, anybody, "dispatcher")
    assert said["checks"] == {"segment": "ok", "dispatcher": "failing", "database": "unknown"}
    assert "dispatcher" in said["detail"]
    assert anybody.get("/monitoring/status").status == 200
    stack.start("dispatcher")
    healthy(stack, anybody)


def test_Q3_a_postgresql_that_is_away(stack, anybody):
    stack.stop("postgres")
    said = unhealthy(stack, anybody, "database")
    assert said["checks"] == {"segment": "ok", "dispatcher": "ok", "database": "failing"}
    assert "PostgreSQL" in said["detail"]
    stack.start("postgres")
    healthy(stack, anybody)


def test_Q3_a_postgresql_that_hangs(stack, anybody):
    """It takes what it is sent, and says nothing."""
    def connected():
        """All of them: they come back one by one when PostgreSQL was away."""
        names = dict(stack.sql("select pid, application_name from pg_stat_activity where usename = 'ccs_dispatcher'"))
        return {"ccs-commits", "ccs-lookups"} <= set(names.values()) and list(names)

    backends = stack.wait_until(connected, "the dispatcher has its connections")
    try:
        for pid in backends:
            os.kill(pid, signal.SIGSTOP)
        assert unhealthy(stack, anybody, "database")["checks"]["dispatcher"] == "ok"
    finally:
        for pid in backends:
            os.kill(pid, signal.SIGCONT)
    healthy(stack, anybody)
