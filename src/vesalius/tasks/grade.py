"""How bad, how good? One grade of several that have an order, by chances to lie above each that never cross."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vesalius.core import calibration as calibrations
from vesalius.core import grades
from vesalius.core.answers.scores import Scores
from vesalius.core.ask import Ask
from vesalius.core.bundle import State
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.errors import PlanError
from vesalius.core.image import Array, Image
from vesalius.core.plan import Plan
from vesalius.core.statistics import Statistics
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.prepare.batch import Batch
from vesalius.prepare.geometry import Undo
from vesalius.prepare.opinion import Opinion
from vesalius.tasks._beside import plan_covariates
from vesalius.tasks._labels import Labels, as_labels, labels_of, names_of
from vesalius.tasks._sources import check_sources, input_of, net_of
from vesalius.tasks.contract import Nets

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

NAMES = {"grade": "One grade of several that have an order, for a whole image"}
DEFAULT_FOR = ("ordinal",)
OPTIONS = {"head": "cumulative", "decision": "median", "covariates": "", "categories": ""}
HEADS = ("cumulative", "corn")
DECISIONS = ("median", "likeliest")


class Grade(Labels):
    """Conditional chances (CORN) or cumulative links, under the planned loss of the grades' probabilities.

    The planned cross-entropy of these is the sum of CORN's conditional losses, and the likelihood of cumulative links.
    """

    name: ClassVar[str] = "grade"
    targets: ClassVar[tuple[str, ...]] = ("ordinal",)
    primary: ClassVar[str] = "cut_auc"

    def defaults(self, prints: Fingerprint, machine: Machine, target: TargetInfo | None) -> Draft:
        """Return the choices for labels of whole images, without mixtures of cases, and the task's own."""
        draft = super().defaults(prints, machine, target)
        draft.set(
            "augment.mixup", 0.0, "a mixture of a low and a high grade is neither; none was better by folds"
        )
        return draft

    def choose(self, draft: Draft, prints: Fingerprint, target: TargetInfo | None) -> None:
        """Set the head, what is called, and the covariates."""
        if target is not None:
            order = " < ".join(x.name for x in target.labels)
            draft.set("task.name", self.name, f"'{target.name}' has an order: {order}; or --task NAME")
        why = "one score, cut by thresholds, was the better one by folds; corn: a chance to go on at each cut"
        draft.set("task.options.head", "cumulative", why)
        why = (
            "the median grade lies the least far from the truth on average; likeliest: the most probable one"
        )
        draft.set("task.options.decision", "median", why)
        plan_covariates(draft, prints)

    def check(self, cohort: Cohort, target: TargetInfo | None) -> tuple[str, ...]:
        """Return what is missing: at least two grades that have two cases each."""
        if target is None:
            return ("a grade for each case (a column of a table: --column grade=NAME)",)
        counts = Counter(v for c in cohort.cases if (v := c.targets.get(target.name)) is not None)
        if not counts:
            return ("cases with a grade",)
        if len(counts) == 1:
            return (f"a second grade (only '{next(iter(counts))}' was found)",)
        return tuple(f"a second case of grade '{name}'" for name, n in counts.items() if n < 2)

    def check_plan(self, plan: Plan, target: TargetInfo | None) -> None:
        """Refuse words that are no head or no decision, and sources that cannot come together."""
        check_sources(plan, target)
        for option, known in (("head", HEADS), ("decision", DECISIONS)):
            word = plan.task.options.get(option, known[0])
            if word not in known:
                raise PlanError(
                    f"task.options.{option} is no {option} of grades",
                    found=repr(word),
                    hint=" or ".join(known),
                )

    def state(self, summary: Statistics, target: TargetInfo | None, plan: Plan) -> State:
        """Return the grades in their order, how often each occurs, the decision, and what is learned of covariates."""
        found = super().state(summary, target, plan)
        if target is None:
            return found
        median = plan.task.options.get("decision", "median") == "median"
        return State({"covariates": {}, **found.values, "decision": "median" if median else None})

    def build(self, plan: Plan, state: State, nets: Nets) -> nn.Module:
        """Return an encoder under the planned head, and the planned loss."""
        from vesalius.tasks import _grader

        head = _grader.HEADS[str(plan.task.options.get("head", HEADS[0]))]
        net, width = net_of(plan, state, nets)
        return head(net, width, self.criterion(plan, state), share=state.values["share"])

    def infer(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return log probabilities of the grades `(B, K)`."""
        x = input_of(batch, model)
        found: Tensor = model(x, None if x is batch else batch.covariates)
        return found

    def decode(
        self,
        raw: Any,
        state: State,
        calibration: Mapping[str, Any],
        reference: Image,
        *,
        undo: Undo | None = None,
    ) -> Scores:
        """Return calibrated probabilities. `raw` is `(K,)` log probabilities, or `(M, K)` of an ensemble's members.

        Each member's chances to lie above a grade fall with the grade, and so does their mean.
        """
        p = grades.answered(np.atleast_2d(raw), float(calibration.get("temperature", 1.0))).mean(axis=0)
        return Scores(labels=labels_of(state), p=p, kind="ordinal", decision=state.values["decision"])

    def as_rule(self, state: State, calibration: Mapping[str, Any]) -> dict[str, Any]:
        """Return the grades in their order, the temperature, and how one of them is called."""
        return {
            "rule": "grades",
            "labels": list(names_of(state)),
            "temperature": float(calibration.get("temperature", 1.0)),
            "decision": state.values["decision"],
        }

    def trivial(self, state: State, reference: Image) -> Scores:
        """Return how often each grade occurs in training, whatever the image shows."""
        share = np.asarray(state.values["share"], dtype=np.float64)
        return Scores(labels=labels_of(state), p=share, kind="ordinal", decision=state.values["decision"])

    def calibrate(
        self, raw: Sequence[Array], truths: Sequence[Any], *, state: State, plan: Plan
    ) -> dict[str, Any]:
        """Return a temperature of the cumulative log-odds, and the points that keep a rate at each cut."""
        names = names_of(state)
        log_p = np.stack([np.atleast_2d(r) for r in raw])  # (N, M, K)
        y = np.array([names.index(str(t)) for t in truths])
        heat = calibrations.temperature(log_p, y, of=_mean_of_members)
        over = grades.above(_mean_of_members(log_p, heat))
        points = {name: calibrations.points(over[:, k], y > k) for k, name in enumerate(grades.cuts(names))}
        return {"temperature": heat, "thresholds": {}, "points": points}

    def calibrated(self, raw: Tensor, state: State, calibration: Mapping[str, Any]) -> Tensor:
        """Return the mean of the members' calibrated probabilities, `(B, K)`; those of answers, but for rounding."""
        from vesalius.tasks._grader import answered

        p = answered(raw.double(), float(calibration.get("temperature", 1.0)))
        return p.mean(dim=1).to(raw.dtype)

    def semi_supervised(self, target: TargetInfo | None) -> tuple[str, ...]:
        """Return pseudo-labels, for one grade holds."""
        return ("fixmatch",)

    def opinion(self, raw: Tensor, state: State) -> Opinion:
        """Return the probability of each grade."""
        return Opinion(raw.softmax(dim=1), "one")

    def taught(self, batch: Batch, opinion: Opinion, sure: Tensor) -> Batch:
        """Return the batch with each case's likeliest grade as its own; cases that it is not sure of have none."""
        from torch.nn.functional import one_hot

        p = opinion.values
        return as_labels(batch, one_hot(p.argmax(dim=1), p.shape[1]).to(p.dtype), sure)

    def scalar(self, raw: Tensor, ask: Ask) -> Tensor:
        """Return the log probability of one grade, the log-odds of a cut, or the mean grade from 0."""
        from vesalius.tasks._grader import scalar

        return scalar(raw, ask)

    def held_against(self, state: State) -> tuple[str, ...]:
        """Return grades, and classes that are called as grades are: a truth is known by its name."""
        return (*self.targets, "class")


def _mean_of_members(log_p: Array, heat: float) -> Array:
    """Return the probabilities `(N, K)` that answers have, of the members' log probabilities `(N, M, K)`."""
    return np.asarray(grades.answered(log_p, heat).mean(axis=1))


TASK = Grade()
