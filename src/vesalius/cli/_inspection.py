"""An inspection on a terminal: what is there, then what is wrong, the worst first."""

from __future__ import annotations

from collections.abc import Mapping

from rich.markup import escape
from rich.table import Table

from vesalius.cli._show import console
from vesalius.reliability.inspect import Inspection
from vesalius.reliability.summary import Spread, Summary

COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}
SHOWN = 6


def show(found: Inspection) -> None:
    """Print tables of the summary and the findings."""
    out = console()
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in facts(found):
        table.add_row(f"[bold]{name}", escape(value))
    out.print(table)
    for target in found.summary.targets:
        labels = Table(
            title=f"target {target.name} ({target.kind}), {target.cases} cases",
            title_justify="left",
            box=None,
            pad_edge=False,
        )
        for column in ("label", "value", "cases", "voxels"):
            labels.add_column(column)
        for x in target.labels[:30]:
            labels.add_row(
                escape(x.name), str(x.value), str(x.cases), "" if x.voxels is None else f"{x.voxels:,}"
            )
        out.print(labels)
    if not found.findings:
        out.print("nothing is wrong that inspect knows how to find")
    for item in found.findings:
        colour = COLOURS[item.severity]
        cases = ", ".join(item.cases[:SHOWN]) + (
            f" … ({len(item.cases)} in all)" if len(item.cases) > SHOWN else ""
        )
        named = f" [{escape(cases)}]" if cases and not all(c in item.text for c in item.cases) else ""
        hint = f" (try: {item.hint})" if item.hint else ""
        out.print(
            f"[{colour}]{item.severity}[/] {item.kind}: {escape(item.text)}{escape(named)}{escape(hint)}",
            soft_wrap=True,
        )


def facts(found: Inspection) -> list[tuple[str, str]]:
    """The summary as names and words."""
    s: Summary = found.summary
    patients = f"{s.patients}" if s.patients_known else f"{s.patients} (not named: each case counts as one)"
    rows = [
        ("data", f"{found.cohort.root} ({found.cohort.layout})"),
        ("cases", f"{s.cases}, {s.without_target} without a target, {s.set_aside} set aside"),
        ("patients", patients),
        ("splits", counts(s.splits) or "none declared"),
        ("modality", counts(s.modalities)),
        ("type", counts(s.types)),
        ("shapes", counts(s.shapes)),
        ("size z y x", three(s.size)),
        (
            "spacing x y z",
            three(s.spacing_mm, "mm") + (f", {s.without_spacing} without" if s.without_spacing else ""),
        ),
        ("orientation", counts(s.orientations)),
    ]
    for i in s.intensities:
        rows.append(
            (
                f"channel {i.channel}",
                f"mean {i.mean:.4g}, sd {i.sd:.4g}, {i.low:.4g} to {i.high:.4g}, median {i.median:.4g}",
            )
        )
    rows += [("note", note) for note in found.cohort.notes]
    return [(name, value) for name, value in rows if value]


def counts(table: Mapping[str, int]) -> str:
    """The most frequent, with how often."""
    first = sorted(table.items(), key=lambda kv: -kv[1])
    more = f" … ({len(first)} kinds)" if len(first) > SHOWN else ""
    return ", ".join(f"{k}: {n}" for k, n in first[:SHOWN]) + more


def three(spread: tuple[Spread, Spread, Spread] | None, unit: str = "") -> str:
    """Three axes as least – median – greatest."""
    if spread is None:
        return "none"
    parts = [
        f"{a.median:.4g}" if a.low == a.high else f"{a.low:.4g}–{a.median:.4g}–{a.high:.4g}" for a in spread
    ]
    return " × ".join(parts) + (f" {unit}" if unit else "")
