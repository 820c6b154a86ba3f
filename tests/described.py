"""What the API's document says about an answer: every answer that a test gets is held against it.

The document is made by docs/openapi/openapi.py from the programs under test. In the form used here nothing that it does not
describe may be in an answer, no error may have a code that it does not name for that operation, and what it calls required is
there.
"""
import functools
import json
import re
import subprocess
import sys
import warnings

import jsonschema
from places import PROGRAMS, ROOT
from stack.api import Api

_MAKER = ROOT / "docs/openapi/openapi.py"


@functools.cache
def routes() -> list:
    """The route table of the programs under test."""
    done = subprocess.run([PROGRAMS / "ccs-api", "--print-routes"], capture_output=True, check=True)
    return json.loads(done.stdout)


def made(kind) -> str:
    """What openapi.py makes of it: json, contract or markdown."""
    done = subprocess.run([sys.executable, _MAKER, kind], input=json.dumps(routes()), capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Description:
    """The document, as a judge of answers."""

    def __init__(self, document):
        self.document = document
        with warnings.catch_warnings():  # Debian 13's jsonschema knows a newer way, Debian 12's does not
            warnings.simplefilter("ignore", DeprecationWarning)
            self._resolver = jsonschema.RefResolver("", document)
        self._paths = [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), path) for path in document["paths"]]

    def find(self, method, path):
        """The operation of a request, or None."""
        for pattern, template in self._paths:
            if pattern.fullmatch(path):
                return self.document["paths"][template].get(method.lower())
        return None

    def check(self, method, path, answer):
        """Fails when the document does not describe this answer; an address that it does not have may answer anything."""
        operation = self.find(method, path)
        if not operation:
            return
        try:
            self._check(method, operation["responses"], answer)
        except jsonschema.ValidationError as error:
            where = "/".join(map(str, error.absolute_path)) or "the answer"
            raise AssertionError(f"{method} {path}: docs/openapi does not describe {where}: {error.message}\n"
                                 f"{answer.status} {answer.body[:600]}") from None

    def _check(self, method, responses, answer):
        response = self.resolved(responses.get(str(answer.status), responses["default"]))
        self._check_headers(response.get("headers", {}), answer.headers)
        if method == "HEAD":
            return
        form = answer.headers.get_content_type()
        if form not in response["content"]:
            raise jsonschema.ValidationError(f"its Content-Type is {form}")
        if form == "application/json":
            self.of_answer(response).validate(without_mark(answer.json))

    def _check_headers(self, described, headers):
        for name, header in described.items():
            header, value = self.resolved(header), headers.get(name)
            if value is not None:
                is_number = self.resolved(header["schema"]).get("type") == "integer"
                self.of_schema(header["schema"]).validate(int(value) if is_number and value.isdigit() else value)
            elif header.get("required"):
                raise jsonschema.ValidationError(f"there is no {name}")

    def of_answer(self, response):
        """The validator of a described answer's body."""
        return self.of_schema(response["content"]["application/json"]["schema"])

    def of_schema(self, schema):
        return jsonschema.Draft202012Validator(schema, resolver=self._resolver)

    @functools.cached_property
    def of_event(self):
        """The validator of a WebSocket's events."""
        return self.of_schema(self.document["x-websocket"]["event"])

    def resolved(self, node):
        """The node, or what it refers to."""
        while "$ref" in node:
            node = self._resolver.resolve(node["$ref"])[1]
        return node


def without_mark(body):
    """Every object that answers a test key has `test: true`, which is described once for all."""
    if isinstance(body, dict) and body.get("test") is True:
        return {name: value for name, value in body.items() if name != "test"}
    return body


@functools.cache
def description() -> Description:
    """That of the programs under test."""
    return Description(json.loads(made("contract")))


class DescribedApi(Api):
    """The client of the API that believes no answer which the document does not describe.

    With a contract proxy (contract_proxy.py) what the document has an operation for goes through that. Not HEAD and a GET with
    a body, which Prism does not pass on, nor bytes: they are sent to see what becomes of these very bytes, and a proxy
    reads JSON and writes its own.
    """

    proxies = {}  # base address -> that of the proxy in front of it

    def as_client(self, key):
        return DescribedApi(self.base_url, key, ca_file=self.ca_file)

    def request(self, method, path, body=None, *, headers=None, **query):
        answer = super().request(method, path, body, headers=headers, **query)
        description().check(method, address_of(path), answer)
        return answer

    def _server_of(self, method, path, body):
        passes = method != "HEAD" and not (method == "GET" and body is not None) and not isinstance(body, bytes)
        if passes and description().find(method, address_of(path)):
            return self.proxies.get(self.base_url, self.base_url)
        return self.base_url


def address_of(path) -> str:
    return f"/api/v1{path.partition('?')[0]}"
