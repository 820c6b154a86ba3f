"""The API's document is true: it has every route and no other, its examples fit it, and docs/API.md is made from it.

That answers are as it says is checked everywhere: tests/described.py looks at each one that any test gets.
"""
import json
import re
import subprocess
import sys

import jsonschema
import pytest
import requests
from described import description, made, routes
from places import ROOT

sys.path.append(str(ROOT / "docs/openapi"))
from openapi import Pieces, document, path_of  # noqa: E402  (found by the line above)

WHO = {"PUBLIC": [], "CLIENT": [["ApiKey"], ["ApiKeyInQuery"], ["Bearer"]], "USER": [["Bearer"]],
       "ADMIN": [["ApiKey"], ["Bearer"]], "SERVER": [["ServerKey"]]}
ROUTES = routes()
PIECES = Pieces()
CLOSED = description()
DOCUMENT = json.loads(made("json"))
OPERATIONS = {operation["operationId"]: (method, path, operation)
              for path, methods in DOCUMENT["paths"].items() for method, operation in methods.items()}
_CODE = re.compile(r"\bfail(?:_code)?\(\s*[^;]*?ERR_\w+,\s*\"([a-z_]+)\"|\b(?:wrong|refused?)\([^;]*?\"([a-z]+(?:_[a-z]+)+)\"")


def test_every_route_has_a_piece_and_every_piece_a_route():
    names = {route["name"] for route in ROUTES}
    missing = [f"{route['method']} {route['path']}: describe {route['name']} in docs/openapi/"
               for route in ROUTES if route["name"] not in PIECES.of_route]
    extra = [f"docs/openapi/ describes {name}, which fcgi/routes.def does not have"
             for name in PIECES.of_route if name not in names]
    assert not missing + extra, "\n".join(missing + extra)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route['method']} {route['path']}")
def test_method_path_and_who_may(route):
    operation = DOCUMENT["paths"][path_of(route)][route["method"].lower()]
    assert operation["operationId"].startswith(route["name"]) and operation["summary"] == route["summary"]
    assert [list(way) for way in operation["security"]] == WHO[route["who"]]


def test_nothing_is_described_that_is_no_route():
    assert {(method.upper(), path) for method, path, _ in OPERATIONS.values()} \
        == {(route["method"], path_of(route)) for route in ROUTES}


def schemas_and_examples(operation):
    for content in operation.get("requestBody", {}).get("content", {}).values():
        if "example" in content:
            yield content["schema"], content["example"]
    for parameter in operation.get("parameters", []):
        parameter = CLOSED.resolved(parameter)
        if "example" in parameter:
            yield parameter["schema"], parameter["example"]
    for status, response in operation["responses"].items():
        if status == "default":
            continue
        content = next(iter(response["content"].values()))  # JSON, but for what is only exported
        examples = [each["value"] for each in content.get("examples", {}).values()] or [content["example"]]
        yield from ((content["schema"], example) for example in examples)


@pytest.mark.parametrize("name", OPERATIONS)
def test_examples_fit_their_schemas(name):
    method, path, _ = OPERATIONS[name]
    for schema, example in schemas_and_examples(CLOSED.document["paths"][f"/api/v1{path}"][method]):
        CLOSED.of_schema(schema).validate(example)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_has_example_request_answer_and_error(name):
    _, _, operation = OPERATIONS[name]
    for parameter in operation.get("parameters", []):
        assert parameter.keys() & {"$ref", "example", "x-instead-of"}, parameter["name"]
    assert next(iter(operation["responses"]["200"]["content"].values()))["example"]
    errors = [status for status in operation["responses"] if status not in ("200", "default")]
    assert any(response["content"]["application/json"].keys() & {"example", "examples"}
               for status, response in operation["responses"].items() if status in errors)


def test_a_closed_schema_refuses_what_is_not_described():
    """The judge itself: one member too many, one missing, one of a wrong type."""
    validator = CLOSED.of_answer(CLOSED.find("GET", "/api/v1/clients/me")["responses"]["200"])
    good = OPERATIONS["client_me"][2]["responses"]["200"]["content"]["application/json"]["example"]
    validator.validate(good)
    for bad in ({**good, "password": "x"}, {**good, "id": "1"}, {key: good[key] for key in list(good)[1:]}):
        with pytest.raises(jsonschema.ValidationError):
            validator.validate(bad)


