"""Requests whose end two parsers may see at different places, and others that RFC 9112 tells servers to refuse.

Behind a proxy that reads such a request differently, the rest of it would be answered as somebody else's request.
"""

from __future__ import annotations

from collections.abc import Callable

# Its id in an answer shows that a hidden request was answered.
HIDDEN_ID = "hidden"
HIDDEN = f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Request-ID: {HIDDEN_ID}\r\n\r\n".encode()

CHUNKED = "Transfer-Encoding: chunked"
END = b"0\r\n\r\n"
# One valid chunk.
CHUNK = b"5\r\n[1,2]\r\n"

Attack = Callable[[str], bytes]


def _with(*lines: str, body: bytes = b"", version: str = "HTTP/1.1", host: str = "Host: 127.0.0.1") -> Attack:
    """Return a function that sends these header lines and this body to a route, and then a hidden request."""

    def build(route: str) -> bytes:
        head = [f"{route} {version}", *([host] if host else []), "Content-Type: application/json", *lines]
        return "\r\n".join([*head, "", ""]).encode("latin-1") + body + HIDDEN

    return build


def _head(template: bytes) -> Attack:
    """Return a function that puts the route into a head as it is, and then a hidden request."""
    return lambda route: template.replace(b"ROUTE", route.encode()) + HIDDEN


def _target(target: str) -> Attack:
    """Return a function that replaces the path of a route."""
    return lambda route: (
        f"{route.split()[0]} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\n{{}}".encode("latin-1")
        + HIDDEN
    )


def _length(value: str) -> Attack:
    """Return a function that declares this length, with a body of five bytes."""
    return _with(f"Content-Length:{value}", body=b"[1,2]")


def _encoding(*values: str, body: bytes = CHUNK + END) -> Attack:
    """Return a function that declares these transfer encodings, with a chunked body."""
    return _with(*(f"Transfer-Encoding:{value}" for value in values), body=body)


def _chunks(body: bytes) -> Attack:
    """Return a function that sends this as a chunked body."""
    return _with(CHUNKED, body=body)


