"""The document's JavaScript as its readers use it: on a page, in a browser.

The page is somebody else's, of another origin, so that the browser asks for leave (CORS) before every fetch.
"""
import asyncio
import contextlib
import http.server
import re
import ssl
import threading

import pytest
from browser import page
from document import block
from stack import certs

# The three functions that the example leaves to its reader.
_HANDLERS = """
const say = (word) => (payload) => console.log(word, payload.phone_number, payload.duration, payload.reason);
const handleCallStarted = say('started'), handleCallEnded = say('ended'), handleCallFailed = say('failed');
"""


class Site:
    """A web site with one page, under a certificate: site.script is what runs on it."""

    def __init__(self, certificate, key):
        site = self
        self.script = ""

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                text = f"<!doctype html><meta charset=utf-8><link rel=icon href=data:,><script>{site.script}</script>"
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.origin = f"https://localhost:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def site(stack):
    with contextlib.closing(Site(stack.certificate, stack.certificate.with_suffix(".key"))) as site:
        yield site


@pytest.fixture(scope="module")
def client(stack):
    return stack.new_client("SURFER")


@pytest.fixture
def allowed(stack, site):
    """The API takes requests from the site's pages."""
    with stack.api_configured(allowed_origins=site.origin):
        stack.stack.nginx.reload()
        yield
    stack.stack.nginx.reload()


@pytest.fixture
def filled_in(stack, client):
    return lambda words, **own: block("javascript", words).filled_in(stack.base_url, client.key, **own)


def test_E17_W2_javascript_websocket(stack, site, client, asterisk, filled_in):
    [answered] = asterisk.numbers("answered", talk=1)
    [busy] = asterisk.numbers("busy")
    site.script = _HANDLERS + filled_in("new WebSocket")

    async def watch():
        async with page(site.origin, stack.certificate) as it:
            await it.hear("WebSocket connected")
            await it.hear("Received event:")
            client.call(answered)
            client.call(busy)
            ended, failed = await it.hear(f"ended {answered}"), await it.hear(f"failed {busy}")
            stack.stop("relay")
            await it.hear("WebSocket disconnected")
            return ended, failed, it

    try:
        ended, failed, it = asyncio.run(watch())
    finally:
        stack.start("relay")
    assert re.fullmatch(rf"ended {answered} 1\.\d+ None", ended)
    assert re.fullmatch(rf"failed {busy} 0\.\d+ busy", failed)
    for number in answered, busy:
        assert f"started {number} None None" in it.said
    assert not it.complaints


def test_G9_javascript_class(stack, site, client, filled_in, allowed):
    site.script = filled_in("class CentralizedCallingClient")

    async def use():
        async with page(site.origin, stack.certificate) as it:
            await it.hear("Today's Call Summary:")
            return it

    it = asyncio.run(use())
    assert [line.partition(":")[0] for line in it.said] \
        == ["API Health", "Client", "Queue Insert Result", "Dispatch Result", "Today's Call Summary"]
    assert f"Client: {client.name} ({client.accountcode})" in it.said
    assert not it.complaints
    report = client.wait_finished(12345)
    assert report.dispositions == {"completed": 3}


@pytest.mark.parametrize("method", ["API Key", "JWT"])
def test_G9_javascript_authentication_example(stack, site, client, filled_in, allowed, method):
    token = client.api.as_client(None).post(
        "/auth/login", {"username": client.username, "password": client.password}).ok["access_token"]
    # The block declares one const twice, for either method: no program until one is chosen.
    other = {"API Key": "JWT", "JWT": "API Key"}[method]
    site.script = re.sub(rf"// {other} method\n.*?\n\n", "", filled_in("// API Key method", jwt_token_here=token),
                         flags=re.DOTALL)

    async def use():
        async with page(site.origin, stack.certificate) as it:
            await it.hear("Object")
            return await it.value(f"fetch('{stack.base_url}/api/v1/clients/me', {{headers}}).then(it => it.json())"
                                  ".then(it => it.accountcode)"), it

    accountcode, it = asyncio.run(use())
    assert accountcode == client.accountcode and not it.complaints


def test_a_page_of_an_origin_that_nobody_allowed_learns_nothing(stack, site, client, filled_in):
    site.script = filled_in("class CentralizedCallingClient")

    async def use():
        async with page(site.origin, stack.certificate) as it:
            await it.hear("Error:")
            return it

    it = asyncio.run(use())
    assert it.said[-1] == "Error: Failed to fetch" and "CORS" in " ".join(it.complaints)
    assert not [line for line in it.said if client.name in line or "healthy" in line]


def test_the_browser_checks_certificates(stack, site, tmp_path):
    """Else nothing above would mean that ours is right."""
    other = certs.make(tmp_path / "other")
    site.script = "console.log('here');"

    async def title(certificate):
        async with page(site.origin, certificate) as it:
            await it.wait_for("document.readyState == 'complete' && location.href != 'about:blank'")
            return await it.value("document.title"), it.said

    assert asyncio.run(title(stack.certificate)) == ("", ["here"])
    refused, said = asyncio.run(title(other.cert))
    assert refused and not said
