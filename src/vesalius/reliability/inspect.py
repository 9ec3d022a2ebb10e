"""Inspecting a cohort: one pass, then everything that was found, the worst first."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

from vesalius.cohorts import select_target
from vesalius.cohorts.targets import contract as kinds
from vesalius.core import palette
from vesalius.core.case import role_of
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.progress import Progress
from vesalius.core.shown import Shown, cut
from vesalius.core.words import counted, listed
from vesalius.dicom.values.colours import chosen
from vesalius.reliability import duplicates, geometry, leakage
from vesalius.reliability._records import CaseRecord
from vesalius.reliability._survey import Survey, survey
from vesalius.reliability._thumbs import Small
from vesalius.reliability.duplicates import Duplicate
from vesalius.reliability.geometry import Misfit
from vesalius.reliability.leakage import Leak
from vesalius.reliability.summary import Summary, TargetSummary, summary_of

Severity = Literal["error", "warning", "note"]
_ORDER = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing worth knowing: how bad, what kind, which cases, in words, and what to do."""

    severity: Severity
    kind: str
    cases: tuple[str, ...]
    text: str
    hint: str = ""


@dataclass(frozen=True, eq=False, slots=True)
class Thumb:
    """A small picture of a case, what is said of it, and the colours of its labels by their values."""

    case: str
    label: str
    small: Small
    colours: Mapping[int, str] = field(default_factory=dict)

    @property
    def picture(self) -> Array:
        """RGB `(H, W, 3)` of uint8, its labels drawn over it."""
        return self.small.drawn(self.colours)


@dataclass(frozen=True, eq=False)
class Inspection(Shown):
    """What is in a cohort and what is wrong with it."""

    cohort: Cohort
    summary: Summary
    findings: tuple[Finding, ...]
    duplicates: tuple[Duplicate, ...]
    leaks: tuple[Leak, ...]
    misfits: tuple[Misfit, ...]
    thumbs: tuple[Thumb, ...]

    def _words(self) -> Iterable[str]:
        yield repr(cut(self.cohort.root.name))
        yield counted(self.summary.cases, "case")
        for severity in _ORDER:
            count = sum(f.severity == severity for f in self.findings)
            yield counted(count, severity) if count else ""


def inspect(
    cohort: Cohort, *, target: str | None = None, progress: Progress | None = None, workers: int = 1
) -> Inspection:
    """Decode every case once and say what is there and what is wrong. Raises nothing for faulty data.

    Read the cohort with `max_set_aside=1.0`, so that a bad one can be looked at too. `target` is the one that is to
    be learned, where there are several.
    """
    return inspection_of(survey(cohort, progress=progress, workers=workers, strict=False), target=target)


def inspection_of(found: Survey, *, target: str | None = None) -> Inspection:
    """Return the inspection of a pass that was made already."""
    twins = duplicates.find(found.good)
    leaks = leakage.find(found.good, twins)
    misfits = geometry.find(found.facts)
    summary = summary_of(found)
    findings = [
        *_none_left(found.good),
        *_set_aside(found.cohort),
        *_questions(found.cohort),
        *_doubts(found.cohort),
        *_twins([t for t in twins if len(t.splits) < 2 or t.contradicts]),  # the others are leaks
        *_leaks(leaks, "test" if "test" in summary.splits else "val"),
        *_misfits(misfits),
        *_targets(found, summary, target),
        *_pixels(found.good),
        *_courses(found.good),
        *_grids(found.good),
        *_unlooked(found.good),
        *_notes(found.cohort),
    ]
    colours = label_colours(found.cohort)
    thumbs = tuple(Thumb(f.case, _caption(f), f.thumb, colours) for f in found.facts if f.thumb is not None)
    findings.sort(key=lambda f: _ORDER[f.severity])
    return Inspection(found.cohort, summary, tuple(findings), twins, leaks, misfits, thumbs)


def label_colours(cohort: Cohort) -> dict[int, str]:
    """Return the colour of each label value that is drawn: of the first target that is a mask, or else of boxes."""
    every = cohort.targets.values()
    drawn = next((t for t in every if kinds.of(t.kind).drawn), None)
    drawn = drawn or next((t for t in every if kinds.of(t.kind).spelled), None)
    if drawn is None:
        return {}
    return {x.value: palette.colour_of(x, k) for k, x in enumerate(chosen(drawn.labels))}


