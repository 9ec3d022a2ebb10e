"""What experts say of a cohort, as patterns: classes from its table, masks counted a case at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.cohorts import Experts
from vesalius.consensus.patterns import UNSEEN, Coder, Counted, Patterns, of_classes, of_masks
from vesalius.core.case import IGNORED, Case, Ref
from vesalius.core.cohort import Cohort, Label
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.core.progress import Progress
from vesalius.core.words import counted, listed
from vesalius.prepare.case import load_mask


@dataclass(frozen=True, eq=False)
class Said:
    """What experts say: their patterns, the labels (of masks without the background), and the cases that someone saw.

    Of masks `codes` `(P,)` are the numbers of the patterns under `coder`, and `places` leads from an expert's label
    values to places in the patterns.
    """

    patterns: Patterns
    cases: tuple[Case, ...]
    labels: tuple[Label, ...]
    targets: Mapping[str, str]
    drawn: bool
    notes: tuple[str, ...] = ()
    codes: Array | None = None
    coder: Coder | None = None
    places: Mapping[str, Mapping[int, int]] | None = None

    def coded(self, case: Case) -> Array:
        """Return at which row of the patterns each voxel of a case stands, `(Z, Y, X)`. Raises DataError."""
        if self.coder is None or self.codes is None or self.places is None:
            raise DataError("these experts draw no masks")
        return np.searchsorted(self.codes, self.coder.coded(_calls(case, self.targets, self.places)))


def said(experts: Experts, cohort: Cohort, progress: Progress) -> Said:
    """Return what experts say of the cases of a checked cohort, one case in memory at a time.

    Raises DataError for an expert who saw no case, and for labels that only their spelling tells apart.
    """
    names = list(experts.targets)
    seen = [c for c in cohort.cases if any(_held(c, experts.targets[n]) is not None for n in names)]
    idle = [n for n in names if not any(_held(c, experts.targets[n]) is not None for c in seen)]
    if idle:
        raise DataError(f"expert '{idle[0]}' says nothing of any case", hint="another column or folder")
    notes = []
    if len(seen) < len(cohort.cases):
        notes.append(
            f"{counted(len(cohort.cases) - len(seen), 'case')} that no expert saw: not in the consensus."
        )
    alone = sum(sum(_held(c, t) is not None for t in experts.targets.values()) == 1 for c in seen)
    if alone:
        notes.append(
            f"{counted(alone, 'case was', 'cases were')} seen by one expert alone, whose word stands there."
        )
    several = list(dict.fromkeys(name for c in seen for name in c.images))
    if len(several) > 1:
        notes.append(
            f"Cases have images {listed(several, 5)}: reading the new table takes --column image={','.join(several)}."
        )
    patients = [c.patient or c.id for c in seen]
    if any(c.patient is None for c in seen):
        notes.append(
            "No patients are known of some cases: each counts as one, and intervals may be too narrow."
        )
    read = _masks if experts.drawn else _classes
    return read(experts, cohort, tuple(seen), patients, notes, progress)


def _held(case: Case, target: str) -> object:
    return case.targets.get(target)


def _classes(
    experts: Experts,
    cohort: Cohort,
    cases: tuple[Case, ...],
    patients: Sequence[str],
    notes: list[str],
    progress: Progress,
) -> Said:
    every = [label for t in experts.targets.values() for label in cohort.targets[t].labels]
    names = list(dict.fromkeys(label.name for label in every))
    _assert_spelled(names)
    place = {name: k for k, name in enumerate(names)}
    calls = np.full((len(cases), len(experts.targets)), UNSEEN, np.int16)
    for e, target in enumerate(experts.targets.values()):
        for c, case in enumerate(cases):
            if target in case.targets:
                calls[c, e] = place[str(case.targets[target])]
    patterns = of_classes(calls, experts=list(experts.targets), labels=names, patients=patients)
    labels = tuple(Label(k, name) for k, name in enumerate(names))
    return Said(patterns, cases, labels, experts.targets, False, tuple(notes))


def _assert_spelled(names: Sequence[str]) -> None:
    """Raise DataError for labels of which two differ in letters' case alone: experts would disagree in spelling."""
    for name in names:
        twin = next((n for n in names if n != name and n.casefold() == name.casefold()), None)
        if twin is not None:
            raise DataError(
                "experts spell one label in two ways",
                found=f"'{name}' and '{twin}'",
                hint=f"--labels '{twin}={name}'",
            )


