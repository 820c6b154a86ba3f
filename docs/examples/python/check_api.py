#!/usr/bin/python3
"""Is the API still what this integration was written for? check_api.py [VERSION]: run it before a release, and every night."""
import os
import sys

import requests

USED = {("post", "/queues/insertdataincallqueue"), ("post", "/queues/quickcall"), ("post", "/controls/dispatch-calls"),
        ("get", "/queues/batches/{batch_id}"), ("get", "/clients/me"), ("get", "/client-call-details/summary")}


def main(written_for="1"):
    document = requests.get(os.environ["CCS_URL"].rstrip("/") + "/api/v1/openapi.json",
                            verify=os.environ.get("CCS_CA") or True, timeout=30).json()
    operations = {(method, path): operation for path, methods in document["paths"].items()
                  for method, operation in methods.items()}
    gone = [f"{method.upper()} {path}" for method, path in sorted(USED - operations.keys())]
    leaving = [operation["summary"] for used, operation in operations.items()
               if used in USED and operation.get("deprecated")]
    version = document["info"]["version"]
    print(f"API {version}; gone: {gone or 'nothing'}; deprecated: {leaving or 'nothing'}")
    return 1 if gone or not version.startswith(f"{written_for}.") else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
