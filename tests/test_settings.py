"""Settings come from an environment, and a bad one is refused by name."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from app.errors import InvalidSetting
from app.settings import Settings, settings_page

REPOSITORY = Path(__file__).parent.parent


def test_empty_environment_means_defaults():
    """No variable is required, and an empty one counts as unset."""
    assert Settings.from_environ({}) == Settings()
    assert Settings.from_environ({"BIND": "", "WORKER_THREADS": " "}) == Settings()


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("MODEL_DIR", "/srv/models", "/srv/models"),
        ("WEB_CONCURRENCY", "3", 3),
        ("LOG_REQUESTS", "no", False),
        ("LOG_REQUESTS", "TRUE", True),
        ("LOG_FORMAT", "json", "json"),
        ("RECORD_PREDICTIONS", "off", 0.0),
        ("RECORD_PREDICTIONS", "All", 1.0),
        ("RECORD_PREDICTIONS", "0.1", 0.1),
        ("REPLICA_MONTHLY_COST", "24.90", 24.9),
        ("CURRENCY", "EUR", "EUR"),
    ],
)
def test_value_is_read(variable: str, text: str, value: object):
    """The text of a variable becomes a value of the setting's type."""
    assert getattr(Settings.from_environ({variable: text}), variable.lower()) == value


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("WORKER_THREADS", "many"),
        ("WORKER_THREADS", "0"),
        ("WEB_CONCURRENCY", "-1"),
        ("WEB_CONCURRENCY", "1_0"),
        ("RECORD_RETENTION_DAYS", "2147483648"),
        ("WORKER_TIMEOUT", "1.5"),
        ("LOG_FORMAT", "xml"),
        ("LOG_REQUESTS", "perhaps"),
        ("RECORD_PREDICTIONS", "some"),
        ("RECORD_PREDICTIONS", "nan"),
        ("AUDIT_SHARE", "1.5"),
        ("AUDIT_SHARE", "all"),
        ("LABEL_NOISE", "0.5"),
        ("REPLICA_MONTHLY_COST", "-1"),
        ("REPLICA_MONTHLY_COST", "25 EUR"),
        ("CURRENCY", "€"),
    ],
)
def test_bad_value_is_refused_with_its_variable(variable: str, text: str):
    """The message has the variable, its value and what is expected."""
    with pytest.raises(InvalidSetting, match=rf"^{variable}='{text}' is not .*: give .+\.$"):
        Settings.from_environ({variable: text})


def test_page_of_settings_is_current():
    """`docs/settings.md` matches the settings."""
    assert (REPOSITORY / "docs" / "settings.md").read_text() == settings_page()


def test_every_setting_has_a_description():
    """Every setting has a description, and every number a unit."""
    for setting in fields(Settings):
        assert setting.metadata["help"].endswith(".")
        assert setting.metadata["unit"] or setting.type in (bool, str)


def test_lists_have_commas_and_may_have_empty_items():
    """Compose joins variables that may be empty."""
    settings = Settings.from_environ({"ALLOWED_HOSTS": "caddy,, A.example ,", "TRUSTED_PROXIES": "10.0.0.0/8,::1"})

    assert settings.allowed_hosts == ("caddy", "a.example")
    assert settings.trusted_proxies == ("10.0.0.0/8", "::1")
    assert settings.cors_origins == ()


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("ALLOWED_HOSTS", "http://a.example"),
        ("ALLOWED_HOSTS", "a.example/path"),
        ("ALLOWED_HOSTS", "a.example b.example"),
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "a.example"),
        ("CORS_ORIGINS", "https://a.example/"),
        ("CORS_ORIGINS", "https://*"),
        ("TRUSTED_PROXIES", "caddy"),
        ("TRUSTED_PROXIES", "10.0.0.0/99"),
    ],
)
def test_mistakes_in_lists_are_named(variable: str, text: str):
    """The service does not start, because it would be open or closed to the wrong callers."""
    with pytest.raises(InvalidSetting, match=rf"{variable}=.* is not a valid list .* with commas between them"):
        Settings.from_environ({variable: text})
