"""Every example of the integration document does what the document says it does.

The examples run as printed, with only host and key replaced: Python with requests and websockets,
JavaScript with node and ws. A block that nobody runs fails the first test.
"""
import ast
import contextlib
import json
import os
import re
import socket
import ssl
import subprocess
import time
from urllib.parse import urlsplit

import pytest
from document import block, blocks, endpoints

RUN = {
    "python": ("# API Key method", "def make_request_with_retry", "class CentralizedCallingClient",
               "websockets.connect", "logging.basicConfig", 'print("Status Code:"',
               "json.dumps(payload, indent=2)", "def check_rate_limits"),
    "javascript": ("// API Key method", "class CentralizedCallingClient", "new WebSocket"),
}
SECONDS = 60


@pytest.fixture(scope="module")
def reader(stack):
    """A client who has just got a key and opens the document."""
    return stack.new_client("READER", callbackurl="https://localhost/callback")


@pytest.fixture
def environment(stack):
    """Makes every example trust our certificate, and find Debian's node modules."""
    certificate = str(stack.ca_file)
    return {**os.environ, "REQUESTS_CA_BUNDLE": certificate, "SSL_CERT_FILE": certificate,
            "NODE_EXTRA_CA_CERTS": certificate, "NODE_PATH": "/usr/share/nodejs",
            "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def run(environment, tmp_path):
    """Runs text as a program and returns what it printed."""

    def run_text(interpreter, text):
        program = tmp_path / "example"
        program.write_text(text)
        done = subprocess.run([interpreter, program], env=environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=SECONDS, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    return run_text


@pytest.fixture
def running(stack, environment, tmp_path):
    """`with running(interpreter, text) as said`: a program that does not end by itself. said(words) waits until it has
    printed them and returns all it has printed."""

    @contextlib.contextmanager
    def running_text(interpreter, text):
        program, output = tmp_path / "example", tmp_path / "output"
        program.write_text(text)
        with open(output, "wb") as file:
            process = subprocess.Popen([interpreter, program], env=environment,
                                       stdin=subprocess.DEVNULL, stdout=file, stderr=file)

        def said(words):
            stack.wait_until(lambda: words in output.read_text(), f"the example says {words!r}")
            return output.read_text()

        try:
            yield said
        finally:
            process.kill()
            process.wait()

    return running_text


@pytest.fixture
def filled_in(stack, reader):
    return lambda language, words, **own: block(language, words).filled_in(stack.base_url, reader.key, **own)


def printed(output, label):
    """The Python value that the example printed after this label."""
    lines = [line for line in output.splitlines() if line.startswith(f"{label}: ")]
    assert len(lines) == 1, output
    return ast.literal_eval(lines[0].removeprefix(f"{label}: "))


@pytest.mark.parametrize("language", RUN)
def test_every_block_is_run(language):
    for one in blocks(language):
        known = [words for words in RUN[language] if words in one.text]
        assert known, f"nobody runs the block on line {one.line}"


def test_G1_G4_G5_G6_python_class(stack, reader, run, filled_in):
    said = run("/usr/bin/python3", filled_in("python", "class CentralizedCallingClient"))
    assert printed(said, "API Health") == {"status": "healthy"}
    assert f"Client: {reader.name} ({reader.accountcode})" in said
    inserted = printed(said, "Queue Insert Result")
    assert inserted["message"] == "Queue data inserted successfully"
    assert (inserted["status"], inserted["batch_id"], inserted["inserted_count"]) \
        == ("success", 12345, 3)
    dispatched = printed(said, "Dispatch Result")
    assert (dispatched["status"], dispatched["dispatched"]) == ("success", 3)
    summary = printed(said, "Today's Call Summary")["summary"]
    assert list(summary) == ["Before 09AM", "09AM-11AM", "11AM-01PM", "01PM-03PM", "03PM-05PM",
                             "05PM-07PM", "After 7PM", "Grand Total"]
    report = reader.wait_finished(12345)
    assert report.dispositions == {"completed": 3}


def test_G2_Q8_javascript_class_after_it_repeats_the_batch_and_dials_nobody_again(reader, run, filled_in):
    said = run("node", filled_in("javascript", "class CentralizedCallingClient"))
    assert "API Health: { status: 'healthy' }" in said
    assert "batch_id: 12345" in said and "inserted_count: 3" in said
    assert "dispatched: 0" in said and "Error" not in said
    report = reader.wait_finished(12345)
    assert report.total == 3 and report.attempts == 3


@pytest.fixture(scope="module")
def token(stack, reader):
    """What the document's login gets: its lines as printed, behind a Host and before a length that programs add."""
    request = block("http", "POST /api/v1/auth/login").filled_in(
        stack.base_url, "", username=reader.username, password=reader.password)
    head, body = request.split("\n\n", 1)
    answer = send(stack, head, body)
    assert answer["token_type"] == "bearer"
    return answer["access_token"]


def send(stack, head, body=""):
    """The JSON of what answers an HTTP request that is written by hand."""
    first, _, fields = head.strip().partition("\n")
    lines = [f"{first} HTTP/1.1", "Host: localhost", *fields.splitlines(), f"Content-Length: {len(body)}",
             "Connection: close", "", body]
    place = urlsplit(stack.base_url)
    context = ssl.create_default_context(cafile=stack.ca_file)
    with socket.create_connection((place.hostname, place.port), timeout=SECONDS) as plain, \
            context.wrap_socket(plain, server_hostname="localhost") as line:
        line.sendall("\r\n".join(lines).encode())
        answer = line.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n"), answer
    return json.loads(answer.split(b"\r\n\r\n", 1)[1])


def test_A2_A3_A4_authentication_as_printed(stack, reader, token, filled_in):
    me = "GET /api/v1/clients/me"
    by_query = filled_in("http", "GET /api/v1/endpoint?x-api-key=").replace("endpoint", "clients/me")
    for request in (f"{me}\n{filled_in('http', 'X-API-KEY: ')}", by_query,
                    f"{me}\n{filled_in('http', 'Authorization: Bearer', jwt_token_here=token)}"):
        assert send(stack, request)["accountcode"] == reader.accountcode


# The example asks for health, which needs neither; so the headers it made are used once more.
def test_A4_python_authentication_example(stack, reader, token, run, filled_in):
    text = filled_in("python", "# API Key method", jwt_token_here=token)
    said = run("/usr/bin/python3", f"""{text}
print(response.status_code, response.json())
print(headers)
print(requests.get("{stack.base_url}/api/v1/clients/me", headers=headers).json()["accountcode"])
""")
    assert said.startswith("200 {'status': 'healthy'}") and f"Bearer {token}" in said
    assert said.splitlines()[-1] == reader.accountcode


@pytest.mark.parametrize("method", ["API Key", "JWT"])
def test_A4_javascript_authentication_example(stack, reader, token, run, filled_in, method):
    # The block declares one const twice, for either method: no program until one is chosen.
    other = {"API Key": "JWT", "JWT": "API Key"}[method]
    text = re.sub(rf"// {other} method\n.*?\n\n", "",
                  filled_in("javascript", "// API Key method", jwt_token_here=token), flags=re.DOTALL)
    said = run("node", f"""{text}
fetch("{stack.base_url}/api/v1/clients/me", {{ headers }}).then(async (it) => console.log((await it.json()).accountcode));
""")
    assert sorted(said.split("\n")) == sorted(["", "{ status: 'healthy' }", reader.accountcode])


def test_X5_rate_limit_helper_gets_its_answer(stack, reader, run, filled_in):
    said = run("/usr/bin/python3", filled_in("python", "def make_request_with_retry") + f"""
print(make_request_with_retry("{stack.base_url}/api/v1/clients/me", {{"X-API-KEY": "{reader.key}"}}))
""")
    assert ast.literal_eval(said)["accountcode"] == reader.accountcode


def test_X7_G8_rate_limit_helper_waits_as_long_as_it_is_told(stack, run, filled_in):
    hasty = stack.new_client("IMPATIENT", requests_per_minute=2)
    # The limit counts by the minute of the clock: not across the end of one.
    stack.wait_until(lambda: time.time() % 60 < 45, "a minute has room")
    for _ in range(3):
        refused = hasty.api.get("/clients/me")
    assert refused.status == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    said = run("/usr/bin/python3", filled_in("python", "def make_request_with_retry") + f"""
time.sleep = lambda seconds: print("slept", seconds)
try:
    make_request_with_retry("{stack.base_url}/api/v1/clients/me", {{"X-API-KEY": "{hasty.key}"}}, 1)
except Exception as error:
    print(error)
""")
    assert "Rate limited. Waiting" in said and said.endswith("Max retries exceeded\n")


def test_E17_F10_python_websocket(stack, reader, asterisk, running, filled_in):
    [answered] = asterisk.numbers("answered", talk=1)
    [busy] = asterisk.numbers("busy")
    with running("/usr/bin/python3", filled_in("python", "websockets.connect")) as said:
        assert "Received event: {'type': 'connected'" in said("'type': 'subscribed'")
        reader.call(answered)
        reader.call(busy)
        assert f"Call started: {answered}" in said(f"Call ended: {answered}, Duration: 1.")
        assert f"Call started: {busy}" in said(f"Call failed: {busy}, Reason: busy")


# The three functions that the example leaves to its reader, and ws in place of a browser's WebSocket.
_HANDLERS = """
globalThis.WebSocket = require('ws');
const say = (word) => (payload) => console.log(word, payload.phone_number, payload.duration, payload.reason);
const handleCallStarted = say('started'), handleCallEnded = say('ended'), handleCallFailed = say('failed');
"""


def test_E17_F10_javascript_websocket(stack, reader, asterisk, running, filled_in):
    [answered] = asterisk.numbers("answered", talk=1)
    [busy] = asterisk.numbers("busy")
    with running("node", _HANDLERS + filled_in("javascript", "new WebSocket")) as said:
        assert said("type: 'subscribed'").startswith("WebSocket connected\n")
        reader.call(answered)
        reader.call(busy)
        assert f"started {answered} undefined" in said(f"ended {answered} 1.")
        assert f"started {busy} undefined" in said(f"failed {busy} 0.")
        stack.stop("relay")
        said("WebSocket disconnected")
    stack.start("relay")


def test_X8_debugging_tips(stack, reader, run, filled_in):
    tips = "\n".join(filled_in("python", words) for words in RUN["python"][4:])
    said = run("/usr/bin/python3", f"""
import requests
url = "{stack.base_url}/api/v1/clients/me"
headers = {{"X-API-KEY": "{reader.key}"}}
payload = {{"batch_id": 1, "data": []}}
{tips}
check_rate_limits(response)
""")
    assert "Status Code: 200" in said and f'"accountcode":"{reader.accountcode}"' in said
    limit = [line for line in said.splitlines() if line.startswith("Rate Limit: ")]
    remaining, of = map(int, limit[0].removeprefix("Rate Limit: ").split("/"))
    assert 0 < remaining < of


ENDPOINTS = endpoints()
NOT_YET_SERVED = set()


def same_shape(printed, answered, where="the answer"):
    """Everything printed is there with its JSON type; more may be there."""
    if isinstance(printed, dict):
        assert isinstance(answered, dict), where
        for name, value in printed.items():
            assert name in answered, f"{where} has no {name}"
            same_shape(value, answered[name], f"{where}.{name}")
    elif isinstance(printed, (int, float)) and not isinstance(printed, bool):
        assert isinstance(answered, (int, float)) and not isinstance(answered, bool), where
        assert isinstance(printed, float) or isinstance(answered, int), where
    else:
        assert isinstance(answered, type(printed)), where


@pytest.mark.parametrize("endpoint", sorted(set(ENDPOINTS) - NOT_YET_SERVED))
def test_endpoint_answers_as_printed(stack, reader, endpoint):
    method, path = endpoint.split()
    path = path.replace("YOUR_ACCOUNT_CODE", reader.accountcode).replace("server1", "ast1")
    printed_answer = ENDPOINTS[endpoint]
    if path == "/clients/allocated-servers":  # a map by server code: ours has other servers
        printed_answer = {"allocated_servers": {"ast1": printed_answer["allocated_servers"]["server1"]}}
    same_shape(printed_answer, reader.api.request(method, path).ok)
