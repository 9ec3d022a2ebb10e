"""Explaining a cohort into a folder: first a case's maps, then its rows, so that a row means that all is there."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vesalius import formats
from vesalius.answers import contract
from vesalius.answers.drawing.overlay import overlay
from vesalius.core.case import Case
from vesalius.core.cohort import SetAside
from vesalius.core.disk import write_text
from vesalius.core.errors import DataError, OutputError, VesaliusError
from vesalius.core.file_names import FileNames
from vesalius.core.index import Index
from vesalius.core.progress import Progress
from vesalius.explain.explanation import USUALLY, Choices, Explanation, explain
from vesalius.explain.nearest import Nearest
from vesalius.explain.page import html
from vesalius.explain.parts import Bars
from vesalius.explain.summary import over_cases
from vesalius.infer.predictor import Predictor
from vesalius.prepare.case import with_reference
from vesalius.run.explained import NEAREST, NEIGHBOURS, TAKEN, neighbours, write_overview
from vesalius.run.ledger import Sheet, as_csv
from vesalius.run.wanted import reason_of


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What an explain asks, how, and what it writes; the folder keeps it, so that it is resumed alike."""

    methods: tuple[str, ...]
    ask: str | None = None
    choices: Choices = USUALLY
    dicom: bool = False
    against: str | None = None  # the hash of the model to compare with

    def mark(self, bundle: str) -> dict[str, Any]:
        """Return what all explanations of one folder depend on, as JSON holds it."""
        chosen = self.choices
        return {
            "bundle": bundle,
            "methods": list(self.methods),
            "ask": self.ask,
            "samples": chosen.samples,
            "pieces": chosen.pieces,
            "stand_in": chosen.away,
            "seed": chosen.seed,
            "check": chosen.check,
            "dicom": self.dicom,
        } | ({} if self.against is None else {"against": self.against})


@dataclass(frozen=True, eq=False)
class Explanations:
    """What `explain` did: the cases in order, what was set aside, and where it was written.

    `page` is the page of the model, of two cases or more.
    """

    case_ids: tuple[str, ...]
    set_aside: tuple[SetAside, ...]
    out: Path
    page: Path | None = None


def fill(
    sheet: Sheet,
    predictor: Predictor,
    cases: Sequence[Case],
    set_aside: Iterable[SetAside],
    *,
    wanted: Wanted,
    index: Index | str,
    progress: Progress,
    against: Predictor | None = None,
) -> Explanations:
    """Explain the answer to every case that has not all its rows yet; what cannot be explained is in `failed.csv`.

    A case has a row for each method, in one order; of one whose rows a crash cut short the others are added. The means
    of all figures over the cases, method by method, are in `faithfulness.csv`.
    """
    ids, there = {c.id for c in cases}, Counter(sheet.answers.cases())
    done = [case for case, count in there.items() if count >= len(wanted.methods)]
    if not ids.issuperset(there):
        odd = ", ".join([c for c in there if c not in ids][:3])
        raise OutputError(f"{sheet.folder} holds explanations of other cases", found=odd, hint="another -o")
    failed = [s for s in set_aside if s.case not in ids]
    for one in failed:
        sheet.failed.add({"case": one.case, "reason": one.reason})
    names = FileNames((*TAKEN, *(c.id for c in cases)))
    left = [c for c in cases if c.id not in done]
    progress.start("explain", len(left))
    try:
        for case in left:
            began = time.monotonic()
            try:
                found = explain(
                    predictor,
                    with_reference(case),
                    wanted.methods,
                    ask=wanted.ask,
                    choices=wanted.choices,
                    index=index,
                    against=against,
                )
            except DataError as error:
                failed.append(SetAside(case.id, reason_of(error, case.id)))
                sheet.failed.add({"case": case.id, "reason": failed[-1].reason})
                progress.note(f"not explained: {case.id}: {failed[-1].reason}")
                progress.advance("explain")
                continue
            for line in _write(found, names[case.id], sheet.folder, dicom=wanted.dicom):
                progress.note(f"{case.id}: {line}")
            for row in rows(found, case.id, seconds=time.monotonic() - began)[there[case.id] :]:
                sheet.answers.add(row)
            done.append(case.id)
            progress.advance("explain")
    finally:
        progress.finish("explain")
    if isinstance(index, Index) and (near := neighbours(sheet.folder, cases, names, index)):
        write_text(sheet.folder / NEIGHBOURS, as_csv(near))
    if done:
        table = over_cases(sheet.answers.rows(), {c.id: c.patient or c.id for c in cases})
        write_text(sheet.folder / "faithfulness.csv", as_csv(table))
    page = write_overview(
        sheet.folder,
        sheet.answers.rows(),
        cases,
        names,
        predictor=predictor,
        index=index,
        set_aside=len(failed),
        progress=progress,
    )
    return Explanations(tuple(done), tuple(failed), sheet.folder, page)