def to_json(inspection: Inspection) -> str:
    """Return the inspection without pictures, as JSON."""
    cohort = inspection.cohort
    data = {
        "root": str(cohort.root),
        "layout": cohort.layout,
        "hash": cohort.hash,
        "summary": asdict(inspection.summary),
        "findings": [asdict(f) for f in inspection.findings],
        "duplicates": [asdict(d) for d in inspection.duplicates],
        "leaks": [asdict(x) for x in inspection.leaks],
        "misfits": [asdict(m) for m in inspection.misfits],
        "set_aside": [asdict(s) for s in cohort.set_aside],
        "notes": list(cohort.notes),
    }
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def _none_left(good: Sequence[CaseRecord]) -> list[Finding]:
    text, hint = "no case can be used", "`fit` and `predict` stop on this: see what was set aside"
    return [] if good else [Finding("error", "cases", (), text, hint)]


def _set_aside(cohort: Cohort) -> list[Finding]:
    found = []
    for item in cohort.set_aside:
        severity: Severity = "error" if item.fatal else "warning"
        hint = "`fit` stops on this: mend it, or take the case out" if item.fatal else ""
        found.append(Finding(severity, "set aside", (item.case,), f"'{item.case}': {item.reason}", hint))
    return found


def _questions(cohort: Cohort) -> list[Finding]:
    return [
        Finding("error", "labels", (), f"{q.what}: {q.found}", f"`fit` stops on this: {q.hint}")
        for q in cohort.questions
    ]


def _doubts(cohort: Cohort) -> list[Finding]:
    return [Finding("warning", "labels", (), f"{q.what} ({q.found})", q.hint) for q in cohort.doubts]


def _twins(twins: Sequence[Duplicate]) -> list[Finding]:
    found = []
    for twin in twins:
        if twin.contradicts:
            severity: Severity = "error" if twin.exact else "warning"
            hint = "decide which label is right; `fit` learns both"
            found.append(Finding(severity, "contradiction", twin.cases, str(twin), hint))
        else:
            kind = "duplicate" if twin.exact else "near duplicate"
            hint = "kept on one side of a split by `fit`"
            found.append(Finding("warning", kind, twin.cases, str(twin), hint))
    return found


def _unlooked(good: Sequence[CaseRecord]) -> list[Finding]:
    if len(good) <= duplicates.LIMIT:
        return []
    text = f"{len(good)} cases are too many to compare in pairs: near duplicates were not looked for"
    return [Finding("note", "near duplicate", (), text, "exact ones were, by their hash")]


def _leaks(leaks: Sequence[Leak], held: str) -> list[Finding]:
    """Return what stands on both sides of a split, and what `fit` does about it; `held` is the split that it scores."""
    found = []
    for leak in leaks:
        sides, cases = " and ".join(leak.sides), ", ".join(leak.cases)
        what = f"patient '{leak.name}'" if leak.kind == "patient" else "one picture"
        if leak.similarity < 1:
            text = f"nearly the same picture ({leak.similarity:.3f}) stands in {sides}: {cases}"
            hint = "`fit` keeps the split as it is; a score may be too good"
            found.append(Finding("warning", "near leak", leak.cases, text, hint))
        else:
            text = f"{what} stands in {sides}: {cases}"
            severity: Severity = "error" if leak.kind == "patient" else "warning"
            kept = (
                f"`fit` does not train on those that {held} has, too"
                if held in leak.sides
                else "`fit` keeps them in one fold"
            )
            does = "`fit` stops on this: mend the split" if leak.kind == "patient" else kept
            hint = f"{does}; a score of whatever trains on both is too good"
            found.append(Finding(severity, "leak", leak.cases, text, hint))
    return found


def _misfits(misfits: Sequence[Misfit]) -> list[Finding]:
    return [
        Finding("warning" if m.kind != "channels" else "note", f"geometry: {m.kind}", m.cases, m.text)
        for m in misfits
        if m.kind != geometry.MASK  # named among those set aside
    ]


def _targets(found: Survey, summary: Summary, asked: str | None) -> list[Finding]:
    findings = []
    cohort = found.cohort
    single = [t for t in summary.targets if _named(t) and sum(x.cases > 0 for x in t.labels) == 1]
    constant = [t.name for t in single if len(cohort.targets) > 1 and t.name != asked]
    if constant:
        text = f"one class only, nothing to learn: {listed(constant, 5)}"
        findings.append(Finding("note", "targets", (), text))
    for target in summary.targets:
        if target.name not in constant:
            findings += _of_target(found, target)
    if len(cohort.targets) > 1:
        try:
            select_target(cohort)
        except DataError as error:
            findings.append(Finding("note", "targets", (), error.what, error.hint or ""))
    if not summary.patients_known and cohort.cases:
        without, of = summary.without_patient, len(found.good)
        text = "no patient ids: each case counts as a patient"
        if without < of:
            text = f"{without} of {of} cases have no patient id: each of these counts as a patient of its own"
        findings.append(
            Finding("note", "patients", (), text, "name them: --column patient=NAME or patient=re:PATTERN")
        )
    if summary.without_target and cohort.targets:
        bare = tuple(c.id for c in cohort.cases if not c.targets)
        text = f"{len(bare)} without a target, kept for prediction"
        findings.append(Finding("note", "orphans", bare, text))
    return findings


