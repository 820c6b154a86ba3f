"""Quick calls that are there at the same time share a transaction, and nothing else."""
import json

import pytest
from crowd import Crowd, poisoned

CROWD = 40
CALL = "/queues/quickcall/"


@pytest.fixture(scope="module")
def clients(stack):
    """Nobody dials for them: there are no channels."""
    return [stack.new_client(f"TOGETHER{i}", channels=0) for i in (1, 2)]


def stored(stack, answers):
    """number, client_id and transaction of each call that was confirmed."""
    entries = [int(answer["call_id"][4:18], 16) for _, answer, _ in answers]
    rows = {row[0]: row[1:] for row in stack.sql(
        "select entry_id, phone_number, client_id, xmin::text from entry where entry_id = any(%s)", entries)}
    return [rows[entry] for entry in entries]


def test_each_gets_its_own_and_they_share_transactions(stack, asterisk, clients):
    numbers = asterisk.numbers("busy", CROWD)
    requests = [(clients[i % 2], {"phone_number": number}, {}) for i, number in enumerate(numbers)]
    answers = Crowd(stack, CALL).ask(requests)
    assert [status for status, *_ in answers] == [200] * CROWD
    rows = stored(stack, answers)
    assert [row[:2] for row in rows] == [
        [number, clients[i % 2].client_id] for i, number in enumerate(numbers)]
    assert len({row[2] for row in rows}) < CROWD / 2


def test_one_that_is_refused_is_refused_alone(stack, asterisk, clients):
    numbers = asterisk.numbers("busy", CROWD)
    requests = [(clients[0], {"phone_number": number}, {}) for number in numbers]
    requests[7] = (clients[1], {"phone_number": "12"}, {})
    requests[8] = (clients[1], {"phone_number": 12}, {})
    with poisoned(stack, numbers[21]):
        answers = Crowd(stack, CALL).ask(requests)
    statuses = [status for status, *_ in answers]
    assert [statuses[i] for i in (7, 8, 21)] == [400, 400, 500]
    assert statuses.count(200) == CROWD - 3
    told = [answer for i, answer in enumerate(answers) if statuses[i] == 200]
    assert [row[0] for row in stored(stack, told)] == [
        number for i, number in enumerate(numbers) if statuses[i] == 200]


def test_one_with_an_idempotency_key_is_done_once_among_others(stack, asterisk, clients):
    numbers = asterisk.numbers("busy", CROWD)
    requests = [(clients[0], {"phone_number": number}, {}) for number in numbers]
    requests[5] = (clients[0], {"phone_number": numbers[5]}, {"Idempotency-Key": "among-others"})
    answers = Crowd(stack, CALL).ask(requests)
    assert [status for status, *_ in answers] == [200] * CROWD
    again = clients[0].api.request("POST", CALL, json.dumps(requests[5][1]).encode(), headers=requests[5][2])
    assert again.ok == answers[5][1] and again.headers["Idempotent-Replayed"] == "true"
