"""When somebody may be called: weekdays, holidays, time zones. What the clock says is computed here, apart from ccs."""
import datetime
import zoneinfo

import pytest

from signing import check_refused
from stack.proc import StackError

INDIA = zoneinfo.ZoneInfo("Asia/Kolkata")
NEW_YORK = zoneinfo.ZoneInfo("America/New_York")
WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


@pytest.fixture(scope="module")
def administrator(stack):
    return stack.api.as_client(stack.ctl_json("key", "add")["api_key"])


def blocked_by(client, call_id):
    entry_id = int(call_id.removeprefix("ccs-")[:14], 16)
    return client.api.get(f"/queues/entries/{entry_id}/explain").ok["blocked_by"]


def wait_closed(stack, client, call_id, until=None):
    """Waits until the hours alone are in the way; when they begin."""

    def closed():
        verdict = blocked_by(client, call_id)
        return verdict and verdict["gate"] == "window_closed" and verdict

    verdict = stack.wait_until(closed, "its hours are in the way")
    next_at = verdict["next_at"] and datetime.datetime.fromisoformat(verdict["next_at"].replace("Z", "+00:00"))
    assert until is None or next_at == until, verdict
    return next_at


def midnight(days_ahead):
    today = datetime.datetime.now(INDIA).replace(hour=0, minute=0, second=0, microsecond=0)
    return today + datetime.timedelta(days=days_ahead)


def not_at_midnight(stack):
    """The next minute belongs to today, so that what is told of today stays true."""
    stack.wait_until(lambda: midnight(1) - datetime.datetime.now(INDIA) > datetime.timedelta(minutes=1),
                     "midnight in India is past", seconds=70)


def test_U14_weekdays_have_hours_of_their_own(stack, asterisk):
    not_at_midnight(stack)
    client = stack.new_client("WEEKDAYS")
    in_two_days = midnight(2)
    days = f"{WEEKDAYS[in_two_days.weekday()]}:10:00-14:00"
    stack.ctl_json("client", "set", client.accountcode, f"--calling-days={days}")
    shown = stack.ctl_json("client", "show", client.accountcode)
    assert shown["calling_days"] == [days] and shown["callee_zone"] is False
    call_id = client.call(asterisk.numbers("busy")[0])
    wait_closed(stack, client, call_id, in_two_days.replace(hour=10))
    forecast = client.api.post("/queues/quickcall/?dry_run=1", {"phone_number": asterisk.numbers("busy")[0]}).ok
    assert forecast["blocked_by"]["gate"] == "window_closed"
    expected = datetime.datetime.fromisoformat(forecast["expected_start_at"].replace("Z", "+00:00"))
    assert expected.replace(microsecond=0) == in_two_days.replace(hour=10)
    stack.ctl_json("client", "set", client.accountcode, f"--calling-days={','.join(WEEKDAYS)}")
    assert client.outcome(call_id)["disposition"] == "busy"


@pytest.mark.parametrize("days", [["monday"], ["mon:10:00"], ["mon:10:00-24:00"], ["mon:"], ["mon", "mon:10:00-14:00"]])
def test_U14_weekdays_that_cannot_be_read_are_refused(stack, administrator, days):
    client = stack.new_client("UNREAD")
    refused = administrator.request("PATCH", f"/admin/clients/{client.client_id}", {"calling_days": days},
                                    headers={"If-Match": "*"})
    check_refused(refused, 400, "invalid_field")
    assert "calling_days" in refused.json["detail"]


def test_a_holiday_of_a_client(stack, asterisk):
    not_at_midnight(stack)
    client = stack.new_client("HOLIDAY")
    for ahead in 0, 1, 3:
        added = stack.ctl_json("holiday", "add", f"--accountcode={client.accountcode}", f"--day={midnight(ahead).date()}")
        assert added["added"] is True
    assert stack.ctl_json("holiday", "add", f"--accountcode={client.accountcode}", f"--day={midnight(3).date()}")["added"] is False
    call_id = client.call(asterisk.numbers("busy")[0])
    wait_closed(stack, client, call_id, midnight(2))
    days = stack.ctl_json("holiday", "list", f"--accountcode={client.accountcode}")["holidays"]
    assert [day["day"] for day in days] == [str(midnight(ahead).date()) for ahead in (0, 1, 3)]
    stack.ctl_json("holiday", "remove", str(days[0]["id"]))
    assert client.outcome(call_id)["disposition"] == "busy"


