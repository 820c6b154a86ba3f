"""Quick calls that are there at the same time share a transaction, and nothing else."""
import contextlib
import http.client
import json
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import psycopg2
import pytest

CROWD = 40
CALL = "/api/v1/queues/quickcall/"


@pytest.fixture(scope="module")
def clients(stack):
    """Nobody dials for them: there are no channels."""
    return [stack.new_client(f"TOGETHER{i}", channels=0) for i in (1, 2)]


@contextlib.contextmanager
def held_up(stack):
    """Nothing can be stored until this ends."""
    connection = psycopg2.connect(stack.stack.superuser_dsn())
    try:
        connection.cursor().execute("lock table chunk in share row exclusive mode")
        yield
    finally:
        connection.close()


class Crowd:
    """Requests that are all sent before any can be answered."""

    def __init__(self, stack):
        self._stack = stack
        self._sent = threading.Semaphore(0)

    def _ask(self, client, body, headers):
        where = urlsplit(self._stack.base_url)
        line = http.client.HTTPSConnection(where.hostname, where.port, timeout=60,
                                           context=ssl.create_default_context(cafile=self._stack.ca_file))
        line.request("POST", CALL, json.dumps(body), {"X-API-KEY": client.key, **headers})
        self._sent.release()
        reply = line.getresponse()
        return reply.status, json.loads(reply.read())

    def ask(self, requests):
        """(status, JSON) of each (client, body, headers), in their order."""
        with ThreadPoolExecutor(len(requests)) as pool:
            with held_up(self._stack):
                asked = [pool.submit(self._ask, *request) for request in requests]
                for _ in requests:
                    assert self._sent.acquire(timeout=30)
                self._stack.wait_until(self._workers_wait, "a worker waits for the lock")
            return [one.result() for one in asked]

    def _workers_wait(self):
        return self._stack.sql("select 1 from pg_stat_activity where application_name = 'ccs-api'"
                               " and wait_event_type = 'Lock'")


def stored(stack, answers):
    """number, client_id and transaction of each call that was confirmed."""
    entries = [int(answer["call_id"][4:18], 16) for _, answer in answers]
    rows = {row[0]: row[1:] for row in stack.sql(
        "select entry_id, phone_number, client_id, xmin::text from entry where entry_id = any(%s)", entries)}
    return [rows[entry] for entry in entries]


def test_each_gets_its_own_and_they_share_transactions(stack, asterisk, clients):
    numbers = asterisk.numbers("busy", CROWD)
    requests = [(clients[i % 2], {"phone_number": number}, {}) for i, number in enumerate(numbers)]
    answers = Crowd(stack).ask(requests)
    assert [status for status, _ in answers] == [200] * CROWD
    rows = stored(stack, answers)
    assert [row[:2] for row in rows] == [
        [number, clients[i % 2].client_id] for i, number in enumerate(numbers)]
    assert len({row[2] for row in rows}) < CROWD / 2


def test_one_that_is_refused_is_refused_alone(stack, asterisk, clients):
    numbers = asterisk.numbers("busy", CROWD)
    requests = [(clients[0], {"phone_number": number}, {}) for number in numbers]
    requests[7] = (clients[1], {"phone_number": "12"}, {})
    requests[8] = (clients[1], {"phone_number": 12}, {})
    stack.sql("create function poison() returns trigger language plpgsql as"
              " $$ begin raise 'poison' using errcode = 'check_violation'; end $$")
    stack.sql("create trigger poison before insert on entry for each row"
              f" when (new.phone_number = '{numbers[21]}') execute function poison()")
    try:
        answers = Crowd(stack).ask(requests)
    finally:
        stack.sql("drop function poison cascade")
    statuses = [status for status, _ in answers]
    assert [statuses[i] for i in (7, 8, 21)] == [400, 400, 500]
    assert statuses.count(200) == CROWD - 3
    told = [answer for i, answer in enumerate(answers) if statuses[i] == 200]
    assert [row[0] for row in stored(stack, told)] == [
        number for i, number in enumerate(numbers) if statuses[i] == 200]


def test_one_with_an_idempotency_key_is_done_once_among_others(stack, asterisk, clients):
    numbers = asterisk.numbers("busy", CROWD)
    requests = [(clients[0], {"phone_number": number}, {}) for number in numbers]
    requests[5] = (clients[0], {"phone_number": numbers[5]}, {"Idempotency-Key": "among-others"})
    answers = Crowd(stack).ask(requests)
    assert [status for status, _ in answers] == [200] * CROWD
    again = clients[0].api.request("POST", "/queues/quickcall/", requests[5][1], headers=requests[5][2])
    assert again.ok == answers[5][1] and again.headers["Idempotent-Replayed"] == "true"
