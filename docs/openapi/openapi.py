#!/usr/bin/python3
"""The OpenAPI document of the API: what `ccs-api --print-routes` serves, described by the files of this folder.

  openapi.py json < ROUTES       as it is served at /api/v1/openapi.json
  openapi.py contract < ROUTES   the same for a judge of answers: nothing that is not described may be in them
  openapi.py markdown < ROUTES   docs/API.md

A route finds its piece by its name: `operations: <name>:` in the file of a tag. From the route come method, path, summary,
path parameters and credentials; from the piece what is asked and answered:

  description   prose
  deprecated    true: it will go
  parameters    of the query; a word names one of api.yaml's
  request       schema, example; `form: true` where a form is taken, too; `optional: true` where none need come; or
                files: an example for each type that is taken as it is
  answer        of the 200: description, schema, example, headers
  errors        code of errors.yaml: its detail here, or nothing for the usual one
  responses     of other statuses, as OpenAPI has them, where an error is more than an error

A route without a piece is described by its line alone; tests/contract/test_openapi.py says so.
"""
import copy
import json
import re
import sys
from pathlib import Path

import yaml

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
_PARAMETER = re.compile(r"\{(\w+):(\w+)\}")
_LIMIT_HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
_SECURITY = {"PUBLIC": [], "USER": ["Bearer"], "CLIENT": ["ApiKey", "ApiKeyInQuery", "Bearer"],
             "ADMIN": ["ApiKey", "Bearer"], "SERVER": ["ServerKey"]}
_ERROR_HEADERS = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}
_TIMESTAMP = "2026-11-22T09:00:00Z"
_REQUEST_ID = "8c2f42342d554bd2d957a6c10ded7c0d"


def read(name):
    return yaml.safe_load((FOLDER / name).read_text())


def file_of(tag) -> str:
    return f"{tag.lower().replace(' ', '-')}.yaml"


class Pieces:
    """What the files of this folder say."""

    def __init__(self):
        self.api = read("api.yaml")
        self.errors = read("errors.yaml")
        self.tags = {tag: read(file_of(tag)) for tag in self.api["tags"]}
        self.of_route = {name: (tag, piece) for tag, file in self.tags.items()
                         for name, piece in file["operations"].items()}

    def status_of(self, code) -> int:
        return self.errors["codes"][code]["status"]

    def statuses_of(self, code) -> set:
        return {self.status_of(code), *self.errors["also"].get(code, [])}


def ref(kind, name):
    return {"$ref": f"#/components/{kind}/{name}"}


def path_of(route) -> str:
    """The route's path as OpenAPI writes it."""
    return _PARAMETER.sub(r"{\1}", route["path"])


def path_parameters(route, piece):
    texts = piece.get("path", {})
    for name, kind in _PARAMETER.findall(route["path"]):
        schema = ref("schemas", "Id") if kind == "id" else {"type": "string"}
        given = texts.get(name, {})
        yield {"name": name, "in": "path", "required": True, "schema": given.get("schema", schema),
               **{key: given[key] for key in ("description", "example") if key in given}}


def query_parameters(piece):
    for parameter in piece.get("parameters", []):
        yield ref("parameters", parameter) if isinstance(parameter, str) else parameter


def security(route):
    """Ways to come in. OpenAPI lets each name what is required beside it: of a key, its scope."""
    scopes = [] if route["scope"] == "NONE" else [route["scope"].lower()]
    return [{way: [] if way == "Bearer" else scopes} for way in _SECURITY[route["who"]]]


def is_repeatable(route) -> bool:
    """Does it take an Idempotency-Key?"""
    return route["who"] == "CLIENT" and route["method"] not in ("GET", "DELETE") and route["pool"] != "LOAD"


def takes_no_key(route) -> bool:
    """Is an Idempotency-Key refused? What is repeated there is known by other things."""
    return route["method"] in ("POST", "PUT", "PATCH") and (route["who"] == "ADMIN" or route["pool"] == "LOAD")


