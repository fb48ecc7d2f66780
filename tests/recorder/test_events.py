"""The audit trail has all that happens to models, whoever did it, and even if the database was down."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from app.db.engine import open_database, upgrade_database
from app.errors import InvalidBundle
from app.metrics.records import EventMetrics
from app.model.store.store import ModelStore
from app.model.version_log import CHANGES_FILE, VersionChange, name_operator
from app.recorder import events as event_log
from app.recorder.events import EventLog
from app.records.events import Event, add_event, read_events

FIRST, SECOND, THIRD = (f"2026010{number}T000000Z-{letter * 8}" for number, letter in ((1, "a"), (2, "b"), (3, "c")))


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """A store with two versions, the second live."""
    store = ModelStore(tmp_path / "models")
    for version in (FIRST, SECOND):
        publish(store, version)
    return store


def publish(store: ModelStore, version: str) -> None:
    """Write a bundle of one file."""
    with store.writing() as folder:
        (folder / "file").write_text(version)
        store.publish(folder, version)


@pytest.fixture
def registry() -> CollectorRegistry:
    """The registry of the log's metrics."""
    return CollectorRegistry()


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    """The address of a database that does not exist yet."""
    return f"sqlite:///{tmp_path}/records/records.db"


@pytest.fixture
def log(store: ModelStore, sqlite: str, registry: CollectorRegistry):
    """A log that is updated by the tests."""
    log = EventLog(store.folder, sqlite, EventMetrics(registry))
    yield log
    log.start()
    log.close()


def events(address: str) -> list[Event]:
    """The audit trail."""
    engine = open_database(address)
    with engine.connect() as connection:
        found = list(read_events(connection))
    engine.dispose()
    return found


def moves(address: str) -> list[tuple[str, str, str, str]]:
    """Who did what, from which version to which."""
    return [(event.who, event.what, event.before, event.after) for event in events(address)]


ME = name_operator()


def test_changes_that_training_logged_are_written(log: EventLog, store: ModelStore, sqlite: str):
    """With who, when and both versions; once, however often it is updated."""
    upgrade_database(sqlite)
    store.rollback(lambda folder: None)
    log.promoted(SECOND)
    for _ in range(3):
        log.update()

    assert moves(sqlite) == [
        (ME, "promotion", "", FIRST),
        (ME, "promotion", FIRST, SECOND),
        (ME, "rollback", SECOND, FIRST),
    ]
    assert events(sqlite)[-1].at == pytest.approx((store.folder / "current").lstat().st_mtime, abs=1e-5)


def test_events_stay_pending_until_the_database_works(log: EventLog, store: ModelStore, sqlite: str):
    """Nothing fails while there is no database."""
    log.promoted(SECOND)
    log.refused("forest.npz was changed")
    log.update()

    upgrade_database(sqlite)
    log.update()

    assert [event.what for event in events(sqlite)] == ["promotion", "promotion", "refused bundle"]


def test_a_second_recorder_writes_nothing_again(log: EventLog, store: ModelStore, sqlite: str):
    """Nor does the same recorder after a restart."""
    upgrade_database(sqlite)
    other = EventLog(store.folder, sqlite, EventMetrics(CollectorRegistry()))
    for each in (log, other):
        each.promoted(SECOND)
        each.refused("forest.npz was changed")
        each.update()
    other.start()
    other.close()

    assert len(events(sqlite)) == 3


def move_by_hand(store: ModelStore, version: str) -> None:
    """Make another link, as `ln -s` does."""
    link = store.folder / "new"
    link.symlink_to(version)
    link.replace(store.folder / "current")


def test_a_link_that_was_moved_by_hand_is_written_as_such(log, store, sqlite: str, monkeypatch):
    """Once, and only after the time that training needs to log it."""
    upgrade_database(sqlite)
    log.update()
    move_by_hand(store, FIRST)
    log.promoted(SECOND)
    log.update()
    assert len(events(sqlite)) == 2

    monkeypatch.setattr(event_log, "_LOG_ENTRY_SECONDS", 0.0)
    for _ in range(2):
        log.update()
        log.promoted(SECOND)

    assert moves(sqlite)[2:] == [("unknown", "promotion", SECOND, FIRST)]


