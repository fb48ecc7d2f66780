"""Which user classes run: those that are named, those that have a wanted tag, or the one of the simplest load."""

from __future__ import annotations

from argparse import Namespace

from loadtest.checked_user import CheckedUser
from loadtest.options import UnusableOption
from loadtest.stages import USERS_OF_SHAPE
from loadtest.users import USERS, SingleRowUser


def choose_users(options: Namespace) -> list[type[CheckedUser]]:
    """Choose the user classes.

    Locust alone would run all of them when none is named, and bad input beside good is not what a first run should
    show.

    Parameters
    ----------
    options
        The command line. Its ``tags`` and ``exclude_tags`` filter whatever is named; without names they choose among
        all classes; without either the shape decides, or ``SingleRowUser`` runs.

    Returns
    -------
    At least one class.

    Raises
    ------
    UnusableOption
        If no task is left.
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
        raise UnusableOption(f"No user has a task with these tags: the tags are {', '.join(tags)}.")
    return chosen


def tags_of(user: type[CheckedUser]) -> set[str]:
    """Give the tags of a user's tasks."""
    return {tag for task in user.tasks for tag in getattr(task, "locust_tag_set", ())}


def _has_task(user: type[CheckedUser], options: Namespace) -> bool:
    """Tell whether a task of the user is left by ``--tags`` and ``--exclude-tags``."""
    tags = tags_of(user)
    return (not options.tags or bool(tags & set(options.tags))) and not tags & set(options.exclude_tags or ())
