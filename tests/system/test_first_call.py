"""One number, from the POST to the record of the call."""
from stack import cdr


def test_E1_Q3_health_needs_no_key(stack):
    answer = stack.api.as_client(None).get("/monitoring/health")
    assert (answer.status, answer.json) == (200, {"status": "healthy"})


def test_E7_quick_call_is_dialled_answered_and_recorded(stack, asterisk):
    [number] = asterisk.numbers("answered", talk=2)
    call_id = stack.call(number, custom_data={"customer_id": "CUST001"})

    detail = stack.outcome(call_id)
    assert (detail["disposition"], detail["n"]) == ("completed", 1)
    assert detail["started_at"] < detail["answered_at"] < detail["ended_at"]
    assert 1_900 <= detail["billsec_ms"] <= detail["duration_ms"] < 10_000

    [record] = stack.wait_until(lambda: cdr.by_attempt(stack.stack.rig()).get(call_id),
                                "Asterisk has written its record")
    assert record.disposition == "ANSWERED"
    assert asterisk.times_rung([number]) == {number: 1}


def test_E15_Q17_a_live_call_is_shown_and_then_gone(stack, asterisk):
    [number] = asterisk.numbers("answered", talk=4)
    call_id = stack.call(number)

    def shown():
        return [call for call in stack.api.get("/monitoring/activecalls").ok["calls"]
                if call["call_id"] == call_id]

    [call] = stack.wait_until(shown, "the call is shown as live")
    assert call["phone_number"] == number and call["server_code"] == "ast1"
    stack.outcome(call_id)
    stack.wait_until(lambda: not shown(), "the call is gone from the list")


def test_E10_Q12_batch_waits_for_dispatch(stack, asterisk):
    client = stack.new_client("PATIENT")
    batch = client.insert(asterisk.numbers("busy", 3))
    stack.outcome(stack.call(asterisk.numbers("busy")[0]))  # ccs had time to dial, and did for others
    assert client.attempts() == 0
    answer = client.dispatch()
    assert (answer["status"], answer["dispatched"]) == ("success", 3)
    assert client.wait_finished(batch).dispositions == {"busy": 3}
    assert client.dispatch()["dispatched"] == 0