def test_a_link_with_the_same_target_is_no_event(log, store, sqlite: str, monkeypatch):
    """For example, when the folder of models was copied."""
    upgrade_database(sqlite)
    monkeypatch.setattr(event_log, "_LOG_ENTRY_SECONDS", 0.0)
    move_by_hand(store, SECOND)
    log.promoted(SECOND)
    log.update()

    assert [who for who, *_ in moves(sqlite)] == [ME, ME]


@pytest.mark.parametrize("move", [ModelStore.rollback, lambda store, check: store.promote(FIRST, check)])
def test_a_logged_change_is_not_mistaken_for_one_by_hand(log, store, sqlite: str, monkeypatch, move):
    """However long ago it was logged."""
    upgrade_database(sqlite)
    monkeypatch.setattr(event_log, "_LOG_ENTRY_SECONDS", 0.0)
    move(store, lambda folder: None)
    log.promoted(FIRST)
    log.update()

    assert [who for who, *_ in moves(sqlite)] == [ME, ME, ME]


def test_a_moved_threshold_is_written_with_both_thresholds(log, store, sqlite: str):
    """Although nothing went live."""
    upgrade_database(sqlite)
    change = VersionChange(time.time_ns(), ME, "threshold", SECOND, THIRD, "the threshold was moved from -0.5 to -0.6")
    with (store.folder / CHANGES_FILE).open("a", encoding="utf-8") as opened:
        opened.write(change.to_line())
    log.update()

    [event] = [event for event in events(sqlite) if event.what == "threshold"]
    assert (event.who, event.at, event.before, event.after, event.note) == (ME, change.at, SECOND, THIRD, change.note)


def test_a_late_log_entry_is_used(log, store, sqlite: str, monkeypatch):
    """The link is moved before the change is logged; in between, it must not be recorded as moved by hand."""
    upgrade_database(sqlite)
    notes = (store.folder / ".version-changes").read_text()
    (store.folder / ".version-changes").write_text("")
    log.promoted(SECOND)
    log.update()
    assert events(sqlite) == []

    (store.folder / ".version-changes").write_text(notes)
    monkeypatch.setattr(event_log, "_LOG_ENTRY_SECONDS", 0.0)
    log.update()

    assert moves(sqlite) == [(ME, "promotion", "", FIRST), (ME, "promotion", FIRST, SECOND)]


def test_a_refused_bundle_is_written_with_the_reason(log, store, sqlite: str):
    """And with who made it live, if that was logged."""
    upgrade_database(sqlite)
    log.promoted(SECOND)
    publish(store, THIRD)
    log.refused("forest.npz was changed after it was written")
    log.update()

    [refusal] = [event for event in events(sqlite) if event.what == "refused bundle"]
    assert (refusal.who, refusal.before, refusal.after) == (ME, SECOND, THIRD)
    assert refusal.note == "forest.npz was changed after it was written"


def test_a_bundle_that_breaks_later_has_the_time_of_its_refusal(log, store, sqlite: str):
    """Not the time of its link."""
    upgrade_database(sqlite)
    os.utime(store.folder / "current", (1e9, 1e9), follow_symlinks=False)
    log.refused("forest.npz was changed")
    log.update()

    [refusal] = [event for event in events(sqlite) if event.what == "refused bundle"]
    assert refusal.at > 1.7e9
    assert refusal.who == "unknown"


