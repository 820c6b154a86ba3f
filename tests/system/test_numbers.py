"""Which numbers may be called: what is refused when it comes in, what is known of the rest, and how an
operator opens and closes kinds and regions."""
import pytest

INSERT = "/queues/insertdataincallqueue/"
CALL = "/queues/quickcall/"

_PLANS = """
select e.phone_number, e.number, e.e164, e.country_digits, e.number_type, e.region
  from entry e join queue_master q on q.id = e.queue_master_id
 where q.client_id = %s and q.batch_id = %s
 order by e.entry_id
"""


def batch(batch_id, *numbers):
    return {"batch_id": batch_id, "data": [{"phone_number": number} for number in numbers]}


def set_client(stack, client, *words):
    stack.stack.ccs.ctl("client", "set", client.accountcode, *words)


def reasons(answer) -> dict:
    return {row["phone_number"]: (row["reason"], row["detail"].split(" ", 4)[-1])
            for row in answer.ok["rejected"]}


@pytest.fixture(scope="module")
def client(stack):
    return stack.new_client("NUMBERS")


def test_Q25_the_documents_numbers_are_taken_as_printed(stack, client):
    printed = "9876543210", "9876543211", "9876543212"
    answer = client.api.post(INSERT, batch(1, *printed))
    assert answer.ok["inserted_count"] == 3 and "rejected" not in answer.ok
    assert [tuple(row) for row in stack.sql(_PLANS, client.client_id, 1)] == [
        (number, number, f"91{number}", 2, 1, "IN") for number in printed]


def test_a_number_must_be_valid_in_the_clients_region(client):
    answer = client.api.post(INSERT, batch(2, "9876543210", "1111111111", "12345", "+919", "+99912345678"))
    assert answer.ok["inserted_count"] == 1
    assert reasons(answer) == {
        "1111111111": ("invalid_number", "is not a valid number in IN"),
        "12345": ("invalid_number", "is not a valid number in IN"),
        "+919": ("invalid_number", "is not a valid number"),
        "+99912345678": ("invalid_number", "is not a valid number")}
    none = client.api.post(INSERT, batch(3, "1111111111"))
    assert (none.status, none.json["code"]) == (400, "invalid_number")
    assert none.json["detail"] == "phone_number of entry 0 is not a valid number in IN"
    strict = client.api.post(INSERT + "?strict=1", batch(3, "9876543210", "1111111111"))
    assert (strict.status, strict.json["code"]) == (400, "invalid_number")


def test_other_regions_and_costly_kinds_are_denied_unless_opened(stack):
    client = stack.new_client("ROAMER", region="US")
    mixed = ["2025550100", "+14165550100", "8762101234", "+919876543210", "9002345678", "+870301234567",
             "411", "911"]
    answer = client.api.post(INSERT, batch(1, *mixed))
    assert answer.ok["inserted_count"] == 1
    assert reasons(answer) == {
        "+14165550100": ("number_denied", "is a number of region CA; this account may not call there"),
        "8762101234": ("number_denied", "is a number of region JM; this account may not call there"),
        "+919876543210": ("number_denied",
                          "is a number of region IN; this account may not call there"),
        "9002345678": ("number_denied",
                       "is a premium number of US; this account may not call premium numbers"),
        "+870301234567": ("number_denied", "is a satellite number of 001; this account may not call "
                          "satellite numbers"),
        "411": ("number_denied", "is a short number of US; this account may not call short numbers"),
        "911": ("number_denied", "is an emergency number, which is never called")}
    call = client.api.post(CALL, {"phone_number": "8762101234"})
    assert (call.status, call.json["code"]) == (400, "number_denied")
    assert call.json["detail"] == ("phone_number is a number of region JM; this account may not call "
                                   "there")

    set_client(stack, client, "--allowed-regions=US,CA,IN", "--allowed-types=default,premium,short")
    answer = client.api.post(INSERT, batch(2, *mixed))
    assert set(reasons(answer)) == {"8762101234", "+870301234567", "911"}
    assert [(row["number"], row["e164"], row["region"])
            for row in stack.sql(_PLANS, client.client_id, 2)] == [
        ("2025550100", "12025550100", "US"), ("+14165550100", "14165550100", "CA"),
        ("+919876543210", "919876543210", "IN"), ("9002345678", "19002345678", "US"),
        ("411", None, "US")]

    set_client(stack, client, "--allowed-regions=all", "--allowed-types=all")
    answer = client.api.post(INSERT, batch(3, *mixed))
    assert set(reasons(answer)) == {"911"}


