"""What the pictures in a bundle have in common: size, colours, fonts and legend; drawn by Matplotlib."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font, get_font_names
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from training.console import warn

# Inches; with the resolution, 1080 x 840 pixels: sharp in a report column, and small as a file.
_SIZE, _DOTS_PER_INCH = (9.0, 7.0), 120

# Nearly everybody can distinguish blue and red, even in print, where the red is darker.
INLIER_COLOUR, OUTLIER_COLOUR, THRESHOLD_COLOUR = "#2166ac", "#c62828", "darkred"

# A longer name would push the plot aside.
_MAX_NAME_LENGTH = 40

# Fonts for names of features; a letter is drawn in the first that has it. Matplotlib brings the first, with Arabic and
# Hebrew; Debian packages the others as fonts-noto-cjk, fonts-symbola (emoji) and fonts-noto-core.
_FONTS = ("DejaVu Sans", "Noto Sans CJK JP", "Symbola", "Noto Sans", "Noto Sans Devanagari", "Noto Sans Thai")


def begin(title: str) -> tuple[Figure, Axes]:
    """Create an empty plot."""
    figure = Figure(figsize=_SIZE, layout="constrained")
    # The labels take their fonts when they are made. Matplotlib would log each missing font at every use.
    with rc_context({"font.family": _installed_fonts()}):
        axes = figure.add_subplot()
    axes.set_title(title, parse_math=False, wrap=True)
    return figure, axes


def finish(figure: Figure, legend: list[Patch | Line2D]) -> Figure:
    """Add the legend below the plot, where it covers nothing."""
    figure.legend(handles=legend, loc="outside lower center", ncols=len(legend), frameon=False, fontsize="small")
    return figure


def shorten(name: str) -> str:
    """Truncate a long name."""
    return name if len(name) <= _MAX_NAME_LENGTH else name[: _MAX_NAME_LENGTH - 3] + "..."


def _installed_fonts() -> list[str]:
    """Return those of ``_FONTS`` that are installed."""
    installed = set(get_font_names())
    return [family for family in _FONTS if family in installed]


def report_boxes(names: Sequence[str]) -> None:
    """Print which characters of names no installed font has, and what to install, if there are any."""
    fonts = [get_font(findfont(family)) for family in _installed_fonts()]
    # Marks such as the joiner of emoji have no shape of their own.
    shown = (character for character in sorted(set("".join(names))) if character.isprintable())
    if boxes := "".join(letter for letter in shown if not any(font.get_char_index(ord(letter)) for font in fonts)):
        warn(
            f"no installed font has {boxes}: pictures show boxes instead; install fonts-noto-cjk (Chinese, Japanese, "
            "Korean), fonts-symbola (emoji) or fonts-noto-core, then train again."
        )


def to_png(figure: Figure) -> bytes:
    """Return a figure as the content of a PNG file."""
    written = io.BytesIO()
    with warnings.catch_warnings():
        # What no font has is drawn as boxes, which draw_pictures reports once.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(written, format="png", dpi=_DOTS_PER_INCH)
    return written.getvalue()
