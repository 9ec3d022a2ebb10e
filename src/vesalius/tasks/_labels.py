"""What tasks share that give each label of a whole image a probability: their plan, their labels, their truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.special import softmax

from vesalius import losses
from vesalius.cohorts.targets import contract as kinds
from vesalius.core.answers import Answer
from vesalius.core.answers.scores import Scores
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.cohort import Label, TargetInfo
from vesalius.core.errors import DataError, PlanError
from vesalius.core.image import Image
from vesalius.core.plan import Plan
from vesalius.core.statistics import Statistics
from vesalius.core.tally import Tally
from vesalius.plan import together, whole
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.prepare.batch import Batch, Example
from vesalius.prepare.case import BLANK, Prepared
from vesalius.tasks import _plain, _soft, _sources
from vesalius.tasks._beside import learned, planned
from vesalius.tasks._sources import Sources, seen
from vesalius.tasks.contract import planned_weights

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


class Labels(Sources):
    """Labels of a whole case, learned by an encoder with a head and the planned loss."""

    answer: ClassVar[type[Answer]] = Scores
    roles: ClassVar[tuple[str, ...]] = ("encoder", "table", "sequence", "cine")
    run: ClassVar[str] = "whole"
    mirrors: ClassVar[bool] = True
    joins: ClassVar[bool] = False  # whether covariates beside one image come together with it

    def defaults(self, prints: Fingerprint, machine: Machine, target: TargetInfo | None) -> Draft:
        """Return the choices for whole images and probabilities: weights of uneven classes, and the task's own."""
        draft = self._seen(prints, machine)
        draft.set("loss.name", "cross_entropy", "probabilities are wanted")
        draft.set("loss.smoothing", 0.0, "probabilities are calibrated on validation cases instead")
        shares = list(prints.classes.values())
        uneven = bool(shares) and max(shares) > 5 * max(1, min(shares))
        why = "the rarest class is more than five times rarer" if uneven else "classes are not far from even"
        draft.set("loss.class_weights", "balanced" if uneven else "none", why)
        self.choose(draft, prints, target)
        if not prints.imageless:
            whole.augmentation(draft, prints)
            draft.set("augment.mixup", 0.4, "probabilities of new patients are better for it")
            whole.batches(draft, prints)
        if not self.takes_time:  # a task that says so sees frames in its own way
            together.propose(draft, prints, machine, joins=self.joins)
        return draft

    def _seen(self, prints: Fingerprint, machine: Machine) -> Draft:
        """Return the choices for what is seen: whole images, or what there is without any."""
        if prints.imageless:
            return together.without_images(prints)
        draft = Draft()
        machine = together.machine_for(prints, machine)
        whole.images(draft, prints, machine)
        whole.encoder(draft, machine)
        return draft

    def several(self, state: State) -> bool:
        """Return whether several labels may hold of one case; by default one alone does."""
        return False

    def choose(self, draft: Draft, prints: Fingerprint, target: TargetInfo | None) -> None:
        """Set what is the task's own to choose; by default nothing."""

    def summary(self, cases: Sequence[Case], target: TargetInfo | None, plan: Plan) -> Statistics:
        """Return how many cases are of each class, or have each label, and the statistics of what else is seen."""
        held = [c for c in cases if target is not None and target.name in c.targets]
        if target is not None and plan.task.options.get(_soft.OPTION):
            _soft.assert_there(held, [x.name for x in target.labels])
        labels = [] if target is None else [names_in(c.targets[target.name]) for c in held]
        return Statistics({"labels": Tally.of_each(labels), **_sources.of_cases(held, plan)})

    def state(self, summary: Statistics, target: TargetInfo | None, plan: Plan) -> State:
        """Return the label map, how often each class occurs in training, and what is learned of what else is seen."""
        if target is None:
            raise DataError(f"{self.name} needs a target", hint="--target NAME")
        names = [label.name for label in target.labels]
        found = summary.part("labels", Tally)
        share = [np.float32(found[n] / found.n) if found.n else 1 / len(names) for n in names]
        beside: dict[str, Any] = {}
        if planned(plan)[0]:
            beside["covariates"] = _sources.may_lack(learned(summary, target, plan), plan)
        return State(
            {
                "target": target.name,
                "kind": scored(target),
                "labels": [{"value": x.value, "name": x.name} for x in target.labels],
                "share": [float(s) for s in share],
                **({_soft.OPTION: True} if plan.task.options.get(_soft.OPTION) else {}),
                **beside,
                **_sources.learned_sources(summary, plan),
            }
        )

    def encode(self, case: Case, prepared: Prepared, reference: Image, state: State) -> Example:
        """Return the class as a one-hot (or several-hot) float vector, so that it can be mixed and smoothed.

        Where soft labels are planned it is the probability of each class, if the case has it.
        """
        value = case.targets.get(state.values["target"])
        targets = {} if value is None else {"label": _hot(value, names_of(state))}
        if value is not None and state.values.get(_soft.OPTION):
            soft = _soft.shares(case, names_of(state))
            targets = targets if soft is None else {"label": soft}
        return replace(seen(case, prepared, state), targets=targets)

    def criterion(self, plan: Plan, state: State, *, multilabel: bool = False) -> nn.Module:
        """Return the planned loss, with weights from how often each class occurs in training."""
        if losses.holds(plan.loss.name):
            raise PlanError(
                f"the loss '{plan.loss.name}' says how alike cases are, and gives labels no probability",
                hint="--set loss.name=cross_entropy, or --task embed",
            )
        share = np.asarray(state.values["share"], dtype=np.float32)
        return losses.build(
            plan.loss.name,
            weights=planned_weights(plan, share, multilabel=multilabel),
            smoothing=plan.loss.smoothing,
            multilabel=multilabel,
            options=plan.loss.options,
        )

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the planned loss over the cases that have a label."""
        from vesalius.tasks._together import shown

        logits = self.infer(model, shown(model, batch, generator), generator)
        label = batch.targets.get("label")
        if label is None:
            return {"class": 0.0 * logits.sum()}
        known = batch.labelled("label")
        if known is not None:
            logits, label = logits[known], label[known]
        return {"class": model.criterion(logits, label)}  # type: ignore[operator]

    def remember(
        self, model: nn.Module, examples: Sequence[Example], state: State, *, cases: Sequence[Case]
    ) -> State:
        """Return the state with a plain model of the covariates alone, where several sources come together."""
        if not self.sources(state) or not state.values.get("covariates"):
            return state
        return _plain.remembered(examples, state, "label", how="several" if self.several(state) else "one")

    def plain(self, example: Example, state: State) -> Scores | None:
        """Return the probabilities of the plain model of the covariates."""
        z = _plain.said(example, state)
        if z is None:
            return None
        p = 1 / (1 + np.exp(-z)) if self.several(state) else softmax(z)
        return replace(self.trivial(state, BLANK), p=np.asarray(p, dtype=np.float64))

    def trivial(self, state: State, reference: Image) -> Scores:
        """Return how often each class occurs in training, whatever the image shows."""
        return Scores(
            labels=labels_of(state),
            p=np.asarray(state.values["share"], dtype=np.float64),
            kind=state.values["kind"],
        )


def scored(target: TargetInfo) -> str:
    """Return the kind of Scores that answers about such a target are."""
    kind = kinds.of(target.kind)
    return "multilabel" if kind.several else "ordinal" if kind.ordered else "exclusive"


def names_of(state: State) -> list[str]:
    """Return the names of the labels that were learned, in their order."""
    return [str(x["name"]) for x in state.values["labels"]]


def labels_of(state: State) -> tuple[Label, ...]:
    """Return the labels that were learned, in their order."""
    return tuple(Label(x["value"], x["name"]) for x in state.values["labels"])


def names_in(value: Any) -> tuple[Any, ...]:
    """Return the names that a target's value holds: one, or several."""
    return value if isinstance(value, tuple) else (value,)


def as_labels(batch: Batch, p: Tensor, sure: Tensor) -> Batch:
    """Return the batch with these labels `(B, K)`; cases that nobody is sure of have none."""
    return replace(batch, targets={"label": p}, on_grid=frozenset(), has={"label": sure})


def _hot(value: Any, names: list[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
    chosen = names_in(value)
    return np.array([name in chosen for name in names], dtype=np.float32)