def _masks(
    experts: Experts,
    cohort: Cohort,
    cases: tuple[Case, ...],
    patients: Sequence[str],
    notes: list[str],
    progress: Progress,
) -> Said:
    labels, places, more = _aligned(experts, cohort)
    names = ["background", *(x.name for x in labels)]
    coder = Coder(len(experts.targets), len(names))
    found: list[Counted] = []
    progress.start("masks", len(cases))
    try:
        for case in cases:
            found.append(coder.counted(coder.coded(_calls(case, experts.targets, places))))
            progress.advance("masks")
    finally:
        progress.finish("masks")
    patterns, codes = of_masks(found, coder, experts=list(experts.targets), labels=names, patients=patients)
    return Said(
        patterns,
        cases,
        labels,
        experts.targets,
        True,
        (*notes, *more),
        codes,
        coder,
        places,
    )


def _aligned(
    experts: Experts, cohort: Cohort
) -> tuple[tuple[Label, ...], dict[str, dict[int, int]], list[str]]:
    """Return the labels of all experts, the place of each expert's values among them, and what must be said.

    A value means the same label whoever drew it. Where each expert has one label alone, these are one, whatever their
    values: 255 of the one is 1 of the other. Raises DataError where no mask holds anything.
    """
    infos = {e: cohort.targets[t] for e, t in experts.targets.items()}
    if not any(i.labels for i in infos.values()):
        raise DataError("every mask of every expert is empty", hint="masks that mark something")
    single = all(len(i.labels) <= 1 for i in infos.values())
    every = [x for i in infos.values() for x in i.labels]
    if single:
        values = sorted({x.value for x in every})
        note = [f"The experts' masks hold {listed(map(str, values))} for their one label."]
        return (
            (Label(1, "1" if every[0].name.isdecimal() else every[0].name, colour=every[0].colour),),
            {e: {x.value: 1 for x in i.labels} for e, i in infos.items()},
            note if len(values) > 1 else [],
        )
    labels = {x.value: x for x in reversed(every)}
    order = sorted(labels)
    place = {value: k for k, value in enumerate(order, start=1)}
    lacking = [
        f"Expert {e} never marks {listed([labels[v].name for v in order if v not in {x.value for x in i.labels}])}."
        for e, i in infos.items()
        if len(i.labels) < len(order)
    ]
    return tuple(labels[v] for v in order), dict.fromkeys(infos, place), lacking


def _calls(
    case: Case, targets: Mapping[str, str], places: Mapping[str, Mapping[int, int]]
) -> list[Array | None]:
    """Return for each expert the place of each voxel's label, UNSEEN where nothing is known. Raises DataError."""
    found: list[Array | None] = []
    for expert, target in targets.items():
        item = case.targets.get(target)
        if not isinstance(item, Ref | Image):
            found.append(None)
            continue
        mask = load_mask(item).array[0]
        calls = np.zeros(mask.shape, np.int16)
        for value in np.unique(mask):
            if value == IGNORED:
                calls[mask == value] = UNSEEN
            elif value:
                calls[mask == value] = places[expert][int(value)]
        found.append(calls)
    shapes = {c.shape for c in found if c is not None}
    if len(shapes) > 1:
        raise DataError(f"case {case.id}: the experts' masks differ in size", found=str(sorted(shapes)))
    return found
