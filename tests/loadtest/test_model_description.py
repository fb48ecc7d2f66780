"""What the service says of its model is taken whole or refused in one sentence."""

from __future__ import annotations

import json
import socket

import pytest

from loadtest.model_description import (
    ModelDescription,
    ServiceUnreachable,
    UnusableDescription,
    ask_for_model,
    read_description,
)

GOOD = {
    "name": "credits",
    "version": "20260131T120000Z-0123abcd",
    "feature_names": ["mean", "sd"],
    "feature_ranges": [[0, 1], [-2.5, 3]],
    "threshold": -0.5,
}


def test_description_is_asked_for_and_read(start_service):
    """The service is asked over HTTP, with or without a slash at the end of its address."""
    service = start_service(lie_about_model=lambda answer: (200, {"model": GOOD}))

    for host in (service.url, service.url + "/"):
        assert ask_for_model(host) == ModelDescription("credits", ("mean", "sd"), ((0, 1), (-2.5, 3)), -0.5)


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"feature_names": ["mean", 3]},
        {"feature_names": None},
        {"feature_ranges": [[0, 1], [0]]},
        {"feature_ranges": [[0, 1], [0, None]]},
        {"threshold": "low"},
        {"threshold": float("nan")},
    ],
)
def test_anything_else_is_refused(change):
    """A part that is missing or of another kind is said with the address."""
    body = json.dumps({"model": GOOD | change}).encode()

    with pytest.raises(UnusableDescription, match=r"^http://h/model_information does not describe a model"):
        read_description("http://h/model_information", body)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"model": 3}'])
def test_another_server_is_refused(body):
    """Whatever else may listen there is not taken for a model."""
    with pytest.raises(UnusableDescription, match="is this an Isowatch service"):
        read_description("http://h/model_information", body)


def test_service_without_a_model_is_reachable(start_service):
    """An error status is an answer, which names no model."""
    service = start_service(lie_about_model=lambda answer: (503, {"title": "No model"}))

    with pytest.raises(UnusableDescription, match="status 503"):
        ask_for_model(service.url)


def test_nobody_is_unreachable():
    """A port where nobody listens is said with the words of the network."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))

        with pytest.raises(ServiceUnreachable, match=r"does not answer \(.*refused\).*--host URL"):
            ask_for_model(f"http://127.0.0.1:{unused.getsockname()[1]}")


@pytest.mark.parametrize("host", ["localhost", "http://", "http://127.0.0.1:port"])
def test_address_that_is_none_is_unreachable(host):
    """A host that cannot be one is refused in the same words."""
    with pytest.raises(ServiceUnreachable, match="does not answer"):
        ask_for_model(host)
