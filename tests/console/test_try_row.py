"""``GET /try`` is a form for one row, and shows what is running."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import IsolationForest

from app.api.service import service_of
from app.console.try_row import choose_examples
from app.model.bundle import read_manifest, write_manifest
from app.model.schema import LARGEST_NUMBER
from tests.model.format_1 import rewrite_as_format_1
from training.bundle.write import TrainedModel, write_bundle
from training.data.dataset import Dataset


class Page(HTMLParser):
    """A parsed page: its elements and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str | None] = []
        self.text_by_id: dict[str, str] = {}
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in {"base", "meta", "link", "img", "input"}:
            self._open.append(dict(attrs).get("id"))

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self.text += data
        for name in filter(None, self._open):
            self.text_by_id[name] = self.text_by_id.get(name, "") + data

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        """Return the elements with a tag and these attributes."""
        return [found for name, found in self.elements if name == tag and attributes.items() <= found.items()]


def read_page(client: FlaskClient) -> Page:
    """Request and parse the page."""
    response = client.get("/try")
    assert (response.status_code, response.mimetype) == (200, "text/html")
    return Page(response.text)


def words_of_command(page: Page) -> list[str]:
    """Split the command as a shell does, which joins two lines at a trailing backslash."""
    return shlex.split(page.text_by_id["curl"].replace("\\\n", ""))


@pytest.fixture
def own_models(credits_models: Path, tmp_path: Path) -> Path:
    """A copy of the models folder that tests may change."""
    return shutil.copytree(credits_models, tmp_path / "own", symlinks=True)


def rewrite_manifest(models: Path, **changes: object) -> None:
    """Change values in the manifest of the live bundle, and update its digest."""
    folder = models / "current"
    write_manifest(folder, read_manifest(folder) | changes)


def test_page_shows_the_live_model(client: FlaskClient, service: Flask):
    """Name, version, age, size and threshold are formatted for people."""
    bundle = service_of(service).model.get()

    page = read_page(client)

    assert f"{bundle.trained_at:%d %B %Y, %H:%M} UTC" in page.text
    flagged = f"{bundle.manifest['training']['flagged_share']:.2%}".replace("%", " %")
    for text in (bundle.name, bundle.version, "64,227", flagged, "-0.5"):
        assert text in page.text
    assert client.get("/try").headers["Cache-Control"] == "no-cache"


def test_each_feature_has_a_labelled_input(client: FlaskClient):
    """The form starts with a typical row, which the model labels as an inlier."""
    page = read_page(client)
    inputs = page.all("input", type="number")

    assert [page.text_by_id.get(f"range-{place}", "").split()[:2] for place in range(2)] == [["in", "training"]] * 2
    labelled = [label["for"] for label in page.all("label") if "for" in label]
    assert labelled == ["pasted", *(found["id"] for found in inputs), "key"]
    row = [float(found["value"]) for found in inputs]
    assert client.post("/prediction", json={"feature_vector": row}).json == {"is_inlier": 1}


def test_example_rows_keep_their_scores(client: FlaskClient, service: Flask):
    """Shortened rows score as in the manifest: the best, the nearest to the threshold, the worst."""
    scores = service_of(service).model.get().manifest["golden"]["anomaly_score"]
    rows = [json.loads(button["data-row"]) for button in read_page(client).all("button") if "data-row" in button]

    answers = [client.post("/prediction", json={"feature_vector": row, "score": True}).json for row in rows]

    expected = [max(scores), min(scores, key=lambda score: abs(score + 0.5)), min(scores)]
    assert [answer["anomaly_score"] for answer in answers] == pytest.approx(expected, rel=0, abs=1e-12)


@given(st.floats(-LARGEST_NUMBER, LARGEST_NUMBER))
def test_shortened_number_is_the_same_float32(number: float):
    """A shortened number is the same float32, and the service accepts it."""
    (shortened,) = choose_examples({"rows": [[number]], "anomaly_score": [-0.4]}, -0.5)[0].values

    assert np.float32(shortened) == np.float32(number)
    assert abs(shortened) <= LARGEST_NUMBER


