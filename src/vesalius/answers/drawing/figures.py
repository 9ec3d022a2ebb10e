"""Drawings for the report: curves as SVG, cases as PNG; calm colours, no state kept between them."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.answers.drawing import planes
from vesalius.answers.drawing.slices import Slice
from vesalius.core.scorecard import Interval, Scorecard

PALETTE = (
    "#2f6f8f",
    "#d1703c",
    "#5b8c5a",
    "#8a5a99",
    "#b8952b",
    "#4a7fc1",
    "#c0566b",
    "#3f9c93",
    "#7a6a58",
    "#6d6f7b",
)
INK, SOFT, LINE, TRUTH = "#22303c", "#6b7a88", "#dfe5ea", "#f2c14e"
STYLE: Any = {
    "font.family": "DejaVu Sans", "font.size": 9, "axes.edgecolor": LINE, "axes.labelcolor": SOFT,
    "axes.spines.top": False, "axes.spines.right": False, "xtick.color": SOFT, "ytick.color": SOFT,
    "text.color": INK, "axes.grid": True, "grid.color": "#eef2f5", "axes.axisbelow": True,
    "legend.frameon": False, "legend.fontsize": 8, "text.parse_math": False,
    "svg.hashsalt": "vesalius", "figure.dpi": 100,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Figure:
    """One drawing of a report: its title, its SVG element, and a line that says how to read it."""

    title: str
    svg: str
    text: str
    wide: bool = False


def colours(values: Mapping[str, int]) -> dict[str, str]:
    """Return a colour for each label, in order."""
    return {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(values)}


def roc(curves: Mapping[str, Any], scored: Mapping[str, Interval]) -> str:
    """ROC curves by label."""
    with _axes() as (axes, finish):
        axes.plot([0, 1], [0, 1], "--", color="#b9c4cd", lw=1)
        for i, (label, curve) in enumerate(curves.items()):
            axes.plot(
                curve["x"], curve["y"], color=PALETTE[i % 10], lw=1.8, label=_named(label, scored, "auc")
            )
        _unit_square(axes, "1 − specificity", "sensitivity")
        _legend(axes, curves, "lower right")
        return finish()


def precision_recall(curves: Mapping[str, Any], scored: Mapping[str, Interval]) -> str:
    """Precision-recall curves by label, with the share of positives as the floor of each."""
    with _axes() as (axes, finish):
        for i, (label, curve) in enumerate(curves.items()):
            text = _named(label, scored, "average_precision")
            axes.plot([0, 1], [curve["share"]] * 2, ":", color=PALETTE[i % 10], lw=1)
            axes.step([0, *curve["x"]], [curve["y"][0], *curve["y"]], where="pre", color=PALETTE[i % 10],
                      lw=1.8, label=text)  # fmt: skip
        _unit_square(axes, "recall", "precision")
        _legend(axes, curves, "lower left")
        return finish()


def calibration(curves: Mapping[str, Any]) -> str:
    """Share that is so against the mean probability, by bin."""
    with _axes() as (axes, finish):
        axes.plot([0, 1], [0, 1], "--", color="#b9c4cd", lw=1)
        most = max((max(c["n"], default=1) for c in curves.values()), default=1)
        for i, (label, curve) in enumerate(curves.items()):
            size = [12 + 90 * n / most for n in curve["n"]]
            axes.plot(curve["x"], curve["y"], color=PALETTE[i % 10], lw=1.2, alpha=0.7, label=label)
            axes.scatter(curve["x"], curve["y"], s=size, color=PALETTE[i % 10], alpha=0.85, lw=0)
        _unit_square(axes, "probability given", "share that is so")
        _legend(axes, curves, "upper left")
        return finish()


def confusion(table: Sequence[Sequence[int]], labels: Sequence[str]) -> str:
    """Counts, shaded by their share of the true label."""
    counts = np.array(table)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = min(max(3.4, 0.55 * len(labels) + 1.6), 8.0)
    with _axes(size, size) as (axes, finish):
        from matplotlib.colors import LinearSegmentedColormap

        axes.imshow(
            share, cmap=LinearSegmentedColormap.from_list("calm", ["#f6f9fb", PALETTE[0]]), vmin=0, vmax=1
        )
        if len(labels) <= 15:
            for i, j in np.ndindex(counts.shape):
                colour = "white" if share[i, j] > 0.55 else INK
                axes.text(j, i - 0.08, str(counts[i, j]), ha="center", va="center", color=colour, fontsize=12)
                axes.text(
                    j, i + 0.22, f"{share[i, j]:.0%}", ha="center", va="center", color=colour, fontsize=7.5
                )
        axes.grid(False)
        short = [name if len(name) <= 16 else name[:15] + "…" for name in labels]
        turned = {"rotation": 30, "ha": "right"} if max(map(len, short), default=0) > 9 else {}
        axes.set_xticks(range(len(labels)), short, **turned)
        axes.set_yticks(range(len(labels)), short)
        axes.tick_params(length=0)
        axes.set_xlabel("called")
        axes.set_ylabel("truth")
        for side in axes.spines.values():
            side.set_visible(False)
        return finish()


def strip(card: Scorecard, metric: str) -> str:
    """Return a metric's values, a dot a case, with a box, for each label."""
    shown = [label for label in card.labels if f"{metric}/{label}" in card.metrics]
    columns = []
    for label in shown:
        found = [case.get(f"{metric}/{label}") for case in card.cases]
        columns.append(np.array([v for v in found if v is not None and np.isfinite(v)], dtype=np.float64))
    with _axes(5.2, max(1.4, 0.62 * len(shown) + 0.9)) as (axes, finish):
        spread = np.random.default_rng(0)
        for i, (label, values) in enumerate(zip(shown, columns, strict=True)):
            place, colour = len(shown) - 1 - i, PALETTE[list(card.labels).index(label) % 10]
            if len(values):
                axes.boxplot(values, positions=[place], orientation="horizontal", widths=0.5, showfliers=False,
                             medianprops={"color": colour, "lw": 2}, boxprops={"color": "#b9c4cd"},
                             whiskerprops={"color": "#b9c4cd"}, capprops={"color": "#b9c4cd"})  # fmt: skip
                jitter = place + spread.uniform(-0.16, 0.16, len(values))
                axes.scatter(values, jitter, s=13, color=colour, alpha=0.6, lw=0, zorder=3)
        axes.set_yticks(range(len(shown)), list(reversed(shown)))
        axes.set_ylim(-0.6, len(shown) - 0.4)
        if metric == "dice":
            low = min((float(v.min()) for v in columns if len(v)), default=0.0)
            axes.set_xlim(max(-0.02, min(low - 0.05, 0.8)), 1.01)
        unit = "mm" if metric.endswith("mm") else "pixels" if metric.endswith("px") else ""
        axes.set_xlabel(unit or "Dice")
        axes.grid(axis="y", visible=False)
        return finish()


