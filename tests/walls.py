"""nginx as an attacker meets it: requests byte by byte, from any address of 127/8, and a second nginx with limits of
the test's choice before the stack's workers."""
import contextlib
import copy
import json
import re
import socket
import ssl
import tempfile
import types
import urllib.parse
from pathlib import Path

from stack import certs, nginx, ports


SNIPPETS = Path(__file__).resolve().parent.parent / "nginx/snippets"


@contextlib.contextmanager
def wall(stack, *, plain_http=False, pages=None, **options):
    """Another nginx, with these options in [nginx] and the defaults for all others: its base_url, http_url, ca_file,
    access_log and error_log. pages(folder) makes what the operator adds: locations; folder is one that nginx may enter."""
    folder = Path(tempfile.mkdtemp(dir=stack.stack.folder, prefix="wall-"))
    folder.chmod(0o755)  # nginx's workers are another account when we are root
    tls = stack.stack.folder / "tls"
    ccs = copy.copy(stack.stack.ccs)
    ccs.conf, ccs.log_dir = folder / "ccs.conf", folder
    others = re.sub(r"(?ms)^\[nginx\]\n.*?(?=^\[|\Z)", "", stack.stack.ccs.conf.read_text())
    ccs.conf.write_text(f"{others}\n[nginx]\n"
                        + "".join(f"{name} = {value}\n" for name, value in options.items()))
    ccs.conf.chmod(0o600)
    more = {}
    if pages:
        more["PAGES"] = folder / "pages.conf"
        more["PAGES"].write_text(pages(folder))
    server = nginx.Nginx(folder, ccs, None)
    with ports.Lease() as lease:
        plain = f"{ports.HOST}:{lease.port()}" if plain_http else ""
        try:
            server.configure(certs.Certs(tls / "ca.pem", tls / "server.pem", tls / "server.key"),
                             HTTP_LISTEN=plain, **more)
            server.start()
            yield types.SimpleNamespace(
                base_url=f"https://{ports.HOST}:{server.port}", http_url=f"http://{plain}",
                ca_file=stack.ca_file,
                access_log=folder / "access.log", error_log=folder / "error.log")
        finally:
            server.down()


def address(url):
    where = urllib.parse.urlsplit(url)
    return where.hostname, where.port


def get(path, *lines):
    """A request for path that ends its connection. lines are headers, a Host among them replaces ours."""
    hosts = [] if any(line.startswith("Host:") for line in lines) else ["Host: localhost"]
    return "\r\n".join([f"GET {path} HTTP/1.1", *hosts, "Connection: close", *lines, "",
                        ""]).encode()


def connect(url, *, source=None):
    """A socket to the server of url, speaking TLS without a look at its certificate if it is https://. source is
    the address in 127/8 to come from."""
    plain = socket.create_connection(address(url), timeout=15,
                                     source_address=(source, 0) if source else None)
    if not url.startswith("https"):
        return plain
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(plain, server_hostname="localhost")


def read_answer(reply):
    """Status, headers in lower case, body, from a file."""
    status = int(reply.readline().split()[1])
    headers = {}
    while (line := reply.readline().strip()):
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    body = b""
    if headers.get("transfer-encoding") == "chunked":
        while size := int(reply.readline(), 16):
            body += reply.read(size)
            reply.readline()
        reply.readline()
    elif "content-length" in headers:
        body = reply.read(int(headers["content-length"]))
    else:
        body = reply.read()
    return status, headers, body


def send_raw(url, request, *, source=None):
    """What comes back for these very bytes."""
    with connect(url, source=source) as sock, sock.makefile("rb") as reply:
        sock.sendall(request)
        return read_answer(reply)


def check_envelope(answer, status, code=None):
    """An error as the API writes it, whoever has written it."""
    got, headers, body = answer
    assert got == status
    assert headers["content-type"] == "application/json"
    assert headers["cache-control"] == "no-store"
    said = json.loads(body)
    assert said["status_code"] == status
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", said["timestamp"])
    assert said["request_id"] == headers["x-request-id"]
    assert isinstance(said["detail"], str) and isinstance(said["code"], str)
    assert code in (None, said["code"])
    if status == 429:
        assert re.fullmatch(r"[1-9]\d*", headers["retry-after"])