def test_example_may_lack_a_value():
    """In some tables every row does."""
    golden = {"rows": [[None, 1.0], [2.0, None]], "anomaly_score": [-0.4, -0.6]}

    assert [row.values for row in choose_examples(golden, -0.5)] == [[None, 1.0], [None, 1.0], [2.0, None]]


def test_example_numbers_are_short():
    """Examples do not have seventeen digits."""
    golden = {"rows": [[-0.15795269682074692, 1 / 3]], "anomaly_score": [-0.4]}

    assert choose_examples(golden, -0.5)[0].values == [-0.1579527, 0.33333334]


def test_page_follows_its_security_policy(client: FlaskClient):
    """Scripts and styles are files on this host."""
    page = read_page(client)
    policy = client.get("/try").headers["Content-Security-Policy"]

    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert all("src" in script for script in page.all("script"))
    assert not page.all("style")
    assert not [found for _, found in page.elements if any(name == "style" or name[:2] == "on" for name in found)]


def test_menu_links_to_the_runbook(make_service: Callable[..., Flask], client: FlaskClient, credits_models: Path):
    """Only if there is one: the service does not know what serves it."""
    linked = make_service(credits_models, runbook_url="/runbook/").test_client()

    assert '<a href="/runbook/">Runbook</a>' in linked.get("/try").text
    assert "Runbook" not in client.get("/try").text


@pytest.mark.parametrize(
    "address", ["https://model.example:8443/", "http://[::1]:8000/", "http://localhost/it's;mine/"]
)
def test_command_can_be_pasted(make_service: Callable[..., Flask], credits_models: Path, address: str):
    """It sends the row of the form to the page's host, with the URL quoted for the shell."""
    client = make_service(credits_models, allowed_hosts=("model.example",)).test_client()
    page = Page(client.get("/try", base_url=address).text)

    words = words_of_command(page)

    assert words[:2] == ["curl", f"{address}prediction"]
    options = dict(zip(words[2::2], words[3::2], strict=True))
    answer = client.post("/prediction", data=options["-d"], headers=[options["-H"].split(": ")])
    assert answer.json.keys() > {"is_inlier", "anomaly_score", "contributions"}


_FORWARDED = {"X-Forwarded-Host": "models.example:8443", "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/a/b"}


@pytest.mark.parametrize(
    ("peer", "headers", "address"),
    [
        ("10.1.2.3", _FORWARDED, "https://models.example:8443/a/b/prediction"),
        ("10.1.2.3", {"X-Forwarded-Proto": "HTTPS"}, "https://localhost/prediction"),
        ("10.1.2.3", {"X-Forwarded-Host": "evil.example, models.example"}, "http://models.example/prediction"),
        ("10.1.2.3", {"X-Forwarded-Prefix": "/"}, "http://localhost/prediction"),
        ("192.0.2.1", _FORWARDED, "http://localhost/prediction"),
        *(
            ("10.1.2.3", {f"X-Forwarded-{name}": value}, "http://localhost/prediction")
            for name, value in (
                *(("Host", host) for host in ("a;reboot", "$(reboot)", "a/b", "user@a", "")),
                *(("Proto", scheme) for scheme in ("javascript", "https://", "")),
                *(("Prefix", prefix) for prefix in ("a", "//evil.example", "/$(reboot)", "/a b")),
            )
        ),
    ],
)
def test_command_has_the_address_that_a_trusted_proxy_names(
    make_service: Callable[..., Flask], credits_models: Path, peer: str, headers: dict[str, str], address: str
):
    """Without JavaScript too. Others cannot change what people copy, and nothing malformed is shown."""
    client = make_service(credits_models, trusted_proxies=("10.0.0.0/8",)).test_client()

    page = Page(client.get("/try", headers=headers, environ_base={"REMOTE_ADDR": peer}).text)

    assert words_of_command(page)[:2] == ["curl", address]


