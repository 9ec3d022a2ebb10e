"""The report: one HTML file that shows a run's figures, curves, cases and choices, and needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from vesalius import metrics
from vesalius.answers import contract
from vesalius.answers.drawing import figures as draw
from vesalius.answers.drawing.figures import Figure
from vesalius.answers.drawing.panels import Table, decimals_of, figure, spread
from vesalius.answers.drawing.pictures import picture
from vesalius.answers.drawing.slices import Slice
from vesalius.core import page, palette
from vesalius.core.called import called_by
from vesalius.core.disk import write_text
from vesalius.core.errors import UnknownName
from vesalius.core.scorecard import Interval, Scorecard
from vesalius.core.words import counted
from vesalius.evaluate import added, among, places, rivals_shown, subgroup_page, trust
from vesalius.evaluate.standing import WORDS, standing
from vesalius.evaluate.strange import STRANGE, in_words
from vesalius.evaluate.verdict import verdict
from vesalius.plan.tariff import words as energy_words

TEMPLATE = Path(__file__).parent / "templates" / "report.html.j2"
MOST_CASES = 2000  # rows of the table of all cases, the worst; the scorecard has all
LEARNING_SAYS = (
    "As it went, by optimiser step: the loss on what is learned from, and the score on validation cases."
)


class Papers(Protocol):
    """What a report shows of a model's card (`cards/card.py`): its sections, checklists, change-control plan."""

    @property
    def use(self) -> Any:
        """The section on intended use."""

    @property
    def sections(self) -> Sequence[Any]:
        """All sections of the card."""

    @property
    def changes(self) -> Sequence[Any]:
        """The parts of the change-control plan."""

    @property
    def checklists(self) -> Sequence[Any]:
        """The checklists, filled in."""


@dataclass(frozen=True, eq=False)
class Report:
    """All that a report shows; whatever is empty is left out.

    `choices` are `(field, value, reason)` of the plan, and `own` those of them that somebody set; `data`, `run` and
    `engineer` are facts by name; `set_aside` is `(case, reason)`; `history` holds by quantity, then by member,
    `(steps, values)` to draw against the step. `label_values` maps a mask's label names to the values in pictures.
    `remarks` are sentences to read with the figures, `command` is what made it all. `card` is the model's.
    """

    title: str
    scorecard: Scorecard
    subtitle: str = ""
    choices: Sequence[tuple[str, str, str]] = ()
    own: Sequence[tuple[str, str, str]] = ()
    remarks: Sequence[str] = ()
    engineer: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    data: Mapping[str, str] = field(default_factory=dict)
    run: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    set_aside: Sequence[tuple[str, str]] = ()
    best: Sequence[Slice] = ()
    worst: Sequence[Slice] = ()
    history: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]] = field(default_factory=dict)
    label_values: Mapping[str, int] = field(default_factory=dict)
    card: Papers | None = None


def write_report(report: Report, path: Path) -> None:
    """Write `report.html`, whole or not at all. Raises OutputError."""
    write_text(path, render(report))


def render(report: Report) -> str:
    """Return the report as HTML: style, script, figures (SVG) and pictures are inside, and nothing is fetched."""
    card = report.scorecard
    handling = contract.of(card.answer)
    tiles, labels = [tile(card, name) for name in headlines(card)], by_label(card)
    colours = {
        name: card.colours.get(name, palette.of_place(k)) for k, name in enumerate(report.label_values)
    }
    nice = called_by(report.label_values)
    seen = {
        heading: [picture(p, report.label_values, colours) for p in shown]
        for heading, shown in (("The worst", report.worst), ("The best", report.best))
        if shown
    }
    return page.render(
        TEMPLATE,
        report=report,
        card=card,
        positive=called_by(card.labels).get(card.positive or "", card.positive),
        verdict=verdict(card, tiles, labels),
        tiles=tiles,
        standings=WORDS,
        table=[tile(card, name) for name in card.metrics if "/" not in name],
        by_label=labels,
        figures=figures(report),
        subgroups=subgroup_page.shown(card),
        learning=learning(report),
        clinic=handling.clinic(card) if card.metrics else [],
        trust=trust.panels(card),
        added=added.panels(card),
        among=among.panels(card),
        places=places.panels(card),
        rivals=rivals_shown.panels(card),
        ways=rivals_shown.figures(card),
        cases=_bounded(handling.case_table(card)),
        total=len(card.cases),
        facts=facts(card),
        pictures=seen,
        in_pairs=any(len(p["views"]) > 1 for shown in seen.values() for p in shown),
        colours={nice[name]: colour for name, colour in colours.items()},
        truth=palette.TRUTH,
    )


def _bounded(table: Table | None) -> Table | None:
    """Return at most the first `MOST_CASES` rows of a table of cases, which has the worst first."""
    return None if table is None else replace(table, rows=table.rows[:MOST_CASES])


def headlines(card: Scorecard) -> list[str]:
    """Return the metrics that stand on top, of those that the card has."""
    wanted = contract.of(card.answer).headlines or tuple(n for n in card.metrics if "/" not in n)
    return [name for name in wanted if name in card.metrics][:6]


