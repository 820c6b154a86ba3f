"""A headless Chromium, driven over its debugging protocol: what it asks for, what it complains about, what it shows."""
import asyncio
import base64
import contextlib
import hashlib
import itertools
import json
import os
import subprocess
import tempfile
import urllib.request

import websockets

_SECONDS = 30


class Page:
    """One page. requests are all addresses it has asked for; complaints what it could not do, a broken policy among it; said
    what it wrote to its console, a line each."""

    def __init__(self, socket):
        self._socket = socket
        self._ids = itertools.count(1)
        self._answers = {}
        self.requests = []
        self.complaints = []
        self.said = []

    async def _listen(self):
        async for message in self._socket:
            message = json.loads(message)
            if "id" in message:
                self._answers.pop(message["id"]).set_result(message)
            elif message["method"] == "Network.requestWillBeSent":
                self.requests.append(message["params"]["request"]["url"])
            elif message["method"] == "Log.entryAdded":
                self.complaints.append(message["params"]["entry"]["text"])
            elif message["method"] == "Runtime.consoleAPICalled":
                self.said.append(" ".join(str(one.get("value", one.get("description")))
                                          for one in message["params"]["args"]))
            elif message["method"] == "Runtime.exceptionThrown":
                self.complaints.append(message["params"]["exceptionDetails"]["text"])

    async def say(self, method, **params):
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        return (await asyncio.wait_for(answer, _SECONDS))["result"]

    async def value(self, expression):
        """Of a JavaScript expression."""
        result = await self.say("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def wait_for(self, expression):
        """Until it is true."""
        until = asyncio.get_running_loop().time() + _SECONDS
        while not await self.value(f"!!({expression})"):
            assert asyncio.get_running_loop().time() < until, f"{expression}: {await self.value('document.body.innerText')}"
            await asyncio.sleep(0.05)


    async def hear(self, words):
        """Until a line of its console begins with these words; the line."""
        until = asyncio.get_running_loop().time() + _SECONDS
        while not (found := [line for line in self.said if line.startswith(words)]):
            assert asyncio.get_running_loop().time() < until, f"{words!r}: {self.said} {self.complaints}"
            await asyncio.sleep(0.05)
        return found[0]


def _key_of(certificate) -> str:
    """The SHA-256 of its public key, as Chromium wants to have it."""
    text = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-pubkey"], check=True, capture_output=True).stdout
    key = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=text, check=True, capture_output=True).stdout
    return base64.b64encode(hashlib.sha256(key).digest()).decode()


@contextlib.asynccontextmanager
async def page(address, certificate):
    """`async with page(address, certificate) as it`: opens the address in a Chromium of its own.

    Chromium takes an authority of ours from nothing but an NSS database, which needs another package's tool. So it is told
    the one key that it may meet although nobody whom it trusts vouches for it; every other it refuses as always."""
    with tempfile.TemporaryDirectory(prefix="ccs-chromium-") as folder:
        process = subprocess.Popen(
            ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
             f"--ignore-certificate-errors-spki-list={_key_of(certificate)}",
             "--disable-background-networking", "--disable-dev-shm-usage", "--window-size=1300,1600",
             f"--user-data-dir={folder}", "--remote-debugging-port=0", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            async with websockets.connect(await _target(folder, process), max_size=None) as socket:
                found = Page(socket)
                listening = asyncio.create_task(found._listen())
                for domain in "Network", "Log", "Runtime", "Page":
                    await found.say(f"{domain}.enable")
                await found.say("Page.navigate", url=address)
                yield found
                listening.cancel()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            process.wait()


async def _target(folder, process) -> str:
    """The address of the first page's socket, once Chromium has written where it listens."""
    port_file = os.path.join(folder, "DevToolsActivePort")
    until = asyncio.get_running_loop().time() + _SECONDS
    while not os.path.exists(port_file) or not open(port_file, encoding="ascii").read().count("\n"):
        assert process.poll() is None and asyncio.get_running_loop().time() < until, "chromium does not start"
        await asyncio.sleep(0.05)
    with open(port_file, encoding="ascii") as file:
        port = file.readline().strip()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
        return next(target["webSocketDebuggerUrl"] for target in json.load(answer) if target["type"] == "page")