def test_holidays_of_a_region(stack, administrator, asterisk):
    """Of Nepal, where nobody else of this stack is."""
    not_at_midnight(stack)
    client = stack.new_client("NEPAL", region="NP", allowed_regions="all")
    today = str(midnight(0).date())
    made = administrator.post("/admin/holidays", {"region": "NP", "day": today, "name": "Dashain"}).ok
    try:
        assert made["added"] is True
        listed = administrator.get("/admin/holidays", region="NP").ok
        assert listed["items"] == [{"id": made["id"], "accountcode": None, "region": "NP", "day": today, "name": "Dashain"}]
        call_id = client.call("+91" + asterisk.numbers("busy")[0])
        wait_closed(stack, client, call_id, midnight(1))
        stack.outcome(stack.call(asterisk.numbers("busy")[0]))  # others are called
    finally:
        administrator.request("DELETE", f"/admin/holidays/{made['id']}").ok
    client.outcome(call_id)
    check_refused(administrator.request("DELETE", f"/admin/holidays/{made['id']}"), 404, "not_found")


@pytest.mark.parametrize("body, code, status", [
    ({"day": "2026-12-25"}, "invalid_field", 400), ({"region": "NP", "accountcode": "X", "day": "2026-12-25"}, "invalid_field", 400),
    ({"region": "NP", "day": "2026-02-29"}, "invalid_field", 400), ({"region": "np", "day": "2026-12-25"}, "invalid_field", 400),
    ({"accountcode": "NOBODY-AT-ALL", "day": "2026-12-25"}, "not_found", 404)])
def test_a_holiday_that_cannot_be(administrator, body, code, status):
    check_refused(administrator.post("/admin/holidays", body), status, code)


def test_holidays_come_from_a_file_all_or_none(stack, tmp_path):
    client = stack.new_client("CALENDAR")
    file = tmp_path / "days.csv"
    file.write_text('day,name\n2027-01-26,Republic Day\n2027-08-15,"Independence, Day"\n2027-10-02\n')
    load = ("holiday", "load", str(file), f"--accountcode={client.accountcode}")
    assert stack.ctl_json(*load)["added"] == 3
    assert stack.ctl_json(*load)["added"] == 0
    days = stack.ctl_json("holiday", "list", f"--accountcode={client.accountcode}")["holidays"]
    assert [(day["day"], day["name"]) for day in days] == [
        ("2027-01-26", "Republic Day"), ("2027-08-15", "Independence, Day"), ("2027-10-02", None)]
    file.write_text("2027-12-24\n2027-13-01\n")
    with pytest.raises(StackError, match="line 2.*day"):
        stack.ctl_json(*load)
    assert len(stack.ctl_json("holiday", "list", f"--accountcode={client.accountcode}")["holidays"]) == 3


def next_in(zone, time):
    """When the clocks there show that time next."""
    now = datetime.datetime.now(zone)
    at = now.replace(hour=time.hour, minute=time.minute, second=0, microsecond=0)
    return at if at > now else at + datetime.timedelta(days=1)


def test_hours_where_the_number_is(stack, asterisk):
    """Between an hour ago and in an hour by India's clocks, for a client elsewhere: only India is called."""
    now = datetime.datetime.now(INDIA)
    opens, closes = now - datetime.timedelta(hours=1), now + datetime.timedelta(hours=1)
    client = stack.new_client("ABROAD", timezone="Pacific/Auckland", number_check="full", allowed_regions="all",
                              active_time_start=f"{opens:%H:%M}", active_time_end=f"{closes:%H:%M}", callee_zone="true")
    number = asterisk.numbers("busy")[0]
    batch = client.insert(["+12125550101", "+12125550102", number, "+18005550101"])
    client.dispatch()
    rows = stack.wait_until(lambda: client.report(batch).dispositions == {"busy": 1} and client.report(batch),
                            "India is called, and nobody else")
    assert rows.open == 3
    entries = {row["phone_number"]: row["entry_id"] for row in
               stack.sql("select phone_number, entry_id from entry where client_id = %s", client.client_id)}
    told = client.api.get(f"/queues/entries/{entries['+12125550101']}/explain").ok["blocked_by"]
    assert told["gate"] == "window_closed" and "where the number is" in told["detail"]
    begins = datetime.datetime.fromisoformat(told["next_at"].replace("Z", "+00:00"))
    assert begins == next_in(NEW_YORK, opens)
    told = client.api.get(f"/queues/entries/{entries['+18005550101']}/explain").ok["blocked_by"]
    assert told["gate"] == "window_closed"  # all of North America at once: hardly ever
    rest = stack.wait_until(lambda: client.api.get("/clients/me/explain").ok["blocked_by"], "the dispatcher has looked")
    assert rest["gate"] == "window_closed" and "where they are" in rest["detail"]
    assert client.attempts() == 1
    client.api.post(f"/queues/batches/{batch}/cancel").ok
    assert client.wait_finished(batch).dispositions == {"busy": 1, "canceled": 3}
