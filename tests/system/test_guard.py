"""What nginx serves without us, behind the guard: pages, and programs that are told who asks."""
import contextlib
import json
import re
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
from fcgi_echo import fcgi_echo
from places import ROOT
from stack.api import Api
from test_wall import random_key
from walls import SNIPPETS, check_envelope, get, send_raw, wall

PAGE = "/pages/report.txt"
PHP = "/pages/report.php"
SECRET = "calls of today"


def locations(php, folder):
    """As docs/OPERATIONS.md says, with our echo in the place of PHP."""
    (folder / "pages").mkdir()
    (folder / "pages/report.txt").write_text(SECRET)
    return f"""
        location /pages/ {{
            include {SNIPPETS}/ccs-guard.conf;
            root {folder};
        }}
        location ~ ^/pages/.+\\.php$ {{
            include {SNIPPETS}/ccs-guard.conf;
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param CONTENT_LENGTH $content_length;
            include {SNIPPETS}/ccs-identity.conf;
            fastcgi_pass unix:{php};
        }}
        location /broken/ {{
            include {SNIPPETS}/ccs-guard.conf;
            proxy_pass http://unix:{folder}/nobody.sock;
        }}"""


@pytest.fixture(scope="module")
def gate(stack):
    with tempfile.TemporaryDirectory(dir=stack.stack.folder, prefix="php-") as folder:
        Path(folder).chmod(0o755)
        php = Path(folder) / "php.sock"
        with fcgi_echo(php), wall(stack, pages=lambda folder: locations(php, folder)) as gate:
            yield gate


@pytest.fixture(scope="module")
def client(stack):
    return stack.new_client("GUARDED")


def token_of(client):
    answer = client.api.post("/auth/login", {"username": client.username,
                                             "password": client.password})
    return answer.ok["access_token"]


def ask(gate, path, *lines, key=None):
    return send_raw(gate.base_url, get(path, *([f"X-API-KEY: {key}"] if key else []), *lines))


def status_of(gate, key):
    return ask(gate, PAGE, key=key)[0]


@pytest.mark.parametrize("way", ["header", "bearer", "query", "token"])
def test_a_page_is_shown_to_a_client(gate, client, way):
    path, line = {"header": (PAGE, f"X-API-KEY: {client.key}"),
                  "bearer": (PAGE, f"Authorization: Bearer {client.key}"),
                  "query": (f"{PAGE}?a=b&x-api-key={client.key}&c=d", "Accept: */*"),
                  "token": (PAGE, f"Authorization: Bearer {token_of(client)}")}[way]
    status, _, body = ask(gate, path, line)
    assert (status, body.decode()) == (200, SECRET)


@pytest.mark.parametrize("lines, status, code", [
    ((), 401, "key_missing"),
    (("X-API-KEY: wrong",), 401, "key_malformed"),
    ((f"X-API-KEY: {random_key()}",), 401, "key_unknown"),
    (("Authorization: Bearer e30.e30.e30",), 401, "token_invalid"),
    (("X-API-KEY: wrong", "Authorization: Bearer other"), 400, "two_identities")])
@pytest.mark.parametrize("path", [PAGE, PHP, "/broken/", "/pages/no-such-page"])
def test_nobody_else_sees_what_is_there_or_whether(gate, path, lines, status, code):
    answer = ask(gate, path, *lines)
    check_envelope(answer, status, code)
    if status == 401:
        assert "Bearer" in answer[1]["www-authenticate"]


def test_a_query_that_cannot_be_read(gate):
    check_envelope(ask(gate, f"{PAGE}?x-api-key=%zz"), 400, "bad_request")


def test_an_inactive_client_is_told_so(stack, gate):
    gone = stack.new_client("GUARDGONE")
    assert status_of(gate, gone.key) == 200
    gone.set_active(False)
    stack.wait_until(lambda: status_of(gate, gone.key) == 403, "the guard knows it")
    check_envelope(ask(gate, PAGE, key=gone.key), 403, "client_inactive")


def test_a_replaced_key_is_good_no_longer(stack, gate):
    replaced = stack.new_client("GUARDNEW")
    new = replaced.api.post("/clients/regenerate-api-key").ok["api_key"]
    check_envelope(ask(gate, PAGE, key=replaced.key), 401)
    assert status_of(gate, new) == 200


def echoed(answer):
    assert answer[0] == 200
    return json.loads(answer[2])


def test_a_program_is_told_who_asks(gate, client):
    said = echoed(ask(gate, PHP, f"X-API-KEY: {client.key}"))["params"]
    assert said["HTTP_X_CCS_CLIENT"] == str(client.client_id)
    assert said["HTTP_X_CCS_ACCOUNTCODE"] == client.accountcode
    assert said["HTTP_X_CCS_SCOPES"] == "read,dial,admin"
    said = echoed(ask(gate, PHP, f"Authorization: Bearer {token_of(client)}"))["params"]
    assert said["HTTP_X_CCS_CLIENT"] == str(client.client_id)
    assert said["HTTP_X_CCS_SCOPES"] == "read,dial,admin,account"


