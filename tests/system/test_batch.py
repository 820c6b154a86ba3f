"""A batch as a campaign sends it: every number is rung once, and the books balance everywhere."""
import collections
import json

import pytest


@pytest.fixture(scope="module")
def client(stack):
    return stack.new_client("CAMPAIGN")


@pytest.fixture(scope="module")
def finished(stack, asterisk, client):
    """A batch of 200 that has been dialled: its numbers and its report."""
    batch_numbers = asterisk.mixed(200, talk=2)
    batch = client.insert(batch_numbers, custom_data={"campaign_id": "CAMP001"})
    client.dispatch()
    return batch, batch_numbers, client.wait_finished(batch)


def test_Q24_every_entry_ends_once_as_the_far_end_did(finished):
    _, _, report = finished
    assert report.total == sum(report.dispositions.values()) == 200
    assert all(row["finals"] == 1 for row in report.rows)
    assert report.not_as_dialled() == [] and report.unknown == 0


def test_every_attempt_has_exactly_one_record_in_asterisk(stack, asterisk, finished):
    _, batch_numbers, report = finished
    assert report.attempts == 200
    stack.wait_until(lambda: len(asterisk.cdr_per_attempt(report)) == 200,
                     "Asterisk has written its records")
    assert set(asterisk.cdr_per_attempt(report).values()) == {1}
    assert set(asterisk.times_rung(batch_numbers).values()) == {1}


def test_details_say_the_same(client, finished):
    batch, batch_numbers, report = finished
    rows = list(client.api.pages("/client-call-details/details", batch_id=batch))
    assert sorted(row["phone_number"] for row in rows) == sorted(batch_numbers)
    assert collections.Counter(row["disposition"] for row in rows) == report.dispositions
    assert all(row["custom_data"] == {"campaign_id": "CAMP001"} for row in rows)


def test_H2_summaries_say_the_same(client, finished):
    _, _, report = finished
    summary = client.api.get("/monitoring/callingsummary").ok
    completed = report.dispositions["completed"]
    assert summary["total_calls"] == 200
    assert summary["successful_calls"] == completed
    assert summary["failed_calls"] == 200 - completed
    assert summary["success_rate"] == pytest.approx(completed / 2, abs=0.05)
    periods = client.api.get("/client-call-details/summary").ok["summary"]
    total = periods.pop("Grand Total")
    assert total["calls"] == sum(period["calls"] for period in periods.values()) == 200


def test_Q8_same_values_again_are_the_same_batch(stack, client, asterisk):
    batch_numbers = asterisk.numbers("busy", 2)
    body = {"batch_id": 777, "data": [{"phone_number": number, "custom_data": {"a": [1, 2.5, "ü"]}}
                                      for number in batch_numbers]}
    path = "/queues/insertdataincallqueue/"
    first = client.api.post(path, json.dumps(body, indent=3).encode())
    again = client.api.post(path, json.dumps(body, separators=(",", ":")).encode())
    assert first.ok == again.ok
    assert again.headers["Idempotent-Replayed"] == "true"
    assert client.report(777).total == 2

    body["data"][1]["custom_data"]["a"][0] = 2
    other = client.api.post(path, body)
    assert other.status == 409 and "777" in other.json["detail"]
    assert client.report(777).total == 2