def request_body(request):
    if "files" in request:
        return {"required": True, "content": {kind: {"schema": {"type": "string"}, "example": example}
                                              for kind, example in request["files"].items()}}
    content = {"schema": request["schema"], "example": request["example"]}
    body = {"required": not request.get("optional", False), "content": {"application/json": content}}
    if request.get("form"):
        body["content"]["application/x-www-form-urlencoded"] = {"schema": request["schema"]}
    return body


def headers(names):
    return {name: ref("headers", name) for name in names}


def good_answer(route, piece):
    answer = piece.get("answer", {"description": route["summary"], "schema": {"type": "object"}, "example": {}})
    limits = () if route["who"] in ("PUBLIC", "ADMIN", "SERVER") else _LIMIT_HEADERS
    if is_repeatable(route):
        limits += ("Idempotent-Replayed",)
    return {"description": answer["description"],
            "headers": {**headers(("X-Request-Id", *limits)), **answer.get("headers", {})},
            "content": {**({"application/json": {"schema": answer["schema"], "example": answer["example"]}} if "schema" in answer else {}),
                        **answer.get("also", {})}}


def error_example(status, code, detail):
    return {"detail": detail, "status_code": status, "timestamp": _TIMESTAMP, "code": code,
            "request_id": _REQUEST_ID}


def error_answers(pieces, route, piece):
    """status -> response, of what this operation may refuse and of what any may."""
    usual = pieces.errors["everywhere"][route["who"]] + pieces.errors["of_pool"].get(route["pool"], [])
    if is_repeatable(route):
        usual += pieces.errors["of_writes"]
    if takes_no_key(route):
        usual += pieces.errors["of_keyless_writes"]
    details = {code: None for code in usual}
    details.update(piece.get("errors") or {})
    by_status = {}
    for code, detail in details.items():
        about = pieces.errors["codes"][code]
        by_status.setdefault(about["status"], {})[code] = {
            "summary": about["do"], "value": error_example(about["status"], code, detail or about["detail"])}
    return {str(status): {
        "description": ", ".join(examples),
        "headers": headers(("X-Request-Id", *_ERROR_HEADERS.get(status, ()))),
        "content": {"application/json": {"schema": ref("schemas", "Error"), "examples": examples}},
    } for status, examples in sorted(by_status.items())}


def operation(pieces, route):
    tag, piece = pieces.of_route.get(route["name"], (pieces.api["tags"][0], {}))
    parameters = [*path_parameters(route, piece), *query_parameters(piece)]
    if is_repeatable(route):
        parameters.append(ref("parameters", "Idempotency-Key"))
    described = {"operationId": route["name"], "tags": [tag], "summary": route["summary"],
                 "description": piece.get("description", "").strip(), "security": security(route)}
    if piece.get("deprecated"):
        described["deprecated"] = True
    if parameters:
        described["parameters"] = parameters
    if "request" in piece:
        described["requestBody"] = request_body(piece["request"])
    described["responses"] = {
        "200": good_answer(route, piece), **error_answers(pieces, route, piece),
        **{str(status): response for status, response in piece.get("responses", {}).items()},
        "default": ref("responses", "Error")}
    return described


def components(pieces):
    made = copy.deepcopy(pieces.api["components"])
    for file in pieces.tags.values():
        made["schemas"].update(file.get("schemas", {}))
    made["responses"] = {"Error": {
        "description": "What stands in front of the API says no in the same form.",
        "headers": headers(("X-Request-Id",)),
        "content": {"application/json": {
            "schema": ref("schemas", "Error"),
            "example": error_example(504, "timeout", "the answer took too long; it is not known whether the "
                                                     "request took effect")}}}}
    return made


