"""docs/API.md, from the document."""
import json

_HOST = "https://HOST"
_WHO = {(): "anybody", ("Bearer",): "a token", ("ApiKey", "Bearer"): "an administrator's API key or token",
        ("ApiKey", "ApiKeyInQuery", "Bearer"): "an API key or a token", ("ServerKey",): "an Asterisk server's API key"}
_TYPICAL = ("key_missing", "unavailable")  # shown where an operation has no error of its own
_HEADER = {"ApiKey": ['-H "X-API-KEY: $KEY"'], "ServerKey": ['-H "X-API-KEY: $KEY"'],
           "Bearer": ['-H "Authorization: Bearer $TOKEN"'], None: []}


def _ways(operation) -> tuple:
    """To come in, by name."""
    return tuple(name for way in operation["security"] for name in way)


def block(language, text) -> str:
    return f"```{language}\n{text}\n```\n"


def pretty(value) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def resolved(document, node):
    """The node, or what it refers to; what is said beside a reference stays."""
    while "$ref" in node:
        target = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
    return node


def anchor(method, path) -> str:
    """As GitHub makes it from the heading."""
    return f"{method}-{path}".lower().translate(str.maketrans({letter: None for letter in "/{}"}))


def example_request(document, method, path, operation) -> str:
    """What a shell would say."""
    words = ["curl", *_HEADER[next(iter(_ways(operation)), None)]]
    query, headers = [], []
    for parameter in (resolved(document, each) for each in operation.get("parameters", [])):
        if "x-instead-of" in parameter:
            continue
        value = parameter.get("example", 1)
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", str(value))
        elif parameter["in"] == "header":
            headers.append(f"-H '{parameter['name']}: {value}'")
        else:
            query.append(f"{parameter['name']}={value}")
    words += headers
    body = operation.get("requestBody")
    if body:
        kind, content = next(iter(body["content"].items()))
        is_json = kind == "application/json"
        sent = json.dumps(content["example"], ensure_ascii=False)
        words += [f'-H "Content-Type: {kind}"', f"-d '{sent}'" if is_json else "--data-binary @FILE"]
    elif method != "get":
        words += [f"-X {method.upper()}"]
    address = _HOST + document["servers"][0]["url"] + path + ("?" + "&".join(query) if query else "")
    words.append(f'"{address}"' if query else address)
    return " \\\n     ".join([" ".join(words[:2]), *words[2:]])


def type_of(schema) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kind = schema.get("format", schema.get("type", ""))
    low, high = schema.get("minimum"), schema.get("maximum")
    return f"{kind}, {low} to {high}" if high is not None else str(kind)


def parameter_table(document, operation):
    parameters = [resolved(document, parameter) for parameter in operation.get("parameters", [])]
    if not parameters:
        return
    yield "| parameter | in | type | |\n|---|---|---|---|"
    for parameter in parameters:
        schema = resolved(document, parameter["schema"])
        default = f" Default {schema['default']}." if "default" in schema else ""
        yield (f"| `{parameter['name']}` | {parameter['in']} | {type_of(schema)} "
               f"| {parameter.get('description', '')}{default} |")
    yield ""


def errors_of(operation):
    """status, code, example of every error, in order of status."""
    for status, response in sorted(operation["responses"].items()):
        if status in ("200", "default"):
            continue
        content = response["content"]["application/json"]
        examples = content.get("examples") or {"": {"value": content["example"]}}
        for example in examples.values():
            yield int(status), example["value"]["code"], example["value"]


def operation_text(document, method, path, operation, usual):
    yield f"### {method.upper()} {path}\n"
    scopes = [scope for way in operation["security"][:1] for needed in way.values() for scope in needed]
    needs = f", scope `{scopes[0]}`" if scopes else ""
    yield f"**{operation['summary']}** For {_WHO[_ways(operation)]}{needs}.\n"
    if operation["description"]:
        yield operation["description"] + "\n"
    yield from parameter_table(document, operation)
    yield block("sh", example_request(document, method, path, operation))
    form, good = next(iter(operation["responses"]["200"]["content"].items()))
    yield block("json", pretty(good["example"])) if form == "application/json" else block("", good["example"].rstrip())
    errors = list(errors_of(operation))
    own = [error for error in errors if error[1] not in usual]
    shown = ", ".join(f"{status} `{code}`" for status, code, _ in errors if code not in usual)
    yield (f"Errors: {shown}, and the usual ones. For example:\n" if shown else "Errors: the usual ones. For example:\n")
    yield block("json", pretty((own or [error for error in errors if error[1] in _TYPICAL])[0][2]))


def error_table(pieces):
    yield "| code | status | example | what to do |\n|---|---|---|---|"
    for code, about in pieces.errors["codes"].items():
        statuses = ", ".join(str(status) for status in sorted(pieces.statuses_of(code)))
        yield f"| `{code}` | {statuses} | {about['detail']} | {about['do']} |"


def contents(document):
    for tag in document["tags"]:
        yield f"**{tag['name']}**\n"
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                if operation["tags"] == [tag["name"]]:
                    yield f"* [{method.upper()} {path}](#{anchor(method, path)}) {operation['summary']}"
        yield ""


def page(document, pieces) -> str:
    usual = set(pieces.errors["everywhere"]["CLIENT"])
    lines = [f"# {document['info']['title']}: API reference\n",
             "<!-- Made by `make docs` from fcgi/routes.def and docs/openapi/: change those. -->\n",
             "The same, as a page to try things on: `/docs`. For programs: `/api/v1/openapi.json` (OpenAPI 3.1).\n",
             *contents(document), document["info"]["description"] + "\n"]
    for tag in document["tags"]:
        lines += [f"## {tag['name']}\n", tag["description"] + "\n"]
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                if operation["tags"] == [tag["name"]]:
                    lines += operation_text(document, method, path, operation, usual)
    usual_list = ", ".join(f"`{code}`" for code in pieces.errors["everywhere"]["CLIENT"])
    lines += ["## All errors\n", f"The usual ones: {usual_list}.\n", *error_table(pieces)]
    return "\n".join(lines).rstrip() + "\n"
