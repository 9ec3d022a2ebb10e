"""What a report shows of groups: for each grouping what was found, a forest plot, and a table with every figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vesalius.answers.drawing.figures import Figure
from vesalius.answers.drawing.forest import forest
from vesalius.answers.drawing.panels import Cell, Table, decimals_of, measured
from vesalius.core.called import called_by
from vesalius.core.interval import Interval
from vesalius.core.scorecard import Scorecard
from vesalius.core.subgroups import Group, Subgroups
from vesalius.core.words import counted
from vesalius.evaluate.subgroup_words import metric_name, number, p_words, sentence, unit_of

DRAWN = 4  # metrics side by side
SAYS = "The line is a group's 95 % interval over its patients, dashed is the figure of all cases."


@dataclass(frozen=True, eq=False)
class Shown:
    """One grouping of a report: its name, what its gaps come to with a tone each, its drawing and its tables."""

    name: str
    said: Sequence[tuple[str, str]]
    drawing: Figure | None
    gaps: Table | None
    groups: Table
    notes: Sequence[str]


def shown(card: Scorecard) -> list[Shown]:
    """Return what is shown of each grouping of a scorecard."""
    return [_one(card, s) for s in card.subgroups]


def worst(card: Scorecard) -> list[str]:
    """Return one sentence a grouping for a terminal: the gap that was found, or the first that was tested."""
    made = []
    for of in card.subgroups:
        found = [g for g in of.gaps if g.verdict == "found"]
        made += [sentence(card, of, g) for g in (found or of.gaps[:1])]
        if not of.gaps:
            made += [f"by {of.name}: {note[0].lower()}{note[1:]}" for note in of.notes]
    return made


def _one(card: Scorecard, of: Subgroups) -> Shown:
    tones = {"found": "warn", "undecided": "open", "none found": "good"}
    return Shown(
        name=of.name,
        said=[(tones[g.verdict], sentence(card, of, g)) for g in of.gaps],
        drawing=_drawing(card, of),
        gaps=_gaps(card, of),
        groups=_groups(card, of),
        notes=[*of.notes, *_withheld(of)],
    )


def _metrics(card: Scorecard, of: Subgroups) -> list[str]:
    """Return the metrics that are tested, or where none is, the first that the card has."""
    return [g.metric for g in of.gaps] or [n for n in card.metrics if "/" not in n][:DRAWN]


def _drawing(card: Scorecard, of: Subgroups) -> Figure | None:
    groups = [g for g in of.groups if g.metrics]
    names = [n for n in _metrics(card, of) if any(n in g.metrics for g in groups)][:DRAWN]
    if not groups or not names:
        return None
    nothing = Interval(None, None, None, 0)
    titles = {n: metric_name(card, n) + (f" ({unit})" if (unit := unit_of(card, n)) else "") for n in names}
    panels = {titles[n]: [(g.name, g.metrics.get(n, nothing)) for g in groups] for n in names}
    overall = {titles[n]: card.metrics[n] for n in names if n in card.metrics}
    return Figure(f"By {of.name}", forest(panels, overall), SAYS, wide=True)


def _gaps(card: Scorecard, of: Subgroups) -> Table | None:
    if not of.gaps:
        return None
    rows = []
    for g in of.gaps:
        unit = unit_of(card, g.metric)
        tone = "warn" if g.verdict == "found" else ""
        rows.append(
            (
                Cell(metric_name(card, g.metric)),
                Cell(g.worst),
                Cell(g.best),
                measured(g.gap, unit=unit),
                Cell(p_words(g.p_corrected), g.p_corrected),
                Cell("–" if g.detectable is None else number(g.detectable, unit), g.detectable),
                Cell({"none found": "none found larger than " + number(g.bound or 0.0, unit)}.get(g.verdict, g.verdict),
                     tone=tone),
            )
        )  # fmt: skip
    text = (
        f"p: {of.shuffles} exchanges of patients between the groups, corrected by Holm's method for {of.tests} gaps, "
        "all those of this report. Found 4 of 5 times: the smallest gap that the test would probably have seen, of the "
        "two groups that stand out most. Best and worst are chosen by these very cases, so their gap looks larger."
    )
    heads = ("metric", "worst", "best", "gap", "corrected p", "found 4 of 5 times", "verdict")
    return Table(f"Gaps by {of.name}", heads, rows, text, wide=True)


def _groups(card: Scorecard, of: Subgroups) -> Table:
    """Return a row a group with its counts and every figure that speaks of no single label."""
    names = [n for n in card.metrics if "/" not in n]
    labels = list(dict.fromkeys(label for g in of.groups for label in g.positives))
    if len(labels) == 2 and card.positive in labels:
        labels = [str(card.positive)]
    nice = called_by(card.labels)
    heads = (
        "group",
        "patients",
        "cases",
        *(nice.get(x, x) for x in labels),
        *(metric_name(card, n) for n in names),
    )
    digits = {
        n: decimals_of(*(one.value for g in of.groups if (one := g.metrics.get(n)) is not None))
        for n in names
    }
    rows = []
    for g in of.groups:
        counts = (g.n_patients, g.n_cases, *(g.positives.get(label) for label in labels))
        rows.append(
            (
                Cell(f"{g.name}: {g.withheld}" if g.withheld else g.name),
                *(Cell("–" if n is None else str(n), n) for n in counts),
                *(_measured(card, g, n, digits[n]) for n in names),
            )
        )
    text = f"Groups of fewer than {of.smallest} patients have no figures, nor has what would give these away."
    return Table(f"Every figure by {of.name}", heads, rows, text, wide=True)


def _measured(card: Scorecard, group: Group, name: str, digits: int) -> Cell:
    if name not in group.metrics:
        return Cell("–")
    return measured(group.metrics[name], unit=unit_of(card, name), decimals=digits)


def _withheld(of: Subgroups) -> list[str]:
    if not of.more_withheld:
        return []
    many = counted(of.more_withheld, "group")
    return [f"Withheld: {many} of fewer than {of.smallest} patients, or that would give such a one away."]
