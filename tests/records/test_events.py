"""The audit trail stores each event once, in order."""

from __future__ import annotations

import pytest

from app.metrics.records import FORGET, PURGE
from app.model.version_log import name_operator
from app.records.events import LABELLING, WITHDRAWALS, Event, add_event, count_remarks, read_events, read_last_events


def test_events_are_read_in_the_order_of_time(address: str, opened):
    """In any order of writing; a time span includes its start and excludes its end."""
    with opened(address).begin() as connection:
        for at in (3.0, 1.0, 2.0):
            assert add_event(connection, "ann@desk", PURGE, note=f"at {at}", at=at)
        assert add_event(connection, "ann@desk", FORGET, before="sha256:00", at=2.0)

        assert [event.at for event in read_events(connection)] == [1.0, 2.0, 2.0, 3.0]
        assert list(read_events(connection, since=1.0, until=3.0, what=(PURGE,))) == [
            Event(1.0, "ann@desk", PURGE, note="at 1.0"),
            Event(2.0, "ann@desk", PURGE, note="at 2.0"),
        ]


def test_an_event_that_is_reported_twice_is_stored_once(address: str, opened):
    """For example, by two recorders that report one promotion."""
    with opened(address).begin() as connection:
        told = [add_event(connection, who, "promotion", "v1", "v2", at=1.5) for who in ("ann@desk", "bob@desk")]

        assert told == [True, False]
        assert [event.who for event in read_events(connection)] == ["ann@desk"]


def test_what_people_say_is_one_event_an_hour(address: str, opened):
    """For each person and kind, also where two begin at the same moment."""
    with opened(address).begin() as connection:
        for who, what, n_rows, at in (
            ("ada", LABELLING, 1, 3600.0),
            ("bob", LABELLING, 2, 3600.0),
            ("ada", LABELLING, 1200, 7199.0),
            ("ada", WITHDRAWALS, 1, 7199.0),
            ("ada", LABELLING, 0, 7200.0),
            (None, LABELLING, 1, 7200.0),
        ):
            count_remarks(connection, who, what, n_rows, at)
        said = [(event.who, event.what, event.note) for event in read_events(connection)]
        assert sorted(said) == [
            ("ada", LABELLING, "1,201 rows"),
            ("ada", WITHDRAWALS, "1 row"),
            ("bob", LABELLING, "2 rows"),
            ("unknown", LABELLING, "1 row"),
        ]
        assert [event.what for event in read_last_events(connection, 9, (WITHDRAWALS,))] == [WITHDRAWALS]


def test_an_event_has_the_current_time_by_default(address: str, opened):
    """In seconds since 1970, compared with the database's own clock."""
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
def test_name_of_the_operator(monkeypatch, is_root, sudo_user, user, name):
    """With sudo, the original user; a user without a name is shown by number."""

    def find_user():
        if user is None:
            raise KeyError("getpwuid(): uid not found: 7")
        return user

    monkeypatch.setattr("os.geteuid", lambda: 0 if is_root else 7)
    monkeypatch.setattr("getpass.getuser", find_user)
    monkeypatch.setattr("socket.gethostname", lambda: "desk")
    monkeypatch.setenv("SUDO_USER", sudo_user)

    assert name_operator() == f"{name}@desk"
