"""Which class, or which of several findings, does an image show?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vesalius.cohorts.targets import contract as kinds
from vesalius.core import calibration as calibrations
from vesalius.core import isotonic, operating
from vesalius.core.answers.scores import Scores
from vesalius.core.ask import Ask
from vesalius.core.bundle import State
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.errors import PlanError
from vesalius.core.image import Array, Image
from vesalius.core.plan import Plan
from vesalius.core.sensitivity import keeping
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.positive import positive_of, why_positive
from vesalius.prepare.batch import Batch
from vesalius.prepare.geometry import Undo
from vesalius.prepare.opinion import Opinion
from vesalius.tasks._beside import plan_covariates
from vesalius.tasks._labels import Labels, as_labels, labels_of, names_in, names_of
from vesalius.tasks._sources import check_sources, input_of, net_of
from vesalius.tasks.contract import Nets, Wanted

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

NAMES = {"classify": "One class of several, or several findings at once, for a whole image"}
WHY_HALF = (
    "calibrated probabilities: the likelier class is called; balanced_accuracy, accuracy, f1 tune it on folds"
)
FEW = 5  # cases with and without a label from which a threshold is fitted to a group
DEFAULT_FOR = ("class", "multilabel")
OPTIONS = {
    "threshold": "",
    "calibration": "temperature",
    "covariates": "",
    "categories": "",
    "soft": False,
}


class Classify(Labels):
    """Exclusive classes by soft-max; several at once (`multilabel`) by one sigmoid each."""

    name: ClassVar[str] = "classify"
    targets: ClassVar[tuple[str, ...]] = ("class", "multilabel", "ordinal")
    primary: ClassVar[str] = "auc"
    joins: ClassVar[bool] = True

    def several(self, state: State) -> bool:
        """Return whether several labels may hold of one case."""
        return _several(state)

    def choose(self, draft: Draft, prints: Fingerprint, target: TargetInfo | None) -> None:
        """Set the positive one of two classes, that the likelier one is called, and the covariates."""
        if target is not None and len(target.labels) == 2 and kinds.of(target.kind).nominal:
            counts = {x.name: prints.classes.get(x.name, 0) for x in target.labels}
            positive = positive_of(counts)
            draft.set("task.options", {"threshold": "half"}, WHY_HALF)
            draft.set("task.positive", positive, why_positive(positive, counts))
        if prints.covariates:
            plan_covariates(draft, prints)

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

    def build(self, plan: Plan, state: State, nets: Nets) -> nn.Module:
        """Return an encoder with its head, and the planned loss."""
        from vesalius.tasks._classifier import Classifier

        criterion = self.criterion(plan, state, multilabel=_several(state))
        net, _ = net_of(plan, state, nets)
        return Classifier(net, len(state.values["share"]), criterion)

    def infer(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Logits `(B, K)`."""
        logits: Tensor = model(input_of(batch, model))
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
        p = calibrations.answered(
            calibration, np.atleast_2d(raw), labels=names_of(state), multilabel=_several(state)
        )
        return Scores(
            labels=labels_of(state),
            p=p,
            kind=state.values["kind"],
            positive=calibration.get("positive"),
            thresholds=calibration.get("thresholds", {}),
        )

    def check_plan(self, plan: Plan, target: TargetInfo | None) -> None:
        """Refuse words that are no rule for a threshold or no method of calibration, and rates to keep of many classes.

        Of more than two exclusive classes the likeliest is called, so that no threshold decides.
        """
        check_sources(plan, target)
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
        labels = names_of(state)
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
        names = names_of(state)
        maps = isotonic.parse(calibration.get("isotonic"))
        return mapped(maps, p.mean(dim=1), labels=names, multilabel=_several(state)).to(raw.dtype)

    def as_rule(self, state: State, calibration: Mapping[str, Any]) -> dict[str, Any]:
        """Return labels, temperature, isotonic maps and thresholds."""
        return {
            "rule": "probabilities",
            "labels": list(names_of(state)),
            "exclusive": not _several(state),
            "temperature": float(calibration.get("temperature", 1.0)),
            "isotonic": {k: dict(v) for k, v in (isotonic.parse(calibration.get("isotonic")) or {}).items()},
            "thresholds": dict(calibration.get("thresholds", {})),
            "positive": calibration.get("positive"),
        }

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
        return as_labels(batch, likeliest.to(p.dtype), sure)

    def scalar(self, raw: Tensor, ask: Ask) -> Tensor:
        """Return the logit of one class; of grades also that of a cut between them, or the mean grade."""
        from vesalius.tasks._grader import scalar

        return scalar(raw, ask)

    def held_against(self, state: State) -> tuple[str, ...]:
        """Return the kinds of target with as many labels a case as were learned: one, or several at once."""
        return tuple(k for k in self.targets if kinds.of(k).several == _several(state))


def _several(state: State) -> bool:
    """Return whether several labels may hold at once."""
    return bool(state.values["kind"] == "multilabel")


def _by_label(
    raw: Sequence[Array], truths: Sequence[Any], state: State, calibration: Mapping[str, Any]
) -> dict[str, tuple[Array, Array]]:
    """Return the calibrated probability and the truth of each case, by the labels that have a threshold."""
    p = np.stack([calibrations.apply(calibration, r, multilabel=_several(state)).mean(axis=0) for r in raw])
    names = names_of(state)
    found = {}
    for name in calibration.get("thresholds", {}):
        so = np.array([name in names_in(truth) for truth in truths])
        found[name] = (p[:, names.index(name)], so)
    return found


TASK = Classify()
