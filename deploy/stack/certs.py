"""A private certificate authority and one server certificate for loopback, made with openssl.

The authority's key is thrown away at once: nobody can make a second certificate that a client of
this stack would trust.
"""
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .ports import HOST
from .proc import StackError

DAYS = 30
_CA = """[req]
distinguished_name = name
x509_extensions = ca
prompt = no
[name]
CN = ccs demo authority
[ca]
basicConstraints = critical, CA:true, pathlen:0
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
"""
_SERVER = f"""basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = DNS:localhost, IP:{HOST}
"""


@dataclass(frozen=True)
class Certs:
    """What clients trust, and what nginx shows them."""

    ca: Path
    cert: Path
    key: Path


def make(folder) -> Certs:
    """Makes them in this folder, which is created."""
    folder = Path(folder)
    folder.mkdir(mode=0o755)
    certs = Certs(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    ca_key, ca_conf, extensions, request = (
        folder / name for name in ("ca.key", "ca.conf", "server.ext", "server.csr"))
    ca_conf.write_text(_CA)
    extensions.write_text(_SERVER)
    try:
        for key in (ca_key, certs.key):
            key.touch(0o600)
            _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        _openssl("req", "-x509", "-new", "-key", ca_key, "-config", ca_conf, "-days", DAYS,
                 "-out", certs.ca)
        _openssl("req", "-new", "-key", certs.key, "-subj", "/CN=localhost", "-out", request)
        _openssl("x509", "-req", "-in", request, "-CA", certs.ca, "-CAkey", ca_key,
                 "-CAcreateserial", "-days", DAYS, "-extfile", extensions, "-out", certs.cert)
    finally:
        for path in (ca_key, ca_conf, extensions, request, folder / "ca.srl"):
            path.unlink(missing_ok=True)
    return certs


def _openssl(*words):
    done = subprocess.run(["openssl", *map(str, words)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False)
    if done.returncode:
        raise StackError(f"openssl {words[0]} failed: {done.stderr.strip()}")
