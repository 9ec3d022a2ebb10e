"""The picture of a learning-rate range test: the loss against the rate, and the rate that follows from it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vesalius.core.disk import write_bytes
from vesalius.core.errors import OutputError

SUFFIXES = (".svg", ".png", ".pdf")
INK, SOFT, LINE, MARK = "#22303c", "#6b7a88", "#2f6f8f", "#b3452c"


def draw_rates(
    rates: Sequence[float],
    losses: Sequence[float],
    averages: Sequence[float],
    *,
    suggestion: float | None,
    kind: str = "svg",
) -> bytes:
    """Return the picture as SVG, PNG or PDF: each step's loss, their average, and a line at the suggestion."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, NullFormatter

    style: Any = {"svg.hashsalt": "vesalius", "font.family": "DejaVu Sans", "text.parse_math": False}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
        axes = figure.add_subplot()
        axes.plot(rates, losses, ".", color=SOFT, markersize=3, label="loss of each step")
        axes.plot(rates, averages, color=LINE, lw=2, label="its average")
        if suggestion is not None:
            axes.axvline(suggestion, color=MARK, ls="--", lw=1.5, label=f"suggested: {suggestion:.2g}")
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        if averages:  # what broke out at the end would flatten all else
            low, high = min(*averages, *losses), max(averages)
            axes.set_ylim(low - 0.1 * (high - low) - 1e-9, high + 0.2 * (high - low) + 1e-9)
        axes.set_xlabel("learning rate", color=INK)
        axes.set_ylabel("training loss", color=INK)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
        out = io.BytesIO()
        about = {"Date": None} if kind == "svg" else {"CreationDate": None} if kind == "pdf" else {}
        figure.savefig(out, format=kind, metadata=about)
    return out.getvalue()


def write_rates(path: Path, rates: Sequence[float], losses: Sequence[float], averages: Sequence[float], *,
                suggestion: float | None) -> None:  # fmt: skip
    """Write the picture in the format of the path's suffix. Raises OutputError for another, and for a file there."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise OutputError(f"a picture cannot be written as '{suffix}'", hint=" or ".join(SUFFIXES))
    if path.exists():
        raise OutputError(f"{path} exists; nothing is overwritten", hint="another path")
    write_bytes(path, draw_rates(rates, losses, averages, suggestion=suggestion, kind=suffix[1:]))
