"""Drawings for the report: curves as SVG that follow the page's light or dark dress; no state kept between them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from vesalius.core import palette
from vesalius.core.called import written
from vesalius.core.scorecard import Interval, Scorecard
from vesalius.metrics import wilson

INK, SOFT, LINE, GRID, PAPER, ACCENT = "#1c2833", "#53626f", "#dde4ea", "#e9eef2", "#fefefe", "#1b6387"
DRESS = {INK: "ink", SOFT: "soft", LINE: "line", GRID: "grid", PAPER: "paper", ACCENT: "accent"}
STYLE: Any = {
    "font.family": "DejaVu Sans", "font.size": 9.5, "axes.edgecolor": LINE, "axes.labelcolor": SOFT,
    "axes.labelsize": 9.5, "axes.titlesize": 9.5, "axes.titlecolor": INK, "xtick.labelsize": 9, "ytick.labelsize": 9,
    "axes.spines.top": False, "axes.spines.right": False, "xtick.color": SOFT, "ytick.color": SOFT,
    "text.color": INK, "axes.grid": True, "grid.color": GRID, "axes.axisbelow": True,
    "legend.frameon": False, "legend.fontsize": 9, "text.parse_math": False,
    "svg.hashsalt": "vesalius", "svg.fonttype": "none", "figure.dpi": 100,
}  # fmt: skip
LAYOUT: Any = "constrained"  # which measures every label, so that none is cut off
PANELS = 12  # of small drawings side by side, a label each
LINES = 10  # of curves in one drawing that a legend names


@dataclass(frozen=True, slots=True)
class Figure:
    """One drawing of a report: its title, its SVG element, and a line that says how to read it."""

    show: ClassVar[str] = "figure"
    title: str
    svg: str
    text: str
    wide: bool = False


def roc(curves: Mapping[str, Any], scored: Mapping[str, Interval]) -> str:
    """ROC curves by label."""
    with _axes() as (axes, finish):
        axes.plot([0, 1], [0, 1], "--", color=SOFT, lw=0.8)
        for colour, (label, curve) in _coloured(curves):
            axes.plot(curve["x"], curve["y"], color=colour, lw=1.9, label=_named(label, scored, "auc"))
        _unit_square(axes, "1 − specificity", "sensitivity")
        _legend(axes, curves, "lower right")
        return finish()


def precision_recall(curves: Mapping[str, Any], scored: Mapping[str, Interval]) -> str:
    """Precision-recall curves by label, with the share of positives as the floor of each."""
    with _axes() as (axes, finish):
        for colour, (label, curve) in _coloured(curves):
            text = _named(label, scored, "average_precision")
            axes.plot([0, 1], [curve["share"]] * 2, ":", color=colour, lw=1)
            axes.step(
                [0, *curve["x"]], [curve["y"][0], *curve["y"]], where="pre", color=colour, lw=1.9, label=text
            )
        _unit_square(axes, "recall (sensitivity)", "precision")
        _legend(axes, curves, "lower left")
        return finish()


def calibration(curves: Mapping[str, Any]) -> str:
    """Share that is so against the mean probability, by bin with its 95 % band: a panel for each label."""
    shown = list(curves.items())[:PANELS]
    with _panels(len(shown), alone=(4.0, 3.6), each=(2.6, 2.7)) as (places, finish):
        for axes, (label, curve) in zip(places, shown, strict=True):
            bands = np.array([wilson(y, n) for y, n in zip(curve["y"], curve["n"], strict=True)])
            axes.plot([0, 1], [0, 1], "--", color=SOFT, lw=0.8)
            most = max(curve["n"], default=1)
            if len(bands):
                axes.vlines(curve["x"], bands[:, 0], bands[:, 1], color=ACCENT, lw=2.2, alpha=0.35)
            axes.plot(curve["x"], curve["y"], color=ACCENT, lw=1, alpha=0.6)
            axes.scatter(
                curve["x"], curve["y"], s=[14 + 60 * n / most for n in curve["n"]], color=ACCENT, lw=0
            )
            _unit_square(axes, "probability given", "share that is so")
            axes.set_title(_short(label), loc="left")
        return finish()


def confusion(table: Sequence[Sequence[int]], labels: Sequence[str]) -> str:
    """Counts, shaded by their share of the true label."""
    counts = np.array(table)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = min(max(3.6, 0.55 * len(labels) + 1.6), 8.0)
    with _axes(size, size) as (axes, finish):
        from matplotlib.patches import Rectangle

        for i, j in np.ndindex(counts.shape):
            cell = Rectangle(
                (j - 0.49, i - 0.49), 0.98, 0.98, color=ACCENT, lw=0, alpha=0.04 + 0.9 * share[i, j]
            )
            axes.add_patch(cell)
            if len(labels) <= 15:
                colour = PAPER if share[i, j] > 0.5 else INK
                big, small = (13.0, 9.0) if len(labels) < 6 else (10.0, 7.5)
                place = {"ha": "center", "va": "center", "color": colour}
                axes.text(j, i - 0.1, str(counts[i, j]), fontsize=big, **place)
                axes.text(j, i + 0.24, f"{share[i, j]:.0%}", fontsize=small, **place)
        axes.set_xlim(-0.5, len(labels) - 0.5)
        axes.set_ylim(len(labels) - 0.5, -0.5)
        axes.set_aspect("equal")
        axes.grid(False)
        short = [_short(name) for name in labels]
        turned = {"rotation": 30, "ha": "right"} if max(map(len, short), default=0) > 9 else {}
        axes.set_xticks(range(len(labels)), short, **turned)
        axes.set_yticks(range(len(labels)), short)
        axes.tick_params(length=0)
        axes.set_xlabel("called")
        axes.set_ylabel("truth")
        for side in axes.spines.values():
            side.set_visible(False)
        return finish()


def strip(card: Scorecard, metric: str, name: str) -> str:
    """Return a metric's values, a dot a case, with a box, for each label."""
    shown = [label for label in card.labels if f"{metric}/{label}" in card.metrics]
    columns = []
    for label in shown:
        found = [case.get(f"{metric}/{label}") for case in card.cases]
        columns.append(np.array([v for v in found if v is not None and np.isfinite(v)], dtype=np.float64))
    with _axes(5.4, max(1.5, 0.5 * len(shown) + 0.9)) as (axes, finish):
        spread = np.random.default_rng(0)
        for i, (label, values) in enumerate(zip(shown, columns, strict=True)):
            place, colour = len(shown) - 1 - i, card.colours.get(label, ACCENT)
            if len(values):
                axes.boxplot(values, positions=[place], orientation="horizontal", widths=0.5, showfliers=False,
                             medianprops={"color": INK, "lw": 1.6}, boxprops={"color": SOFT},
                             whiskerprops={"color": SOFT}, capprops={"color": SOFT})  # fmt: skip
                jitter = place + spread.uniform(-0.16, 0.16, len(values))
                axes.scatter(values, jitter, s=17, color=colour, alpha=0.8, lw=0.4, edgecolors=SOFT, zorder=3)
        axes.set_yticks(range(len(shown)), [_short(s) for s in reversed(shown)])
        axes.set_ylim(-0.6, len(shown) - 0.4)
        if metric == "dice":
            low = min((float(v.min()) for v in columns if len(v)), default=0.0)
            axes.set_xlim(max(-0.02, min(low - 0.05, 0.8)), 1.01)
        axes.set_xlabel(name)
        axes.grid(axis="y", visible=False)
        return finish()


