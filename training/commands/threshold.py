"""``threshold``: make a version with the same forest and another threshold."""

from __future__ import annotations

import argparse
import os
import time
from typing import TYPE_CHECKING

from training.commands.options import add_consent_options, add_models_option, read_consent

if TYPE_CHECKING:
    from app.model.bundle import Bundle

# A month of traffic, with all days of the week several times.
_TRAFFIC_DAYS = 30


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = commands.add_parser(
        "threshold",
        help="move the threshold of a version",
        description="Make a version with the same forest and another threshold, without training. It goes live with "
        "--promote; otherwise the command that promotes it is printed.",
        allow_abbrev=False,
    )
    parser.add_argument("version", metavar="VERSION", nargs="?", help="whose forest to use (default: the live one's)")
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument(
        "--contamination", metavar="SHARE", type=float, help="flag this share of the training rows, up to 0.5"
    )
    choice.add_argument("--score", metavar="SCORE", type=float, help="flag rows with a lower score, -1 to 0")
    choice.add_argument(
        "--p-value", metavar="P", type=float, help="flag rows more abnormal than all but this share of training rows"
    )
    choice.add_argument(
        "--alarms-per-day",
        metavar="N",
        type=float,
        help=f"flag at most so many rows a day of the traffic recorded in the last {_TRAFFIC_DAYS} days",
    )
    parser.add_argument(
        "--database",
        metavar="URL",
        default=os.environ.get("DATABASE_URL") or "sqlite:///records/records.db",
        # The default may hold a password, so it is not printed.
        help="database of the records, for --alarms-per-day (default: $DATABASE_URL, else sqlite:///records/records.db)",
    )
    add_models_option(parser)
    add_consent_options(parser, "the new version")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Choose the threshold, make the version, and promote it if requested."""
    from app.drift.outlier_share import recalibrate
    from app.errors import NotPromoted
    from app.model.bundle import is_signature_required, read_bundle
    from app.model.live_model import CURRENT_LINK
    from app.model.store.moved_threshold import move_threshold
    from app.model.store.promotion_rules import require_sound
    from app.model.store.store import ModelStore
    from app.model.threshold_choice import p_value_of
    from training.console import NOT_PROMOTED

    store = ModelStore(options.models)
    bundle = read_bundle((store.find(options.version) if options.version else options.models / CURRENT_LINK).resolve())
    moved = move_threshold(store, bundle, _choose(options, bundle), recalibrate)
    version, training = moved.manifest["version"], moved.manifest["training"]
    score, before = moved.manifest["threshold"]["score"], bundle.manifest["training"]["flagged_share"]
    p_value = p_value_of(bundle.out_of_bag, score)
    print(
        f"{version} has the forest of {bundle.version} and the threshold {score:.6g} instead of "
        f"{bundle.forest.threshold.score:.6g}.\n"
        f"It flags {training['flagged_rows']:,} of {training['rows']:,} training rows, {training['flagged_share']:.3%} "
        f"instead of {before:.3%}" + ("." if p_value is None else f"; its p-value is {p_value:.6g}.")
    )
    consent = read_consent(options)
    try:
        consent.require(options.models, moved.manifest)
        if is_signature_required():
            raise NotPromoted("BUNDLE_PUBLIC_KEY requires a signature.")
    except NotPromoted as reason:
        if is_signature_required():
            print(f"To sign it: python -m training sign {version} --key FILE --models {options.models}")
        chosen = "".join(f" {option}" for option in reason.options)
        print(
            f"It is not live: {reason}\nTo make it live: python -m training promote {version}{chosen} "
            f"--models {options.models}"
        )
        return NOT_PROMOTED if options.promote else 0
    store.promote(version, require_sound)
    print(f"{version} is live; a running service loads it within two seconds")
    return 0


def _choose(options: argparse.Namespace, bundle: Bundle) -> float:
    """Return the threshold that the options mean, as a score."""
    from app.model.bundle import REFERENCE_FILE
    from app.model.threshold_choice import TrainingScores, find_threshold_of_p_value

    if options.score is not None:
        return float(options.score)
    if options.contamination is not None:
        return TrainingScores.read(bundle.folder / REFERENCE_FILE).find_threshold(options.contamination)
    if options.p_value is not None:
        return find_threshold_of_p_value(bundle.out_of_bag, options.p_value)
    from app.records.recorded_scores import read_scores
    from app.records.timestamps import SECONDS_PER_DAY

    now = time.time()
    scores = read_scores(options.database, bundle.version, now - _TRAFFIC_DAYS * SECONDS_PER_DAY, now)
    return scores.find_threshold(options.alarms_per_day)