def rows(found: Explanation, case: str, *, seconds: float) -> list[dict[str, Any]]:
    """Return a row for each method that was asked: its figures, or why it has no map."""
    lead = {"case": case, "asked": found.asked.words}
    made = [
        {**lead, "method": e.method, "fails": e.fails or "", **e.map.figures, **_beside(e.map.beside)}
        | _agreement(found, e.method)
        | {name: round(value, 6) for p in e.pointed for name, value in p.figures().items()}
        for e in found.explained
    ]
    made += [
        {**lead, "method": p.method, "fails": p.fails or "", **part_figures(p.bars)} for p in found.parted
    ]
    made += [{**lead, "method": name, "fails": why} for name, why in found.refused.items()]
    made[-1]["case_seconds"] = round(seconds, 3)
    return made


def part_figures(bars: Sequence[Bars]) -> dict[str, float]:
    """Return the figures of bars by column: of several sources each with the source's name behind it.

    Of sources and of columns what each adds is a column, too; of steps it is in the file beside the page.
    """
    found: dict[str, float] = {}
    for one in bars:
        behind = f" {one.of}" if len(bars) > 1 else ""
        found |= {f"{n}{behind}": round(v, 6) for n, v in one.figures.items() if math.isfinite(v)}
        if not one.of:
            found |= {
                f"{one.part} {n}": round(float(v), 6) for n, v in zip(one.names, one.values, strict=True)
            }
    return found


def part_rows(bars: Bars) -> list[dict[str, Any]]:
    """Return a row a source or step: what it counts, the attention's weight and its time; of a table a row a column."""
    return [
        {
            "source": bars.of or (name if bars.part == "source" else ""),
            "step": k + 1 if bars.of else "",
            "what": name if bars.of or bars.part != "source" else "",
            "time_s": "" if bars.times_s is None else float(bars.times_s[k]),
            "value": round(float(bars.values[k]), 6),
            "attention": "" if bars.weights is None else round(float(bars.weights[k]), 6),
        }
        for k, name in enumerate(bars.names)
    ]


def _agreement(found: Explanation, method: str) -> dict[str, float]:
    """Return the rank correlation of a map with each of the others that hold."""
    pairs = {**found.agreement, **{(b, a): r for (a, b), r in found.agreement.items()}}
    return {f"agrees_with {other}": round(r, 6) for (one, other), r in pairs.items() if one == method}


def _beside(values: Mapping[str, float]) -> dict[str, float]:
    return {f"covariate {name}": round(value, 6) for name, value in values.items()}


def _write(found: Explanation, name: str, folder: Path, *, dicom: bool) -> list[str]:
    """Write a case's page and the maps that hold; return in sentences what is not shown or could not be written."""
    said = [f"the map of {e.method} is not shown: {e.fails}" for e in found.explained if e.fails is not None]
    for parted in found.parted:
        said += [
            f"{parted.method}, {b.of or f'{b.part}s'}: not shown: {b.fails}" for b in parted.bars if b.fails
        ]
        lines = [row for b in parted.bars if b.fails is None for row in part_rows(b)]
        if lines:
            write_text(folder / f"{name}.{parted.method}.csv", as_csv(lines))
    said += [f"not held against the maps: {note}" for note in found.notes]
    for one in found.holds:
        stem = folder / f"{name}.{one.method}"
        formats.write(one.map, stem.with_name(f"{stem.name}.nii.gz"))
        overlay(one.on or found.reference, one.map, stem.with_name(f"{stem.name}.png"))
    if isinstance(found.nearest, Nearest):
        formats.write(found.nearest.ranking, folder / f"{name}{NEAREST}")
    if dicom:
        said += _objects(found, folder / name)
    write_text(folder / f"{name}.html", html(found))
    return said


def _objects(found: Explanation, stem: Path) -> list[str]:
    """Write the DICOM objects of each map that holds; a reason that all share is said once."""
    reasons: dict[str, None] = {}
    for one in found.holds:
        for suffix in contract.of(one.map).objects:
            try:
                formats.write(one.map, stem.with_name(f"{stem.name}.{one.method}{suffix}"))
            except VesaliusError as error:
                reasons[f"explained, but there are no DICOM objects: {error}"] = None
    return list(reasons)