@pytest.mark.parametrize("host", ["a;reboot", "$(reboot)", "a'b", '"><script>', "a b"])
def test_forged_host_is_quoted(make_service: Callable[..., Flask], credits_models: Path, host: str):
    """Even if every Host is allowed, a forged one injects neither a shell command nor an HTML element."""
    client = make_service(credits_models, allowed_hosts=("*",)).test_client()
    page = Page(client.get("/try", headers={"Host": host}).text)

    assert words_of_command(page)[2] == "-H"
    assert len(page.all("script")) == 1


def test_names_are_escaped(make_service: Callable[[Path], Flask], own_models: Path):
    """A column that is named like an HTML element is shown as text."""
    hostile = "<script>alert('mean')</script>"
    manifest = read_manifest(own_models / "current")
    features, columns = ([manifest[part][0] | {"name": hostile}, manifest[part][1]] for part in ("features", "columns"))
    encoding = [{"step": "identity", "columns": [hostile, columns[1]["name"]]}]
    rewrite_manifest(own_models, features=features, columns=columns, encoding=encoding, name='a"b<i>')

    page = read_page(make_service(own_models).test_client())

    assert hostile in page.text
    assert 'a"b<i>' in page.text
    assert (len(page.all("script")), page.all("i", id="")) == (1, [])


def test_many_inputs_scroll_in_a_frame(client: FlaskClient, make_service: Callable[[Path], Flask], tmp_path: Path):
    """With a wide model the answer stays visible; with a narrow model all inputs are shown."""
    names, rows = tuple(f"sensor {column}" for column in range(13)), np.random.default_rng(0).normal(size=(64, 13))
    table = Dataset(names, rows, tmp_path / "wide.csv", "0" * 64, names)
    write_bundle(tmp_path / "wide", TrainedModel("wide", IsolationForest(n_estimators=5).fit(rows), table))

    wide = read_page(make_service(tmp_path / "wide").test_client())

    assert len(wide.all("input", type="number")) == 13
    assert len(wide.all("div", **{"class": "features scrolls"})) == 1
    assert len(read_page(client).all("div", **{"class": "features"})) == 1


def test_synthetic_training_data_are_labelled(make_service: Callable[[Path], Flask], own_models: Path):
    """A model of the example data cannot be mistaken for one of real customers."""
    training = read_manifest(own_models / "current")["training"]
    shown = []
    for synthetic in (False, True):
        rewrite_manifest(own_models, training=training | {"synthetic": synthetic})
        shown.append("synthetic" in read_page(make_service(own_models).test_client()).text)

    assert shown == [False, True]


def test_refused_newer_model_is_shown(make_service: Callable[[Path], Flask], own_models: Path):
    """The page of the old model says why the new one is not live."""
    app = make_service(own_models)
    version = service_of(app).model.get().version
    assert "newer one was refused" not in read_page(app.test_client()).text
    (own_models / "broken").mkdir()
    (own_models / "current").unlink()
    (own_models / "current").symlink_to("broken")
    service_of(app).model.refresh()

    page = read_page(app.test_client())

    assert "a newer one was refused" in page.text
    assert "broken/manifest.json does not exist" in page.text
    assert version in page.text


def test_without_a_model_the_page_says_what_to_do(client_without_model: FlaskClient):
    """The page shows the same reason as /readyz, and has no form that could only fail."""
    reason = client_without_model.get("/readyz").json["detail"]

    page = read_page(client_without_model)

    assert reason in page.text
    assert "make train" in reason
    assert not page.all("form")


def test_key_and_explanation_are_offered_where_they_apply(own_models: Path, make_service, tmp_path: Path):
    """A model of format 1 has no box for an explanation; the field for a key is hidden if none is needed."""
    page = read_page(make_service(own_models).test_client())
    assert page.all("input", id="explain")
    assert "hidden" in page.all("div", id="key-field")[0]
    assert json.loads(page.text_by_id["curl-body"])["explain"] is True

    (tmp_path / "keys").write_text("scoring predict s3cret\n")
    rewrite_as_format_1((own_models / "current").resolve())
    page = read_page(make_service(own_models, api_keys_file=str(tmp_path / "keys")).test_client())
    assert not page.all("input", id="explain")
    assert "hidden" not in page.all("div", id="key-field")[0]
    assert "explain" not in json.loads(page.text_by_id["curl-body"])