def document(pieces, routes) -> dict:
    """The document for these routes. Routes and pieces may not match: a test tells."""
    api = pieces.api
    paths, names = {}, set()
    for route in routes:
        described = operation(pieces, route)
        if route["name"] in names:  # another method of the same
            described["operationId"] += f"_{route['method'].lower()}"
        names.add(route["name"])
        paths.setdefault(path_of(route), {})[route["method"].lower()] = described
    version = (ROOT / "VERSION").read_text().strip()
    return {"openapi": api["openapi"],
            "info": {**api["info"], "version": version, "description": (FOLDER / "intro.md").read_text().strip()},
            "servers": api["servers"],
            "tags": [{"name": tag, "description": file["about"]} for tag, file in pieces.tags.items()],
            "paths": paths, "components": components(pieces),
            **{key: value for key, value in api.items() if key.startswith("x-")}}


# For a judge of answers


def close(schema):
    """No object may have a member that is not described."""
    if isinstance(schema, dict):
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
        for value in schema.values():
            close(value)
    elif isinstance(schema, list):
        for value in schema:
            close(value)


def closed_error(pieces, codes, status=None):
    """The schema of errors with one of these codes and, if given, this status."""
    member = {"enum": sorted(codes)}
    of_status = {"status_code": {"const": status}} if status else {}
    return {"allOf": [ref("schemas", "Error"), {"properties": {"code": member, **of_status}}]}


def used_by(node, schemas, found):
    """Adds the names of the shared schemas that this one needs."""
    if isinstance(node, dict):
        name = str(node.get("$ref", "")).removeprefix("#/components/schemas/")
        if name in schemas and name not in found:
            found.add(name)
            used_by(schemas[name], schemas, found)
    for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        used_by(value, schemas, found)
    return found


def close_answers(pieces, method):
    for status, response in method["responses"].items():
        content = response.get("content", {}).get("application/json")
        if content and content["schema"] == ref("schemas", "Error"):
            content["schema"] = closed_error(pieces, content["examples"], int(status))
        elif content:
            close(content["schema"])


def named(method, suffix):
    return {**copy.deepcopy(method), "operationId": f"{method['operationId']}_{suffix}"}


def without_body(method):
    """HEAD of a GET."""
    made = named(method, "head")
    for response in made["responses"].values():
        response.pop("content", None)
    return made


def contract(pieces, routes) -> dict:
    """The document with closed answers, the codes of each status, HEAD, and addresses whole, with and without a last slash.
    What has no piece is left out: nothing is known of its answers."""
    made = copy.deepcopy(document(pieces, [route for route in routes if route["name"] in pieces.of_route]))
    shared, prefix, paths = made["components"]["schemas"], made["servers"][0]["url"], {}
    asked = set()
    for path, methods in made["paths"].items():
        for method in methods.values():
            used_by(method.get("requestBody"), shared, asked)
            close_answers(pieces, method)
        if "get" in methods:
            methods["head"] = without_body(methods["get"])
        paths[prefix + path] = methods
        paths[f"{prefix}{path}/"] = {name: named(method, "slash") for name, method in methods.items()}
    for name in shared.keys() - asked:
        close(shared[name])
    close(made["x-websocket"])
    in_front = [code for code, about in pieces.errors["codes"].items()
                if code in pieces.errors["also"] or about["status"] in (500, 503)]
    made["components"]["responses"]["Error"]["content"]["application/json"]["schema"] = closed_error(pieces, in_front)
    return {**made, "paths": paths, "servers": [{"url": "/"}]}


def main(words):
    makers = {"json": document, "contract": contract}
    if len(words) != 1 or words[0] not in (*makers, "markdown"):
        sys.exit(__doc__)
    routes = json.load(sys.stdin)
    pieces = Pieces()
    if words[0] == "markdown":
        from reference import page  # noqa: PLC0415  (beside this file)
        print(page(document(pieces, routes), pieces), end="")
    else:
        print(json.dumps(makers[words[0]](pieces, routes), indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main(sys.argv[1:])