def test_a_client_reads_which_numbers_it_may_call(stack):
    client = stack.new_client("ALLOWED", region="US")
    usual = ["mobile", "fixed_line", "fixed_or_mobile", "toll_free", "voip", "personal", "pager", "uan",
             "voicemail"]

    def numbers():
        return client.api.get("/clients/me/limits").ok["numbers"]

    assert numbers() == {"region": "US", "check": "full", "allowed_regions": ["US"], "allowed_types": usual}
    set_client(stack, client, "--allowed-regions=US,CA,001", "--allowed-types=mobile,premium",
               "--number-check=syntax")
    assert numbers() == {"region": "US", "check": "syntax", "allowed_regions": ["CA", "US", "001"],
                         "allowed_types": ["mobile", "premium"]}
    set_client(stack, client, "--allowed-regions=all", "--allowed-types=default,premium")
    assert numbers()["allowed_regions"] == ["all"]
    assert numbers()["allowed_types"] == [*usual, "premium"]


def test_checked_by_syntax_any_digits_are_dialled_as_given(stack):
    client = stack.new_client("EXTENSIONS", number_check="syntax")
    answer = client.api.post(INSERT, batch(1, "1001", "+999 12345678", "12", "112", "100"))
    assert answer.ok["inserted_count"] == 2
    assert {number: reason for number, (reason, _) in reasons(answer).items()} == {
        "12": "invalid_number", "112": "number_denied", "100": "number_denied"}
    assert [tuple(row) for row in stack.sql(_PLANS, client.client_id, 1)] == [
        ("1001", "1001", None, None, None, None),
        ("+999 12345678", "+99912345678", None, None, None, None)]


def test_Q15_details_tell_what_is_known_of_a_number(stack, client, asterisk):
    [number] = asterisk.numbers("busy")
    call_id = client.call(f"0 {number}")
    stack.outcome(call_id)
    [row] = [row for row in client.api.pages("/client-call-details/details") if row["call_id"] == call_id]
    assert (row["phone_number"], row["e164"]) == (f"0 {number}", f"+91{number}")
    assert (row["number_type"], row["region"]) == ("mobile", "IN")


def test_one_number_in_two_spellings_is_one_number(stack, client, asterisk):
    """Whoever is talking is not rung again, however the number is written."""
    [number] = asterisk.numbers("answered", talk=2)
    first, second = client.call(number), client.call(f"+91 {number}")
    ends = stack.outcome(first)["ended_at"]
    assert stack.outcome(second)["started_at"] >= ends


def test_Q24_what_was_closed_meanwhile_is_suppressed_not_dialled(stack, asterisk):
    """The operator closes a region while its numbers wait."""
    client = stack.new_client("CLOSING")
    set_client(stack, client, "--allowed-regions=IN,US", "--allowed-types=default,premium")
    [home] = asterisk.numbers("busy")
    answer = client.api.post(INSERT, batch(1, "+12025550100", home, "+19002345678", "+12025550101"))
    assert answer.ok["inserted_count"] == 4
    set_client(stack, client, "--allowed-regions=", "--allowed-types=default")
    client.dispatch()
    report = client.wait_finished(1)
    assert report.dispositions == {"suppressed": 3, "busy": 1} and report.attempts == 1
    assert {row["phone_number"]: row["reason"] for row in report.rows if row["phone_number"] != home} == {
        "+12025550100": "not allowed: region US", "+19002345678": "not allowed: premium numbers",
        "+12025550101": "not allowed: region US"}
    events = stack.sql("""select payload::json from event
                           where client_id = %s and type = 'call_failed' and n = 0""", client.client_id)
    assert len(events) == 3
    [told] = [event for event, in events if event["phone_number"] == "+19002345678"]
    assert (told["attempt"], told["is_final"], told["disposition"]) == (0, True, "suppressed")
    assert told["started_at"] is None and told["duration"] == 0
    rows = client.api.get("/queues/batches/1").ok
    assert rows["counts"]["suppressed"] == 3 and rows["status"] == "finished"
    assert client.api.get("/monitoring/callingsummary").ok["total_calls"] == 1