def scatter(panels: Mapping[str, tuple[Sequence[float], Sequence[float]]], unit: str) -> str:
    """Answers against truths; `panels` holds both by name, each to be drawn by itself."""
    shown = list(panels.items())[:PANELS]
    columns, _ = _grid(len(shown))
    with _panels(len(shown), alone=(4.0, 3.6), each=(2.7, 2.6)) as (places, finish):
        for k, (axes, (name, (answers, truths))) in enumerate(zip(places, shown, strict=True)):
            x, y = np.asarray(answers, dtype=np.float64), np.asarray(truths, dtype=np.float64)
            if len(x):
                ends = [min(x.min(), y.min()), max(x.max(), y.max())]
                axes.plot(ends, ends, "--", color=SOFT, lw=0.8)
            axes.scatter(y, x, s=18, color=ACCENT, alpha=0.65, lw=0)
            if name:
                axes.set_title(_short(name), loc="left")
            if k >= len(shown) - columns:
                axes.set_xlabel(f"truth{unit}")
            if k % columns == 0:
                axes.set_ylabel(f"answer{unit}")
        return finish()


def agreement(
    panels: Mapping[str, tuple[Sequence[float], Sequence[float], Mapping[str, Interval]]], unit: str
) -> str:
    """Differences against means (Bland and Altman 1986), with the bias, the limits of agreement and their intervals.

    `panels` holds by name the answers, the truths, and the intervals `bias`, `low` and `high`.
    """
    shown = list(panels.items())[:PANELS]
    columns, _ = _grid(len(shown))
    with _panels(len(shown), alone=(4.6, 3.4), each=(2.7, 2.5)) as (places, finish):
        for k, (axes, (name, (answers, truths, lines))) in enumerate(zip(places, shown, strict=True)):
            a, b = np.asarray(answers, dtype=np.float64), np.asarray(truths, dtype=np.float64)
            axes.scatter((a + b) / 2, a - b, s=15, color=ACCENT, alpha=0.65, lw=0, zorder=3)
            for key, style in (("bias", "-"), ("low", "--"), ("high", "--")):
                at = lines.get(key)
                if at is None or at.value is None:
                    continue
                axes.axhline(at.value, ls=style, color=INK if key == "bias" else SOFT, lw=1.1)
                if at.low is not None and at.high is not None:
                    axes.axhspan(at.low, at.high, color=ACCENT if key == "bias" else SOFT, alpha=0.12, lw=0)
            axes.set_title(_short(name), loc="left")
            axes.margins(x=0.08, y=0.15)
            if k >= len(shown) - columns:
                axes.set_xlabel(f"mean of both{unit}")
            if k % columns == 0:
                axes.set_ylabel(f"answer − truth{unit}")
        return finish()


