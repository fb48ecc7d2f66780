"""Random requests that go wrong in every layer: bytes, framing, heads, encodings, JSON; the same for the same seed."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass

ROUTES = [
    *(("POST", path) for path in ("/prediction", "/predictions", "/feedback", "/v2/models/isowatch/infer")),
    ("POST", "/v2/repository/index"),
    *(("GET", path) for path in ("/", "/healthz", "/readyz", "/model_information", "/drift", "/quality", "/v2")),
    *(("GET", path) for path in ("/v2/models/isowatch", "/v2/health/ready", "/predictions/some-id", "/openapi.json")),
]

METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "BREW", "get", "", "P\0ST"]

VALID = [b'{"feature_vector": [0.5, 0.2]}', b'{"feature_vectors": [[0.5, 0.2], [1, 2]], "score": true}']

# Fragments of JSON that libraries, numbers or people trip over.
JSON_PARTS = [
    *("null", "true", "1e999", "-1e999", "NaN", "Infinity", "1e-400", "-0", "01", "1.", "0x1", "9" * 400, '"\\ud800"'),
    *(
        '"\\u0000"',
        '"' + "a" * 3000 + '"',
        "[]",
        "{}",
        "[" * 500,
        '{"a":' * 200,
        '"\xff"',
        "{,}",
        "'x'",
        '{"a":1,"a":2}',
    ),
]

FIELDS = [
    "feature_vector",
    "feature_vectors",
    "score",
    "confidence",
    "segment",
    "inputs",
    "request_id",
    "is_inlier",
    "row",
]

ODD_PATHS = ["%", "%zz", "%00", "%ff%fe", "%2e%2e/%2e%2e/etc/passwd", "//", "/..;/", "%c0%af", "?%", "?a=%ff", "?n=-1"]
ODD_PATHS += ["?window=9999999999d", "#a", "\\", "%0d%0aX-A:%20b", ";a=b", "/%E2%80%AE", "?" + "a=1&" * 500]

ODD_LINES = [
    *("Content-Encoding: gzip", "Content-Encoding: br", "Content-Type: text/csv", "Content-Type: application/x-ndjson"),
    *(
        "Content-Type: ",
        "Content-Type: application/json; charset=utf-7",
        "Content-Type: application/json; charset=\xff",
    ),
    *("Accept: application/openmetrics-text; version=abc", "Accept: */*;q=abc", "Accept: \xff", "SCRIPT_NAME: /x"),
    *("Script-Name: /x", "X-Forwarded-For: \xff", "Expect: 100-continue", "Expect: nonsense", "Connection: close"),
    *("Connection: upgrade", "Upgrade: websocket", "Upgrade: h2c", "Cookie: \xff=\xff", "Authorization: Basic \xff"),
    *(
        "Range: bytes=5-1",
        "If-Modified-Since: yesterday",
        "Host: [::1",
        "Origin: null",
        "Inference-Header-Content-Length: -1",
    ),
    *(
        "Transfer-Encoding: chunked",
        "Content-Length: 5",
        "Content-Length: -5",
        "X-A: b\n",
        "X-A:\0",
        " folded",
        ":",
        "X A: b",
    ),
]


@dataclass(frozen=True)
class Fuzzed:
    """What is sent on one connection.

    Parameters
    ----------
    data
        Requests, one behind the other.
    ids
        The ids that they bear, in order.
    pieces
        Number of pieces in which the data are sent.
    """

    data: bytes
    ids: list[str]
    pieces: int


def fuzz(number: int, seed: int) -> Fuzzed:
    """Return the requests of a connection: up to five, most of which are valid until something is changed."""
    chance = random.Random(f"{seed}/{number}")
    ids = [f"f{number}-{position}" for position in range(chance.choice([1, 1, 1, 2, 3, 5]))]
    data = b"".join(_request(chance, identifier) for identifier in ids)
    if chance.random() < 0.2:
        data = _damage(chance, data)
    return Fuzzed(data, ids, chance.choice([1, 1, 1, 2, 5]))


def _request(chance: random.Random, identifier: str) -> bytes:
    """Return one request."""
    method, path = chance.choice(ROUTES)
    if chance.random() < 0.1:
        method = chance.choice(METHODS)
    if chance.random() < 0.2:
        path += chance.choice(ODD_PATHS)
    body = _body(chance) if method == "POST" or chance.random() < 0.1 else None
    lines = [
        f"{method} {path} HTTP/{chance.choice(['1.1'] * 20 + ['1.0', '0.9', '2.0', '1.2', ''])}",
        "Host: 127.0.0.1",
    ]
    lines.append(f"X-Request-ID: {identifier}")
    if body is not None:
        lines.append("Content-Type: application/json")
        if chance.random() < 0.3:
            lines.append("Transfer-Encoding: chunked")
            body = _chunked(chance, body)
        else:
            lines.append(f"Content-Length: {len(body) + (chance.choice([-1, 1, 50]) if chance.random() < 0.05 else 0)}")
    if chance.random() < 0.2:
        lines.insert(chance.randrange(1, len(lines) + 1), chance.choice(ODD_LINES))
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


def _body(chance: random.Random) -> bytes:
    """Return a body: valid, of JSON that is odd, or of bytes that are none."""
    kind = chance.random()
    if kind < 0.4:
        return chance.choice(VALID)
    if kind < 0.8:
        fields = chance.sample(FIELDS, chance.randrange(1, 4))
        return "{%s}".replace("%s", ", ".join(f"{json.dumps(f)}: {_value(chance)}" for f in fields)).encode("latin-1")
    if kind < 0.9:
        return _damage(chance, chance.choice(VALID))
    return chance.randbytes(chance.randrange(200))


def _value(chance: random.Random) -> str:
    """Return a value of JSON, or nearly."""
    if chance.random() < 0.5:
        return chance.choice(JSON_PARTS)
    return f"[{', '.join(chance.choice([*JSON_PARTS, '0.5', '1']) for _ in range(chance.randrange(4)))}]"


def _chunked(chance: random.Random, body: bytes) -> bytes:
    """Return a body in chunks, sometimes broken."""
    cut = chance.randrange(len(body) + 1)
    parts = [part for part in (body[:cut], body[cut:]) if part]
    data = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    return _damage(chance, data) if chance.random() < 0.2 else data


def _damage(chance: random.Random, data: bytes) -> bytes:
    """Change, remove, repeat or insert a few bytes."""
    for _ in range(chance.randrange(1, 4)):
        at, length = chance.randrange(len(data) + 1), chance.randrange(1, 6)
        new = chance.choice([b"", chance.randbytes(length), data[at : at + length] * 2, b"\r\n", b"\0", b"\n", b"\xff"])
        data = data[:at] + new + data[at + length :]
    return data
