"""Stoplight's Prism between the tests and nginx: a judge of the API's document that is not ours.

`make contract-proxy` names the program in CCS_CONTRACT_PROXY. Prism refuses what the document does not describe; a test that
runs into that fails on an answer in Prism's own form.
"""
import contextlib
import json
import os
import socket

from described import description
from stack import ports
from stack.proc import Process

PRISM = os.environ.get("CCS_CONTRACT_PROXY")


def _without_credentials(document):
    """Requests without a credential are what many tests are about: Prism would not pass them on."""
    return {**document, "paths": {path: {name: {**method, "security": []} for name, method in methods.items()}
                                  for path, methods in document["paths"].items()}}


@contextlib.contextmanager
def contract_proxy(stack, folder, *, strict=False):
    """`with contract_proxy(stack, folder) as base_url`. strict: requests are judged, too, not only answers."""
    folder.mkdir()
    document = folder / "openapi.json"
    document.write_text(json.dumps(description().document if strict else _without_credentials(description().document)))
    process = Process("prism", marker=str(document), pid_file=folder / "pid", log=folder / "log")
    with ports.Lease() as lease:
        port = lease.port()
        process.start([PRISM, "proxy", "--errors", "--cors=false", f"--validate-request={str(strict).lower()}", "--host", ports.HOST,
                       "--port", str(port), "--verboseLevel", "warn", document, stack.base_url],
                      keep_fds=[lease.fd], env={**os.environ, "NODE_EXTRA_CA_CERTS": str(stack.ca_file)})
    try:
        process.wait_ready(lambda: ports.is_bound(port, socket.SOCK_STREAM), seconds=180)
        yield f"http://{ports.HOST}:{port}"
    finally:
        process.stop()
