"""What the dispatcher asks PostgreSQL and is refused."""
import datetime
import re

_REFUSED = re.compile(r"^ts=(\S+) .* at=database\.failed conn=ccs-lookups .*table control", re.MULTILINE)


def test_a_look_up_that_fails_is_not_made_again_at_once(stack):
    size = (stack.stack.log_dir / "ccs-dispatcher.log").stat().st_size

    def refused():
        found = _REFUSED.findall(stack.log_since("ccs-dispatcher", size))
        return [datetime.datetime.fromisoformat(at.replace("Z", "+00:00")) for at in found]

    stack.sql("revoke select on control from ccs_dispatcher")
    try:
        stack.wait_until(lambda: len(refused()) >= 4, "it has been refused four times")
    finally:
        stack.sql("grant select on control to ccs_dispatcher")
    times = refused()
    assert times[3] - times[0] > datetime.timedelta(seconds=1)  # a second between each two
    stack.reload()
    stack.wait_until(lambda: not stack.sql("select from control where done_at is null"), "it goes on")