def codes_of_sources():
    """Every code that an error of the HTTP API may carry, as the sources write it."""
    found = set()
    for folder in "fcgi", "common", "registry":
        for path in (ROOT / folder).glob("*.c"):
            found |= {code for pair in _CODE.findall(path.read_text()) for code in pair if code}
    found |= set(re.findall(r"\[ERR_[A-Z_]+\] = \"([a-z_]+)\"", (ROOT / "common/err.c").read_text()))
    found |= set(re.findall(r"^\t\d+ +([a-z_]+);", (ROOT / "nginx/ccs.conf.in").read_text(), re.MULTILINE))
    return found - {"none"}


# Codes that no request of the API can cause.
ELSEWHERE = {"upgrade_required"}


def test_every_code_of_the_sources_is_in_the_table_of_errors():
    missing = codes_of_sources() - ELSEWHERE - set(PIECES.errors["codes"])
    assert not missing, f"describe in docs/openapi/errors.yaml: {', '.join(sorted(missing))}"


def test_every_code_of_the_table_is_in_the_sources():
    sources = "".join(path.read_text() for folder in ("fcgi", "common", "registry", "nginx")
                      for path in sorted((ROOT / folder).iterdir()) if path.is_file())
    gone = [code for code in PIECES.errors["codes"] if not re.search(rf"\b{code}\b", sources)]
    assert not gone, f"docs/openapi/errors.yaml has codes that nobody says: {', '.join(gone)}"


def test_api_md_is_current():
    assert (ROOT / "docs/API.md").read_text() == made("markdown"), "run: make docs"


def test_D9_the_version_that_runs_is_the_one_that_is_described_and_what_changed_is_told(stack):
    version = DOCUMENT["info"]["version"]
    assert stack.api.get("/monitoring/status").ok["version"] == version
    assert f"* {version}: " in DOCUMENT["info"]["description"].partition("## Changes")[2]


def test_D9_what_will_go_is_marked():
    leaving = {**ROUTES[0], "name": "leaving"}
    pieces = Pieces()
    pieces.of_route["leaving"] = "Monitoring", {"deprecated": True}
    described = document(pieces, [*ROUTES[1:], leaving])["paths"][path_of(leaving)]["get"]
    assert described["deprecated"] is True
    assert not any("deprecated" in operation for _, _, operation in OPERATIONS.values())


def test_the_maker_says_how_to_use_it():
    done = subprocess.run([sys.executable, ROOT / "docs/openapi/openapi.py"], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 1 and "openapi.py json" in done.stderr


def test_the_document_is_served(stack):
    answer = stack.api.as_client(None).get("/openapi.json")
    assert answer.headers.get_content_type() == "application/json"
    assert answer.ok == DOCUMENT
    for method in "POST", "DELETE":
        assert stack.api.request(method, "/openapi.json").status == 405


# The page that shows it


def page(stack, path, method="GET"):
    return requests.request(method, f"{stack.base_url}{path}", verify=str(stack.ca_file), allow_redirects=False,
                            timeout=30)


def test_B11_the_reference_page_is_served_whole(stack):
    found = page(stack, "/docs/")
    assert found.status_code == 200, "run: make page"
    assert found.headers["Content-Type"] == "text/html"
    parts = re.findall(r"(?:src|href)=\"([^\"]+)\"", found.text)
    for part in parts:
        if not part.startswith(("data:", "/api/v1/")):
            assert page(stack, f"/docs/{part}").status_code == 200, part
    assert {"swagger-ui-bundle.js", "swagger-ui.css", "page.js"} <= set(parts)
    assert page(stack, "/docs").headers["Location"] == "/docs/"


def test_the_page_may_load_nothing_from_elsewhere(stack):
    policy = dict(rule.split(" ", 1) for rule in
                  page(stack, "/docs/").headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    allowed = {source for rule in policy.values() for source in rule.split()}
    assert allowed == {"'none'", "'self'", "data:"}
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page(stack, "/docs/").text)


@pytest.mark.parametrize("path", ["/docs/", "/api/v1/openapi.json"])
def test_what_is_read_only_says_so(stack, path):
    refused = page(stack, path, "POST")
    assert refused.status_code == 405 and refused.headers["Allow"] == "GET, HEAD"
    assert refused.json()["code"] == "method_not_allowed"
    assert page(stack, path, "HEAD").status_code == 200


def test_nothing_beside_the_page_is_served(stack):
    for path in "/docs/nothing", "/docs/../openapi.json", "/docs../openapi.json", "/docs/%2e%2e/nginx.conf":
        assert page(stack, path).status_code in (400, 404), path
