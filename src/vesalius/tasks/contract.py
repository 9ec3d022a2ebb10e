"""The contract between a task and everything that trains, infers and explains."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np

from vesalius.cohorts import select_target
from vesalius.core.answers import Answer
from vesalius.core.ask import Ask
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.errors import DataError, PlanError
from vesalius.core.image import Array, Image
from vesalius.core.plan import Plan
from vesalius.core.registry import held, literals, lookup, stem_of, stems
from vesalius.core.statistics import Statistics
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.plan.usual import usual
from vesalius.prepare import covariates
from vesalius.prepare.batch import Batch, Example, collate
from vesalius.prepare.case import Prepared, Takes, prepare
from vesalius.prepare.geometry import Undo
from vesalius.prepare.made_up import Draw
from vesalius.prepare.opinion import Opinion

if TYPE_CHECKING:  # encode, merge and decode are numpy; only build, loss and infer need torch
    import torch
    from torch import Tensor, nn

Sampler = Callable[[int, "torch.Generator"], Sequence[int]]  # a step, what is drawn from → places of examples


@dataclass(frozen=True, eq=False)
class Tile:
    """Raw output of one tile `(K, z, y, x)` or of any other shape, and where it began in the prepared grid."""

    raw: Any
    start: tuple[int, int, int]
    size: tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Wanted:
    """What a linear last layer should give for a batch: `values` `(B, K)`, or `(B, K, …)` of maps; NaN where unknown.

    `kind` says what they are: one of `K` labels that exclude each other, as 0 and 1; `several` labels that may hold at
    once; or numbers. Recipes that find the last layer without gradients ask for it (see `learn/frozen.py`).
    """

    values: Tensor
    kind: Literal["exclusive", "several", "numbers"]

    @property
    def exclusive(self) -> bool:
        """Whether one label holds and no other."""
        return self.kind == "exclusive"


class Nets(Protocol):
    """What builds networks: `vesalius.nets`."""

    def build(
        self,
        name: str,
        *,
        dims: int,
        in_channels: int,
        scale: float = 1.0,
        dropout: float = 0.0,
        size: tuple[int, ...] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return a network of that registered name."""


def planned_weights(plan: Plan, share: Array, *, multilabel: bool = False) -> list[float] | None:
    """Return the planned class weights from how often each class occurs, `(K,)`; their mean over what occurs is one.

    For several labels at once: how much rarer a label is than its absence.
    """
    if plan.loss.class_weights == "none":
        return None
    share = np.clip(np.asarray(share, dtype=np.float64), 1e-5, 1.0)
    weights = (1 - share) / share if multilabel else 1 / share
    if plan.loss.class_weights == "root":
        weights = np.sqrt(weights)
    if not multilabel:
        weights = weights / (weights * share).sum()
    return [float(w) for w in weights]


def planned_net(plan: Plan, nets: Nets, name: str | None = None, *, channels: int | None = None) -> Any:
    """Return the plan's net as every task builds it, or the one of that name among its further ones, `plan.nets`.

    `channels` is how many it is given, by default those of the planned images and of what earlier stages made. Raises
    PlanError where no net is planned under that name.
    """
    if name is not None and name not in plan.nets:
        raise PlanError(
            f"no net is planned under the name '{name}'",
            found=", ".join(plan.nets) or "no further nets",
            hint=f"--set nets.{name}.name=NET",
        )
    planned = plan.net if name is None else plan.nets[name]
    return nets.build(
        planned.name,
        dims=plan.data.dims,
        in_channels=plan.data.inputs if channels is None else channels,
        scale=planned.scale,
        dropout=planned.dropout,
        size=plan.data.size[-plan.data.dims :],
        options=planned.options,
    )


