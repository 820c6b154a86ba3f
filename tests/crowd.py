"""Requests that are all there before any of them can be answered."""
import contextlib
import http.client
import json
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import psycopg2


@contextlib.contextmanager
def held_up(stack):
    """No chunk can be stored until this ends."""
    connection = psycopg2.connect(stack.stack.superuser_dsn())
    try:
        connection.cursor().execute("lock table chunk in share row exclusive mode")
        yield
    finally:
        connection.close()


@contextlib.contextmanager
def poisoned(stack, number):
    """PostgreSQL refuses an entry with this number."""
    stack.sql("create function poison() returns trigger language plpgsql as"
              " $$ begin raise 'poison' using errcode = 'check_violation'; end $$")
    stack.sql("create trigger poison before insert on entry for each row"
              f" when (new.phone_number = '{number}') execute function poison()")
    try:
        yield
    finally:
        stack.sql("drop function poison cascade")


class Crowd:
    """POSTs to one path, each over a connection of its own."""

    def __init__(self, stack, path):
        self._stack = stack
        self._path = f"/api/v1{path}"
        self._sent = threading.Semaphore(0)

    def _ask(self, client, body, headers):
        where = urlsplit(self._stack.base_url)
        line = http.client.HTTPSConnection(where.hostname, where.port, timeout=60,
                                           context=ssl.create_default_context(cafile=self._stack.ca_file))
        line.request("POST", self._path, json.dumps(body), {"X-API-KEY": client.key, **headers})
        self._sent.release()
        reply = line.getresponse()
        return reply.status, json.loads(reply.read()), reply.headers

    def ask(self, requests):
        """(status, JSON, headers) of each (client, body, headers), in their order."""
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