def decision(curves: Mapping[str, Any]) -> str:
    """Net benefit against the threshold, by label, beside acting on everybody and on nobody."""
    with _axes(4.6, 3.5) as (axes, finish):
        axes.axhline(0, color=SOFT, lw=1)
        top, alone = 0.02, len(curves) == 1
        for colour, (label, curve) in _coloured(curves):
            net = np.array(curve["net"], dtype=np.float64)
            if alone:
                axes.fill_between(curve["at"], _floats(curve["low"]), _floats(curve["high"]), color=colour,
                                  alpha=0.16, lw=0)  # fmt: skip
                axes.plot(curve["at"], curve["all"], "--", color=SOFT, lw=1.2, label="acting on everybody")
            axes.plot(curve["at"], net, color=colour, lw=1.9, label=_short(label))
            top = max(top, float(np.nanmax(net)), float(np.nanmax(_floats(curve["high"]))) if alone else 0.0)
        axes.set_ylim(-0.15 * top, 1.08 * top)
        axes.set_xlim(0, 1)
        axes.set_xlabel("threshold: the probability from which one would act")
        axes.set_ylabel("net benefit")
        _legend(axes, curves, "best")
        return finish()


def history(panels: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]]) -> str:
    """Values against steps: a panel a quantity, in each a line a member."""
    names = list(dict.fromkeys(name for lines in panels.values() for name in lines))
    last = max(
        (max(steps) for lines in panels.values() for steps, _ in lines.values() if len(steps)), default=1.0
    )
    with _axes(5.4, 1.75 * len(panels) + 0.5, rows=len(panels)) as (found, finish):
        for axes, (quantity, lines) in zip(np.atleast_1d(found).ravel(), panels.items(), strict=True):
            for name, (steps, values) in lines.items():
                colour = ACCENT if len(names) == 1 else palette.of_place(names.index(name))
                mark = "o" if len(values) < 60 else ""
                axes.plot(steps, values, color=colour, lw=1.5, marker=mark, ms=3.5, label=name)
            axes.set_ylabel(quantity)
            axes.set_xlim(0, 1.03 * last)
        if 1 < len(names) <= LINES:
            np.atleast_1d(found).ravel()[0].legend(loc="best", fontsize=8)
        axes.set_xlabel("optimiser step")
        return finish()


