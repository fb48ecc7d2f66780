"""The summary of a training ends with a hint how to start the service."""

from __future__ import annotations

import pytest

from training.bundle.summary import _describe_start


@pytest.mark.parametrize(
    ("bind", "hint"),
    [
        ("", 'To start one: gunicorn "app:create_app()", then open http://127.0.0.1:8000/'),
        (
            "127.0.0.1:8500",
            'To start one: BIND=127.0.0.1:8500 gunicorn "app:create_app()", then open http://127.0.0.1:8500/',
        ),
        (
            "0.0.0.0:8500",
            'To start one: BIND=0.0.0.0:8500 gunicorn "app:create_app()", then open http://127.0.0.1:8500/',
        ),
        (
            "unix:/s,[::]:8500",
            'To start one: BIND=unix:/s,[::]:8500 gunicorn "app:create_app()", then open http://[::1]:8500/',
        ),
        ("fd://3", 'To start one: BIND=fd://3 gunicorn "app:create_app()"'),
        ("unix:/run/isowatch.sock", 'To start one: BIND=unix:/run/isowatch.sock gunicorn "app:create_app()"'),
    ],
)
def test_hint_has_the_address_of_the_service(monkeypatch, bind, hint):
    """It follows BIND, which make passes on, and names a reachable host."""
    monkeypatch.setenv("BIND", bind)

    assert _describe_start() == hint
