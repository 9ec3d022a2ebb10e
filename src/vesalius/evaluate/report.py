"""The report: one HTML file that shows a run's figures, curves, cases and choices, and needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vesalius import metrics
from vesalius.core.disk import write_text
from vesalius.core.errors import UnknownName
from vesalius.core.scorecard import Interval, Scorecard
from vesalius.core.words import counted
from vesalius.evaluate import _figures as draw
from vesalius.evaluate.pictures import Picture

HEADLINES = {
    "Scores": ("auc", "accuracy", "balanced_accuracy", "average_precision", "recall", "specificity", "ece"),
    "Mask": ("dice", "hd95_mm", "hd95_px", "surface_dice_mm", "surface_dice_px", "volume_error"),
    "Value": ("mae", "rmse", "r2", "spearman"),
}
ONE_SIDED = ("recall", "specificity", "precision", "ece")  # a trivial answer can have these perfect
NAMES = {
    "auc": "AUC", "f1": "F1", "ece": "ECE", "hd95_mm": "HD95", "hd95_px": "HD95", "surface_dice_mm": "surface Dice",
    "surface_dice_px": "surface Dice", "dice": "Dice", "jaccard": "Jaccard", "brier": "Brier score", "mae": "MAE",
    "rmse": "RMSE", "r2": "R²", "spearman": "Spearman ρ", "recall": "sensitivity (recall)",
    "volume_error": "relative volume error", "volume_error_ml": "volume error", "volume_error_px": "volume error",
    "area_error_mm2": "area error",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Report:
    """All that a report shows; whatever is empty is left out.

    `choices` are `(field, value, reason)` of the plan; `data` and `run` are facts by name; `set_aside` is
    `(case, reason)`; `history` holds `(steps, values)` by name, drawn against the step. `label_values` maps a mask's
    label names to the values in pictures.
    """

    title: str
    scorecard: Scorecard
    subtitle: str = ""
    choices: Sequence[tuple[str, str, str]] = ()
    data: Mapping[str, str] = field(default_factory=dict)
    run: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    set_aside: Sequence[tuple[str, str]] = ()
    best: Sequence[Picture] = ()
    worst: Sequence[Picture] = ()
    history: Mapping[str, tuple[Sequence[float], Sequence[float]]] = field(default_factory=dict)
    label_values: Mapping[str, int] = field(default_factory=dict)


def write_report(report: Report, path: Path) -> None:
    """Write `report.html`, whole or not at all. Raises OutputError."""
    write_text(path, render(report))


def render(report: Report) -> str:
    """The report as HTML: style, figures (SVG) and pictures (PNG) are inside, and nothing is fetched."""
    from jinja2 import Environment, PackageLoader

    card = report.scorecard
    shelf = Environment(
        loader=PackageLoader("vesalius.evaluate", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return shelf.get_template("report.html.j2").render(
        report=report,
        card=card,
        tiles=[tile(card, name) for name in headlines(card)],
        table=[tile(card, name) for name in card.metrics if "/" not in name],
        by_label=by_label(card),
        figures=figures(report),
        facts=facts(card),
        best=[draw.picture(p, report.label_values) for p in report.best],
        worst=[draw.picture(p, report.label_values) for p in report.worst],
        colours=draw.colours(report.label_values),
    )


def headlines(card: Scorecard) -> list[str]:
    """The metrics that stand on top, of those that the card has."""
    wanted = HEADLINES.get(card.answer, tuple(n for n in card.metrics if "/" not in n))
    return [name for name in wanted if name in card.metrics][:6]


def tile(card: Scorecard, name: str) -> dict[str, Any]:
    """One metric in words: name, value, interval, n, baseline, and whether it beats the baseline's interval."""
    found, trivial = card.metrics[name], card.baseline.get(name)
    described = _described(card.answer, name)
    unit = described.get("unit", "")
    unit = (card.unit or "") if unit == "the target's" else unit
    metric, _, label = name.partition("/")
    return {
        "key": name,
        "name": NAMES.get(metric, metric.replace("_", " ")),
        "label": label,
        "text": described.get("text", ""),
        "better": described.get("better", ""),
        "value": number(found.value),
        "unit": unit if found.value is not None else "",
        "interval": interval(found),
        "n": found.n,
        "reason": found.reason,
        "undefined": found.undefined,
        "baseline": "" if trivial is None else number(trivial.value),
        "baseline_interval": "" if trivial is None else interval(trivial),
        "beaten": None if metric in ONE_SIDED else beats(found, trivial, str(described.get("better", ""))),
        "doubted": bool(card.banners),
        "bar": _bar(found, trivial, described),
    }


def beats(found: Interval, trivial: Interval | None, better: str) -> bool | None:
    """Whether the whole interval lies on the better side of the baseline's; None where that cannot be said."""
    if trivial is None or trivial.value is None or found.low is None or found.high is None:
        return None
    if better == "higher":
        return found.low > (trivial.value if trivial.high is None else trivial.high)
    if better == "lower":
        return found.high < (trivial.value if trivial.low is None else trivial.low)
    return None


