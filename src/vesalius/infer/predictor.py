"""Predictor: a bundle loaded once, answering case after case."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, TypeVar

import torch

from vesalius.answers import contract
from vesalius.core import scratch
from vesalius.core.answers import Answer
from vesalius.core.bundle import Bundle, State
from vesalius.core.case import Case
from vesalius.core.errors import DataError, PlanError
from vesalius.core.groups import fitted_for
from vesalius.core.image import Array, Image
from vesalius.core.promise import LEVELS, PROMISE
from vesalius.core.weighed import Weighed
from vesalius.infer import fitting, guard, handover, pace, runs
from vesalius.infer.alarm import Alarm, gathered, watched_of
from vesalius.infer.asked import decoded
from vesalius.infer.cropping import in_memory
from vesalius.infer.doubting import Doubter, Doubting, Prepared, ways_of
from vesalius.infer.features import features as features_of
from vesalius.infer.guard import require
from vesalius.infer.guarding import Guard, assert_guards
from vesalius.infer.handed import given_of, prepared_of
from vesalius.infer.handover.contract import Given, Key, Said
from vesalius.infer.judging import doubt_of, judged_by
from vesalius.infer.layers import Features
from vesalius.infer.layers import Watch as Layers
from vesalius.infer.loading import Loaded as Loaded
from vesalius.infer.loading import device_of as device_of
from vesalius.infer.loading import load
from vesalius.infer.runs.contract import Members
from vesalius.infer.runtimes import TORCH
from vesalius.infer.session import EACH, STREAM, WHOLE, Session
from vesalius.infer.streaming import Memories, parts_of, see
from vesalius.infer.weighing import Weighing
from vesalius.plan.threads import Threads
from vesalius.prepare.batch import Example
from vesalius.prepare.case import load_reference
from vesalius.prepare.geometry import Undo
from vesalius.tasks.contract import Task

Watch = Callable[[float], None]
Listen = Callable[[Case, tuple[int, ...]], None]  # a case, and the bin of each feature of `Drift`
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Encoded:
    """A case as the last stage is given it: its example, with what its answer will need.

    `reference` is what the stage sees, a part of `whole` from index `low` `(z, y, x)` on where an earlier stage found
    that part; else `low` is None.
    """

    task: Task
    case: Case
    example: Example
    reference: Image
    undo: Undo
    outside: tuple[str, ...] | None
    whole: Image
    low: tuple[int, ...] | None = None


@dataclass(frozen=True, eq=False)
class Heard:
    """What was heard of the models while they answered: what their layers show, and how much each source counted."""

    features: Features | None
    weighed: Weighed | None


@dataclass(frozen=True, eq=False)
class Asked:
    """What the last stage is given of a case: its models, the prepared case and the way back to `reference`.

    `low` `(z, y, x)` is where `reference` begins in `whole`, the case's own reference image, where the stage looks only
    at a part of it. `answer` is the answer to the whole case; `state` the stage's.
    """

    members: Members
    example: Example
    undo: Undo
    reference: Image
    low: tuple[int, ...]
    whole: Image
    answer: Answer
    state: State


@dataclass(frozen=True, eq=False)
class _Told:
    """What all stages say of a case: the last one's answer, signed, with the others as its parts; what it was given."""

    answer: Answer
    given: Given


