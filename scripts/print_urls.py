"""Print the URLs of the service, and a request that the model in ``MODEL_DIR`` can answer."""

from __future__ import annotations

import json
import os
from pathlib import Path

# An address that listens everywhere is reached through this one.
_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}


def url_of(bind: str) -> str:
    """Convert the address that Gunicorn listens on into a URL for a browser.

    Examples
    --------
    >>> url_of("0.0.0.0:8000")
    'http://127.0.0.1:8000'
    """
    host, _, port = bind.rpartition(":")
    return f"http://{_EVERY_ADDRESS.get(host, host)}:{port}"


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
    url = url_of(os.environ["BIND"])
    body = json.dumps({"feature_vector": example_row(Path(os.environ["MODEL_DIR"])), "score": True})
    print(
        f"""
Isowatch is starting; press Ctrl-C to stop it.

  Page     {url}/
  Docs     {url}/docs
  Metrics  {url}/metrics
  Try it   curl -H 'Content-Type: application/json' -d '{body}' {url}/prediction
""",
        flush=True,
    )


if __name__ == "__main__":
    main()
