"""Figures on a card: tables of what was measured, the sentences about them, and what limits follow."""

from __future__ import annotations

from collections.abc import Sequence

from vesalius.answers import contract
from vesalius.answers.drawing.panels import Cell, Table
from vesalius.core.called import called_by
from vesalius.core.scorecard import Scorecard
from vesalius.core.subgroups import Group
from vesalius.core.words import counted, listed
from vesalius.evaluate.report import by_label, facts, headlines, metric_name, tile
from vesalius.evaluate.standing import BETTER, LEVEL, WORSE, standing
from vesalius.evaluate.subgroup_page import worst

ALWAYS = (
    "It is not a medical device: it has not been cleared for diagnosis or treatment, and must not be used for either.",
    "It was measured on the data named here; on other scanners, protocols or people it may be worse.",
)
LIMITS = {
    (WORSE,): "It is worse than the trivial answer in",
    (BETTER, LEVEL): "It does not clearly beat the trivial baseline in",
}


def overall(card: Scorecard) -> Table | None:
    """Return every figure that speaks of all labels, with its interval, its n and the baseline."""
    rows = []
    for name in (n for n in card.metrics if "/" not in n):
        t = tile(card, name)
        value = f"{t['value']} {t['unit']}".strip()
        base = f"{t['baseline']} ({t['baseline_interval']})" if t["baseline_interval"] else t["baseline"]
        cells = (value, t["interval"] or t["reason"] or "–", str(t["n"]), base or "–")
        rows.append([Cell(str(t["name"])), *map(Cell, cells)])
    heads = ("metric", "value", "95 % interval", "n", "baseline")
    return Table("All labels together", heads, rows) if rows else None


def each_label(card: Scorecard) -> Table | None:
    """Return every figure a label; None where there are no labels."""
    found = by_label(card)
    if not found["rows"]:
        return None
    rows = []
    for label, cells in found["rows"]:
        row = [Cell(label)]
        for t in cells:
            if t is None:
                row.append(Cell("–"))
                continue
            text = f"{t['value']} {t['unit']}".strip() + (f" ({t['interval']})" if t["interval"] else "")
            text += f", n = {t['n']}" if t["n"] != card.n_cases else ""
            row.append(Cell(text + (f"; baseline {t['baseline']}" if t["baseline"] else "")))
        rows.append(row)
    return Table("By label", ("label", *found["metrics"]), rows)


def each_group(card: Scorecard) -> list[Table]:
    """Return the first main figure a group, a table for each way of grouping; a group that is withheld says why."""
    lead_by = next(iter(headlines(card)), None)
    if lead_by is None:
        return []
    heads = ("group", "cases", metric_name(card, lead_by))
    return [
        Table(f"By {' × '.join(part.by)}", heads, [_group_row(group, lead_by) for group in part.groups])
        for part in card.subgroups
    ]


def _group_row(group: Group, name: str) -> list[Cell]:
    interval = group.metrics.get(name)
    cases = "–" if group.n_cases is None else str(group.n_cases)
    text = group.withheld or ("–" if interval is None else str(interval))
    return [Cell(group.name), Cell(cases), Cell(text)]


def gaps(card: Scorecard) -> str:
    """Return what is said of the gaps between groups in the first main figure; empty where nothing is."""
    lead_by = next(iter(headlines(card)), None)
    found = [
        f"gap by {' × '.join(part.by)}: {gap.verdict}, {gap.worst} against {gap.best} {gap.gap}"
        for part in card.subgroups
        for gap in part.gaps
        if gap.metric == lead_by
    ]
    return f"; {'; '.join(found)}" if found else ""


def leading(card: Scorecard | None, most: int = 3) -> str:
    """Return the first figures in one line: `AUC 0.912 (0.850 to 0.961)`; empty where nothing was measured."""
    if card is None or not card.metrics:
        return ""
    found = []
    for name in headlines(card):
        t = tile(card, name)
        if t["raw"] is not None:
            of = f" ({t['interval']})" if t["interval"] else ""
            found.append(f"{t['name']} {t['value']}{' ' + t['unit'] if t['unit'] else ''}{of}")
    return "; ".join(found[:most])


def measures(card: Scorecard) -> str:
    """Return the names of the figures that were measured."""
    names = contract.of(card.answer).metric_names
    return listed(names.get(n, n.replace("_", " ")) for n in card.metrics if "/" not in n)


def thresholds(card: Scorecard) -> str:
    """Return the thresholds of decisions and where they are from, or else what is called; empty where nothing is."""
    nice = called_by(card.labels)
    fixed = [f"{nice.get(label, label)} from {at:.3g} on" for label, at in card.thresholds.items()]
    if fixed:
        return f"{'; '.join(fixed)}; fixed on validation data"
    return dict(facts(card)).get("what is called", "")


def scored_on(card: Scorecard) -> str:
    """Return which cases were scored."""
    people = f" of {counted(card.n_patients, 'patient')}" if card.patients_known else ", patients not known"
    return f"{counted(card.n_cases, f'{card.split} case')}{people}"


def limits(card: Scorecard | None) -> list[str]:
    """Return the limits that follow from what was measured, as sentences, and those of every model."""
    return [*_measured(card), *ALWAYS]


def _measured(card: Scorecard | None) -> list[str]:
    if card is None:
        return ["It has not been evaluated."]
    found = []
    if not card.patients_known:
        found.append(
            "Patients were not known: if one has several cases, the intervals are too narrow and the splits may leak."
        )
    if card.n_patients < 100:
        found.append(
            f"It was measured on {counted(card.n_patients, 'patient')} only; see the width of the intervals."
        )
    found += [f"By group of patients: {text}" for text in worst(card)]
    for kinds, said in LIMITS.items():
        names: Sequence[str] = [
            str(tile(card, name)["name"])
            for name in card.metrics
            if "/" not in name and standing(card, name) in kinds
        ]
        if names:
            found.append(f"{said} {', '.join(names)}.")
    return found
