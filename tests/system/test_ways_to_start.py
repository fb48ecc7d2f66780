"""Gunicorn's options that people choose: other workers, TLS, HTTP/2, another parser, or no configuration of ours."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import requests

from tests.system.running_service import REPOSITORY, free_port, start_service, wait_until

pytestmark = pytest.mark.system

ROW = {"feature_vector": [0.56, 0.23], "score": True}
BATCH = {"feature_vectors": [[0.56, 0.23]] * 3000}


# One of its workers does not end before the graceful timeout of half a minute.
@pytest.mark.parametrize(
    "worker_class", ["gthread", *(pytest.param(name, marks=pytest.mark.long) for name in ("sync", "gevent"))]
)
def test_other_workers_answer_and_count(tmp_path: Path, credits_models: Path, worker_class: str):
    """They run every request in Flask: the same answers, metrics and records, without the fast path."""
    with start_service(tmp_path, credits_models, "--worker-class", worker_class) as service:
        for _ in range(5):
            answer = service.predict([0.56, 0.23], score=True)
            assert answer.status_code == 200
            assert answer.json().keys() == {"is_inlier", "anomaly_score"}
        assert service.metric("predictions_scores_count") == 5
        wait_until(lambda: service.metric("recorder_rows_total", result="recorded") == 5, "recorded rows", service)
        assert service.stop() == 0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of this host, signed by itself, and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 "
        f"-keyout {key} -out {certificate}".split(),
        check=True,
        capture_output=True,
    )
    return certificate, key


def _talk(client: httpx.Client, address: str) -> set[str]:
    """Send requests to the fast path and to Flask on one connection, and return the versions of HTTP they used."""
    answers = [client.post(f"{address}/prediction", json=ROW) for _ in range(3)]
    answers += [client.get(f"{address}/model_information"), client.get(f"{address}/metrics")]
    answers += [client.post(f"{address}/predictions", json=BATCH)]
    assert [answer.status_code for answer in answers] == [200] * 6
    assert client.post(f"{address}/prediction", json={}).status_code == 422
    assert client.post(f"{address}/prediction", content=b"x" * 2_000_000).status_code == 415
    return {answer.http_version for answer in answers}


def test_tls_with_http_1_and_2(tmp_path: Path, credits_models: Path, certificate: tuple[Path, Path]):
    """`--certfile` and `--http-protocols h2,h1` work; only HTTP/1.1 has the fast path."""
    options = ["--certfile", str(certificate[0]), "--keyfile", str(certificate[1]), "--http-protocols", "h2,h1"]
    port = free_port()
    with _Running(tmp_path, credits_models, port, *options):
        address, trusted = f"https://127.0.0.1:{port}", ssl.create_default_context(cafile=certificate[0])
        for http2, version in ((False, "HTTP/1.1"), (True, "HTTP/2")):
            with httpx.Client(http2=http2, verify=trusted, timeout=30) as client:
                assert _talk(client, address) == {version}


def test_http_2_without_tls(tmp_path: Path, credits_models: Path):
    """`--http2-cleartext both` serves proxies that speak HTTP/2 to the service, and all other clients."""
    port = free_port()
    with _Running(tmp_path, credits_models, port, "--http2-cleartext", "both", "--http-protocols", "h2,h1"):
        for http1, version in ((True, "HTTP/1.1"), (False, "HTTP/2")):
            with httpx.Client(http1=http1, http2=not http1, timeout=30) as client:
                assert _talk(client, f"http://127.0.0.1:{port}") == {version}


def test_streamed_body_over_http_2_arrives(tmp_path: Path, credits_models: Path):
    """HTTP/2 needs no declared length, and the body is not taken for an empty one."""
    port = free_port()
    with _Running(tmp_path, credits_models, port, "--http2-cleartext", "both", "--http-protocols", "h2,h1"):
        streamed = iter([b'{"feature_vector":', b"[0.56, 0.23]}"])
        with httpx.Client(http1=False, http2=True, timeout=30) as client:
            answer = client.post(
                f"http://127.0.0.1:{port}/prediction", content=streamed, headers={"Content-Type": "application/json"}
            )
    assert (answer.http_version, answer.status_code) == ("HTTP/2", 200)


class _Running:
    """A service that does not answer plain HTTP, so its log says when it has started."""

    def __init__(self, folder: Path, models: Path, port: int, *options: str) -> None:
        self._log = folder / "service.log"
        variables = {
            "BIND": f"127.0.0.1:{port}",
            "WEB_CONCURRENCY": "1",
            "MODEL_DIR": str(models),
            "STATE_DIR": str(folder / "state"),
            "DATABASE_URL": f"sqlite:///{folder}/records/records.db",
        }
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [Path(sys.executable).with_name("gunicorn"), *options, "app:create_app()"],
                cwd=REPOSITORY,
                env={"PATH": os.environ["PATH"]} | variables,
                stderr=log,
            )

    def __enter__(self) -> None:
        wait_until(lambda: "is live" in self._log.read_text(), "a live model")

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        self._process.wait(60)


@pytest.fixture(scope="module")
def unconfigured(tmp_path_factory: pytest.TempPathFactory, credits_models: Path) -> Iterator[tuple[str, Path]]:
    """A service that was started from another folder, where Gunicorn does not find our configuration."""
    folder = tmp_path_factory.mktemp("elsewhere")
    port, log_file = free_port(), folder / "log"
    variables = {"PATH": os.environ["PATH"], "MODEL_DIR": str(credits_models)}
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [
                *f"{sys.executable} -m gunicorn --chdir {REPOSITORY} --no-control-socket".split(),
                *f"--bind 127.0.0.1:{port} app:create_app()".split(),
            ],
            cwd=folder,
            env=variables,
            stderr=log,
        )
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return requests.get(f"{address}/readyz", timeout=10).status_code == 200
        except requests.ConnectionError:
            return False

    try:
        wait_until(answers, "an answer")
        yield address, log_file
    finally:
        process.terminate()
        process.wait(60)


def test_missing_configuration_is_reported(unconfigured: tuple[str, Path]):
    """The log, `/readyz` and the page say what does not work and how to start the service."""
    address, log = unconfigured
    [warning] = requests.get(f"{address}/readyz", timeout=30).json()["warnings"]

    assert f"--config {REPOSITORY / 'gunicorn.conf.py'}" in warning
    assert warning in log.read_text()
    assert "nothing is recorded" in requests.get(address, timeout=30).text
    assert requests.post(f"{address}/prediction", json=ROW, timeout=30).status_code == 200


def test_application_that_does_not_load_is_the_only_error(tmp_path: Path):
    """A worker that fails to start has no application to close."""
    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", "app:no_such_application()", "--bind", f"127.0.0.1:{free_port()}"],
        cwd=REPOSITORY,
        env={**os.environ, "MODEL_DIR": str(tmp_path), "DATABASE_URL": f"sqlite:///{tmp_path}/records.db"},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode != 0
    assert "no_such_application" in done.stderr
    assert "worker_exit" not in done.stderr
