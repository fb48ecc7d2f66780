"""The file .env: made when it is missing, changed where it was asked for, otherwise its owner's."""

from __future__ import annotations

from pathlib import Path

from scripts.platform_settings import change_settings, read_settings, settings_wanted


def test_first_start_makes_a_file_that_says_what_it_is(tmp_path: Path):
    """A person who opens it learns where to read on, and finds no password."""
    path = tmp_path / ".env"
    change_settings(path, settings_wanted(read_settings(path), {"ADMIN_PASSWORD": "battery"}))

    assert read_settings(path) == {"ADMIN_USER": "admin"}
    assert "docs/compose.md" in path.read_text()
    assert "battery" not in path.read_text()


def test_what_its_owner_wrote_stays(tmp_path: Path):
    """Other settings, comments and their order are not ours to change."""
    path = tmp_path / ".env"
    path.write_text("# mine\nSERVICE_CPUS='2.0'\n\nADMIN_USER=eva\nBIND_ADDRESS=10.0.0.1\n")
    change_settings(path, settings_wanted(read_settings(path), {"BIND_ADDRESS": "10.0.0.2"}))

    assert path.read_text() == "# mine\nSERVICE_CPUS='2.0'\n\nADMIN_USER=eva\nBIND_ADDRESS=10.0.0.2\n"
    assert read_settings(path)["SERVICE_CPUS"] == "2.0"


def test_site_address_chooses_the_files_and_goes_back(tmp_path: Path):
    """Compose is told to take the second file with it, so that plain commands agree with `make up`."""
    path = tmp_path / ".env"
    change_settings(path, settings_wanted({}, {"SITE_ADDRESS": "example.org"}))
    assert read_settings(path)["COMPOSE_FILE"] == "docker-compose.yml:docker-compose.site.yml"

    change_settings(path, settings_wanted(read_settings(path), {"SITE_ADDRESS": ""}))

    assert read_settings(path) == {"ADMIN_USER": "admin"}
    assert [file.name for file in tmp_path.iterdir()] == [".env"]


def test_file_that_was_closed_to_others_stays_closed(tmp_path: Path):
    """Who writes a password into DATABASE_URL says `chmod 600 .env` once."""
    path = tmp_path / ".env"
    change_settings(path, {"ADMIN_USER": "eva"})
    assert path.stat().st_mode & 0o777 == 0o644

    path.chmod(0o600)
    change_settings(path, {"BIND_ADDRESS": "10.0.0.2"})

    assert path.stat().st_mode & 0o777 == 0o600
    assert read_settings(path) == {"ADMIN_USER": "eva", "BIND_ADDRESS": "10.0.0.2"}
