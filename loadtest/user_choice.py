"""Select the user classes that run: by name, by tag, or the default."""

from __future__ import annotations

from argparse import Namespace

from loadtest.checked_user import CheckedUser
from loadtest.options import UnusableOption
from loadtest.stages import USERS_OF_SHAPE
from loadtest.users import USERS, SingleRowUser


def choose_users(options: Namespace) -> list[type[CheckedUser]]:
    """Select the user classes.

    Without names, Locust itself would run all of them, and a first run should not mix invalid requests with valid ones.

    Parameters
    ----------
    options
        The command line. ``tags`` and ``exclude_tags`` filter the named classes, or all classes if none is named;
        without any of these, the shape's users run, or ``SingleRowUser``.

    Returns
    -------
    At least one class.

    Raises
    ------
    UnusableOption
        If no class is left.
    """
    if options.user_classes:
        candidates = [USERS[name] for name in options.user_classes]
    elif options.tags or options.exclude_tags:
        candidates = list(USERS.values())
    else:
        return [USERS[USERS_OF_SHAPE.get(options.shape, SingleRowUser.__name__)]]
    chosen = [user for user in candidates if _has_task(user, options)]
    if not chosen:
        tags = sorted({tag for user in USERS.values() for tag in tags_of(user)})
        raise UnusableOption(f"No user matches these tags: the tags are {', '.join(tags)}.")
    return chosen


def tags_of(user: type[CheckedUser]) -> set[str]:
    """Return the tags of a user's tasks."""
    return {tag for task in user.tasks for tag in getattr(task, "locust_tag_set", ())}


def _has_task(user: type[CheckedUser], options: Namespace) -> bool:
    """Return whether ``--tags`` and ``--exclude-tags`` leave a task of this user."""
    tags = tags_of(user)
    return (not options.tags or bool(tags & set(options.tags))) and not tags & set(options.exclude_tags or ())