def by_label(card: Scorecard) -> dict[str, Any]:
    """Metrics a label: `{"metrics": names, "rows": [(label, [tile or None, …])]}`; empty with no labels."""
    names = list(dict.fromkeys(n.partition("/")[0] for n in card.metrics if "/" in n))
    labels = [label for label in card.labels if any(f"{n}/{label}" in card.metrics for n in names)]
    rows = [
        (lab, [tile(card, f"{n}/{lab}") if f"{n}/{lab}" in card.metrics else None for n in names])
        for lab in labels
    ]
    return {"metrics": [NAMES.get(n, n.replace("_", " ")) for n in names], "rows": rows}


def facts(card: Scorecard) -> list[tuple[str, str]]:
    """What must stand beside the figures: who was scored, by which rules, and what was left out."""
    found = [("split", card.split)]
    people = f"{card.n_patients}" if card.patients_known else "not known: each case counts as a patient"
    found += [("patients", people), ("cases", str(card.n_cases))]
    if card.positive:
        found.append(("positive class", card.positive))
    for label, at in card.thresholds.items():
        found.append((f"threshold for {label}", f"{at:.3g}, fixed on validation data"))
    if card.answer == "Scores" and not card.thresholds:
        many = any(name.startswith("exact_match") for name in card.metrics)
        found.append(
            ("what is called", "each label from a probability of 0.5" if many else "the most probable class")
        )
    if any("/" in name for name in card.metrics):
        found.append(("figures without a label", "the mean over the labels that have one"))
    if card.tolerance_mm is not None and "surface_dice_mm" in card.metrics:
        found.append(("surface tolerance", f"{card.tolerance_mm:g} mm"))
    if card.tolerance_px is not None and "surface_dice_px" in card.metrics:
        found.append(("surface tolerance", f"{card.tolerance_px:g} pixels (no spacing is known)"))
    for reason, n in card.excluded.items():
        metric, _, label = reason.partition("/")
        what = {
            "both_empty": "absent from truth and answer, not counted",
            "hd95_missing": "absent from truth or answer, so without a surface distance",
            "unknown": "truth not known, not counted",
        }.get(metric, metric)
        found.append((label, f"{what}: {n} of {counted(card.n_cases, 'case')}"))
    if card.overlap:
        found.append(("training cases", card.overlap))
    if card.baseline_is:
        found.append(("baseline", card.baseline_is))
    found.append(
        ("intervals", f"95 %, {card.resamples} bootstrap resamples of patients, then of their cases")
    )
    found.append(("data", card.data_hash[:16]))
    if card.bundle:
        found.append(("bundle", card.bundle[:16]))
    return found


def figures(report: Report) -> list[dict[str, Any]]:
    """The drawings that fit this card: `title`, `svg` and a line that says how to read it."""
    card, found = report.scorecard, []

    def add(title: str, svg: str, text: str, *, wide: bool = False) -> None:
        found.append({"title": title, "svg": svg, "text": text, "wide": wide})

    curves = card.curves
    if curves.get("confusion"):
        add(
            "Confusion matrix",
            draw.confusion(curves["confusion"], card.labels),
            "A row a true label, a column a called one.",
        )
    if curves.get("roc"):
        add("ROC", draw.roc(curves["roc"], card.metrics), "Dashed: chance.")
    if curves.get("precision_recall"):
        add(
            "Precision and recall",
            draw.precision_recall(curves["precision_recall"], card.metrics),
            "Dotted: calling every case.",
        )
    if curves.get("calibration"):
        add(
            "Calibration",
            draw.calibration(curves["calibration"]),
            "Ten bins. On the diagonal a probability means what it says; larger dots hold more cases.",
        )
    if card.answer == "Mask" and card.cases:
        add(
            "Dice, case by case",
            draw.strip(card, "dice"),
            "A dot a case; the box holds the middle half.",
            wide=True,
        )
        for name in ("hd95_mm", "hd95_px"):
            if name in card.metrics:
                add(
                    "HD95, case by case",
                    draw.strip(card, name),
                    "Cases without a surface are missing here.",
                    wide=True,
                )
    if card.answer == "Value" and card.cases:
        add("Answer against truth", draw.scatter(card), "On the diagonal the answer is right.")
    if report.history:
        add("Learning", draw.history(report.history), "As it went, by optimiser step.", wide=True)
    return found


def number(value: float | None) -> str:
    """Three decimals below ten, fewer above; a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 1000 else f"{value:.0f}"


def interval(found: Interval) -> str:
    """`0.812 – 0.934`, or nothing where there is no interval."""
    return "" if found.low is None or found.high is None else f"{number(found.low)} – {number(found.high)}"


def _described(answer: str, name: str) -> Mapping[str, Any]:
    try:
        return metrics.describe(answer, name)
    except UnknownName:
        return {}


def _bar(found: Interval, trivial: Interval | None, described: Mapping[str, Any]) -> dict[str, float] | None:
    """Positions in percent along the metric's range, for a small drawing; None without a bounded range."""
    low, high = described.get("low"), described.get("high")
    if low is None or high is None or high > 1 or None in (found.value, found.low, found.high):
        return None

    def place(value: float | None) -> float:
        held = min(max(value or 0.0, float(low)), float(high))
        return round(100 * (held - float(low)) / (float(high) - float(low)), 2)

    made = {"low": place(found.low), "high": place(found.high), "value": place(found.value)}
    if trivial is not None and trivial.value is not None:
        made["baseline"] = place(trivial.value)
    return made
