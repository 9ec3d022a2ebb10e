"""An inspection on a terminal: what is there, then what is wrong, the worst first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.markup import escape
from rich.table import Table

from vesalius.cli._show import console
from vesalius.cohorts.targets import contract as kinds
from vesalius.core.words import counted, listed, quoted
from vesalius.reliability.finding import Finding
from vesalius.reliability.inspect import Inspection
from vesalius.reliability.spread import Spread
from vesalius.reliability.summary import Summary, TargetSummary

COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}
SHOWN = 6  # cases, or kinds of something, that are named
MOST = 8  # findings of one kind that are written out


def show(found: Inspection) -> None:
    """Print tables of the summary and the findings."""
    out = console()
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in facts(found):
        table.add_row(f"[bold]{name}", escape(value))
    out.print(table)
    for target in found.summary.targets:
        out.print()
        out.print(
            f"[bold]target {escape(target.name)}[/] ({target.kind}), {counted(target.cases, 'case')}",
            soft_wrap=True,
        )
        out.print(label_table(target))
        for what, words in target.told:
            out.print(f"[bold]{escape(what)}[/]  {escape(words)}", soft_wrap=True)
    out.print()
    groups = grouped(found)
    if found.silenced:
        silent = ", ".join(f"{name} ({n})" for name, n in found.silenced.items())
        out.print(f"[dim]silenced: {escape(silent)}[/]", soft_wrap=True)
    if not groups:
        out.print("nothing is wrong that inspect knows how to find")
    for group in groups:
        for item in group[:MOST]:
            out.print(f"[{COLOURS[item.severity]}]{item.severity}[/] {escape(line(item))}", soft_wrap=True)
        if len(group) > MOST:
            first = group[0]
            out.print(
                f"[{COLOURS[first.severity]}]{first.severity}[/] {first.kind}: … and {len(group) - MOST} more: "
                "--json has all",
                soft_wrap=True,
            )


def label_table(target: TargetSummary) -> Table:
    """Return the labels of one target, and how many cases (and voxels) have them."""
    drawn = kinds.of(target.kind).drawn
    labels = Table(box=None, pad_edge=False)
    labels.add_column("label")
    several = any(x.things is not None for x in target.labels)
    for column in ("value", "cases", *(("voxels",) if drawn else ()), *((target.kind,) if several else ())):
        labels.add_column(column, justify="right")
    for x in target.labels[:30]:
        voxels = (f"{x.voxels or 0:,}",) if drawn else ()
        things = (f"{x.things or 0:,}",) if several else ()
        labels.add_row(escape(x.name), str(x.value), str(x.cases), *voxels, *things)
    if target.values is not None:
        v = target.values
        labels = Table(f"{v.low:.4g} to {v.high:.4g}, median {v.median:.4g}", box=None, pad_edge=False)
    return labels


def grouped(found: Inspection) -> list[list[Finding]]:
    """Return the findings by severity and kind, without the notes of reading, which stand in the summary."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for item in found.findings:
        if item.kind != "reading":
            groups.setdefault((item.severity, item.kind), []).append(item)
    return list(groups.values())


def line(item: Finding) -> str:
    """Return one finding in one line: its kind, its words, the cases that these do not name, figures, what follows."""
    named = "" if all(c in item.text for c in item.cases) else f" [{some(item.cases)}]"
    rests = f" ({item.evidence})" if item.evidence else ""
    hint = f" — {item.hint}" if item.hint else ""
    return f"{item.kind}: {item.text}{named}{rests}{hint}" + (f" [{item.silencer}]" if rests else "")


def some(cases: Sequence[str]) -> str:
    """Return a few names, and how many there are."""
    return listed(cases, SHOWN)


def facts(found: Inspection) -> list[tuple[str, str]]:
    """Return the summary as names and words."""
    s: Summary = found.summary
    some_named = f"{s.without_patient} of {s.cases} cases have no id, and count as one each"
    whom = some_named if s.without_patient < s.cases else "not named: each case counts as one"
    patients = f"{s.patients}" if s.patients_known else f"{s.patients} ({whom})"
    bare = bool(s.sources.courses) or s.reports is not None  # there is something else than images
    rows = [
        ("data", f"{found.cohort.root} ({found.cohort.layout})"),
        ("cases", f"{s.cases}, {s.without_target} without a target, {s.set_aside} set aside"),
        ("patients", patients),
        ("splits", counts(s.splits) or "none declared"),
        ("modality", counts(s.modalities)),
        ("type", counts(s.types)),
        ("shapes", counts(s.shapes)),
        ("size z y x", three(s.size) if s.size is not None or not bare else ""),
        (
            "spacing x y z",
            (three(s.spacing_mm, "mm") if s.size is not None or not bare else "")
            + (f", {s.without_spacing} without" if s.without_spacing else ""),
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
    rows += s.sources.words(s.cases)
    rows += s.reports.told(s.cases) if s.reports is not None else []
    rows += [("note", note) for note in found.cohort.notes]
    return [(name, value) for name, value in rows if value]


def counts(table: Mapping[str, int]) -> str:
    """Return the most frequent, with how often."""
    first = sorted(table.items(), key=lambda kv: -kv[1])
    more = f" … ({len(first)} kinds)" if len(first) > SHOWN else ""
    return ", ".join(f"{quoted(k)}: {n}" for k, n in first[:SHOWN]) + more


def three(spread: tuple[Spread, Spread, Spread] | None, unit: str = "") -> str:
    """Return three axes as least – median – greatest."""
    if spread is None:
        return "none"
    parts = [
        f"{a.median:.4g}" if a.low == a.high else f"{a.low:.4g}–{a.median:.4g}–{a.high:.4g}" for a in spread
    ]
    return " × ".join(parts) + (f" {unit}" if unit else "")
