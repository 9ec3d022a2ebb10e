"""What earlier stages say of training cases: asked of members that never saw them, once, and kept on disk.

A stage that learned from a case answers it better than any new one. A later stage that learns from such answers trusts
them more than it may. So each case is answered by the member that never saw it, where there is one; of a given bundle
that learned from the case in its own run, by the member of that bundle which did not.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from vesalius.core.bundle import Bundle, Stage
from vesalius.core.case import Case
from vesalius.core.disk import write_bytes
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.core.scorecard import Banner
from vesalius.core.words import counted
from vesalius.infer import handover
from vesalius.infer.handed import given_of
from vesalius.infer.handover.contract import Given, Key
from vesalius.infer.predictor import Predictor
from vesalius.learn.examples import Giving
from vesalius.run.given import GivenStage, needed_to_load
from vesalius.run.members import member_of
from vesalius.run.stages import StagePlan
from vesalius.run.workspace import Workspace

FOLDER = "said"  # in a run's cache: what earlier stages say of training cases
EARLIER, UNCHECKED = "earlier stage", "earlier stage unchecked"  # kinds of banner


@dataclass(frozen=True, eq=False)
class Sayer:
    """An earlier stage that can be asked about training cases.

    `bundle` holds it as its stage `number`, and `places` says which stage of `bundle` each stage of the plan is, for
    what it takes in turn. `unseen` gives the member that never saw a case, by the case's id, for those that some member
    saw; None where every member did.
    """

    bundle: Bundle
    number: int
    places: Mapping[int, int]
    unseen: Mapping[str, int | None]

    @property
    def stage(self) -> Stage:
        """The stage itself."""
        return self.bundle.stages[self.number]

    def members_for(self, case: str, *, alone: bool) -> tuple[str, ...]:
        """Return the files of the members that are asked about a case; with `alone` the first, whatever it saw."""
        members = self.stage.members
        own = self.unseen.get(case)
        if alone:
            return members[:1]
        return members if own is None else tuple(m for m in members if member_of(m) == own)

    def has_seen(self, case: str, *, alone: bool) -> bool:
        """Return whether a member that is asked about a case learned from it."""
        if case not in self.unseen:
            return False
        own = self.unseen[case]
        return own is None or (alone and own != member_of(self.stage.members[0]))


@dataclass(eq=False)
class Handing:
    """What the stages of a run are given of its training cases; answers lie in `folder`, a file a case."""

    space: Workspace
    stages: Sequence[StagePlan]
    folder: Path
    given: Mapping[str, GivenStage] = field(default_factory=dict)
    device: str | None = None
    sayers: dict[int, Sayer] = field(default_factory=dict)
    _predictors: dict[tuple[int, tuple[str, ...]], Predictor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for number, stage in enumerate(self.stages):
            if stage.bundle is not None:
                self.sayers[number] = _of_given(self.given[stage.name], self.space)

    def add(self, number: int, bundle: Bundle, place: int, places: Mapping[int, int]) -> None:
        """Let a stage be asked that was trained in this run: the stage `place` of a bundle, its weights on disk."""
        kept = {member_of(m) for m in bundle.stages[place].members}
        folds = enumerate(self.space.assignment.folds)
        unseen = {i: k if k in kept else None for k, ids in folds for i in ids}
        self.sayers[number] = Sayer(bundle, place, places, unseen)

    def rest(self) -> None:
        """Let go of the loaded models; who is asked again is loaded again."""
        self._predictors.clear()

    def of(self, number: int) -> Giving | None:
        """Return what makes of a training case what a stage is given of it; None where it is given the case itself."""
        stage = self.stages[number]
        if not stage.taken:
            return None
        names = [one.name for one in self.stages]

        def give(case: Case, reference: Image) -> Given:
            kept: dict[Key, Array] = {}
            for one in stage.taken:
                way, source = handover.get(one["as"]), self.stages[one["stage"]]
                if way.truth and source.bundle is None:
                    found = way.of_truth(case, reference, source.plan.task.target)
                else:
                    found = self.kept(case, one["stage"], one["as"])
                if found is not None:
                    kept[one["stage"], one["as"]] = found
            target = stage.plan.task.target
            return given_of(stage.taken, case, reference, kept, names=names, target=target)

        return give

    def kept(self, case: Case, number: int, way: str) -> Array:
        """Return what is kept of what a stage says of a case, from disk where it was asked before."""
        digest = hashlib.sha256(case.id.encode()).hexdigest()[:24]
        file = self.folder / FOLDER / self.stages[number].name / f"{digest}.{way}.npz"
        if file.is_file():
            with np.load(file) as held:
                found: Array = held["kept"]
                return found
        if number not in self.sayers:
            raise DataError(f"the stage '{self.stages[number].name}' is not trained yet, and cannot be asked")
        said = self._asked(case, number, way)
        packed = io.BytesIO()
        np.savez_compressed(packed, kept=said)
        write_bytes(file, packed.getvalue())
        return said

    def _asked(self, case: Case, number: int, way: str) -> Array:
        sayer = self.sayers[number]
        known: dict[Key, Array] = {}
        if self.stages[number].bundle is None:
            for one in self.stages[number].taken:
                known[sayer.places[one["stage"]], one["as"]] = self.kept(case, one["stage"], one["as"])
        members = sayer.members_for(case.id, alone=handover.get(way).alone)
        predictor = self._predictor(number, members)
        return predictor.kept(case, sayer.number, known, ways=(way,))[way]

    def _predictor(self, number: int, members: tuple[str, ...]) -> Predictor:
        """Return what answers with some members of a stage; its threads stay those of the training."""
        if (number, members) not in self._predictors:
            sayer = self.sayers[number]
            own = self.stages[number].bundle is None
            stages = [
                replace(
                    stage,
                    members=members if k == sayer.number else () if own else stage.members,
                    extras=needed_to_load(stage),
                )
                for k, stage in enumerate(sayer.bundle.stages)
            ]
            predictor = Predictor(
                replace(sayer.bundle, stages=tuple(stages)), device=self.device, accept_mismatch=True
            )
            predictor.threads = None
            self._predictors[number, members] = predictor
        return self._predictors[number, members]

    def banners(self, number: int) -> tuple[Banner, ...]:
        """Return what must be read of a stage whose training cases were answered too well by one before it.

        Or may have been, where nobody knows what a given bundle learned from.
        """
        found, unknown = [], []
        stage = self.stages[number]
        for one in stage.taken:
            way, source = handover.get(one["as"]), self.stages[one["stage"]]
            if way.truth and source.bundle is None:
                continue
            sayer = self.sayers[one["stage"]]
            ids, tests = [c.id for c in self.space.training], [c.id for c in self.space.test]
            seen = sum(sayer.has_seen(i, alone=way.alone) for i in ids)
            if seen:
                found.append(
                    f"The stage '{source.name}' had learned from {seen} of the {counted(len(ids), 'training case')} "
                    "that it was asked about, and answers them better than new ones"
                )
            tested = sum(i in sayer.unseen for i in tests)
            if tested:
                found.append(
                    f"The stage '{source.name}' had learned from {tested} of the {counted(len(tests), 'test case')}, "
                    "so that figures on them are too good"
                )
            if source.bundle is not None:
                past = self.given[source.name].past
                if text := past.unchecked(self.space.cohort, self.space.marks):
                    unknown.append(f"Of the stage '{source.name}': {text}")
        said = [Banner(EARLIER, f"{text}.") for text in dict.fromkeys(found)]
        return (*said, *(Banner(UNCHECKED, f"{text}.") for text in dict.fromkeys(unknown)))


def blank(stage: StagePlan, names: Sequence[str]) -> Giving | None:
    """Return what gives a stage nothing of earlier ones, in the shape of what it will be given, for it to be timed."""
    if not stage.taken:
        return None

    def give(case: Case, reference: Image) -> Given:
        kept = {}
        for one in stage.taken:
            name = names[one["stage"]]
            width = len(stage.plan.data.taken.get(name, ())) or stage.plan.sources.vectors.get(name, 0)
            kept[one["stage"], one["as"]] = handover.get(one["as"]).blank(reference, width)
        return given_of(stage.taken, case, reference, kept, names=names)

    return give


def asked_by(stages: Sequence[StagePlan]) -> frozenset[int]:
    """Return the numbers of the stages whose answers about training cases are asked for."""
    found: set[int] = set()
    for number in reversed(range(len(stages))):
        for one in stages[number].taken:
            truth = handover.get(one["as"]).truth and stages[one["stage"]].bundle is None
            if not truth or number in found:
                found.add(one["stage"])
    return frozenset(found)


def _of_given(one: GivenStage, space: Workspace) -> Sayer:
    overlap = one.overlap(space.cohort, space.marks)
    kept = {member_of(m) for m in one.last.members}
    unseen = {case: fold if fold in kept else None for case, fold in overlap.trained.items()}
    number = len(one.bundle.stages) - 1
    return Sayer(one.bundle, number, {}, unseen)
