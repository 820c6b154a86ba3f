#!/usr/bin/python3
"""Takes callbacks: believes what is signed, takes each event once, answers at once.

    CCS_WEBHOOK_SECRET=whsec_... receive.py PORT

Speaks http: put it behind your web server, which has the certificate for your callbackurl. While a secret is changed,
CCS_WEBHOOK_SECRET holds both, separated by a blank. Prints one line for each event.
"""
import base64
import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOLERANCE_SECONDS = 300
KEYS = [base64.b64decode(secret.removeprefix("whsec_"))
        for secret in os.environ["CCS_WEBHOOK_SECRET"].split()]
seen = set()  # a real receiver keeps ids where they outlive it, with what it does about the event


def is_ours(headers, body) -> bool:
    """One of our keys made one of the signatures, not long ago, over this very body."""
    event_id, timestamp = headers["webhook-id"] or "", headers["webhook-timestamp"] or ""
    if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    signed = f"{event_id}.{timestamp}.".encode() + body
    expected = ["v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in KEYS]
    return any(hmac.compare_digest(given.encode(), one.encode())
               for given in (headers["webhook-signature"] or "").split() for one in expected)


def take(event):
    """What you do about it. Quickly, or later: we wait five seconds for the answer."""
    print(event["type"], event["id"], flush=True)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        status = 200 if is_ours(self.headers, body) else 401
        if status == 200 and self.headers["webhook-id"] not in seen:
            take(json.loads(body))
            seen.add(self.headers["webhook-id"])
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