def used_today(stack, client) -> dict:
    return {row[0]: row[1] for row in stack.sql(
        "select region, sum(calls)::int from rollup_region where client_id = %s group by 1",
        client.client_id)}


def test_a_daily_cap_of_a_region_holds_back_its_calls_only(stack, asterisk):
    client = stack.new_client("CAPPED", number_check="full")
    set_client(stack, client, "--allowed-regions=IN,US", "--daily-caps=IN:2,US:1")
    batch_id = client.insert(asterisk.numbers("busy", 5))
    client.dispatch()
    stack.wait_until(lambda: client.dispatch()["blocked_reason"] == "daily_cap", "the cap is the reason")
    stack.wait_until(lambda: used_today(stack, client) == {"IN": 2}, "what is planned is journalled")
    abroad = client.insert(["+12025550100"])  # no such telephone here, but a call
    client.dispatch()
    assert client.wait_finished(abroad).dispositions == {"invalid": 1}
    assert used_today(stack, client) == {"IN": 2, "US": 1}

    stack.kill("dispatcher")  # its successor knows what was used
    stack.wait_ready()
    late = client.call(asterisk.numbers("busy")[0])
    stack.wait_until(lambda: client.dispatch()["blocked_reason"] == "daily_cap", "the cap is the reason")
    assert (client.attempts(), used_today(stack, client)) == (3, {"IN": 2, "US": 1})

    set_client(stack, client, "--daily-caps=IN:4,US:1")
    stack.wait_until(lambda: client.attempts() == 5, "two more may be called")
    set_client(stack, client, "--daily-caps=")
    assert client.wait_finished(batch_id).dispositions == {"busy": 5}
    assert stack.outcome(late)["disposition"] == "busy"
    assert used_today(stack, client) == {"IN": 6, "US": 1}


def test_days_are_those_of_the_clients_zone(stack, asterisk):
    """Two zones that never have the same date."""
    client = stack.new_client("ANTIPODES", timezone="Pacific/Kiritimati")
    set_client(stack, client, "--daily-caps=all:2")
    batch_id = client.insert(asterisk.numbers("busy", 4))
    client.dispatch()
    stack.wait_until(lambda: client.dispatch()["blocked_reason"] == "daily_cap", "the cap is the reason")
    assert client.attempts() == 2
    set_client(stack, client, "--timezone=Pacific/Pago_Pago")
    assert client.wait_finished(batch_id).dispositions == {"busy": 4}
    days = stack.sql("select local_date, calls from rollup_region where client_id = %s", client.client_id)
    assert sorted(row["calls"] for row in days) == [2, 2]


def test_what_waits_for_another_day_can_be_paused_and_canceled(stack, asterisk):
    client = stack.new_client("ANOTHERDAY")
    set_client(stack, client, "--daily-caps=IN:1")
    batch_id = client.insert(asterisk.numbers("busy", 4))
    client.dispatch()
    stack.wait_until(lambda: client.dispatch()["blocked_reason"] == "daily_cap", "the cap is the reason")
    client.api.post(f"/queues/batches/{batch_id}/pause").ok
    set_client(stack, client, "--daily-caps=IN:2")
    client.api.post(f"/queues/batches/{batch_id}/resume").ok
    stack.wait_until(lambda: client.attempts() == 2, "one more may be called")
    stack.wait_until(lambda: client.dispatch()["blocked_reason"] == "daily_cap", "the cap is the reason")
    client.api.post(f"/queues/batches/{batch_id}/cancel").ok
    assert client.wait_finished(batch_id).dispositions == {"busy": 2, "canceled": 2}