def tile(card: Scorecard, name: str, *, decimals: int | None = None) -> dict[str, Any]:
    """Return one metric in words: name, value, interval, n, baseline, and how it stands beside that."""
    found, trivial = card.metrics[name], card.baseline.get(name)
    decimals = decimals_of(found.value, found.low, found.high) if decimals is None else decimals
    described = _described(card.answer, name)
    unit = described.get("unit", "")
    unit = card.unit_of(name) if unit == "the target's" else unit
    metric, _, label = name.partition("/")
    return {
        "key": name,
        "name": metric_name(card, metric),
        "sentence": f"the {metric_name(card, metric)}",
        "raw": found.value,
        "baseline_raw": None if trivial is None else trivial.value,
        "label": label,
        "text": described.get("text", ""),
        "better": described.get("better", ""),
        "value": number(found.value, decimals),
        "unit": unit if found.value is not None else "",
        "interval": interval(found, decimals),
        "n": found.n,
        "reason": found.reason,
        "undefined": found.undefined,
        "baseline": "" if trivial is None else number(trivial.value, decimals),
        "baseline_interval": "" if trivial is None else interval(trivial, decimals),
        "standing": standing(card, name),
        "doubted": bool(card.banners),
        "bar": _bar(found, trivial, described),
    }


def metric_name(card: Scorecard, metric: str) -> str:
    """Return how a metric is written in a report."""
    return contract.of(card.answer).metric_names.get(metric, metric.replace("_", " "))


def by_label(card: Scorecard) -> dict[str, Any]:
    """Metrics a label: `{"metrics": names, "rows": [(label, [tile or None, …])]}`; empty with no labels."""
    names = list(dict.fromkeys(n.partition("/")[0] for n in card.metrics if "/" in n))
    labels = [label for label in card.labels if any(f"{n}/{label}" in card.metrics for n in names)]
    digits = {
        n: decimals_of(*(i.value for lab in labels if (i := card.metrics.get(f"{n}/{lab}")) is not None))
        for n in names
    }  # a column has one number of decimals

    def cell(label: str, name: str) -> dict[str, Any] | None:
        full = f"{name}/{label}"
        return tile(card, full, decimals=digits[name]) if full in card.metrics else None

    nice = called_by(card.labels)
    rows = [(nice[lab], [cell(lab, n) for n in names]) for lab in labels]
    return {"metrics": [metric_name(card, n) for n in names], "rows": rows}


def facts(card: Scorecard) -> list[tuple[str, str]]:
    """Return what must stand beside the figures: who was scored, by which rules, and what was left out."""
    found = [("split", card.split)]
    people = f"{card.n_patients}" if card.patients_known else "not known: each case counts as a patient"
    found += [("patients", people), ("cases", str(card.n_cases))]
    if card.positive:
        found.append(("positive class", called_by(card.labels).get(card.positive, card.positive)))
    nice = called_by(card.labels)
    for label, at in card.thresholds.items():
        found.append((f"threshold for {nice.get(label, label)}", f"{at:.3g}, fixed on validation data"))
    handling = contract.of(card.answer)
    found += handling.facts(card)
    if any("/" in name and name.partition("/")[0] in card.metrics for name in card.metrics):
        found.append(("figures without a label", "the mean over the labels that have one"))
    if card.tolerance_mm is not None and "surface_dice_mm" in card.metrics:
        found.append(("surface tolerance", f"{card.tolerance_mm:g} mm"))
    if card.tolerance_px is not None and "surface_dice_px" in card.metrics:
        found.append(("surface tolerance", f"{card.tolerance_px:g} pixels (no spacing is known)"))
    for reason, n in card.excluded.items():
        metric, _, label = reason.partition("/")
        what = handling.left_out.get(metric, metric)
        found.append((nice.get(label, label), f"{what}: {n} of {counted(card.n_cases, 'case')}"))
    if card.overlap:
        found.append(("training cases", card.overlap))
    if card.novelty:
        found.append((STRANGE, in_words(card.novelty)))
    found += [(f"energy of {name}", energy_words(taken)) for name, taken in card.energy.items()]
    if card.baseline_is:
        found.append(("baseline", card.baseline_is))
    found.append(
        ("intervals", f"95 %, {card.resamples} bootstrap resamples of patients, then of their cases")
    )
    found.append(("data", card.data_hash[:16]))
    if card.bundle:
        found.append(("bundle", card.bundle[:16]))
    return found


def figures(report: Report) -> list[Figure]:
    """Return the drawings that fit this card: those of its kind of answer, where it was measured."""
    card = report.scorecard
    return list(contract.of(card.answer).figures(card)) if card.metrics else []


def learning(report: Report) -> Figure | None:
    """Return the drawing of how training went; None where nothing is known of it."""
    panels = {name: lines for name, lines in report.history.items() if lines}
    if not panels:
        return None
    return Figure("Learning", draw.history(panels), LEARNING_SAYS, wide=True)


def number(value: float | None, decimals: int | None = None) -> str:
    """Three decimals below ten, fewer above, or as many as are asked for; a dash where there is none."""
    return figure(value, decimals)


def interval(found: Interval, decimals: int | None = None) -> str:
    """`0.812 to 0.934`, or nothing where there is no interval."""
    return spread(found, decimals)


def _described(answer: str, name: str) -> Mapping[str, Any]:
    try:
        return metrics.describe(answer, name)
    except UnknownName:
        return {}


def _bar(found: Interval, trivial: Interval | None, described: Mapping[str, Any]) -> dict[str, float] | None:
    """Positions in percent for a small drawing, along the metric's range or, where it has none, along what is there."""
    if found.value is None:
        return None
    ends = [v for i in (found, trivial) if i is not None for v in (i.value, i.low, i.high) if v is not None]
    low, high = described.get("low"), described.get("high")
    low = min(0.0, *ends) if low is None else float(low)
    high = max(*ends, low + 1e-9) * 1.05 if high is None or high > 1 else float(high)

    def place(value: float) -> float:
        held = min(max(value, low), high)
        return round(100 * (held - low) / (high - low), 2)

    made = {"value": place(found.value)}
    made["low"], made["high"] = (place(found.value if v is None else v) for v in (found.low, found.high))
    if trivial is not None and trivial.value is not None:
        made["baseline"] = place(trivial.value)
    return made