def _of_target(found: Survey, target: TargetSummary) -> list[Finding]:
    """Return what is to be said of the labels of one target."""
    findings = []
    counts = {x.name: x.cases for x in target.labels}
    missing = [n for n, k in counts.items() if k == 0]
    few = [n for n, k in counts.items() if 0 < k < 5]
    if missing:
        text = f"{target.name}: no case has {listed(missing, 6)}"
        findings.append(Finding("note", "labels", (), text))
    if few:
        text = f"{target.name}: fewer than 5 cases have {listed(few, 6)}"
        findings.append(Finding("warning", "labels", (), text, "more cases, or merge classes"))
    held = [k for k in counts.values() if k]
    if _named(target) and len(held) == 1:
        text = f"{target.name}: one class only, '{next(n for n, k in counts.items() if k)}'"
        findings.append(Finding("error", "labels", (), text, "at least two classes"))
    elif _named(target) and held and max(held) > 10 * min(held):
        text = f"{target.name}: the largest class has {max(held) / min(held):.0f} times the cases of the smallest"
        findings.append(Finding("note", "labels", (), text, "accuracy alone would mislead"))
    if kinds.of(target.kind).drawn:
        empty = tuple(
            f.case
            for f in found.good
            if target.name in f.voxels and not any(v for v in f.voxels[target.name])
        )
        if empty:
            text = f"{target.name}: {counted(len(empty), 'mask is', 'masks are')} empty"
            findings.append(Finding("note", "labels", empty, text))
    return findings


def _named(target: TargetSummary) -> bool:
    """Return whether the target's values are names of labels."""
    return kinds.of(target.kind).named


def _pixels(good: Sequence[CaseRecord]) -> list[Finding]:
    findings = []
    flat = tuple(f.case for f in good if f.channels and all(c.low == c.high for c in f.channels))
    if flat:
        text = f"{counted(len(flat), 'image has', 'images have')} the same value everywhere"
        findings.append(Finding("warning", "pixels", flat, text, "look at them"))
    grey = tuple(f.case for f in good if f.grey_in_colour)
    if grey:
        every = len(grey) == len(good)
        text = "all pictures are" if every else f"{counted(len(grey), 'picture is', 'pictures are')}"
        hint = (
            "`fit` learns one channel of each" if every else "beside those in colour they are read as colour"
        )
        findings.append(
            Finding(
                "note", "grey in colour files", grey, f"{text} grey, although their files hold colours", hint
            )
        )
    tops = {f.case: max(abs(c.high) for c in f.channels) for f in good if f.channels}
    held = [t for t in tops.values() if t > 0]
    if held and max(held) > 20 * min(held):
        text = f"intensities are on different scales: the greatest value of an image is {min(held):g} to {max(held):g}"
        findings.append(Finding("note", "pixels", (), text, "they are normalised image by image"))
    return findings


def _courses(good: Sequence[CaseRecord]) -> list[Finding]:
    """Return the time courses that say little: the same value at every time, or half of their cells empty."""
    held = [(f.case, name, c) for f in good for name, c in (f.brought.courses or {}).items()]
    found = []
    for text, cases in (
        ("the same values at every time", [c for c, _, one in held if one.constant]),
        (
            "no number in half of their cells",
            [c for c, _, one in held if 2 * one.empty >= one.rows * len(one.columns)],
        ),
    ):
        if cases:
            many = counted(len(cases), "time course has", "time courses have")
            found.append(Finding("warning", "time courses", tuple(dict.fromkeys(cases)), f"{many} {text}"))
    return found


def _grids(good: Sequence[CaseRecord]) -> list[Finding]:
    """Return the images that cannot be channels beside their case's reference."""
    names = dict.fromkeys(n for f in good for n in f.brought.apart if role_of(n) == n)
    found = []
    for name in names:
        cases = tuple(f.case for f in good if name in f.brought.apart)
        text = (
            f"'{name}' has another size than the reference in {counted(len(cases), 'case')}, and no geometry"
        )
        hint = "tasks that see images apart take them; the others set these cases aside"
        found.append(Finding("note", "grids", cases, text, hint))
    return found


def _notes(cohort: Cohort) -> list[Finding]:
    return [Finding("note", "reading", (), note) for note in cohort.notes]


def _caption(fact: CaseRecord) -> str:
    words = list(fact.labels.values())
    if fact.split:
        words.append(fact.split)
    return " · ".join(words)
