"""Cohort: a table of cases, its hash, what was set aside, and one stored assignment of patients to folds."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, overload

from vesalius.core.case import Case
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.image import Array
from vesalius.core.registry import lookup
from vesalius.core.shown import Shown, cut, some
from vesalius.core.words import counted, listed


@dataclass(frozen=True, slots=True)
class Label:
    """A label as it stands in the data: `value` (in a mask, or a class's index), `name`, and a coded concept.

    `colour` is the one that the data have for it, `#rrggbb`; `shown` the one that was chosen to show it where they have
    none (see `core/palette.py`), which makes it no other label.
    """

    value: int
    name: str
    code: tuple[str, str, str] | None = None  # (value, scheme, meaning)
    colour: str | None = None
    shown: str | None = field(default=None, compare=False, metadata={"stored": "where given"})


@dataclass(frozen=True, slots=True)
class TargetInfo:
    """What one target is: its kind, its labels in a fixed order (a mask's background excluded), and why.

    `kind` is a registered name of `cohorts/targets/`.
    `ignore` are a mask's values that mark voxels of which nobody knows what they are. `beside` are further targets that
    a task learns together with this one, by which the folds are spread. `unit` is that of a number, where the data say
    it; None where they do not. `parts` are the targets of the cohort that this one is made of, where it is several.
    `arm` is the column, a covariate of the cases, that says which treatment each was given, where a person named it.
    """

    name: str
    kind: str
    labels: tuple[Label, ...] = ()
    reason: str = ""
    ignore: tuple[int, ...] = ()
    beside: tuple[TargetInfo, ...] = ()
    unit: str | None = None
    parts: tuple[TargetInfo, ...] = ()
    arm: str | None = field(default=None, metadata={"stored": "where given"})

    @property
    def full_name(self) -> str:
        """Return what a plan calls it: its name, and those of the targets beside it, joined by commas."""
        return ",".join((self.name, *(t.name for t in self.beside)))


@dataclass(frozen=True, slots=True)
class Question:
    """What a target's labels leave open: nothing is learned from it until a person answers, as `hint` says."""

    target: str
    what: str
    found: str
    hint: str


@dataclass(frozen=True, slots=True)
class SetAside:
    """A case that is not used, and why. `fatal` marks what would corrupt a result if it were left out quietly.

    `files` is how many files it is of, where it is a series.
    """

    case: str
    reason: str
    fatal: bool = False
    files: int = 1


@dataclass(frozen=True)
class Assignment:
    """Which patients are tested on, and which fold each of the others validates. Made once, then stored.

    `test` and `folds` hold case ids; `by` says whether a declared split, a file or the seed decided.
    Fold `k` is the validation set of member `k`; every other fold is its training set. `unlabelled` are cases that lack
    the target and are learned from all the same; for each fold those that its member may see.
    `shots`, where not None, is how many cases of each label were drawn to be learned from: they are the last of two
    folds, and the first, which may be empty, is labelled and only validates.
    """

    test: tuple[str, ...]
    folds: tuple[tuple[str, ...], ...]
    by: str
    seed: int | None = None
    unlabelled: tuple[tuple[str, ...], ...] = ()
    shots: int | None = None

    def training(self, fold: int) -> tuple[str, ...]:
        """Return the case ids that member `fold` learns from."""
        return tuple(c for k, ids in enumerate(self.folds) if k != fold for c in ids)

    @property
    def beside(self) -> tuple[str, ...]:
        """Return the ids of all unlabelled cases that any member learns from."""
        return tuple(dict.fromkeys(c for ids in self.unlabelled for c in ids))


@dataclass(frozen=True)
class Cohort(Shown):
    """What was read: cases, targets, what was set aside and what was noticed.

    `hash` is the SHA-256 over every case's files and targets, so two cohorts with the same hash hold the same
    data. `patients_known` is False where each case counts as a patient of its own. `modalities` are what
    the data's author says that the images are, channel by channel ("CT"). `questions` must be answered before
    anything is learned; `doubts` are questions that were answered as their `what` says, until a person answers
    otherwise; `label_notes`, which are among the notes, say what was decided of labels; `told` is what a person said of
    labels that only pixels can show (`{"255": "1"}`). `covariates` are those that a person named, which
    tells them from columns that are only there. `digests` is the SHA-256 of each case by its id, where they were
    decoded; `aside_before` is how many of `set_aside` were so before these cases were chosen from a larger cohort.
    `expected` are the images that each case should have, where the data say so and some cases lack one: tasks that
    cannot do without set these aside.

    A cohort is a sequence of its cases: `len(cohort)`, `for case in cohort`, `cohort[0]`, `cohort["case-0001"]`. A part
    of it is a cohort again: `cohort[:10]`, `cohort[["case-0001", "case-0004"]]`, `cohort.where(split="train")`.
    """

    root: Path
    layout: str
    cases: tuple[Case, ...]
    targets: Mapping[str, TargetInfo] = field(default_factory=dict)
    set_aside: tuple[SetAside, ...] = ()
    notes: tuple[str, ...] = ()
    hash: str = ""
    patients_known: bool = False
    modalities: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()
    doubts: tuple[Question, ...] = ()
    label_notes: tuple[str, ...] = ()
    told: Mapping[str, str] = field(default_factory=dict)
    covariates: tuple[str, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict)
    aside_before: int = 0
    expected: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.cases)

    def __bool__(self) -> bool:
        return True  # a cohort without cases is one all the same

    def __iter__(self) -> Iterator[Case]:
        return iter(self.cases)

    def __contains__(self, case: object) -> bool:
        return any(c is case or c.id == case for c in self.cases)

    @overload
    def __getitem__(self, key: int | str) -> Case: ...

    @overload
    def __getitem__(self, key: slice | list[Any] | tuple[Any, ...] | Array) -> Cohort: ...

    def __getitem__(self, key: Any) -> Case | Cohort:
        if isinstance(key, str):
            return self.case(key)
        if isinstance(key, slice):
            return self._part(self.cases[key])
        if hasattr(key, "__index__") and not getattr(key, "ndim", 0):
            case: Case = self.cases[key]
            return case
        if not isinstance(key, Iterable):
            raise DataError(
                "cases are taken by their place or their id",
                found=f"{key!r}, {type(key).__name__}",
                hint="cohort[0], cohort['case-0001'], cohort[:10], or a list of such",
            )
        return self._part(_chosen(self, list(key)))

    def where(
        self,
        test: Callable[[Case], bool] | None = None,
        *,
        split: str | Sequence[str] | None = None,
        label: str | Sequence[str] | None = None,
        target: str | None = None,
        patient: str | Sequence[str] | None = None,
    ) -> Cohort:
        """Return the cases for which all that is asked holds, as a cohort.

        `test` is a function of a case. `split` is one that the data declare, or several ("train", "val", "test").
        `label` is a label of the target, or several; a case is taken that has one of them. `target` names the target
        where there are several. `patient` is a patient's id, or several. Where every case has one label at most, the
        target's labels are then those that were asked for, so that a model of the part learns no others.

        What was set aside stays in `set_aside`, as nobody can say whether it would have been chosen. Folds belong to
        no cohort: they are made anew from the cases that are left, by patient, when something is fitted to them.
        Raises UnknownName for a split, label, target or patient that is not there; DataError where nothing is asked
        for, where labels stand in pixels alone, or where a target must be named.
        """
        if target is not None and label is None:
            raise DataError(
                f"where(target='{target}') asks for no label", hint=f"where(label=…, target='{target}')"
            )
        if test is None and split is None and label is None and patient is None:
            raise DataError(
                "where() asks for nothing", hint="where(split=…), where(label=…) or where(lambda case: …)"
            )
        kept = [c for c in self.cases if test is None or test(c)]
        if split is not None:
            wanted = _known("split", split, (c.split for c in self.cases))
            kept = [c for c in kept if c.split in wanted]
        if patient is not None:
            wanted = _known("patient", patient, (c.patient for c in self.cases))
            kept = [c for c in kept if c.patient in wanted]
        if label is None:
            return self._part(kept)
        info = _labelled(self, target)
        wanted = _known("label", label, (x.name for x in info.labels))
        kind = lookup("cohorts.targets", info.kind).KIND
        kept = [
            c for c in kept if info.name in c.targets and wanted & set(kind.names_in(c.targets[info.name]))
        ]
        part = self._part(kept)
        if kind.several or kind.spelled:
            return part
        fewer = replace(info, labels=tuple(x for x in info.labels if x.name in wanted))
        return replace(part, targets={**self.targets, info.name: fewer})

    def _part(self, cases: Sequence[Case]) -> Cohort:
        """Return a cohort of some of the cases, with the hash that reading these alone would give."""
        digests = {c.id: self.digests[c.id] for c in cases if c.id in self.digests}
        whole = len(digests) == len(cases) and bool(self.hash)
        said = f"{len(cases)} of {counted(len(self.cases), 'case')} were chosen"
        return replace(
            self,
            cases=tuple(cases),
            hash=cohort_digest(digests) if whole else "",
            digests=digests if whole else {},
            patients_known=bool(cases) and all(c.patient is not None for c in cases),
            aside_before=len(self.set_aside),
            notes=self.notes if len(cases) == len(self.cases) else (*self.notes, said),
        )

    def _words(self) -> Iterable[str]:
        yield repr(cut(self.root.name))
        patients = {c.patient for c in self.cases}
        of = f" of {counted(len(patients), 'patient')}" if self.patients_known else ""
        yield counted(len(self.cases), "case") + of
        for name in self.targets:
            yield f"{name}: {self._count(name)}"
        splits = Counter(c.split for c in self.cases if c.split is not None)
        if splits:
            yield "split: " + " · ".join(f"{s} {n}" for s, n in splits.items())
        if self.set_aside:
            yield f"{len(self.set_aside)} set aside"

    def _count(self, target: str) -> str:
        """Return how many cases have each label of a target; of one whose labels are no words, how many have it."""
        held = [c.targets[target] for c in self.cases if target in c.targets]
        named = Counter(
            name
            for value in held
            for name in ((value,) if isinstance(value, str) else value if isinstance(value, tuple) else ())
            if isinstance(name, str)
        )
        if not named:
            return counted(len(held), "case has it", "cases have it")
        return some((f"{cut(n, 30)} {k}" for n, k in named.most_common()), len(named), 6)

    def case(self, case_id: str) -> Case:
        """Return the case of that id. Raises UnknownName."""
        for case in self.cases:
            if case.id == case_id:
                return case
        raise UnknownName("case", case_id, (c.id for c in self.cases))


def cohort_digest(digests: Mapping[str, str]) -> str:
    """Return hex SHA-256 over the cases' digests in the order of their ids."""
    text = "".join(f"{digests[case_id]}  {case_id}\n" for case_id in sorted(digests))
    return hashlib.sha256(text.encode()).hexdigest()


def _chosen(cohort: Cohort, keys: Sequence[Any]) -> list[Case]:
    """Return the cases of some ids, of some places, or those whose place in a list holds True."""
    if keys and all(isinstance(k, bool) or str(getattr(k, "dtype", "")) == "bool" for k in keys):
        if len(keys) != len(cohort.cases):
            raise DataError(
                "a choice by True and False needs one for each case",
                found=f"{len(keys)} for {counted(len(cohort.cases), 'case')}",
            )
        return [case for case, k in zip(cohort.cases, keys, strict=True) if k]
    by_id = {c.id: c for c in cohort.cases} if any(isinstance(k, str) for k in keys) else {}
    found = []
    for key in keys:
        if isinstance(key, str) and key not in by_id:
            raise UnknownName("case", key, by_id)
        found.append(by_id[key] if isinstance(key, str) else cohort.cases[key])
    twice = [case for case, n in Counter(c.id for c in found).items() if n > 1]
    if twice:
        raise DataError("a case was chosen more than once", found=listed(twice, 3))
    return found


def _known(what: str, asked: str | Sequence[str], there: Iterable[str | None]) -> set[str | None]:
    """Return the names that were asked for. Raises UnknownName for one that is not there."""
    known = {name for name in there if name is not None}
    wanted = [asked] if isinstance(asked, str) else list(asked)
    for name in wanted:
        if name not in known:
            raise UnknownName(what, str(name), known)
    return set(wanted)


def _has_names(info: TargetInfo) -> bool:
    kind = lookup("cohorts.targets", info.kind).KIND
    return bool(kind.named or kind.spelled)


def _labelled(cohort: Cohort, target: str | None) -> TargetInfo:
    """Return the target whose labels are asked for. Raises UnknownName, or DataError where it has none in words."""
    if target is not None and target not in cohort.targets:
        raise UnknownName("target", target, cohort.targets)
    fitting = [t for t in cohort.targets.values() if target in (None, t.name) and _has_names(t)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise DataError(
            "several targets have labels", found=listed(t.name for t in fitting), hint="where(…, target=NAME)"
        )
    raise DataError(
        "no target has labels that are known without its pixels",
        found=listed(cohort.targets) or "no targets",
        hint="cohort.where(lambda case: …), with a function that says True of the cases to keep",
    )
