"""Which class, or which of several findings, does an image show?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vesalius import losses
from vesalius.cohorts.targets import contract as kinds
from vesalius.core import calibration as calibrations
from vesalius.core import isotonic, operating
from vesalius.core.answers import Answer
from vesalius.core.answers.scores import Scores
from vesalius.core.ask import Ask
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, Label, TargetInfo
from vesalius.core.errors import DataError, PlanError
from vesalius.core.image import Array, Image
from vesalius.core.plan import Plan
from vesalius.core.sensitivity import keeping
from vesalius.core.statistics import Statistics
from vesalius.core.tally import Tally
from vesalius.plan import whole
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.plan.positive import positive_of, why_positive
from vesalius.prepare.batch import Batch, Example
from vesalius.prepare.case import Prepared
from vesalius.prepare.geometry import Undo
from vesalius.prepare.opinion import Opinion
from vesalius.tasks.contract import Nets, Task, Wanted, planned_net, planned_weights

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

NAMES = {"classify": "One class of several, or several findings at once, for a whole image"}
WHY_HALF = (
    "calibrated probabilities: the likelier class is called; balanced_accuracy, accuracy, f1 tune it on folds"
)
FEW = 5  # cases with and without a label from which a threshold is fitted to a group
DEFAULT_FOR = ("class", "multilabel", "ordinal")
OPTIONS = {"threshold": "", "calibration": "temperature"}


class Classify(Task):
    """Exclusive classes by soft-max; several at once (`multilabel`) by one sigmoid each."""

    name: ClassVar[str] = "classify"
    answer: ClassVar[type[Answer]] = Scores
    targets: ClassVar[tuple[str, ...]] = ("class", "multilabel", "ordinal")
    roles: ClassVar[tuple[str, ...]] = ("encoder",)
    run: ClassVar[str] = "whole"
    primary: ClassVar[str] = "auc"
    mirrors: ClassVar[bool] = True

    def defaults(self, prints: Fingerprint, machine: Machine, target: TargetInfo | None) -> Draft:
        """Return the choices for whole images and probabilities: weights of uneven classes, the positive class."""
        draft = Draft()
        whole.images(draft, prints, machine)
        whole.encoder(draft, machine)
        draft.set("loss.name", "cross_entropy", "probabilities are wanted")
        draft.set("loss.smoothing", 0.0, "probabilities are calibrated on validation cases instead")
        shares = list(prints.classes.values())
        uneven = bool(shares) and max(shares) > 5 * max(1, min(shares))
        why = "the rarest class is more than five times rarer" if uneven else "classes are not far from even"
        draft.set("loss.class_weights", "balanced" if uneven else "none", why)
        if target is not None and len(target.labels) == 2 and kinds.of(target.kind).nominal:
            counts = {x.name: prints.classes.get(x.name, 0) for x in target.labels}
            positive = positive_of(counts)
            draft.set("task.options", {"threshold": "half"}, WHY_HALF)
            draft.set("task.positive", positive, why_positive(positive, counts))
        whole.augmentation(draft, prints)
        draft.set("augment.mixup", 0.4, "probabilities of new patients are better for it")
        whole.batches(draft, prints)
        return draft

    def check(self, cohort: Cohort, target: TargetInfo | None) -> tuple[str, ...]:
        """At least two classes with at least two cases each."""
        if target is None:
            return ("a class for each case (a folder a class, a label column, …)",)
        counts = Counter(v for c in cohort.cases if (v := c.targets.get(target.name)) is not None)
        if kinds.of(target.kind).several:
            return () if counts else ("cases with labels",)
        missing = [f"a second class (only '{k}' was found)" for k in counts] if len(counts) == 1 else []
        missing += [f"a second case of class '{k}'" for k, n in counts.items() if n < 2 and len(counts) > 1]
        return tuple(missing if counts else ["cases with a class"])

    def summary(self, cases: Sequence[Case], target: TargetInfo | None, plan: Plan) -> Statistics:
        """Return how many cases are of each class, or have each label."""
        held = [c.targets[target.name] for c in cases if target.name in c.targets] if target else []
        return Statistics({"labels": Tally.of_each(map(_names_in, held))})

    def state(self, summary: Statistics, target: TargetInfo | None, plan: Plan) -> State:
        """Return the label map, in the cohort's order, and how often each class occurs in training."""
        if target is None:
            raise DataError("classification needs a target", hint="--target NAME")
        names = [label.name for label in target.labels]
        found = summary.part("labels", Tally)
        share = [np.float32(found[n] / found.n) if found.n else 1 / len(names) for n in names]
        return State(
            {
                "target": target.name,
                "kind": _scored(target),
                "labels": [{"value": x.value, "name": x.name} for x in target.labels],
                "share": [float(s) for s in share],
            }
        )

    def encode(self, case: Case, prepared: Prepared, reference: Image, state: State) -> Example:
        """Return the class as a one-hot (or several-hot) float vector, so that it can be mixed and smoothed."""
        value = case.targets.get(state.values["target"])
        names = [x["name"] for x in state.values["labels"]]
        targets = {} if value is None else {"label": _hot(value, names)}
        return Example(case.id, {"image": prepared.array}, targets)

    def build(self, plan: Plan, state: State, nets: Nets) -> nn.Module:
        """Return an encoder with its head, and the planned loss."""
        from vesalius.tasks._classifier import Classifier

        share = np.asarray(state.values["share"], dtype=np.float32)
        multilabel = _several(state)
        weights = planned_weights(plan, share, multilabel=multilabel)
        criterion = losses.build(
            plan.loss.name,
            weights=weights,
            smoothing=plan.loss.smoothing,
            multilabel=multilabel,
            options=plan.loss.options,
        )
        net = planned_net(plan, nets)
        return Classifier(net, len(share), criterion)

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the planned loss over the cases that have a label."""
        logits, label = model(batch.images["image"]), batch.targets.get("label")
        if label is None:
            return {"class": 0.0 * logits.sum()}
        known = batch.labelled("label")
        if known is not None:
            logits, label = logits[known], label[known]
        return {"class": model.criterion(logits, label)}  # type: ignore[operator]

    def infer(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Logits `(B, K)`."""
        logits: Tensor = model(batch.images["image"])
        return logits

    def last_layer(self, model: nn.Module) -> nn.Module:
        """Return the last linear layer of the head."""
        from torch import nn

        return [m for m in model.head.modules() if isinstance(m, nn.Linear)][-1]  # type: ignore[union-attr]

    def wanted(self, batch: Batch, state: State) -> Wanted:
        """Return the class of each case as 0 and 1, or which labels it has."""
        import torch

        label = batch.targets.get("label")
        if label is None:
            label = torch.full((batch.rows, len(state.values["labels"])), float("nan"))
        known = batch.labelled("label")
        values = label if known is None else torch.where(known[:, None], label, float("nan"))
        return Wanted(values, "several" if _several(state) else "exclusive")

    def decode(
        self,
        raw: Any,
        state: State,
        calibration: Mapping[str, Any],
        reference: Image,
        *,
        undo: Undo | None = None,
    ) -> Scores:
        """Calibrated probabilities. `raw` is `(K,)` logits, or `(M, K)` of an ensemble's members."""
        names = [x["name"] for x in state.values["labels"]]
        p = calibrations.answered(calibration, np.atleast_2d(raw), labels=names, multilabel=_several(state))
        return Scores(
            labels=tuple(Label(x["value"], x["name"]) for x in state.values["labels"]),
            p=p,
            kind=state.values["kind"],
            positive=calibration.get("positive"),
            thresholds=calibration.get("thresholds", {}),
        )

    def trivial(self, state: State, reference: Image) -> Scores:
        """Return how often each class occurs in training, whatever the image shows."""
        return Scores(
            labels=tuple(Label(x["value"], x["name"]) for x in state.values["labels"]),
            p=np.asarray(state.values["share"], dtype=np.float64),
            kind=state.values["kind"],
        )

    def check_plan(self, plan: Plan, target: TargetInfo | None) -> None:
        """Refuse words that are no rule for a threshold or no method of calibration, and rates to keep of many classes.

        Of more than two exclusive classes the likeliest is called, so that no threshold decides.
        """
        calibrations.method_of(plan.task.options.get("calibration"))
        rule = operating.parse(plan.task.options.get("threshold"))
        if rule is None or not rule.valued or target is None or kinds.of(target.kind).several:
            return
        if len(target.labels) > 2:
            raise PlanError(
                f"a threshold by {rule.name} needs a yes or no",
                found=f"{len(target.labels)} classes that exclude one another, of which the likeliest is called",
                hint="classes joined into two (--labels OLD=NEW), or --set task.options.threshold=half",
            )

    def calibrate(
        self,
        raw: Sequence[Array],
        truths: Sequence[Any],
        *,
        state: State,
        plan: Plan,
        patients: Sequence[str] | None = None,
    ) -> dict[str, Any]:
        """Return a temperature, maps where planned, thresholds and the positive class, fitted on what answers say."""
        labels = [x["name"] for x in state.values["labels"]]
        multilabel = _several(state)
        logits = np.stack(list(raw))  # (N, M, K)
        if logits.shape[1] == 1:
            logits = logits[:, 0]
        y: Array
        if multilabel:
            y = np.array([[name in t for name in labels] for t in truths], dtype=np.int64)
        else:
            y = np.array([labels.index(str(t)) for t in truths])
        positive = plan.task.positive if plan.task.positive in labels else None
        options = plan.task.options
        asked_for = operating.parse(options.get("threshold"))
        rule: calibrations.Rule | operating.Rule | None = None
        if asked_for is not None:
            rule = (
                asked_for
                if asked_for.valued
                else next((r for r in calibrations.RULES if r == asked_for.name), None)
            )
        found = calibrations.fit(
            logits,
            y,
            labels=labels,
            multilabel=multilabel,
            positive=positive,
            rule=rule,
            method=calibrations.method_of(options.get("calibration")),
            patients=patients,
        )
        if rule is None and positive is not None:
            found["thresholds"] = {positive: 0.5}
        return {**found, "positive": positive}

    def has_thresholds(self, target: TargetInfo | None) -> bool:
        """Return whether there are two classes, or several labels at once: of more classes the likeliest is called."""
        return target is not None and (kinds.of(target.kind).several or len(target.labels) == 2)

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
        """Return thresholds of the calibrated probabilities, of labels that FEW cases have and FEW have not."""
        asked_for = plan.task.options.get("threshold")
        rule = next((r for r in calibrations.RULES if r == asked_for), calibrations.RULES[0])
        found = {}
        for name, (p, so) in _by_label(raw, truths, state, calibration).items():
            if min(so.sum(), (~so).sum()) < FEW:
                continue
            if sensitivity is None:
                found[name] = calibrations.threshold(p, so, rule=rule)
            elif name in sensitivity:
                found[name] = keeping(p, so, sensitivity[name])
        return found

    def sensitivities(
        self, raw: Sequence[Array], truths: Sequence[Any], *, state: State, calibration: Mapping[str, Any]
    ) -> dict[str, float]:
        """Return the share of the cases with a label that are called so."""
        held = _by_label(raw, truths, state, calibration)
        at = calibration["thresholds"]
        return {name: float((p[so] >= at[name]).mean()) for name, (p, so) in held.items() if so.any()}

    def calibrated(self, raw: Tensor, state: State, calibration: Mapping[str, Any]) -> Tensor:
        """Return the mean of the members' calibrated probabilities, `(B, K)`; those of answers, but for rounding."""
        from vesalius.tasks._mapped import mapped

        scaled = raw.double() / float(calibration.get("temperature", 1.0))
        p = scaled.sigmoid() if _several(state) else scaled.softmax(dim=-1)
        names = [x["name"] for x in state.values["labels"]]
        maps = isotonic.parse(calibration.get("isotonic"))
        return mapped(maps, p.mean(dim=1), labels=names, multilabel=_several(state)).to(raw.dtype)

    def semi_supervised(self, target: TargetInfo | None) -> tuple[str, ...]:
        """Return pseudo-labels where one class holds, a teacher where several may."""
        return ("meanteacher",) if target is None or kinds.of(target.kind).several else ("fixmatch",)

    def opinion(self, raw: Tensor, state: State) -> Opinion:
        """Return the probability of each class, or of each label by itself."""
        return Opinion(raw.sigmoid(), "each") if _several(state) else Opinion(raw.softmax(dim=1), "one")

    def taught(self, batch: Batch, opinion: Opinion, sure: Tensor) -> Batch:
        """Return the batch with each case's likeliest class as its label, or with the labels likelier than not.

        Cases that it is not sure of have no label.
        """
        from torch.nn.functional import one_hot

        p = opinion.values
        likeliest = one_hot(p.argmax(dim=1), p.shape[1]) if opinion.choice == "one" else p >= 0.5
        return replace(
            batch, targets={"label": likeliest.to(p.dtype)}, on_grid=frozenset(), has={"label": sure}
        )

    def scalar(self, raw: Tensor, ask: Ask) -> Tensor:
        """Return the logit of one class."""
        return raw[:, ask.place]

    def held_against(self, state: State) -> tuple[str, ...]:
        """Return the kinds of target with as many labels a case as were learned: one, or several at once."""
        return tuple(k for k in self.targets if kinds.of(k).several == _several(state))


def _scored(target: TargetInfo) -> str:
    """Return the kind of Scores that answers about such a target are."""
    kind = kinds.of(target.kind)
    return "multilabel" if kind.several else "ordinal" if kind.ordered else "exclusive"


def _several(state: State) -> bool:
    """Return whether several labels may hold at once."""
    return bool(state.values["kind"] == "multilabel")


def _by_label(
    raw: Sequence[Array], truths: Sequence[Any], state: State, calibration: Mapping[str, Any]
) -> dict[str, tuple[Array, Array]]:
    """Return the calibrated probability and the truth of each case, by the labels that have a threshold."""
    p = np.stack([calibrations.apply(calibration, r, multilabel=_several(state)).mean(axis=0) for r in raw])
    names = [x["name"] for x in state.values["labels"]]
    found = {}
    for name in calibration.get("thresholds", {}):
        so = np.array([name in _names_in(truth) for truth in truths])
        found[name] = (p[:, names.index(name)], so)
    return found


def _hot(value: Any, names: list[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
    chosen = _names_in(value)
    return np.array([name in chosen for name in names], dtype=np.float32)


def _names_in(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


TASK = Classify()
