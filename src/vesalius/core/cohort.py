"""Cohort: a table of cases, its hash, what was set aside, and one stored assignment of patients to folds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vesalius.core.case import Case
from vesalius.core.errors import UnknownName


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
    it; None where they do not.
    """

    name: str
    kind: str
    labels: tuple[Label, ...] = ()
    reason: str = ""
    ignore: tuple[int, ...] = ()
    beside: tuple[TargetInfo, ...] = ()
    unit: str | None = None

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
    """

    test: tuple[str, ...]
    folds: tuple[tuple[str, ...], ...]
    by: str
    seed: int | None = None
    unlabelled: tuple[tuple[str, ...], ...] = ()

    def training(self, fold: int) -> tuple[str, ...]:
        """Case ids that member `fold` learns from."""
        return tuple(c for k, ids in enumerate(self.folds) if k != fold for c in ids)

    @property
    def beside(self) -> tuple[str, ...]:
        """Return the ids of all unlabelled cases that any member learns from."""
        return tuple(dict.fromkeys(c for ids in self.unlabelled for c in ids))


@dataclass(frozen=True)
class Cohort:
    """What was read: cases, targets, what was set aside and what was noticed.

    `hash` is the SHA-256 over every case's files and targets, so two cohorts with the same hash hold the same
    data. `patients_known` is False where each case counts as a patient of its own. `modalities` are what
    the data's author says that the images are, channel by channel ("CT"). `questions` must be answered before
    anything is learned; `doubts` are questions that were answered as their `what` says, until a person answers
    otherwise; `label_notes`, which are among the notes, say what was decided of labels; `told` is what a person said of
    labels that only pixels can show (`{"255": "1"}`). `covariates` are those that a person named, which
    tells them from columns that are only there.
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

    def case(self, case_id: str) -> Case:
        """Return the case of that id. Raises UnknownName."""
        for case in self.cases:
            if case.id == case_id:
                return case
        raise UnknownName("case", case_id, (c.id for c in self.cases))