REFUSED: dict[str, Attack] = {
    # Two framings.
    "CL.TE": _with("Content-Length: 6", CHUNKED, body=END + b"G"),
    "CL.TE in other order": _with(CHUNKED, "Content-Length: 5", body=END),
    "TE.CL": _with("Content-Length: 4", CHUNKED, body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)),
    "CL.0": _with("Content-Length: 0", CHUNKED, body=CHUNK + END),
    "TE.TE twice": _encoding(" chunked", " chunked"),
    "TE.TE and identity": _encoding(" chunked", " identity"),
    "TE.TE and nonsense": _encoding(" chunked", " cow"),
    "TE list with chunked first": _encoding(" chunked, identity"),
    "TE list with chunked twice": _encoding(" chunked, chunked"),
    "TE identity": _encoding(" identity", body=b""),
    "TE identity with a length": _with("Transfer-Encoding: identity", "Content-Length: 5", body=b"[1,2]"),
    "TE gzip": _encoding(" gzip"),
    "TE gzip, chunked": _encoding(" gzip, chunked"),
    "TE xchunked": _encoding(" xchunked"),
    "TE quoted": _encoding(' "chunked"'),
    "TE with a parameter": _encoding(" chunked;q=1"),
    "TE with vertical tab": _encoding(" \x0bchunked"),
    "TE with NUL": _encoding(" chunked\0"),
    "TE with a high byte": _encoding(" chunked\xa0"),
    "TE empty": _encoding(""),
    "TE after CR": _with("X-A: b\rTransfer-Encoding: chunked", body=CHUNK + END),
    "TE with space before the colon": _with("Transfer-Encoding : chunked", body=CHUNK + END),
    "TE folded": _with("Transfer-Encoding:\r\n chunked", body=CHUNK + END),
    "TE in HTTP/1.0": _with(CHUNKED, body=CHUNK + END, version="HTTP/1.0"),
    # Lengths.
    "two equal lengths": _with("Content-Length: 5", "Content-Length: 5", body=b"[1,2]"),
    "two lengths": _with("Content-Length: 5", "Content-Length: 0", body=b"[1,2]"),
    "list of equal lengths": _length(" 5, 5"),
    "list of lengths": _length(" 5, 0"),
    "negative length": _length(" -1"),
    "negative zero": _length(" -0"),
    "length with plus": _length(" +5"),
    "length in hex": _length(" 0x5"),
    "length with underscore": _length(" 0_5"),
    "length as decimal": _length(" 5.0"),
    "length with a letter": _length(" 5a"),
    "length in other digits": _length(" \xb2"),
    "length with a space inside": _length(" 0 5"),
    "empty length": _length(""),
    "blank length": _length("  "),
    "length beyond 64 bits": _length(" 18446744073709551621"),
    "length with space before the colon": _with("Content-Length : 5", body=b"[1,2]"),
    # Heads.
    "folded line": _with("X-A: b\r\n c", "Content-Length: 5", body=b"[1,2]"),
    "first line folded": _head(b"ROUTE HTTP/1.1\r\n X-A: b\r\nHost: 127.0.0.1\r\n\r\n"),
    "bare LF after the request line": _head(b"ROUTE HTTP/1.1\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n"),
    "bare LF between lines": _head(b"ROUTE HTTP/1.1\r\nHost: 127.0.0.1\nContent-Length: 0\r\n\r\n"),
    "bare LF at the end": _head(b"ROUTE HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\n\n"),
    "bare LF everywhere": _head(b"ROUTE HTTP/1.1\nHost: 127.0.0.1\nContent-Length: 0\n\n"),
    "bare CR in a value": _with("X-A: b\rc", "Content-Length: 5", body=b"[1,2]"),
    "NUL in a value": _with("X-A: b\0c", "Content-Length: 5", body=b"[1,2]"),
    "NUL in a name": _with("X-\0A: b", "Content-Length: 5", body=b"[1,2]"),
    "space in a name": _with("X A: b", "Content-Length: 5", body=b"[1,2]"),
    "no name": _with(": b", "Content-Length: 5", body=b"[1,2]"),
    "no colon": _with("nonsense", "Content-Length: 5", body=b"[1,2]"),
    "space before the colon": _with("X-A : b", "Content-Length: 5", body=b"[1,2]"),
    "two hosts": _with("Host: 127.0.0.1", "Content-Length: 5", body=b"[1,2]"),
    "no host": _with("Content-Length: 5", body=b"[1,2]", host=""),
    "NUL in the path": _target("/prediction\0"),
    "space in the path": _target("/predic tion"),
    "high byte in the path": _target("/predicti\xf6n"),
    "asterisk": _target("*"),
    "no path": _target(""),
    "wrong version": _with("Content-Length: 5", body=b"[1,2]", version="HTTP/1.10"),
    "version 2": _with("Content-Length: 5", body=b"[1,2]", version="HTTP/2.0"),
    "version in lower case": _with("Content-Length: 5", body=b"[1,2]", version="http/1.1"),
    "no version": _head(b"ROUTE\r\nHost: 127.0.0.1\r\n\r\n"),
    # Chunks.
    "chunk size beyond 64 bits": _chunks(b"10000000000000005\r\n[1,2]\r\n" + END),
    "chunk size with many zeros and digits": _chunks(b"0" * 100 + b"5" * 17 + b"\r\n[1,2]\r\n" + END),
    "negative chunk size": _chunks(b"-5\r\n[1,2]\r\n" + END),
    "chunk size with plus": _chunks(b"+5\r\n[1,2]\r\n" + END),
    "chunk size with 0x": _chunks(b"0x5\r\n[1,2]\r\n" + END),
    "chunk size with underscore": _chunks(b"0_5\r\n[1,2]\r\n" + END),
    "chunk size with a letter": _chunks(b"5g\r\n[1,2]\r\n" + END),
    "empty chunk size": _chunks(b"\r\n[1,2]\r\n" + END),
    "space before the chunk size": _chunks(b" 5\r\n[1,2]\r\n" + END),
    "space after the chunk size": _chunks(b"5 \r\n[1,2]\r\n" + END),
    "bare LF after the chunk size": _chunks(b"5\n[1,2]\r\n" + END),
    "bare CR after the chunk size": _chunks(b"5\r[1,2]\r\n" + END),
    "bare LF in a chunk extension": _chunks(b"5;a\nb\r\n[1,2]\r\n" + END),
    "bare CR in a chunk extension": _chunks(b"5;a\rb\r\n[1,2]\r\n" + END),
    "chunk longer than its size": _chunks(b"4\r\n[1,2]\r\n" + END),
    "bare LF after a chunk": _chunks(b"5\r\n[1,2]\n" + END),
    "bare LF after the last chunk": _chunks(CHUNK + b"0\n\n"),
    "trailer with a length": _chunks(CHUNK + b"0\r\nContent-Length: 5\r\n\r\n"),
    "trailer with a transfer encoding": _chunks(CHUNK + b"0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "trailer with a host": _chunks(CHUNK + b"0\r\nHost: elsewhere\r\n\r\n"),
    "trailer with bare LF": _chunks(CHUNK + b"0\r\nX-A: b\n\r\n\r\n"),
}

# What RFC 9112 requires to be understood or allows, and what Gunicorn's parsers drop without a look: the content of
# trailers and of chunk extensions, which moves the end of a message for nobody. The hidden request is no secret here
# but the next request of the connection.
UNDERSTOOD: dict[str, Attack] = {
    "chunk extension": _chunks(b"5;a=b\r\n[1,2]\r\n" + END),
    "trailer": _chunks(CHUNK + b"0\r\nX-A: b\r\n\r\n"),
    "chunked in capitals": _encoding(" CHUNKED"),
    "tab before chunked": _encoding("\tchunked"),
    "length with zeros": _length(" 00005"),
    "absolute form of this host": _target("http://127.0.0.1/prediction"),
    "absolute form of another host": _target("http://elsewhere.example/prediction"),
    "NUL in a chunk extension": _chunks(b"5;a=\0\r\n[1,2]\r\n" + END),
    "trailer with space before the colon": _chunks(CHUNK + b"0\r\nX-A : b\r\n\r\n"),
    "trailer without colon": _chunks(CHUNK + b"0\r\nnonsense\r\n\r\n"),
    "trailer with NUL": _chunks(CHUNK + b"0\r\nX-A: \0\r\n\r\n"),
    "folded trailer": _chunks(CHUNK + b"0\r\nX-A: b\r\n c\r\n\r\n"),
}
