"""A client of the Centralized Calling System. It repeats what may be repeated, waits as long as it is told, and logs it.

    ccs = Ccs(os.environ["CCS_URL"], key=os.environ["CCS_KEY"])
    ccs.post("/queues/quickcall", {"phone_number": "9876543210"}, idempotency_key="order-17")

Needs Debian's python3-requests, or `pip install requests`.
"""
import logging
import os
import random
import time

import requests

log = logging.getLogger("ccs")

ATTEMPTS = 6
SECONDS = 30  # for one attempt
FILE_SECONDS = 600  # for the answer to a file
REPEAT = (429, 502, 503, 504)  # nothing is wrong with the request


class CcsError(Exception):
    """The API said no. code is for programs, the text for people; request_id is what support asks for."""

    def __init__(self, error):
        super().__init__(f"{error['status_code']} {error['code']}: {error['detail']} (request {error['request_id']})")
        self.code = error["code"]


class Ccs:
    """One account. With a username instead of a key it signs in, and its tokens are kept fresh."""

    def __init__(self, url, *, key=None, username=None, password=None, ca=None):
        self.url = url.rstrip("/") + "/api/v1"
        self.session = requests.Session()
        self.ca = ca or True
        self._refresh_token = None
        self._free_at = 0  # when the next request may be sent
        if key:
            self.session.headers["X-API-KEY"] = key
        else:
            self._use(self.post("/auth/login", {"username": username, "password": password}))

    def get(self, path, **query):
        return self._request("GET", path, params=query)

    def post(self, path, body=None, *, idempotency_key=None, **query):
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return self._request("POST", path, json=body, params=query, headers=headers)

    def load(self, path, file, kind, **query):
        """Sends a file as it is, piece by piece; opened for reading bytes."""
        return self._request("POST", path, params=query, data=file, headers={"Content-Type": kind}, timeout=FILE_SECONDS)

    def _request(self, method, path, *, timeout=SECONDS, **request):
        """The answer's JSON. An attempt that failed for no fault of ours is made again, exactly as it was."""
        for attempt in range(1, ATTEMPTS + 1):
            time.sleep(max(0, self._free_at - time.time()))
            wait = backoff(attempt)
            if hasattr(request.get("data"), "seek"):
                request["data"].seek(0)
            try:
                answer = self.session.request(method, self.url + path, timeout=timeout, verify=self.ca, **request)
            except requests.exceptions.SSLError:
                raise
            except requests.RequestException as failure:  # it is not known whether the request arrived
                log.warning("%s %s: %s; attempt %d", method, path, type(failure).__name__, attempt)
            else:
                self._pace(answer.headers)
                log.info("%s %s: %d (request %s)", method, path, answer.status_code, answer.headers.get("X-Request-Id"))
                if answer.status_code == 200:
                    return answer.json()
                if self._renewed(path, answer):
                    continue
                if answer.status_code not in REPEAT or attempt == ATTEMPTS:
                    raise CcsError(answer.json())
                wait = int(answer.headers.get("Retry-After", wait))
            time.sleep(wait)
        raise ConnectionError(f"{method} {path}: no answer in {ATTEMPTS} attempts")

    def _pace(self, headers):
        """Does not run into the limit: with nothing left, the next request waits for the next minute."""
        if headers.get("X-RateLimit-Remaining") == "0":
            self._free_at = int(headers["X-RateLimit-Reset"])
        if "Deprecation" in headers:
            log.warning("this will go away: %s", headers.get("Sunset", headers["Deprecation"]))

    def _renewed(self, path, answer):
        """An access token lives half an hour; the refresh token, which is good once, gets the next."""
        if answer.status_code != 401 or not self._refresh_token or path == "/auth/refresh":
            return False
        token, self._refresh_token = self._refresh_token, None
        self._use(self.post("/auth/refresh", {"refresh_token": token}))
        return True

    def _use(self, tokens):
        self.session.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        self._refresh_token = tokens["refresh_token"]


def backoff(attempt):
    """Seconds: longer each time, and not the same for all who were cut off together."""
    return random.uniform(0.5, 1) * min(30, 2 ** (attempt - 1) / 2)


def from_environment():
    """The account that the environment names. Secrets come from there or from a file, never from a command line."""
    env = os.environ
    return Ccs(env["CCS_URL"], key=env.get("CCS_KEY"), username=env.get("CCS_USERNAME"),
               password=env.get("CCS_PASSWORD"), ca=env.get("CCS_CA"))
