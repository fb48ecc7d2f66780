"""The service's description of its model is parsed completely or rejected with one message."""

from __future__ import annotations

import json
import socket

import pytest

from loadtest.model_description import (
    ModelDescription,
    ServiceUnreachable,
    UnusableDescription,
    read_description,
    request_model_description,
)

GOOD = {
    "name": "credits",
    "version": "20260131T120000Z-0123abcd",
    "feature_names": ["mean", "sd"],
    "feature_ranges": [[0, 1], [-2.5, 3]],
    "threshold": -0.5,
}


def test_description_is_requested_and_parsed(start_service):
    """The description is requested over HTTP, with or without a slash at the end of the host."""
    service = start_service(change_model=lambda answer: (200, {"model": GOOD}))

    for host in (service.url, service.url + "/"):
        assert request_model_description(host) == ModelDescription("credits", ("mean", "sd"), ((0, 1), (-2.5, 3)), -0.5)


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
def test_incomplete_description_is_rejected(change):
    """A missing part or one of the wrong type is reported with the URL."""
    body = json.dumps({"model": GOOD | change}).encode()

    with pytest.raises(UnusableDescription, match=r"^http://h/model_information does not describe a model"):
        read_description("http://h/model_information", body)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"model": 3}'])
def test_another_server_is_rejected(body):
    """The response of some other program is not taken for a description."""
    with pytest.raises(UnusableDescription, match="is this an Isowatch service"):
        read_description("http://h/model_information", body)


def test_service_without_a_model_is_reachable(start_service):
    """An error status is an answer without a description."""
    service = start_service(change_model=lambda answer: (503, {"title": "No model"}))

    with pytest.raises(UnusableDescription, match="status 503"):
        request_model_description(service.url)


def test_closed_port_is_unreachable():
    """A closed port is reported with the network's error."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))

        with pytest.raises(ServiceUnreachable, match=r"does not answer \(.*refused\).*--host URL"):
            request_model_description(f"http://127.0.0.1:{unused.getsockname()[1]}")


@pytest.mark.parametrize("host", ["localhost", "http://", "http://127.0.0.1:port"])
def test_invalid_address_is_unreachable(host):
    """An invalid host is reported with the same message."""
    with pytest.raises(ServiceUnreachable, match="does not answer"):
        request_model_description(host)
