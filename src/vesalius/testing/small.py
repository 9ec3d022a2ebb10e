"""Small cohorts to try a task on: phantoms written to a folder and read back, with a target of the kind asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.ndimage import uniform_filter

from vesalius import cohorts
from vesalius.core.case import Box, Case, Event, InstanceMask, Ref, Visit
from vesalius.core.cohort import Cohort, Label, TargetInfo
from vesalius.core.course import Course
from vesalius.core.image import Image
from vesalius.phantom import make
from vesalius.phantom.ct import AbdomenPatient, patient
from vesalius.prepare.case import load_mask, load_reference
from vesalius.prepare.things import parts

CASES, SEED, GRID = 12, 3, (12, 32, 32)
READINGS: tuple[dict[str, str], ...] = ({}, {"value": "age"}, {"label": "treatment,event"})  # columns by role
ENDS = "survival,relapse"  # two times to events of one case
TOGETHER = "age,bmi"  # targets of which several are one


def write_small(folder: Path, *, dims: int = 3, cases: int = CASES) -> Path:
    """Write a small cohort of phantoms to the new folder `folder`, volumes or pictures; returns its table."""
    format = "nifti" if dims == 3 else "png"
    make(folder, cases=cases, seed=SEED, format=format, options={"size": GRID})
    return folder / "cohort.csv"


def read_small(table: Path, kinds: Sequence[str]) -> Cohort | None:
    """Return the cohort of a table of `write_small` with one target, of the first of these kinds that can be had.

    Without kinds it has no target. None where the phantoms have a target of none of these kinds.
    """
    if not kinds:
        return _with(cohorts.read(table), None)
    for kind in kinds:
        readings = [(columns, None) for columns in READINGS]
        for columns, target in (*readings, ({}, TOGETHER)):
            cohort = cohorts.read(table, columns=columns, target=target)
            found = next((t for t in cohort.targets.values() if t.kind == kind), None)
            if found is not None:
                return _with(cohort, found)
        cohort = _in_memory(cohorts.read(table))
        found = next((t for t in cohort.targets.values() if t.kind == kind), None)
        if found is not None:
            return _with(cohort, found)
    return None


def with_sources(cohort: Cohort) -> Cohort:
    """Return a cohort whose cases bring more than one picture, made up, for tasks that take such (`plan/sources.py`).

    Each has a time course `signal` of 3 columns and 6 to 8 rows, a tree `findings` of 4 nodes, a text `history`, an
    image `photo` `(1, 1, 20, 16)` on a grid of its own, and up to two earlier visits, which show the images of other
    cases. Every fourth lacks the photo, every fifth the time course and every sixth the text.
    """
    return replace(cohort, cases=tuple(_richer(k, cohort.cases) for k in range(len(cohort.cases))))


def with_reports(cohort: Cohort) -> Cohort:
    """Return a cohort whose cases have reports, made up, for tasks that learn from such.

    Each speaks of a nodule and of an effusion, each by two writers, there or not, and no two of five are alike.
    """
    cases = tuple(replace(case, report=_dictated(k)) for k, case in enumerate(cohort.cases))
    return replace(cohort, cases=cases)


def _dictated(k: int) -> str:
    """Return the k-th report of `with_reports`."""
    side = ("left", "right")[k // 2 % 2]
    nodule = f"There is a nodule on the {side}." if k % 2 else "No nodule is seen."
    effusion = f"A {side} effusion." if k % 3 == 0 else ("No effusion.", "There is no effusion.")[k % 2]
    return f"Findings: {nodule} {effusion} The heart is of normal size in patient {k % 5}."


def _richer(k: int, cases: Sequence[Case]) -> Case:
    """Return the k-th of some cases with what `with_sources` says; its numbers follow from its place alone."""
    case, rng = cases[k], np.random.default_rng(k)
    rows = 6 + k % 3
    signal = Course(rng.normal(size=(rows, 3)), ("a", "b", "c"), tuple(0.5 * t for t in range(rows)))
    findings = Course(rng.normal(size=(4, 2)), ("size", "depth"), parents=(-1, 0, 0, 1))
    photo = Image(rng.integers(0, 255, (1, 1, 20, 16), dtype=np.uint8))
    patient = case.patient or case.id
    earlier = tuple(
        Visit(replace(cases[k - n], id=f"{case.id}-{n}", patient=patient, targets={}, earlier=()), 100.0 * n)
        for n in range(min(k % 3, k), 0, -1)
    )
    return replace(
        case,
        patient=patient,
        images=dict(case.images) if k % 4 == 3 else {**case.images, "photo": photo},
        courses={"findings": findings} if k % 5 == 4 else {"signal": signal, "findings": findings},
        texts={} if k % 6 == 5 else {"history": ("short of breath", "chest pain", "no complaint")[k % 3]},
        earlier=earlier,
    )


def _with(cohort: Cohort, target: TargetInfo | None) -> Cohort:
    """Return the cohort with one target, or with none."""
    name = None if target is None else target.name

    def kept(case: Case) -> Case:
        return replace(case, targets={k: v for k, v in case.targets.items() if k == name})

    cases = tuple(kept(c) for c in cohort.cases)
    return replace(cohort, cases=cases, targets={} if target is None else {target.name: target})


def _in_memory(cohort: Cohort) -> Cohort:
    """Return the cohort with targets that stand in no table: boxes, stages, parts of organs, clean images …"""
    people = (patient(k, SEED, size=GRID) for k in range(len(cohort.cases)))
    made = [one for one in people if isinstance(one, AbdomenPatient)]
    known = {one.id: one for one in made}
    boxes = {c.id: _boxes(known[c.id], c) for c in cohort.cases}
    stages = {c.id: ("early", "late")[known[c.id].outcome.stage > 1] for c in cohort.cases}
    drawn = {c.id: _instances(c) for c in cohort.cases}
    times = {c.id: _times(c) for c in cohort.cases}
    cases = tuple(
        replace(
            c,
            targets={
                "boxes": boxes[c.id],
                "stage": stages[c.id],
                "instances": drawn[c.id],
                "clean": _smooth(c),
                ENDS: times[c.id],
            },
        )
        for c in cohort.cases
    )
    names = sorted({b.label for found in boxes.values() for b in found})
    infos: tuple[TargetInfo, ...] = (
        TargetInfo("boxes", "boxes", tuple(Label(k + 1, n) for k, n in enumerate(names))),
        TargetInfo(
            "stage", "ordinal", tuple(Label(k, n) for k, n in enumerate(sorted(set(stages.values()))))
        ),
    )
    names = sorted({name for one in drawn.values() for name in one.names})
    infos = (*infos, TargetInfo("instances", "instances", tuple(Label(k, n) for k, n in enumerate(names, 1))))
    infos = (*infos, TargetInfo("clean", "clean"))
    parts = tuple(TargetInfo(name, "event") for name in ENDS.split(","))
    infos = (*infos, TargetInfo(ENDS, "events", parts=parts))
    return replace(cohort, cases=cases, targets={t.name: t for t in infos})


def _times(case: Case) -> dict[str, Event]:
    """Return a case's time to its event, and one to another that came to two of three before."""
    event = next(t for t in case.targets.values() if isinstance(t, Event))
    before = event.time_days * (0.4 + 0.5 * ((event.time_days * 7) % 1))
    other = Event(before, True) if int(event.time_days) % 3 else Event(event.time_days, event.happened)
    return dict(zip(ENDS.split(","), (event, other), strict=True))


def _instances(case: Case) -> InstanceMask:
    """Return the connected parts of each value of a case's mask as things."""
    mask = load_mask(next(t for t in case.targets.values() if isinstance(t, Ref)))
    values = [int(v) for v in np.unique(mask.array) if v > 0]
    found = parts(mask, [Label(v, f"part {v}") for v in values])
    return InstanceMask(replace(mask, array=found.ids[None]), found.labels)


def _smooth(case: Case) -> Image:
    """Return a case's image, each voxel the mean of three by three in its plane: as it would be with less noise."""
    image = load_reference(case)
    array = uniform_filter(image.array.astype(np.float32), (0, 0, 3, 3))
    return replace(image, array=array.astype(image.array.dtype))


def _boxes(made: AbdomenPatient, case: Case) -> tuple[Box, ...]:
    """Return the boxes of a volume; of a picture those that its slice meets, within it."""
    image, at = case.image, made.key_slice
    if not (isinstance(image, Ref) and image.paths[0].suffix == ".png"):
        return made.boxes
    met = [b for b in made.boxes if b.low[0] <= at < b.high[0]]
    return tuple(replace(b, low=(0.0, *b.low[1:]), high=(1.0, *b.high[1:])) for b in met)