def test_metrics_include_events_that_others_write(log, sqlite: str, registry: CollectorRegistry):
    """Earlier events have a time; new ones are counted."""
    upgrade_database(sqlite)
    engine = open_database(sqlite)
    with engine.begin() as connection:
        add_event(connection, "ann@desk", "purge", at=5.0)
    log.update()

    def sample(name: str, event: str) -> float:
        return registry.get_sample_value(name, {"event": event})

    assert sample("records_event_timestamp_seconds", "purge") == 5.0
    assert sample("records_events_total", "purge") == 0
    assert sample("records_events_total", "promotion") == 2

    with engine.begin() as connection:
        add_event(connection, "ann@desk", "purge", at=7.0)
        add_event(connection, "ann@desk", "forget", at=8.0)
    engine.dispose()
    log.update()

    assert sample("records_event_timestamp_seconds", "purge") == 7.0
    assert sample("records_events_total", "purge") == 1
    assert sample("records_events_total", "forget") == 1
    assert sample("records_event_timestamp_seconds", "refused bundle") == 0


def test_a_refused_bundle_has_the_time_of_its_promotion(log, store, sqlite: str):
    """To the last bit, so that equal events are recognized and events of one time keep their order."""
    upgrade_database(sqlite)
    made_ns = time.time_ns()
    while made_ns / 1e9 == made_ns / 1_000_000_000:  # one way of turning it into seconds rounds twice
        made_ns += 1
    os.utime(store.folder / "current", ns=(made_ns, made_ns), follow_symlinks=False)
    note = VersionChange(made_ns, ME, "promotion", FIRST, SECOND)
    (store.folder / CHANGES_FILE).write_text(note.to_line(), encoding="utf-8")
    log.refused("forest.npz was changed")
    log.update()

    assert [(event.what, event.at) for event in events(sqlite)] == [("promotion", note.at), ("refused bundle", note.at)]


def test_each_of_many_moves_is_written(log, store, sqlite: str, monkeypatch):
    """However soon the link is moved again, whether or not its bundle was loaded in between, and in order."""
    upgrade_database(sqlite)
    broken = InvalidBundle(f"{THIRD} is broken.")

    def read_bundle(folder: Path) -> None:
        if folder.name == THIRD:
            raise broken

    monkeypatch.setattr(event_log, "read_bundle", read_bundle)
    moved = [FIRST, SECOND, THIRD] * 10
    for number, version in enumerate(moved):
        move_by_hand(store, version)
        made = (store.folder / "current").lstat().st_mtime_ns + number
        os.utime(store.folder / "current", ns=(made, made), follow_symlinks=False)
        log.look()
        if number % 4 == 0 and version != THIRD:
            log.promoted(version, made)
        if number % 4 == 0 and version == THIRD:
            move_by_hand(store, FIRST)  # before the refusal is reported
            os.utime(store.folder / "current", ns=(made, made + 1), follow_symlinks=False)
            log.refused(str(broken), made)
    monkeypatch.setattr(event_log, "_LOG_ENTRY_SECONDS", 0.0)
    log.update()
    log.update()

    written = [(event.what, event.after) for event in events(sqlite) if event.who == "unknown"]
    assert [written.count(("promotion", version)) for version in (FIRST, SECOND)] == [10, 10]
    assert written.count(("refused bundle", THIRD)) == 10
    assert len(written) == 30


def test_a_refusal_is_written_once_for_each_link(log, store, sqlite: str):
    """A recorder that was restarted refuses the bundle again, without knowing which one was live before."""
    upgrade_database(sqlite)
    log.promoted(FIRST)
    log.refused("forest.npz was changed")
    log.update()
    for made_at in (time.time(), 1e9):  # the link is new, or old
        os.utime(store.folder / "current", (made_at, made_at), follow_symlinks=False)
        for _ in range(2):
            restarted = EventLog(store.folder, sqlite, EventMetrics(CollectorRegistry()))
            restarted.refused("forest.npz was changed")
            restarted.update()
    move_by_hand(store, SECOND)
    log.refused("forest.npz was changed")
    log.update()

    refusals = [event.at for event in events(sqlite) if event.what == "refused bundle"]
    assert len(refusals) == 3
