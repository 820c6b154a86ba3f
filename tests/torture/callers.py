"""The load: clients that insert batches and quick calls over HTTP as a careful integrator does, who asks again until the
answer is 200 and relies on batch_id and Idempotency-Key for its being done once."""
import http.client
import itertools
import threading
import time
import urllib.error

from stack import numbers
from stack.api import Api

BATCH = 40
QUICK = 5  # quick calls for each batch
PAUSE_S = 0.1
LIMIT_S = 120  # for a request with all that are asked again
_TROUBLE = (urllib.error.URLError, http.client.HTTPException, OSError, ValueError)


class Caller(threading.Thread):
    """One client. room() says whether more may be queued."""

    def __init__(self, client, seed, room, *, ring, talk):
        super().__init__(daemon=True)
        self.client = client
        self.api = Api(client.api.base_url, client.key, ca_file=client.api.ca_file)
        self.batches = {}  # batch_id -> how many numbers were answered with 200
        self.quick = []  # call ids that were answered with 200
        self.asked_again = 0
        self.refusals = {}  # status -> how often; 0: no answer at all
        self.wrong = []  # answers that no crash excuses
        self._seed = seed
        self._room = room
        self._times = {"ring": ring, "talk": talk}
        self._stop_asked = threading.Event()

    def stop(self):
        """Finishes what it is asking for."""
        self._stop_asked.set()

    def run(self):
        for batch_id in itertools.count(1):
            while not self._stop_asked.is_set() and not self._room():
                time.sleep(PAUSE_S)
            if self._stop_asked.is_set():
                return
            self._insert(batch_id)
            for k in range(QUICK):
                self._call(batch_id, k)
            self._until_200("POST", "/controls/dispatch-calls")

    def _insert(self, batch_id):
        wanted = numbers.mixed(BATCH, self._seed + batch_id, **self._times)
        body = {"batch_id": batch_id, "data": [{"phone_number": number} for number in wanted]}
        said = self._until_200("POST", "/queues/insertdataincallqueue/", body)
        self.batches[batch_id] = len(wanted)
        if said["inserted_count"] != len(wanted):
            self.wrong.append(f"batch {batch_id}: {said}")

    def _call(self, batch_id, k):
        [number] = numbers.numbers("answered", 1, self._seed, first=QUICK * batch_id + k, **self._times)
        said = self._until_200("POST", "/queues/quickcall/", {"phone_number": number},
                               headers={"Idempotency-Key": f"{self._seed}-{batch_id}-{k}"})
        self.quick.append(said["call_id"])

    def _until_200(self, method, path, body=None, **more) -> dict:
        limit = time.monotonic() + LIMIT_S
        while True:
            try:
                answer = self.api.request(method, path, body, **more)
                if answer.status == 200:
                    return answer.json
                status = answer.status
            except _TROUBLE:
                status = 0
            self.refusals[status] = self.refusals.get(status, 0) + 1
            if 400 <= status < 500 or time.monotonic() > limit:
                self.wrong.append(f"{method} {path}: {status} {answer.body[:200] if status else ''!r}")
                raise SystemExit  # of this thread; the verdict tells
            self.asked_again += 1
            time.sleep(PAUSE_S)