class Predictor:
    """Answers of a bundle. The models are loaded once; memory is bounded by one case and one slab of tiles.

    `device` is a torch device, by default a GPU where there is one. A case whose modality or unit is another than what
    the bundle learned from is refused unless `accept_mismatch` says to go on; one that raises the alarm of the bundle
    (`infer/alarm.py`) is answered and marked, and with `refuse_unlike` refused. On a processor it computes with as many
    threads as there are cores that others leave free, at most `cores`, by default torch's threads. Without `weights` it
    prepares cases and answers none. With `levels` answers that have a field keep how likely each label is at each
    point, for who promises something of them; a bundle that promises something does so by itself. A stage whose members
    are graphs answers in its own `runtime`, unless another one is named (see `infer/loading.py`). `memory` is how many
    bytes this process may hold in all: large images then lie in scratch files, and a field that is too large is blended
    column by column (`infer/columns.py`); None is what a limit on this process leaves it, such as that of
    `--memory-limit`, or else what the machine has. Raises BundleError.
    """

    accept_mismatch = False
    doubts: tuple[str, int | None] | None = None  # the way of doubting, and how many samples
    guarded_by: Guard | None = None  # another bundle, which looks at each case first
    levels = False
    memory: int | None = None  # bytes
    listen: Listen | None = None  # is told where each case lies beside those that were learned from
    refuse_unlike = False
    threads: Threads | None = None  # on a processor alone

    def __init__(
        self,
        bundle: Bundle,
        *,
        device: str | None = None,
        accept_mismatch: bool = False,
        refuse_unlike: bool = False,
        cores: int | None = None,
        weights: bool = True,
        levels: bool = False,
        runtime: str | None = None,
        memory: int | None = None,
    ) -> None:
        self.memory = memory
        self.bundle, self.accept_mismatch, self.refuse_unlike = bundle, accept_mismatch, refuse_unlike
        self.levels = levels or bool(bundle.stages[-1].calibration.get(PROMISE))
        self.doubts = doubt_of(bundle.stages[-1].calibration)
        graphs = any(stage.runtime != TORCH for stage in bundle.stages)
        self.device = device_of("cpu" if graphs and device is None else device)  # graphs answer nowhere else
        self.stages = tuple(
            load(bundle, stage, self.device, weights=weights, runtime=runtime) for stage in bundle.stages
        )
        if self.device.type == "cpu":
            self.threads = Threads(cores or torch.get_num_threads())

    def __call__(self, case: Case, *, watch: Watch | None = None) -> Answer:
        """Return the last stage's answer, in the geometry of the case's reference image, earlier ones as its parts.

        `watch` is told from time to time which share of the work is done; what it raises ends the work.
        Raises MismatchError for another kind of image than the bundle learned from, unless that is accepted, and
        DataError for a case that lacks a covariate which the bundle needs.
        """
        case = self._ready(case)
        with self._sparing():
            return self._told_of(case, self.reference_of(case), watch).answer

    def raw(self, case: Case) -> Any:
        """Return what the last stage says of a case before it is decoded, in a way of running that joins cases."""
        loaded = self.stages[-1]
        return next(runs.get(loaded.task.run).raw(self._members(loaded), [self.encoded(case).example]))

    def asked(self, case: Case) -> Asked:
        """Return what the last stage is given of a case, and the answer, for who asks the models more than that."""
        case = self._ready(case)
        whole = self.reference_of(case)
        told, loaded = self._told_of(case, whole, None), self.stages[-1]
        example, undo = _example(loaded, told.given)
        return Asked(
            self._members(loaded),
            example,
            undo,
            told.given.reference,
            told.given.low or (0, 0, 0),
            whole,
            told.answer,
            loaded.stage.state,
        )

    def kept(
        self, case: Case, number: int, known: Mapping[Key, Array], *, ways: Sequence[str]
    ) -> dict[str, Array]:
        """Return what is kept of what one stage says of a case, by the name of each handover in `ways`.

        `known` is what was kept of earlier stages; what of them is needed beside it is answered first.
        """
        case = self._ready(case)
        reference = self.reference_of(case)
        if len(self.stages) > 1:
            case = in_memory(case, reference)
        given = self._given_to(number, case, reference, known=known)
        answer = self._answer(self.stages[number], given, reference, chances=_ask_chances(ways))
        return self._kept(number, given, answer, ways)

    def handed_to(self, case: Case) -> dict[Key, Array]:
        """Return what is kept of earlier stages' answers about a case for the last one, which takes it."""
        case = self._ready(case)
        reference = self.reference_of(case)
        needed = self._needed(len(self.stages) - 1, {})
        return self._said(needed, in_memory(case, reference), reference)[1]

    @property
    def last(self) -> Members:
        """The models of the last stage, for who asks them more than for an answer."""
        return self._members(self.stages[-1])

    def open(self, case: Case) -> Session:
        """Return a session about a case, to which frames, clicks or words are then added (see `infer/session.py`)."""
        return runs.get(self.stages[-1].task.run).open(self, case)

    @property
    def over_frames(self) -> str:
        """How frames that come one by one are answered: EACH, STREAM or WHOLE of `infer/session.py`.

        Each by itself by a model of images without time. After those before it by one whose answers stand on the frames
        so far alone: one stage, of which nothing is promised by a doubt, for opinions about a case begin anew with it.
        """
        last = self.stages[-1]
        plan = last.stage.plan
        if not last.task.sees_time(plan):
            return EACH
        alone = len(self.stages) == 1 and self.doubts is None
        return STREAM if alone and runs.get(last.task.run).streams and last.task.streams(plan) else WHOLE

    def seen(self, example: Example, before: Memories) -> tuple[Array, Memories, Heard]:
        """Return the raw outputs after further steps, what is remembered then, and what was heard of the models.

        It is for a bundle whose answers stand on the frames so far alone.
        """
        (loaded,) = self.stages
        if self.threads is not None:
            self.threads.begin()
        layers, weighing = None if loaded.alarm is None else Layers(apart=True), Weighing()
        raw, after = see(self._members(loaded, layers, weighing), example, before)
        return raw, after, Heard(watched_of(layers, 1)[0], weighing.of(1)[0])

    def said(self, raw: Any, of: Encoded, heard: Heard) -> Answer:
        """Return the answer that raw outputs about a prepared case mean, with what was heard of the models."""
        (loaded,) = self.stages
        answer = self._decoded(loaded, raw, of, heard.features)
        return answer if heard.weighed is None else replace(answer, weighed=heard.weighed)

    def reference_of(self, case: Case) -> Image:
        """Return a case's reference image, read; of a case without images, what its task takes its geometry from.

        Raises DataError where there is neither.
        """
        if case.images or case.reference is not None:
            return load_reference(case)
        last = self.stages[-1]
        found = last.task.geometry(case, last.stage.state)
        return found if found is not None else load_reference(case)

    def admit(self, case: Case, reference: Image | None = None) -> tuple[str, ...] | None:
        """Return in what a case lies outside of what the bundle learned from, as `Answer.outside` has it.

        Raises MismatchError where it may not be answered.
        """
        own = [text for one in self.stages for text in one.task.outside(case, one.stage.state)]
        plan = self.stages[-1].stage.plan
        if not case.images:
            own += [] if self.guarded_by is None else self.guarded_by.said(case, None)
            return (*own, *pace.remarks(plan, case, None)) or None
        reference = reference or load_reference(case)
        own += pace.remarks(plan, case, reference)
        found = guard.admit(self.bundle, case, reference, accept_mismatch=self.accept_mismatch)
        if self.guarded_by is not None:
            refuse, accept = self.refuse_unlike, self.accept_mismatch
            own += self.guarded_by.said(case, reference, refuse=refuse, accept_mismatch=accept)
        return guard.together(found, own)

    @property
    def alarm(self) -> Alarm | None:
        """Return what tells cases apart that are unlike those of training; None where nothing does."""
        return next((loaded.alarm for loaded in self.stages if loaded.alarm is not None), None)

    def watched(self, cases: Iterable[Case]) -> list[Features]:
        """Return what the layers show of cases that the alarm listens to, as they are watched in an answer.

        Raises PlanError where the bundle has no alarm, DataError for a case that cannot be answered.
        """
        number = next((k for k, one in enumerate(self.stages) if one.alarm is not None), None)
        if number is None:
            raise PlanError(
                "the bundle has nothing that tells strange cases", hint="infer.novelty in its plan"
            )
        found: list[Features] = []
        for case in map(self._ready, cases):
            given = self._given_to(number, case, self.reference_of(case))
            example, _ = _example(self.stages[number], given)
            found += gathered(self._members(self.stages[number]), [example])
        return found

    @property
    def needs(self) -> tuple[str, ...]:
        """Return the names of the covariates that every case must have."""
        found = (name for loaded in self.stages for name in loaded.task.covariates(loaded.stage.state))
        return tuple(dict.fromkeys(found))

    @property
    def accepting(self) -> Predictor:
        """The same models, which answer about another kind of image than they learned from, too."""
        other = copy.copy(self)
        other.accept_mismatch = True
        return other

    def doubting(self, way: str, samples: int | None = None) -> Predictor:
        """Return the same models, whose answers also say how far several opinions are from one another.

        `way` is one of `vesalius opinions`; `samples` is how many opinions are asked for, of a way that has any number.
        An answer itself stays what it is. Raises UnknownName, and PlanError where the bundle does not go with it.
        """
        self._doubting.get(way, samples)
        promised = doubt_of(self.bundle.stages[-1].calibration)
        if promised is not None and (way, samples) != promised:
            raise PlanError(
                f"what the bundle promises stands on the doubt '{promised[0]}', which its answers have unasked",
                found=f"another doubt: {way}",
                hint="leave the doubt out",
            )
        other = copy.copy(self)
        other.doubts = (way, samples)
        return other

    @cached_property
    def handed(self) -> Mapping[int, tuple[str, ...]]:
        """Return by the number of each stage in which ways later ones take what it says; none are left out."""
        found: dict[int, tuple[str, ...]] = {}
        for one in (one for loaded in self.stages for one in loaded.stage.taken):
            found[one["stage"]] = tuple(dict.fromkeys((*found.get(one["stage"], ()), str(one["as"]))))
        return found

    @cached_property
    def _doubting(self) -> Doubting:
        last = self.stages[-1]
        return Doubting(
            lambda way, samples: Doubter(way, samples, members=self._members(last), stage=last.stage)
        )

    @property
    def ways_of_doubting(self) -> tuple[str, ...]:
        """Return the ways in which this bundle's answers can be doubted, of `vesalius opinions`."""
        return tuple(ways_of(self._members(self.stages[-1])))

    def guarded(self, by: Guard) -> Predictor:
        """Return the same models, whose cases another bundle looks at first: what it calls is marked, or refused.

        Raises PlanError where the guard cannot look at what this bundle is asked about.
        """
        assert_guards(by, self)
        other = copy.copy(self)
        other.guarded_by = by
        return other

    def listening(self, listen: Listen) -> Predictor:
        """Return the same models, which tell `listen` of each case where it lies beside those that were learned from.

        That is of a bundle that keeps a reference (`infer/drift.py`); of others `listen` is told nothing.
        """
        other = copy.copy(self)
        other.listen = listen
        return other

    @property
    def refusing(self) -> Predictor:
        """The same models, which refuse cases that raise the alarm."""
        other = copy.copy(self)
        other.refuse_unlike = True
        return other

    @property
    def joins(self) -> bool:
        """Whether several cases go through the models in one pass: one stage, run in a way that joins them.

        Cines that are seen frame after frame go alone, as they may be long.
        """
        alone = self.doubts is None and len(self.stages) == 1 and self.over_frames != STREAM
        return alone and runs.get(self.stages[0].task.run).joins

    def together(self, cases: Sequence[Case]) -> list[Answer | DataError]:
        """Return the answers to several cases, in one pass where the bundle `joins` them; a faulty one gives its error.

        They are those of each case alone but for rounding, which differs with the number of cases in a pass.
        """
        if not self.joins:
            return [_or_error(partial(self, case)) for case in cases]
        (loaded,) = self.stages
        ready = [_or_error(partial(self.encoded, case)) for case in cases]
        examples = [r.example for r in ready if not isinstance(r, DataError)]
        if not examples:
            return [r for r in ready if isinstance(r, DataError)]
        if self.threads is not None:
            self.threads.begin()
        layers = None if loaded.alarm is None else Layers(apart=True)
        weighing = Weighing()
        raw = list(runs.get(loaded.task.run).raw(self._members(loaded, layers, weighing), examples))
        several = iter(zip(raw, watched_of(layers, len(raw)), weighing.of(len(raw)), strict=True))
        answers: list[Answer | DataError] = []
        for r in ready:
            if isinstance(r, DataError):
                answers.append(r)
                continue
            one, features, weighed = next(several)
            made = _or_error(partial(self._decoded, loaded, one, r, features))
            answers.append(made if isinstance(made, DataError) else replace(made, weighed=weighed))
        return answers

    def _ready(self, case: Case) -> Case:
        """Return a case without its truths. Raises DataError where it lacks a covariate that is needed."""
        require(self.needs, case)
        return replace(case, targets={})

    def _signed(
        self, answer: Answer, case: Case, reference: Image, outside: tuple[str, ...] | None
    ) -> Answer:
        """Return an answer that says what it is about, what gave it and what is promised of it."""
        return replace(
            judged_by(answer, self.bundle.stages[-1].calibration, case),
            case_id=case.id,
            source=reference.source,
            bundle=self.bundle.hash,
            by=self.bundle.name,
            outside=guard.together(outside, answer.outside or ()),
        )

    def _members(
        self, loaded: Loaded, layers: Layers | None = None, weighing: Weighing | None = None
    ) -> Members:
        number = next(k for k, one in enumerate(self.stages) if one.stage is loaded.stage)
        levels = self.levels and number == len(self.stages) - 1
        levels = levels or _ask_chances(self.handed.get(number, ()))
        return Members(
            loaded.task,
            loaded.models,
            loaded.stage.plan,
            self.device,
            levels=levels,
            watch=layers,
            weighing=weighing,
            memory=fitting.declared(self.memory),
        )

    def _sparing(self) -> AbstractContextManager[None]:
        """Inside this block large arrays lie in scratch files, where a memory was declared."""
        return scratch.for_large(fitting.large(fitting.declared(self.memory)))

    def encoded(self, case: Case) -> Encoded:
        """Return a case as the last stage is given it, prepared; earlier stages find which part of it that is.

        Raises what answering it would raise before a model sees it.
        """
        case = self._ready(case)
        whole = self.reference_of(case)
        outside = self.admit(case, whole)
        unlike: list[str] = []
        last = self.stages[-1]
        given = self._given_to(len(self.stages) - 1, case, whole, unlike=unlike)
        example, undo = _example(last, given)
        outside = guard.together(outside, unlike)
        return Encoded(last.task, case, example, given.reference, undo, outside, whole, given.low)

    def _told_of(self, case: Case, reference: Image, watch: Watch | None) -> _Told:
        """Return what all stages say of a case that is ready; `watch` is told of the share of the work."""
        doubter = None if self.doubts is None else self._doubting.get(*self.doubts)
        unlike: list[str] = []
        outside = self.admit(case, reference)
        if len(self.stages) > 1:  # each image is decoded once, whichever stages look at it
            case = in_memory(case, reference)
        *before, last = range(len(self.stages))
        said, kept = self._said(before, case, reference, watch=watch, unlike=unlike)
        given = self._given(last, case, reference, kept)
        told = _part(watch, last, len(self.stages))
        answer = self._answer(self.stages[last], given, reference, told, unlike=unlike, doubter=doubter)
        parts = {self.stages[k].stage.name: one for k, one in said.items()}
        for name in answer.doubt.maps if answer.doubt is not None else ():
            parts[name] = self._signed(answer.parts[name], case, reference, None)
        signed = self._signed(answer, case, reference, guard.together(outside, unlike))
        return _Told(replace(signed, parts={**signed.parts, **parts}), given)

    def _said(
        self,
        numbers: Sequence[int],
        case: Case,
        reference: Image,
        *,
        known: Mapping[Key, Array] | None = None,
        watch: Watch | None = None,
        unlike: list[str] | None = None,
    ) -> tuple[dict[int, Answer], dict[Key, Array]]:
        """Return the answers of some stages, in their order, and what is kept of them for later ones beside `known`."""
        answers: dict[int, Answer] = {}
        kept = dict(known or {})
        for k in numbers:
            loaded = self.stages[k]
            given = self._given(k, case, reference, kept)
            told = _part(watch, k, len(self.stages))
            found = self._answer(loaded, given, reference, told, unlike=unlike)
            ways = self.handed.get(k, ())
            kept |= {(k, way): one for way, one in self._kept(k, given, found, ways).items()}
            answers[k] = _without_levels(found)
        return answers, kept

    def _kept(self, number: int, given: Given, answer: Answer, ways: Sequence[str]) -> dict[str, Array]:
        loaded = self.stages[number]
        first = replace(self._members(loaded), models=loaded.models[:1])
        said = Said(answer, lambda: next(features_of(first, [_example(loaded, given)[0]])))
        return {way: handover.get(way).kept(said, loaded.stage.name) for way in ways}

    def _given(self, number: int, case: Case, reference: Image, kept: Mapping[Key, Array]) -> Given:
        names = [one.stage.name for one in self.stages]
        return given_of(self.stages[number].stage.taken, case, reference, kept, names=names)

    def _given_to(
        self,
        number: int,
        case: Case,
        reference: Image,
        *,
        known: Mapping[Key, Array] | None = None,
        unlike: list[str] | None = None,
    ) -> Given:
        """Return a case as a stage is given it; earlier ones are asked as far as it takes them and `known` lacks it."""
        needed = self._needed(number, known or {})
        if needed:
            case = in_memory(case, reference)
        _, kept = self._said(needed, case, reference, known=known, unlike=unlike)
        return self._given(number, case, reference, kept)

    def _needed(self, number: int, known: Mapping[Key, Array]) -> list[int]:
        """Return the stages whose answers a stage takes, and those that they take in turn, in their order."""
        open_ = [number]
        found: set[int] = set()
        while open_:
            for one in self.stages[open_.pop()].stage.taken:
                if (one["stage"], one["as"]) not in known and one["stage"] not in found:
                    found.add(one["stage"])
                    open_.append(one["stage"])
        return sorted(found)

    def _decoded(self, loaded: Loaded, raw: Any, of: Encoded, features: Features | None) -> Answer:
        stage = loaded.stage
        outside = guard.together(of.outside, self._unlike(loaded, of.case, features))
        fitted = fitted_for(stage.calibration, of.case)
        answer = decoded(loaded.task, raw, stage.state, fitted, of.reference, undo=of.undo, case=of.case.id)
        return self._signed(answer, of.case, of.reference, outside)

    def _unlike(self, loaded: Loaded, case: Case, features: Features | None) -> tuple[str, ...]:
        """Return what is said of a case that raises the alarm. Raises MismatchError where such cases are refused."""
        if loaded.alarm is None:
            return ()
        if self.listen is not None and loaded.drift is not None:
            self.listen(case, loaded.drift.bins(loaded.alarm, features))
        return guard.unlike(self.bundle, case.id, loaded.alarm, features, refuse=self.refuse_unlike)

    def _answer(
        self,
        loaded: Loaded,
        given: Given,
        whole: Image,
        watch: Watch | None = None,
        *,
        unlike: list[str] | None = None,
        doubter: Doubter | None = None,
        chances: bool = False,
    ) -> Answer:
        """Answer with one stage what it is given of a case, on the grid of the `whole` reference image.

        What it says of a case that is unlike those of training is put into `unlike`, by a stage that sees all of the
        case. `chances` asks how likely each label is at each point, of a stage that no later one asks that.
        """
        if given.low is not None:
            unlike = None
        case = given.case
        layers = (
            None if loaded.alarm is None or unlike is None else Layers(apart=runs.get(loaded.task.run).joins)
        )
        first = watch if doubter is None else _part(watch, 0, 2)
        weighing = Weighing()
        members = self._members(loaded, layers, weighing)
        raw, undo = self._raw(loaded, given, first, replace(members, levels=members.levels or chances))
        if layers is not None and unlike is not None:
            unlike += self._unlike(loaded, case, watched_of(layers, 1)[0])
        stage = loaded.stage
        fitted = fitted_for(stage.calibration, case)
        answer = decoded(loaded.task, raw, stage.state, fitted, given.reference, undo=undo, case=case.id)
        if (weighed := weighing.of(1)[0]) is not None:
            answer = replace(answer, weighed=weighed)
        if doubter is not None:
            del raw
            example, undo = _example(loaded, given)
            told = self._told(_part(watch, 1, 2))
            answer = doubter(answer, Prepared(case, example, undo, given.reference), told=told)
        return answer if given.low is None else contract.placed(answer, given.low, whole)

    def _raw(self, loaded: Loaded, given: Given, watch: Watch | None, members: Members) -> tuple[Any, Undo]:
        """Return what is to be decoded, and the way back; the prepared pixels are let go with this call."""
        if self.threads is not None:
            self.threads.begin()
        run = runs.get(loaded.task.run)
        if run.streams and loaded.task.streams(loaded.stage.plan):
            parts = parts_of(given.case, given.reference)
            if len(parts) > 1:
                return self._in_parts(loaded, given, parts, watch, members)
            given = replace(given, case=parts[0])
        example, undo = _example(loaded, given)
        return run.answer(members, example, undo, told=self._told(watch)), undo

    def _in_parts(
        self,
        loaded: Loaded,
        given: Given,
        parts: Sequence[Case],
        watch: Watch | None,
        members: Members,
    ) -> tuple[Any, Undo]:
        """Return what is to be decoded of a long cine, whose parts are prepared and seen one after the other."""
        told, memories, raw, undo = self._told(watch), Memories(), None, None
        made = {n: given.case.images[n] for n in loaded.stage.plan.data.taken}  # of no time: in every part
        for k, part in enumerate(parts):
            own = part.image if isinstance(part.image, Image) else given.reference
            part = replace(part, images={**part.images, **made})
            example, found = _example(loaded, replace(given, case=part, reference=own))
            undo = undo or found
            asked = members if k == len(parts) - 1 else replace(members, watch=None, weighing=None)
            raw, memories = see(asked, example, memories)
            told((k + 1) / len(parts))
        assert undo is not None
        return raw, undo

    def _told(self, watch: Watch | None) -> Watch:
        """Return what is told of the work's share: the threads follow what is free, and whoever watches is told."""

        def follow(share: float) -> None:
            if self.threads is not None:
                self.threads.follow()
            if watch is not None:
                watch(share)

        return follow


def _ask_chances(ways: Sequence[str]) -> bool:
    return any(handover.get(way).chances for way in ways)


def _without_levels(answer: Answer) -> Answer:
    """Return the answer of an earlier stage without how likely each label is, which only a later stage asked for."""
    if LEVELS not in answer.parts:
        return answer
    return replace(answer, parts={name: part for name, part in answer.parts.items() if name != LEVELS})


def _example(loaded: Loaded, given: Given) -> tuple[Example, Undo]:
    return prepared_of(loaded.task, given, loaded.stage.plan, loaded.stage.state)


def _or_error(work: Callable[[], T]) -> T | DataError:
    try:
        return work()
    except DataError as error:
        return error


def _part(watch: Watch | None, k: int, n: int) -> Watch | None:
    """Return what watches the k-th of n stages, for who watches them all."""
    return None if watch is None else lambda share: watch((k + share) / n)
