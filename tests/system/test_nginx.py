"""Our templates in the nginx of this machine: it has nothing against them, and speaks HTTP/2 to whoever wants that,
and keeps its connections to the fast pool."""
import subprocess
from pathlib import Path

import pytest

TEMPLATES = Path(__file__).resolve().parents[2] / "nginx"
ME = "/clients/me"
STATUS = "/monitoring/status"  # never answered by another pool


@pytest.fixture(scope="module")
def client(stack):
    return stack.new_client("NGINX")


def render(stack, template, **values):
    done = subprocess.run([TEMPLATES / "render", TEMPLATES / template, "-",
                           *(f"{name}={value}" for name, value in values.items())],
                          input=stack.stack.ccs.nginx_values(), capture_output=True, text=True,
                          check=True)
    return done.stdout


def lines_for(stack, version):
    """ccs.conf for that version of nginx."""
    text = render(stack, "ccs.conf.in", NGINX_VERSION=version, LISTEN="127.0.0.1:8443",
                  CERTIFICATE="/c", CERTIFICATE_KEY="/k", LOG_DIR="/l", ROUTES="/s", DOCS="/d")
    return [line.strip() for line in text.splitlines()]


@pytest.mark.parametrize("version", ["1.18.0", "1.22.1", "1.25.0"])
def test_http2_belongs_to_listen_until_nginx_1_25_0(stack, version):
    lines = lines_for(stack, version)
    assert "listen 127.0.0.1:8443 ssl http2 rcvbuf=256k;" in lines
    assert not any(line.startswith("http2 ") for line in lines)


@pytest.mark.parametrize("version", ["1.25.1", "1.26.3", "1.100.0", "2.0.0"])
def test_http2_is_a_directive_from_nginx_1_25_1_on(stack, version):
    lines = lines_for(stack, version)
    assert "listen 127.0.0.1:8443 ssl rcvbuf=256k;" in lines
    assert lines.count("http2 on;") == 1


def test_nginx_has_nothing_to_say_about_the_configuration(stack, tmp_path):
    """Of the stack, with a server for plain HTTP besides."""
    whole, ours, tls = tmp_path / "nginx.conf", tmp_path / "ccs.conf", stack.stack.folder / "tls"
    ours.write_text(render(
        stack, "ccs.conf.in", LISTEN=f"127.0.0.1:{stack.stack.nginx.port}", HTTP_LISTEN="127.0.0.1:8080",
        CERTIFICATE=tls / "server.pem", CERTIFICATE_KEY=tls / "server.key", LOG_DIR=tmp_path,
        TRUSTED_PROXIES="192.0.2.1 2001:db8::/32",
        ALLOWED_ORIGINS="https://a.example https://b.example:8443", ROUTES=stack.stack.nginx.folder / "routes.conf",
        DOCS=stack.stack.nginx.folder / "docs.conf"))
    whole.write_text(render(stack, "nginx.conf.in", DIR=tmp_path, LOG_DIR=tmp_path, CCS_CONF=ours))
    done = subprocess.run(["nginx", "-t", "-p", tmp_path, "-c", whole], capture_output=True, text=True,
                          check=False, env={"PATH": "/usr/sbin:/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr
    assert [line.rpartition(" ")[2] for line in done.stderr.splitlines()] == ["ok", "successful"], done.stderr


def test_nginx_started_without_a_warning(stack):
    log = (stack.stack.log_dir / "nginx.log").read_text()
    assert "start worker process" in log
    assert not [line for line in log.splitlines() if "[notice]" not in line]


def curl(stack, client, path, *options):
    """The version of HTTP that was spoken, the status, the body."""
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--cacert", stack.ca_file, "-H", f"X-API-KEY: {client.key}",
         "--write-out", "\n%{http_version} %{http_code}", *options, f"{stack.base_url}/api/v1{path}"],
        capture_output=True, text=True, check=True)
    body, _, spoken = done.stdout.rpartition("\n")
    version, status = spoken.split()
    return version, int(status), body


@pytest.mark.parametrize("option, version", [("--http2", "2"), ("--http1.1", "1.1")])
def test_a_client_chooses_the_version_of_http(stack, client, option, version):
    spoken, status, body = curl(stack, client, ME, option)
    assert (spoken, status) == (version, 200)
    assert body == client.api.get(ME).body.decode()


def test_many_requests_at_once_on_one_http2_connection(stack, client, tmp_path):
    urls = tmp_path / "urls"
    urls.write_text(f"url = {stack.base_url}/api/v1{ME}\noutput = /dev/null\n" * 50)
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--cacert", stack.ca_file, "-H", f"X-API-KEY: {client.key}",
         "--http2", "--parallel", "--write-out", "%{http_version} %{http_code} %{num_connects}\n",
         "--config", urls], capture_output=True, text=True, check=True)
    answers = [line.split() for line in done.stdout.splitlines()]
    assert [answer[:2] for answer in answers] == [["2", "200"]] * 50
    assert sum(int(answer[2]) for answer in answers) < 50


def connections(stack, pool):
    """Those that a pool of ccs-api has accepted and not closed, as the kernel lists them: by the name that the socket
    was bound to, before it was renamed."""
    socket = str(stack.stack.ccs.run_dir / f"api-{pool}.sock.new")
    with open("/proc/net/unix", encoding="utf-8") as table:
        rows = [line.split() for line in table]
    return {row[6] for row in rows if row[5] == "03" and row[7:] == [socket]}


def test_the_fast_pool_has_kept_connections_and_the_others_have_none(stack, client):
    client.api.get(STATUS)
    kept = connections(stack, "fast")
    for _ in range(50):
        client.api.get(STATUS)
        client.api.get("/monitoring/callingsummary")
    assert kept & connections(stack, "fast")
    stack.wait_until(lambda: not connections(stack, "sql"), "the sql pool has closed its connections")
