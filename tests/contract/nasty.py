"""What no client should send, for any field of any endpoint; and a connection that sends it fast."""
import http.client
import json
import os
import random
import ssl
import urllib.parse

HUGE = "x" * 5000
DEEP = 100_000

# As they stand in an address: percent-encoded already.
IN_ADDRESS = ["", "%20", "%00", "%01", "%0d%0aX-Evil:%201", "%0a", "%7f", "%c3%a9", "%f0%9f%98%80", "%ff", "%c0%af",
              "%ed%a0%80", "%", "%zz", "%2", "%25", "%27", "%22", "%3Cb%3E", "%5c", "-1", "0", "00", "01", "1.5", "1e3",
              "0x10", "NaN", "null", "true", "[]", "{}", "+", "1+1", "2147483648", "9007199254740991", "9007199254740992",
              "9223372036854775807", "9223372036854775808", "18446744073709551616", "-9223372036854775808", "9" * 400,
              "1%00", "1%2f2", "..%2f..%2fetc", "%d9%a1%d9%a2", "';drop%20table%20client;--", "2026-02-30", "0000-00-00",
              "99999-01-01", "2026-01-01T00:00:00", "-infinity", "infinity", "$1", "${x}", "*", ".", "..", HUGE]

# As the value of one member of a body.
IN_BODY = [None, True, False, 0, -1, 1, 1.5, -0.0, 1e308, 2**31, 2**53, 2**53 - 1, 2**63 - 1, 2**63, 2**64, -(2**63), 10**400,
           "", " ", "0", "1", "\0", "a\0b", "\x01", "\x7f", "\r\nAction: Logoff", "é", "😀", "\u202e1", "\ufeff", "\ud800",
           "٩٨٧٦٥٤٣٢١٠", "'; drop table client; --", "${SHELL(id)}", "null", "x" * 300, HUGE, [], {}, [[]], [None], [0],
           [{}], [[{}]], ["9000050001"], {"": ""}, {"a": [{"b": {}}]}, [{"phone_number": None}], [{"phone_number": {}}],
           [{"phone_number": "9020000001", "custom_data": []}], [{"phone_number": 2**63}], [{"phone_number": "\0"}],
           list(range(2000)), {str(n): n for n in range(2000)}]

# As it stands in the text of a body: what json.dumps does not write.
RAW_IN_BODY = [b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-1e400", b"1e-400", b"01", b"+1", b".5", b"1.", b"0x1",
               b"'x'", b'"\xff"', b'"\xed\xa0\x80"', b'"\\ud800"', b'"\\u0000"', b'"\\x41"', b'"a\nb"', b"9" * 5000,
               b"undefined", b"tru", b"[1,]", b"{,}", b'{"a":1,"a":2}', b"[" * 1000, b'{"a":' * 1000, b"", b"//x\n1"]

# As a whole body.
BODIES = [b"", b" ", b"\n\n\n", b"{", b"}", b"[]", b"[", b"null", b"true", b"0", b'"x"', b"{}x", b"{}{}", b"{},", b"{'a':1}",
          b"{a:1}", b'{"a"}', b'{"a":}', b'{"a":1,}', b'{"a":1 "b":2}', b'{"a":1,"a":2}', b'{"\\u0061":1,"a":2}',
          b'{"":""}', b'{"\\u0000":1}', b'{"\xff":1}', b"\xef\xbb\xbf{}", "{}".encode("utf-16"), "{}".encode("utf-32"),
          b"\0", b"{}\0", b"\0{}", b"\x1f\x8b\x08\0\0\0\0\0\0\0", b"a=b&c=d", b"%7b%7d", b"<x/>", b"[" * 60_000,
          b'{"a":' * 12_000, b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}", b'{"a":"' + b"\\u0041" * 10_000 + b'"}',
          b'{"a":' + b"9" * 60_000 + b"}", b'{"a":[' + b"0," * 30_000 + b"0]}",
          b"{" + b",".join(b'"%d":0' % n for n in range(6000)) + b"}",
          b"{" + b",".join(b'"k":%d' % n for n in range(6000)) + b"}", b'{"a":"' + b"\xf0\x9f\x98\x80" * 15_000 + b'"}',
          b" " * 65_000 + b"{}", b'{"a":"\\', b'{"a":"\\u', b'{"a":"\\ud83d\\', b'{"a":1e', b'{"a":-', b'{"a":tr', b"x" * 65_536]

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "CONNECT", "get", "X"]

# What the document names, and where it has no word: method, conflict, size, type of what is sent.
STATUSES = {200, 400, 401, 403, 404, 405, 409, 412, 413, 414, 428, 429}


def paths(path) -> list[str]:
    """Addresses that look like this one."""
    return [path + "/", path + "//", path + "/x", path + "%2f", path + "%00", path + ".", path + "/..", path + "/../" * 5,
            path + "?", path + "?&&&=", path + "?=x&=y", path + "?a=1&a=2", path + "?" + "a=b&" * 40, path + ";x=1",
            path + "#x", path.upper(), path.replace("/", "//"), path[:-1], path + "/" + "x" * 7000, path + "/x" * 2000,
            path + "?" + "x" * 7000]


def body_with(members, name, text) -> bytes:
    """An object with these members, and this text as the value of one."""
    parts = [(json.dumps(key) + ":" + json.dumps(value)).encode()
             for key, value in members.items() if key != name]
    return b"{" + b",".join([*parts, json.dumps(name).encode() + b":" + text]) + b"}"


def mutated(rng, body) -> bytes:
    """The same body after an accident."""
    body = bytearray(body)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(body) + 1)
        piece = rng.choice((b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\0", b"\xff", b"9", b"-", b"e", b" ",
                            b"null", b'"a":', bytes([rng.randrange(256)])))
        kind = rng.randrange(4)
        if kind == 0:
            body[at:at] = piece
        elif kind == 1:
            del body[at:at + rng.randint(1, 8)]
        elif kind == 2:
            body[at:at + 1] = piece
        else:
            body[at:at] = body[max(0, at - rng.randint(1, 20)):at]
    return bytes(body)


class Line:
    """One kept connection, from an address of its own on the loopback network."""

    def __init__(self, stack, source="127.0.0.1"):
        where = urllib.parse.urlsplit(stack.base_url)
        self._open = lambda: http.client.HTTPSConnection(
            where.hostname, where.port, timeout=30, source_address=(source, 0),
            context=ssl.create_default_context(cafile=stack.ca_file))
        self._connection = self._open()

    def ask(self, method, path, body=None, headers=None):
        """Status, headers and body of the answer; path is sent as it stands."""
        for last in (False, True):
            try:
                self._connection.request(method, "/api/v1" + path, body, headers or {})
                answer = self._connection.getresponse()
                return answer.status, answer.headers, answer.read()
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                # nginx ends a connection after some errors; a request that was not answered is sent once more.
                self._connection.close()
                self._connection = self._open()
                if last:
                    raise
        return None

    def close(self):
        self._connection.close()


EVERYTHING = os.environ.get("CCS_NASTY") == "everything"


def some(of, things, count=20):
    """So many of them, the same ones every time for the same `of`; all where there is time for that."""
    return things if EVERYTHING or len(things) <= count else random.Random(str(of)).sample(things, count)


def accidents(of, body, count=50) -> list[bytes]:
    """The same body after so many different accidents."""
    rng = random.Random(str(of))
    return [mutated(rng, body) for _ in range(100 * count if EVERYTHING else count)]