def dressed(svg: str) -> str:
    """Return an SVG element whose inks follow the page that it stands in; elsewhere they are what they were."""
    for colour, name in DRESS.items():
        svg = svg.replace(colour, f"var(--{name}, {colour})")
    return svg


class _axes:
    """A fresh figure without pyplot; gives `(axes, finish)`, where `finish()` returns the SVG element."""

    def __init__(self, width: float = 4.0, height: float = 3.6, *, rows: int = 1, columns: int = 1) -> None:
        self.size, self.rows, self.columns = (width, height), rows, columns

    def __enter__(self) -> tuple[Any, Callable[[], str]]:
        from matplotlib import rc_context
        from matplotlib.figure import Figure

        self.context = rc_context(STYLE)
        self.context.__enter__()
        figure = Figure(figsize=self.size, layout=LAYOUT)
        several = self.rows * self.columns > 1
        axes = figure.subplots(self.rows, self.columns) if several else figure.add_subplot()

        def finish() -> str:
            text = io.StringIO()
            figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
            svg = text.getvalue()
            return dressed(svg[svg.index("<svg") :])

        return axes, finish

    def __exit__(self, *error: object) -> None:
        self.context.__exit__(None, None, None)


def _coloured(curves: Mapping[str, Any]) -> list[tuple[str, tuple[str, Any]]]:
    """Return each curve with its colour: the accent where there is one alone, else the palette's."""
    alone = len(curves) == 1
    return [(ACCENT if alone else palette.of_place(k), item) for k, item in enumerate(curves.items())]


def _unit_square(axes: Any, across: str, up: str) -> None:
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_aspect("equal")
    axes.set_xlabel(across)
    axes.set_ylabel(up)


def _legend(axes: Any, curves: Mapping[str, Any], where: str) -> None:
    if len(curves) <= LINES:
        axes.legend(loc=where, frameon=True, facecolor=PAPER, edgecolor="none", framealpha=0.85)


@contextmanager
def _panels(
    many: int, *, alone: tuple[float, float], each: tuple[float, float]
) -> Iterator[tuple[list[Any], Callable[[], str]]]:
    """Open a drawing of so many panels in a grid, whose places beyond them stay empty.

    `alone` is the size in inches of a single panel with its margins, `each` that of one of several.
    """
    columns, rows = _grid(many)
    size = alone if many < 2 else (each[0] * columns, each[1] * rows)
    with _axes(*size, rows=rows, columns=columns) as (found, finish):
        places = list(np.atleast_1d(found).ravel())
        for axes in places[many:]:
            axes.set_axis_off()
        yield places[:many], finish


def _grid(many: int) -> tuple[int, int]:
    """Return the columns and rows that so many panels stand in, with as few holes as may be."""
    if many <= 4:
        return max(many, 1), 1
    columns = min((4, 3), key=lambda c: (-many % c, -c))
    return columns, -(-many // columns)


def _named(label: str, scored: Mapping[str, Interval], metric: str) -> str:
    found = scored.get(f"{metric}/{label}") or scored.get(metric)
    return _short(label) if found is None or found.value is None else f"{_short(label)}  {found.value:.3f}"


def _plain_log(axes: Any) -> None:
    """Make the horizontal axis logarithmic, its numbers written out, those between the powers of ten, too."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axes.set_xscale("log")
    low, high = axes.get_xlim()
    written = FuncFormatter(lambda number, _: f"{number:g}")
    axes.xaxis.set_major_formatter(written)
    axes.xaxis.set_minor_formatter(written if high < 10 * low else NullFormatter())


def _short(name: str) -> str:
    name = written(name)
    return name if len(name) <= 18 else name[:17] + "…"


def _floats(values: Sequence[float | None]) -> Any:
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)