def scatter(card: Scorecard) -> str:
    """Answers against truths."""
    x = np.array([case["x"] for case in card.cases], dtype=np.float64)
    y = np.array([case["y"] for case in card.cases], dtype=np.float64)
    with _axes() as (axes, finish):
        ends = [min(x.min(), y.min()), max(x.max(), y.max())]
        axes.plot(ends, ends, "--", color="#b9c4cd", lw=1)
        axes.scatter(y, x, s=14, color=PALETTE[0], alpha=0.6, lw=0)
        unit = f" ({card.unit})" if card.unit else ""
        axes.set_xlabel(f"truth{unit}")
        axes.set_ylabel(f"answer{unit}")
        return finish()


def history(lines: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> str:
    """Values against steps, each on a panel of its own."""
    with _axes(5.2, 1.5 * len(lines) + 0.4, rows=len(lines)) as (panels, finish):
        for i, (axes, (name, (steps, values))) in enumerate(
            zip(np.atleast_1d(panels), lines.items(), strict=True)
        ):
            mark = "." if len(values) < 60 else ""
            axes.plot(steps, values, color=PALETTE[i % 10], lw=1.4, marker=mark)
            axes.set_ylabel(name)
        axes.set_xlabel("step")
        return finish()


def picture(shown: Slice, values: Mapping[str, int]) -> dict[str, str]:
    """Return a case with its contours as a PNG data address: the truth in yellow, dashed.

    The answer in its label's colour.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    image = np.asarray(shown.image, dtype=np.float64)
    if shown.window is not None:
        low, high = shown.window
    elif image.ndim == 2:
        low, high = np.nanpercentile(image, [0.5, 99.5])
    else:
        low, high = float(np.nanmin(image)), float(np.nanmax(image))
    image = np.clip((image - low) / max(high - low, 1e-12), 0, 1)
    height, width = image.shape[0] * shown.aspect, image.shape[1]
    scale = 3.2 / max(height, width)
    with rc_context(STYLE):
        figure = Figure(figsize=(max(width * scale, 0.6), max(height * scale, 0.6)), dpi=110)
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        smooth = "bilinear" if max(image.shape[:2]) > 64 else "nearest"
        axes.imshow(
            image, cmap="gray", vmin=0, vmax=1, aspect=shown.aspect, interpolation=smooth,
            extent=planes.extent(image),
        )  # fmt: skip
        tint = colours(values)
        for name, value in values.items():
            for field, colour, style in ((shown.answer, tint[name], "solid"), (shown.truth, TRUTH, "dashed")):
                if field is not None and (np.asarray(field) == value).any():
                    planes.outline(axes, np.asarray(field) == value, colour, width=1.3, style=style)
        if shown.layer is not None:
            axes.imshow(shown.layer, aspect=shown.aspect, extent=planes.extent(image))
        axes.set_axis_off()
        planes.fit(axes, image)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", facecolor="black")
    coded = base64.b64encode(buffer.getvalue()).decode()
    return {"src": f"data:image/png;base64,{coded}", "title": shown.title, "caption": shown.caption}


class _axes:
    """A fresh figure without pyplot; gives `(axes, finish)`, where `finish()` returns the SVG element."""

    def __init__(self, width: float = 4.0, height: float = 3.6, *, rows: int = 1) -> None:
        self.size, self.rows = (width, height), rows

    def __enter__(self) -> tuple[Any, Callable[[], str]]:
        from matplotlib import rc_context
        from matplotlib.figure import Figure

        self.context = rc_context(STYLE)
        self.context.__enter__()
        figure = Figure(figsize=self.size, layout="constrained")
        axes = figure.subplots(self.rows, 1, sharex=True) if self.rows > 1 else figure.add_subplot()

        def finish() -> str:
            text = io.StringIO()
            figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
            svg = text.getvalue()
            return svg[svg.index("<svg") :]

        return axes, finish

    def __exit__(self, *error: object) -> None:
        self.context.__exit__(None, None, None)


def _unit_square(axes: Any, across: str, up: str) -> None:
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_aspect("equal")
    axes.set_xlabel(across)
    axes.set_ylabel(up)


def _legend(axes: Any, curves: Mapping[str, Any], where: str) -> None:
    if len(curves) <= 10:
        axes.legend(loc=where, frameon=True, facecolor="white", edgecolor="none", framealpha=0.85)


def _named(label: str, scored: Mapping[str, Interval], metric: str) -> str:
    found = scored.get(f"{metric}/{label}") or scored.get(metric)
    return label if found is None or found.value is None else f"{label}  {found.value:.3f}"
