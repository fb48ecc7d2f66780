"""Print the URLs of the service, and a request that the model in ``MODEL_DIR`` can answer."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

# An address that listens everywhere is reached through this one.
_EVERY_ADDRESS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]"}

# Addresses without a host name.
_NAMELESS = ("unix:", "fd://")


def url_of(bind: str) -> str:
    """Convert what Gunicorn listens on into a URL for a browser: the first address of several.

    Returns
    -------
    For Unix sockets and file descriptors alone, which no browser opens, a URL for ``curl --unix-socket``.

    Examples
    --------
    >>> url_of("0.0.0.0:8000")
    'http://127.0.0.1:8000'
    >>> url_of("unix:/run/isowatch.sock, [::]:8000"), url_of("unix:/run/isowatch.sock")
    ('http://[::1]:8000', 'http://localhost')
    """
    addresses = [address for address in _split(bind) if not address.startswith(_NAMELESS)]
    if not addresses:
        return "http://localhost"
    host, _, port = addresses[0].rpartition(":")
    return f"http://{_EVERY_ADDRESS.get(host, host)}:{port}"


def socket_of(bind: str) -> str:
    """Return the first Unix socket if a service listens on nothing else; else an empty text.

    Examples
    --------
    >>> socket_of("unix:/run/isowatch.sock"), socket_of("unix:/run/isowatch.sock,127.0.0.1:8000")
    ('/run/isowatch.sock', '')
    """
    addresses = _split(bind)
    if not all(address.startswith(_NAMELESS) for address in addresses):
        return ""
    sockets = [address.removeprefix("unix:").removeprefix("//") for address in addresses if address[:5] == "unix:"]
    return sockets[0] if sockets else ""


def _split(bind: str) -> list[str]:
    """Split several addresses."""
    return [address.strip() for address in bind.split(",") if address.strip()]


def example_row(model_dir: Path) -> list[float]:
    """Return a row with the live model's number of features: one of its golden rows.

    Returns
    -------
    A row of the example data if the bundle cannot be read; the service reports what is wrong with it.
    """
    try:
        manifest = json.loads((model_dir / "current" / "manifest.json").read_text(encoding="utf-8"))
        row: list[float] = manifest["golden"]["rows"][0]
    except (OSError, ValueError, LookupError, TypeError):
        return [0.56, 0.23]
    return row


def main() -> None:
    """Print the URLs of page, documentation and metrics, and an example request."""
    url, file = url_of(os.environ["BIND"]), socket_of(os.environ["BIND"])
    curl = f"curl --unix-socket {shlex.quote(file)}" if file else "curl"
    pages = f"Socket   {file}" if file else f"Page     {url}/\n  Docs     {url}/docs\n  Metrics  {url}/metrics"
    body = json.dumps({"feature_vector": example_row(Path(os.environ["MODEL_DIR"])), "score": True})
    print(
        f"""
Isowatch is starting; press Ctrl-C to stop it.

  {pages}
  Try it   {curl} -H 'Content-Type: application/json' -d '{body}' {url}/prediction
""",
        flush=True,
    )


if __name__ == "__main__":
    main()