def test_nobody_says_who_he_is_himself(stack, gate, client):
    names = ["X-Ccs-Client", "x-ccs-client", "X_Ccs_Client", "X-Ccs-Accountcode", "X-Ccs-Scopes"]
    lines = [f"{name}: {stack.client.client_id}" for name in names]
    said = echoed(ask(gate, PHP, f"X-API-KEY: {client.key}", "X-Mine: yes", *lines))["params"]
    assert said["HTTP_X_CCS_CLIENT"] == str(client.client_id)
    assert said["HTTP_X_CCS_ACCOUNTCODE"] == client.accountcode
    assert said["HTTP_X_CCS_SCOPES"] == "read,dial,admin"
    assert said["HTTP_X_MINE"] == "yes"  # other headers do arrive
    check_envelope(ask(gate, PHP, *lines), 401, "key_missing")


def test_the_credential_stays_at_the_door(gate, client):
    for line in f"X-API-KEY: {client.key}", f"Authorization: Bearer {client.key}":
        assert client.key not in json.dumps(echoed(ask(gate, PHP, line)))


def test_a_body_passes_the_guard(gate, client):
    body = b'{"month": 11}'
    request = get(PHP, f"X-API-KEY: {client.key}", f"Content-Length: {len(body)}")
    answer = send_raw(gate.base_url, request.replace(b"GET", b"POST", 1) + body)
    assert echoed(answer)["body"] == body.decode()
    assert echoed(answer)["params"]["REQUEST_METHOD"] == "POST"


def test_the_question_is_nobody_elses(gate, client):
    for path in "/ccs-auth", "/ccs-unanswered", "/pages/../ccs-auth", "/ccs%2dauth":
        check_envelope(ask(gate, path, key=client.key), 404, "not_found")


def test_what_is_guarded_counts_as_no_request(stack, gate):
    counted = stack.new_client("UNCOUNTED", requests_per_minute=1)
    for _ in range(3):
        assert status_of(gate, counted.key) == 200
    assert counted.api.get("/clients/me").status == 200


def test_an_error_behind_the_guard_is_its_own(gate, client):
    check_envelope(ask(gate, "/broken/", key=client.key), 502, "unavailable")
    check_envelope(ask(gate, "/pages/no-such-page", key=client.key), 404, "not_found")


@contextlib.contextmanager
def away(stack, part):
    stack.kill(part)
    try:
        yield
    finally:
        stack.start(part)
        stack.wait_ready()


def test_without_a_dispatcher_postgresql_answers(stack, gate, client):
    with away(stack, "dispatcher-holder"):
        stack.wait_until(lambda: client.api.get("/monitoring/health").status == 503,
                         "its heartbeat is stale")
        assert status_of(gate, client.key) == 200
        assert echoed(ask(gate, PHP, key=client.key))["params"]["HTTP_X_CCS_CLIENT"]
        check_envelope(ask(gate, PAGE, key=random_key()), 401, "key_unknown")


def test_without_postgresql_the_segment_answers_for_those_it_knows(stack, gate, client):
    assert status_of(gate, client.key) == 200
    with away(stack, "postgres"):
        assert status_of(gate, client.key) == 200
        answer = ask(gate, PAGE, key=random_key())
        check_envelope(answer, 503, "unavailable")
        assert int(answer[1]["retry-after"]) > 0


def test_without_the_api_nobody_passes(stack, gate, client):
    workers = stack.children("api")
    with away(stack, "api"):
        stack.wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers),
                         "its workers have followed it")
        check_envelope(ask(gate, PAGE, key=client.key), 502, "unavailable")
    stack.wait_until(lambda: Api(gate.base_url, client.key, ca_file=gate.ca_file)
                     .get("/clients/me").status == 200, "the API is back")


@contextlib.contextmanager
def php(stack, path):
    """PHP itself, on that Unix socket."""
    def listens():
        with socket.socket(socket.AF_UNIX) as sock:
            return sock.connect_ex(str(path)) == 0

    server = subprocess.Popen(["php-cgi", "-b", str(path)])
    try:
        stack.wait_until(listens, "PHP listens")
        path.chmod(0o666)  # nginx's workers are another account when we are root
        yield
    finally:
        server.terminate()
        server.wait()


def test_the_snippet_for_php_runs(stack, client):
    """The example and the page of docs/OPERATIONS.md as they are, but for the example's paths."""
    manual = (ROOT / "docs/OPERATIONS.md").read_text()
    example = (SNIPPETS / "php.conf.example").read_text()
    location = example[example.index("location"):]
    assert "".join(f"    {line}".replace("\t", "    ") for line in location.splitlines(keepends=True)) in manual
    with tempfile.TemporaryDirectory(dir=stack.stack.folder, prefix="php-") as folder:
        www = Path(folder)
        www.chmod(0o755)
        (www / "pages").mkdir()
        (www / "pages/hello.php").write_text(re.search(r"^    (<\?php .*)$", manual, re.MULTILINE)[1])
        here = {"/usr/share/ccs/nginx/snippets": SNIPPETS, "/var/www": www, "/run/php/php-fpm.sock": www / "php.sock"}
        for written, path in here.items():
            assert written in location
            location = location.replace(written, str(path))
        with php(stack, www / "php.sock"), wall(stack, pages=lambda _: location) as gate:
            status, headers, body = ask(gate, "/pages/hello.php", "X-Ccs-Accountcode: SOMEBODY", key=client.key)
            assert (status, body.decode()) == (200, f"Hello, {client.accountcode}")
            assert headers["content-type"].startswith("text/html")
            check_envelope(ask(gate, "/pages/hello.php"), 401)
            assert ask(gate, "/pages/none.php", key=client.key)[0] == 404
