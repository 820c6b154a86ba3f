"""A small client of the HTTP API, as the demo and the tests use it."""
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass

_SECONDS = 30
_PAGE = 100


class ApiError(Exception):
    """The API said no where the caller needs a yes."""


@dataclass(frozen=True)
class Answer:
    """Any answer, whatever its status."""

    status: int
    headers: object  # email.message.Message: names in any case
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def ok(self):
        """The JSON of an answer with status 200; ApiError with the server's own words otherwise."""
        if self.status != 200:
            try:
                said = self.json["detail"]
            except (ValueError, KeyError, TypeError):
                said = self.body[:200].decode(errors="replace")
            raise ApiError(f"{self.status}: {said}")
        return self.json


class Api:
    """One client's way in. base_url is without /api/v1, as the integration document has it."""

    def __init__(self, base_url, key=None, *, ca_file=None):
        self.base_url = base_url.rstrip("/")
        self.key = key
        self.ca_file = ca_file
        context = ssl.create_default_context(cafile=ca_file)
        # No proxy: what the environment names is not on our loopback.
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context),
            _NoRedirect)

    def as_client(self, key):
        """The same server, entered with another key, or none."""
        return Api(self.base_url, key, ca_file=self.ca_file)

    def request(self, method, path, body=None, *, headers=None, **query) -> Answer:
        """body: None, bytes as they are, or anything to be sent as JSON."""
        url = f"{self._server_of(method, path, body)}/api/v1{path}"
        if query:
            url += "?" + urllib.parse.urlencode(query)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        sent = {"Content-Type": "application/json"}
        if self.key:
            sent["X-API-KEY"] = self.key
        request = urllib.request.Request(url, data=body, method=method,
                                         headers={**sent, **(headers or {})})
        try:
            with self._opener.open(request, timeout=_SECONDS) as reply:
                return Answer(reply.status, reply.headers, reply.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def _server_of(self, _method, _path, _body):
        """Where a request goes: for whoever puts something between."""
        return self.base_url

    def get(self, path, **query) -> Answer:
        return self.request("GET", path, **query)

    def post(self, path, body=None, **query) -> Answer:
        return self.request("POST", path, body, **query)

    def insert(self, batch_id, numbers, **entry) -> dict:
        """Queues numbers; further arguments, such as custom_data, go into every entry."""
        data = [{"phone_number": number, **entry} for number in numbers]
        return self.post("/queues/insertdataincallqueue/", {"batch_id": batch_id, "data": data}).ok

    def dispatch(self) -> dict:
        return self.post("/controls/dispatch-calls").ok

    def pages(self, path, **query):
        """Yields every item of a list, page by page."""
        page, pages = 1, 1
        while page <= pages:
            answer = self.get(path, page=page, size=_PAGE, **query).ok
            yield from answer["items"]
            pages = answer["pages"]
            page += 1


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would lose the body of a POST, so the API must never answer one."""

    def redirect_request(self, *_):
        return None