class Task(ABC):
    """One question. Instances hold nothing: what is learned lives in the State and in the model.

    `targets` are the kinds of target it can learn from, `roles` the roles of the nets it takes. `nets` says of further
    nets that it needs, by its own names for them, which roles they may have; `defaults` plans them (`nets.text.name`),
    and `planned_net(plan, nets, "text")` builds one. `run` names the file
    in `infer/runs/` that answers a case: `whole` in one piece; `dense` tile by tile, blended into one field in bounded
    memory, with `point` turning finished stretches of it into values; `tiles` tile by tile, joined by `merge`.
    `mirrors` says that raw outputs about mirror images can be joined with those about the image itself, so that plans
    may ask about mirror images, too: they speak of no place, side or direction, as a class or a number does; or they
    are a `dense` field, which is flipped back; or the task `turns_back` what they say itself (`turned_back`). It is
    False unless a task says otherwise, for the mean of two places is a wrong answer that looks right.
    `may_nets` are nets that a plan may name beside them, with the roles that these may have. `sees_vectors` says that
    the vectors of `plan.sources.vectors` are seen beside images.
    `checks` says that a task which is run in `tiles`, or whose answers are a `dense` field, is calibrated: of its raw
    answers about cases that a model never saw, `calibrate` is given what `checked` made of them.
    `takes_time` says that images have a time axis, `takes_incomplete` that a case may lack some planned images.
    `begins_from_weights` says that weights which are installed are proposed, though no target is learned from.
    `primary` is the metric (of the answer's kind) that picks the checkpoint; larger is better. `recipe` names how it is
    trained unless a plan says otherwise (`learn/recipes/`). `needs_target` is False
    for a task that may learn without one; `takes_several` lets a user name several targets, of which the further ones
    stand in `TargetInfo.beside`.

    A task's file may hold the literal `DEFAULT_FOR = ("class",)`: the kinds of target for which it is chosen unasked.
    `LEARNS_WITHOUT_TARGETS = True` says that pre-training asks this question.
    """

    name: ClassVar[str]
    answer: ClassVar[type[Answer]]
    targets: ClassVar[tuple[str, ...]]
    roles: ClassVar[tuple[str, ...]]
    nets: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    may_nets: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    sees_vectors: ClassVar[bool] = False
    run: ClassVar[str]
    primary: ClassVar[str]
    recipe: ClassVar[str] = "supervised"
    needs_target: ClassVar[bool] = True
    takes_several: ClassVar[bool] = False
    mirrors: ClassVar[bool] = False
    turns_back: ClassVar[bool] = False
    checks: ClassVar[bool] = False
    takes_time: ClassVar[bool] = False
    takes_incomplete: ClassVar[bool] = False
    begins_from_weights: ClassVar[bool] = False

    def defaults(self, prints: Fingerprint, machine: Machine, target: TargetInfo | None) -> Draft:
        """Return the planned values that are this task's own to choose, each with its reason.

        By default those that suit how the task is run, its nets and its target. What the draft leaves open of
        `train.…` follows from the rules that all tasks share (`plan/rules.py`); what it sets is kept.
        """
        return usual(prints, machine, target, sampling=sampling_of(self.run), roles=self.roles)

    def trained_by(self, prints: Fingerprint, machine: Machine, *, start: bool) -> tuple[str, str]:
        """Return the recipe that trains it unless a plan says otherwise, and why; by default `recipe`.

        `machine.weights` are installed weights that the rules may begin from; `start` says that a user named some.
        """
        return self.recipe, f"how {self.name} is trained"

    @abstractmethod
    def check(self, cohort: Cohort, target: TargetInfo | None) -> tuple[str, ...]:
        """Return what is missing before this cohort can be learned from; empty when nothing is."""

    def check_plan(self, plan: Plan, target: TargetInfo | None) -> None:  # noqa: B027 - most tasks ask for nothing
        """Raise PlanError where a plan asks of this task what cannot be; called before training. By default nothing."""

    def summary(self, cases: Sequence[Case], target: TargetInfo | None, plan: Plan) -> Statistics:
        """Return what `state` needs to know of some training cases, as statistics that can be merged.

        Hosts, or hospitals whose cases never meet, each summarise their own cases; their statistics are merged, and the
        state is what it would be had one place held all cases. So nothing is decided here that needs all of them, and
        what is wrong with one case is refused here, by its name. By default nothing is known: the state then follows
        from the target and the plan alone.

        A task whose state cannot be computed from less than the cases returns `Statistics({"cases": Cases.of(cases)})`.
        It then works wherever all cases lie in one memory, and is refused by name where they may not be sent.
        """
        return Statistics()

    @abstractmethod
    def state(self, summary: Statistics, target: TargetInfo | None, plan: Plan) -> State:
        """Return what is learned without gradients, from the (merged) statistics of the training cases alone.

        Raises DataError where nothing can be learned from them.
        """

    def learned(self, cases: Sequence[Case], target: TargetInfo | None, plan: Plan) -> State:
        """Return the state that follows from training cases which all lie here."""
        return self.state(self.summary(cases, target, plan), target, plan)

    def sees_time(self, plan: Plan) -> bool:
        """Return whether images with a time axis are taken as planned; by default where the task `takes_time`."""
        return self.takes_time

    def guards(self, calibration: Mapping[str, Any]) -> bool:
        """Return whether answers, so calibrated, themselves mark cases that are unlike what was learned.

        A bundle of such answers may guard others (`infer/guarding.py`). By default they do not.
        """
        return False

    def sizes(self, plan: Plan) -> Mapping[str, tuple[int, int, int]]:
        """Return the sizes `(Z, Y, X)` of planned images that are prepared by themselves, on grids of their own."""
        return {}

    def geometry(self, case: Case, state: State) -> Image | None:
        """Return an image whose geometry the answer to a case without images has; None where there is no such answer.

        Its pixels mean nothing.
        """
        return None

    def covariates(self, state: State) -> tuple[str, ...]:
        """Return the covariates that a case must have to be answered; by default those named in the state."""
        return tuple(str(name) for name in state.values.get("covariates", ()))

    def features(self, state: State) -> tuple[str, ...]:
        """Return which covariate each encoded number stands for, in the order of `Example.covariates`, for readers."""
        return ()

    def known_covariates(self, state: State) -> tuple[str, ...]:
        """Return the covariates that enter the model where a case has them; by default those named in the state.

        What a user gives beyond them is said to be passed over.
        """
        return tuple(str(name) for name in state.values.get("covariates", ()))

    def planes(self, state: State) -> tuple[str, ...]:
        """Return what the channels are called that a later stage is given of an answer: by default the labels."""
        return tuple(str(label["name"]) for label in state.values.get("labels", ()))

    def sources(self, state: State) -> tuple[str, ...]:
        """Return the names of the sources of a case that come together in the model; none where it sees one image."""
        return ()

    def step_names(self, example: Example, source: str, state: State) -> tuple[str, ...]:
        """Return what each step of a source is called, for readers; by default nothing, and steps are numbered.

        It is for sources whose steps have names of their own, as the words of a text have.
        """
        return ()

    def without(self, model: nn.Module, batch: Batch, out: Mapping[str, Tensor]) -> Batch:
        """Return a batch that lacks what is left out, as a model that joins several sources learned to do without.

        `out` says by a source's name which cases lack it, `(B,)` bool, or which of its steps they lack, `(B, N)`: its
        frames, visits, images or rows. Raises PlanError by default: the model sees one image.
        """
        raise PlanError(f"{self.name} sees no several sources, of which one could be left out")

    def plain(self, example: Example, state: State) -> Answer | None:
        """Return the answer of a plain model of the covariates alone, fitted on training cases; None without one.

        It stands beside the figures of a model of several sources: what is reached without looking.
        """
        return None

    def made_up(self, case: Case, state: State, draw: Draw) -> Case:
        """Return a made-up case, which has images alone, with what else the task needs to answer it.

        It is for the self-test of a bundle. By default it is given covariates that may be. Raises DataError, whose
        words stand in the bundle, where the task cannot be asked about what is made up.
        """
        about = state.values.get("covariates")
        learned = about if isinstance(about, Mapping) else {}
        found = {name: covariates.made_up(learned, name, draw) for name in self.covariates(state)}
        known = [n for n in self.known_covariates(state) if n in learned and n not in found]
        found |= {name: covariates.made_up(learned, name, draw) for name in known}
        return replace(case, covariates=found)

    def spread(self, state: State) -> float | None:
        """Return how widely the numbers that are answered spread over training cases, in their unit; None unknown."""
        return None

    def outside(self, case: Case, state: State) -> tuple[str, ...]:
        """Return in what a case lies outside of what was learned from, beside its image; a sentence each.

        Of an answer itself `decode` says it, in `Answer.outside`.
        """
        return ()

    def prepare(self, case: Case, plan: Plan, state: State, *, reference: Image) -> Prepared:
        """Return a case made ready as planned, with what the task takes of it. Raises DataError, naming the case."""
        takes = Takes(time=self.takes_time, incomplete=self.takes_incomplete, sizes=self.sizes(plan))
        return prepare(case, plan.data, reference=reference, takes=takes)

    @abstractmethod
    def encode(self, case: Case, prepared: Prepared, reference: Image, state: State) -> Example:
        """Return a prepared case with its targets as numbers."""

    @abstractmethod
    def build(self, plan: Plan, state: State, nets: Nets) -> nn.Module:
        """Return the model: a net, what the task puts on it, and its loss."""

    @abstractmethod
    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Named terms; their sum is minimised."""

    @abstractmethod
    def infer(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Raw output, `(B, …)`, of whole cases or of tiles."""

    def image_vectors(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return the unit vectors `(B, D)` of images, which `word_vectors` are compared with.

        Raises PlanError by default: the task compares no images with words.
        """
        raise PlanError(f"{self.name} compares no images with words", hint="a bundle of `fit --task align`")

    def word_vectors(self, model: nn.Module, texts: Sequence[str], state: State) -> Tensor:
        """Return the unit vectors `(N, D)` of texts; the cosine with those of images says how well they fit.

        Raises DataError for words that the model has never read, PlanError by default.
        """
        raise PlanError(f"{self.name} compares no images with words", hint="a bundle of `fit --task align`")

    def unread(self, text: str, state: State) -> Sequence[str]:
        """Return the words of a text that `word_vectors` passes over; none by default."""
        return ()

    def asking(self, state: State, words: Sequence[str]) -> State:
        """Return the state in which these words are asked for in place of what was learned.

        Raises DataError for words that the model has never read, PlanError by default.
        """
        raise PlanError(f"{self.name} cannot be asked in words", hint="a bundle of `fit --task align`")

    def streams(self, plan: Plan) -> bool:
        """Return whether a case can be seen step by step as planned, each step costing one step; by default not.

        Then `begin` and `step` give what `infer` says of the case as far as it is known, and no later step changes it.
        """
        return False

    def begin(self, model: nn.Module, rows: int) -> Any:
        """Return what a model remembers of `rows` cases before their first step, for a task that `streams`."""
        raise NotImplementedError(f"{self.name} does not answer step by step")

    def step(
        self, model: nn.Module, batch: Batch, memory: Any, generator: torch.Generator
    ) -> tuple[Tensor, Any]:
        """Return the raw output, `(B, …)`, after the further steps in a batch, and what is remembered then.

        It is that of `infer` about cases of all steps so far, but for rounding. The memory that is given stays as it
        was, and does not grow with the number of steps.
        """
        raise NotImplementedError(f"{self.name} does not answer step by step")

    @abstractmethod
    def decode(
        self,
        raw: Any,
        state: State,
        calibration: Mapping[str, Any],
        reference: Image,
        *,
        undo: Undo | None = None,
    ) -> Answer:
        """Return the Answer in the reference's geometry.

        `raw` is: for `whole`, this case's raw outputs as an array, `(M, …)`, one of each member; for `dense`, the
        integer or float field that `point` made, `(Z, Y, X)` on the reference's grid, or several by name; for `tiles`,
        what `merge` returned. `undo` is the way back from the prepared grid to the reference's, for what lies on the
        former, such as boxes; it is None only where an answer is asked for on the prepared grid itself.
        """

    @abstractmethod
    def scalar(self, raw: Tensor, ask: Ask) -> Tensor:
        """Return a differentiable number of each case, `(B,)`, that explainers may follow.

        What can be asked is said by the file of the answer's kind. `ask.place` counts what the answer lists, so a raw
        output that has a background before the first label shifts it by one.
        """

    def calibrate(
        self, raw: Sequence[Array], truths: Sequence[Any], *, state: State, plan: Plan
    ) -> dict[str, Any]:
        """Return what `decode` takes as `calibration`, fitted on validation cases alone; by default nothing.

        `raw` are the raw outputs about each case, `(M, …)`, of models that never saw it; `truths` are what `truth` says
        of the same cases. A task whose `calibrate` has a further `patients: Sequence[str] | None = None` is told whose
        the cases are, where that is known.
        """
        return {}

    def promises(self, plan: Plan) -> str:
        """Return the way in which answers of such a plan are promised unless somebody names one, of the kind's `ways`.

        By default `""`, the usual one of the answer's kind.
        """
        return ""

    def has_thresholds(self, target: TargetInfo | None) -> bool:
        """Return whether answers about such a target are called from thresholds that `thresholds` can fit anew."""
        return False

    def thresholds(
        self,
        raw: Sequence[Array],
        truths: Sequence[Any],
        *,
        state: State,
        plan: Plan,
        calibration: Mapping[str, Any],
        sensitivity: Mapping[str, float] | None = None,
    ) -> dict[str, float]:
        """Return by label the threshold that suits these validation cases, all else being as `calibration` has it.

        With `sensitivity` it is the highest that keeps so much of each label's, else the best by the planned rule. A
        label of which these cases tell too little has none. By default there are none.
        """
        return {}

    def sensitivities(
        self, raw: Sequence[Array], truths: Sequence[Any], *, state: State, calibration: Mapping[str, Any]
    ) -> dict[str, float]:
        """Return by label the sensitivity that the thresholds of `calibration` have on these cases."""
        return {}

    def ready(self, model: nn.Module, calibration: Mapping[str, Any]) -> nn.Module:
        """Return a model that was loaded from a bundle, told how its answers are calibrated; by default as it is.

        It is for a model that decides something while it answers. One that is being fitted was told nothing yet.
        """
        return model

    def calibrated(self, raw: Tensor, state: State, calibration: Mapping[str, Any]) -> Tensor:
        """Return what answers say of raw outputs `(B, M, …)`, as torch, so that gradients pass: `(B, K)`.

        Probabilities, or numbers in their unit. Raises PlanError by default: answers of the task are not calibrated.
        """
        raise PlanError(
            f"the raw outputs of {self.name} are not calibrated", hint="calibrated=False, and the raw outputs"
        )

    def as_rule(self, state: State, calibration: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return how raw outputs become the answer, as plain data that a script without Vesalius follows.

        Its `rule` is one of those in `exports/script/answers.py`, which says what else it holds. By default None: no
        such rule says it, so that the model is exported without a script.
        """
        return None

    def checked(self, raw: Any, example: Example, state: State) -> Any:
        """Return what `calibrate` is given of a raw answer about a case that its model never saw.

        `raw` is what `decode` takes, but on the prepared grid, as is the truth in `example`. It is asked of a task that
        `checks`.
        """
        return raw

    def score(self, raw: Any, example: Example, state: State) -> Mapping[str, Any] | None:
        """Return figures of one answer on the prepared grid, by name, larger is better; None where there is no truth.

        `raw` is what `decode` takes, but on the prepared grid. What they come to over all cases is said by `scored`.
        By default there are none, and the loss is looked at instead.
        """
        return None

    def scored(self, figures: Sequence[Mapping[str, Any]]) -> float:
        """Return what the figures of several cases, as `score` gives them, come to; NaN where none is defined.

        By default the mean of each figure over the cases, NaN left out, then the mean of the figures.
        """
        found: dict[str, list[float]] = {}
        for each in figures:
            for name, value in each.items():
                found.setdefault(name, []).append(value)
        means = [np.nanmean(values) for values in found.values() if np.isfinite(values).any()]
        return float(np.mean(means)) if means else float("nan")

    def figures_among(
        self, raws: Sequence[Any], examples: Sequence[Example], state: State
    ) -> Sequence[Mapping[str, Any]] | None:
        """Return figures of each held-out case that follow from what a model says of all of them, as `score` has them.

        `raws` `(M, …)` are the raw outputs about the cases, in the order of `examples`. It is for answers that mean
        nothing alone, such as vectors that are compared. By default None: each case is judged by itself.
        """
        return None

    def sampler(self, examples: Sequence[Example], plan: Plan) -> Sampler | None:
        """Return what draws the examples of each training batch; None for the usual draw.

        It must be a pure function of the step and the generator, so that a resumed run draws what it would have drawn.
        """
        return None

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Return drawn examples as one batch; by default stacked, with what some of them lack filled in."""
        return collate(examples)

    def join(self, raws: Iterable[Tensor]) -> Tensor:
        """Return what several raw outputs about one input say together, of members and of mirror images; their mean.

        A task whose raw outputs have no mean (boxes, words) says here what else. `raws` are made as they are asked
        for, so that one that is summed up need not be kept.
        """
        several = iter(raws)
        total, n = next(several), 1
        for raw in several:
            total, n = total + raw, n + 1
        return total / n if n > 1 else total

    def turned_back(self, raw: Tensor, axes: Sequence[int], size: tuple[int, int, int]) -> Tensor:
        """For `tiles`: return raw outputs `(B, …)` about mirror images as if they were about the images themselves.

        `axes` are those that were flipped, counted from the end (-1 is x), and `size` `(z, y, x)` is that of a tile.
        A task that `turns_back` says here how.
        """
        raise NotImplementedError(f"{self.name} does not turn raw outputs back")

    def point(self, raw: Tensor) -> Tensor | Mapping[str, Tensor]:
        """For `dense`: raw `(K, z, y, x)` → the value of each point, `(z, y, x)`, or several fields by name.

        By default the likeliest label. This is torch, as it runs on the device, on each stretch of the field.
        """
        return raw.max(
            dim=0
        ).indices  # as argmax says, which takes three times as long along this axis on a CPU

    def chances(self, raw: Tensor) -> Tensor | None:
        """For `dense`: raw `(B, K, z, y, x)` → how likely each value of a point is, `(B, K, z, y, x)`, sums of one.

        The background comes first, as `point` counts. By default None: a point's value is no choice among several.
        """
        return None

    def semi_supervised(self, target: TargetInfo | None) -> tuple[str, ...]:
        """Return the recipes that `fit` tries where training cases lack such a target, by name; by default none.

        They are tried beside the plain plan, each at the same cost, so that more of them leave less time for each.
        """
        return ()

    def opinion(self, raw: Tensor, state: State) -> Opinion | None:
        """Return what raw outputs `(B, …)` say, in numbers that can be compared and averaged; gradients pass.

        By it a model learns from cases without a target: that it says the same of a case however it is seen. By default
        it is what `chances` says of each point; None where raw outputs say nothing of that sort.
        """
        chances = self.chances(raw)
        return None if chances is None else Opinion(chances, "one")

    def taught(self, batch: Batch, opinion: Opinion, sure: Tensor) -> Batch:
        """Return the batch with an opinion about it as its targets, as `encode` would give them: pseudo-labels.

        `sure` `(B,)`, or `(B, Z, Y, X)` of points, says where it is taken for true; elsewhere nothing is known. Raises
        PlanError by default: the task says no targets of that sort.
        """
        raise PlanError(
            f"{self.name} makes no targets of what its own models say",
            hint="--set train.recipe=meanteacher, or a `taught` in the task's file",
        )

    def levels(self, raw: Tensor) -> Mapping[str, Tensor]:
        """For `dense`: raw `(K, z, y, x)` → how likely each label is at each point, as uint8 fields by name.

        They are steps of log-odds (`core/levels.py`) that `decode` is given beside what `point` says, where a promise
        is made of masks; by default none, so that nothing is promised.
        """
        return {}

    def merge(self, tiles: Sequence[Tile], shape: tuple[int, int, int]) -> Any:
        """For `tiles`: join what the tiles gave. `shape` is the prepared grid."""
        raise NotImplementedError(f"{self.name} does not run in tiles")

    def remember(
        self, model: nn.Module, examples: Sequence[Example], state: State, *, cases: Sequence[Case]
    ) -> State:
        """Return the state with what is learned once more after training, such as what the trivial answer needs.

        `model` is the first trained member in evaluation mode; `examples` and `cases` are the training cases, prepared
        and as they were read. A task whose `remember` has a further `held: frozenset[str] = …` is told the ids of those
        that this member never learned from.
        """
        return state

    def trivial(self, state: State, reference: Image) -> Answer | None:
        """Return the answer that looks at nothing (majority, mean, mean mask), to stand beside every figure."""
        return None

    def rivals(self, answer: Answer, truth: Any, state: State) -> Mapping[str, Answer]:
        """Return other answers of the same kind to a case that was answered, by name, to be held beside the model's.

        Such as a template that is filled with what the model found, or with what is true. `truth` is what the answer's
        kind makes of the case's truth. By default none.
        """
        return {}

    def regions(self, case: Case, state: State) -> Mapping[str, Any]:
        """Return what says where something is, by the name of the answer's part that is a field and should show it.

        Each is a mask, as it stands among the case's targets, or None of a case where nothing is. By default there are
        none. The figures of such fields stand beside those of the answer (`evaluate/places.py`).
        """
        return {}

    def held_against(self, state: State) -> tuple[str, ...]:
        """Return the kinds of target that answers may be held against; by default all that can be learned from."""
        return self.targets

    def posed(self, case: Case, state: State) -> Case:
        """Return a case as it is asked about where its answer is held against its truth; by default as it is.

        A task that makes its own questions of clean cases, such as one that restores what it made worse itself, makes
        them here, alike each time. Training, validation and `evaluate` come through it; `predict` does not. What
        `encode` needs of the clean case stands among the targets.
        """
        return case

    def truth(self, case: Case, state: State) -> Any:
        """Return what `metrics` holds an answer against, or None where the case has no target."""
        target = state.values.get("target")
        return case.targets.get(str(target)) if target else None


def get(name: str) -> Task:
    """Return the task of that registered name. Raises UnknownName."""
    module = lookup("tasks", name)
    task: Task = module.TASKS[name] if hasattr(module, "TASKS") else held("tasks", name, "TASK")
    return task


def default_for(kind: str) -> Task:
    """Return the task that is chosen unasked for a kind of target. Raises DataError where none is, or several are."""
    claims = []
    for stem in stems("tasks"):
        text = literals("tasks", stem)
        if kind in text.get("DEFAULT_FOR", ()):
            claims.append(next(iter(text.get("NAMES") or {stem: ""})))
    if len(claims) > 1:
        raise DataError(
            f"{len(claims)} tasks would be chosen for a target of kind {kind}",
            found=" and ".join(claims),
            hint=" or ".join(f"--task {name}" for name in claims),
        )
    if not claims:
        raise DataError(
            f"no task is chosen by itself for a target of kind {kind}",
            hint="--task NAME; see `vesalius tasks`",
        )
    return get(claims[0])


def without_targets() -> Task:
    """Return the task that learns from images alone, for who names none. Raises DataError where there is none."""
    for stem in stems("tasks"):
        text = literals("tasks", stem)
        if text.get("LEARNS_WITHOUT_TARGETS"):
            return get(next(iter(text.get("NAMES") or {stem: ""})))
    raise DataError(
        "no task learns without targets", hint="a file in tasks/ with LEARNS_WITHOUT_TARGETS = True"
    )


def choose(cohort: Cohort, *, task: str | None, target: str | None) -> tuple[Task, TargetInfo | None]:
    """Return the task and the target that are asked for, or that the cohort suggests.

    A task that needs no target has one only where it is named. Several targets are named as `a,b` where the task takes
    several: the first spreads the folds, the others stand beside it. Raises UnknownName, DataError.
    """
    if task is None:
        info = select_target(cohort, target)
        return default_for(info.kind), info
    chosen = get(task)
    if target is None and not chosen.needs_target:
        return chosen, None
    names: list[str | None] = [target]
    found = cohort.targets.get(target or "")
    joined = found is not None and bool(found.parts) and found.kind not in chosen.targets
    if target is not None and chosen.takes_several and (found is None or joined):
        names = [name.strip() for name in target.split(",")]
    infos = [select_target(cohort, name) for name in names]
    for info in infos:
        if info.kind not in chosen.targets:
            raise DataError(
                f"task '{task}' cannot learn from target '{info.name}'",
                found=f"a {info.kind}" + (f" ({info.reason})" if info.reason else ""),
                hint=f"a target of kind {' or '.join(chosen.targets)}",
            )
    return chosen, replace(infos[0], beside=tuple(infos[1:])) if len(infos) > 1 else infos[0]


def sampling_of(run: str) -> str:
    """Return how a way of running a case has training see images: `whole`, or in `patches`. Raises UnknownName."""
    return str(literals("infer.runs", stem_of("infer.runs", run)).get("SAMPLING", "whole"))
