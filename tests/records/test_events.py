"""The audit trail keeps what is added, once, in its order."""

from __future__ import annotations

import pytest

from app.metrics.records import FORGET, PURGE
from app.model.version_log import name_operator
from app.records.events import Event, add_event, read_events


def test_events_are_read_in_the_order_of_time(address: str, opened):
    """Whenever they were written; a window begins with its first moment and ends before its last."""
    with opened(address).begin() as connection:
        for at in (3.0, 1.0, 2.0):
            assert add_event(connection, "ann@desk", PURGE, note=f"at {at}", at=at)
        assert add_event(connection, "ann@desk", FORGET, before="sha256:00", at=2.0)

        assert [event.at for event in read_events(connection)] == [1.0, 2.0, 2.0, 3.0]
        assert list(read_events(connection, since=1.0, until=3.0, what=(PURGE,))) == [
            Event(1.0, "ann@desk", PURGE, note="at 1.0"),
            Event(2.0, "ann@desk", PURGE, note="at 2.0"),
        ]


def test_an_event_that_is_told_twice_is_kept_once(address: str, opened):
    """As when two recorders read of one promotion."""
    with opened(address).begin() as connection:
        told = [add_event(connection, who, "promotion", "v1", "v2", at=1.5) for who in ("ann@desk", "bob@desk")]

        assert told == [True, False]
        assert [event.who for event in read_events(connection)] == ["ann@desk"]


def test_an_event_is_of_now_unless_said(address: str, opened):
    """In seconds since 1970, as the database's own clock says within a day."""
    with opened(address).begin() as connection:
        add_event(connection, "ann@desk", PURGE)

        assert next(read_events(connection)).at > 1_700_000_000


@pytest.mark.parametrize(
    ("is_root", "sudo_user", "user", "name"),
    [
        (True, "ann", "root", "ann"),
        (True, "", "root", "root"),
        (False, "ann", "bob", "bob"),
        (False, "", None, "7"),
    ],
)
def test_operators_are_named_by_their_own_name(monkeypatch, is_root, sudo_user, user, name):
    """Who became root by sudo by the name before; a user without a name by number."""

    def find_user():
        if user is None:
            raise KeyError("getpwuid(): uid not found: 7")
        return user

    monkeypatch.setattr("os.geteuid", lambda: 0 if is_root else 7)
    monkeypatch.setattr("getpass.getuser", find_user)
    monkeypatch.setattr("socket.gethostname", lambda: "desk")
    monkeypatch.setenv("SUDO_USER", sudo_user)

    assert name_operator() == f"{name}@desk"
