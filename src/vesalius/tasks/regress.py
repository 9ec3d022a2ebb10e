"""How much, how large, how old? One number for a whole image, with what else is known of the patient."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vesalius import losses
from vesalius.core.answers import Answer
from vesalius.core.answers.value import Value
from vesalius.core.ask import Ask
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.errors import DataError, PlanError
from vesalius.core.histogram import Histogram
from vesalius.core.image import Image
from vesalius.core.moments import Moments
from vesalius.core.plan import Plan
from vesalius.core.statistics import Statistics
from vesalius.core.words import counted, listed
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.prepare import covariates
from vesalius.prepare.batch import Batch, Example
from vesalius.prepare.case import Prepared
from vesalius.prepare.geometry import Undo
from vesalius.prepare.opinion import Opinion
from vesalius.tasks._beside import Beside, encoded, learned, plan_covariates, planned
from vesalius.tasks.contract import Nets, Wanted, planned_net

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

NAMES = {"regress": "One number for a whole image: an age, a volume, a score"}
DEFAULT_FOR = ("number",)
OPTIONS = {"unit": "", "covariates": "", "categories": ""}


class Regress(Beside):
    """Smooth L1 on the standardised number; covariates enter beside the image's features."""

    name: ClassVar[str] = "regress"
    answer: ClassVar[type[Answer]] = Value
    targets: ClassVar[tuple[str, ...]] = ("number",)
    roles: ClassVar[tuple[str, ...]] = ("encoder",)
    run: ClassVar[str] = "whole"
    primary: ClassVar[str] = "r2"
    mirrors: ClassVar[bool] = True

    def defaults(self, prints: Fingerprint, machine: Machine, target: TargetInfo | None) -> Draft:
        """Return the choices for whole images and one number: its unit, the covariates, and little change of size."""
        draft = super().defaults(prints, machine, target)
        if target is not None:
            why = f"'{target.name}' holds numbers; another task: --task NAME, numbers as classes: --column label=NAME"
            draft.set("task.name", self.name, why)
        unit = (target.unit if target else None) or ""
        why = (
            f"'{target.name}' says so" if target and unit else "the data say none; --set task.options.unit=ml"
        )
        draft.set("task.options.unit", unit, why)
        plan_covariates(draft, prints)
        why = "quadratic near the truth, linear one deviation or more away from it: a few odd truths do not rule"
        draft.set("loss.name", "smooth_l1", why)
        for path, what in (("zoom", "size"), ("brightness", "density"), ("contrast", "density")):
            draft.set(f"augment.{path}", 0.05, f"little, for the number may be a {what}")
        return draft

    def check(self, cohort: Cohort, target: TargetInfo | None) -> tuple[str, ...]:
        """Return what is missing: two cases at least, an image and a finite number for each, and numbers that vary."""
        if target is None:
            return ("a number for each case (a column of a table: --target NAME)",)
        cases = [c for c in cohort.cases if target.name in c.targets]
        if len(cases) < 2:
            return ("a number for at least two cases",)
        wrong = [c for c in cases if not _is_finite(c.targets[target.name])]
        if wrong:
            odd = f"{counted(len(wrong), 'case')}, such as {wrong[0].id}: {wrong[0].targets[target.name]}"
            return (f"a finite number in '{target.name}' ({odd})",)
        bare = [c.id for c in cases if not c.images]
        if bare:
            return (f"an image for each case ({listed(bare, 3)})",)
        numbers = [number_of(c, target.name) for c in cases]
        if min(numbers) == max(numbers):
            many = counted(len(cases), "case")
            return (f"a target that varies: '{target.name}' is {numbers[0]:g} in all {many}",)
        if (code := covariates.no_value(Histogram.of(numbers))) is not None:
            many = counted(Counter(numbers)[code], "case")
            return (f"an empty cell where '{target.name}' is not known, in place of {code:g} ({many})",)
        return ()

    def summary(self, cases: Sequence[Case], target: TargetInfo | None, plan: Plan) -> Statistics:
        """Return the statistics of the numbers, and of the planned covariates."""
        if target is None:
            return Statistics()
        held = [c for c in cases if target.name in c.targets]
        numbers = Moments.of(number_of(c, target.name) for c in held)
        return Statistics({"numbers": numbers, "covariates": covariates.summary(held, *planned(plan))})

    def state(self, summary: Statistics, target: TargetInfo | None, plan: Plan) -> State:
        """Return mean, deviation and ends of the numbers, and what is learned of the covariates."""
        if target is None:
            raise DataError("regression needs a target", hint="--target NAME")
        numbers = summary.part("numbers", Moments)
        if not numbers.low < numbers.high:
            raise DataError(
                f"the target '{target.name}' is the same for all training cases",
                found=f"{numbers.mean:g} in {counted(numbers.n, 'case')}",
                hint="another target, or another split",
            )
        return State(
            {
                "target": target.name,
                "unit": str(plan.task.options.get("unit") or ""),
                "n": numbers.n,
                "mean": numbers.mean,
                "sd": numbers.sd,
                "low": numbers.low,
                "high": numbers.high,
                "covariates": learned(summary, target, plan),
            }
        )

    def spread(self, state: State) -> float:
        """Return the deviation of the training cases' numbers."""
        return float(state.values["sd"])

    def encode(self, case: Case, prepared: Prepared, reference: Image, state: State) -> Example:
        """Return the standardised number and the covariates beside the prepared image."""
        values, targets = state.values, {}
        if values["target"] in case.targets:
            z = (number_of(case, values["target"]) - values["mean"]) / values["sd"]
            targets["number"] = np.array([z], dtype=np.float32)
        return Example(case.id, {"image": prepared.array}, targets, covariates=encoded(case, state))

    def build(self, plan: Plan, state: State, nets: Nets) -> nn.Module:
        """Return the planned encoder under one output, and the planned loss."""
        from vesalius.tasks._regressor import Regressor

        net = planned_net(plan, nets)
        criterion = losses.build(plan.loss.name, options=plan.loss.options)
        return Regressor(net, covariates.width(state.values["covariates"]), criterion)

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the planned loss over the cases that have a number."""
        number, truth = self.infer(model, batch, generator), batch.targets.get("number")
        if truth is None:
            return {"number": 0.0 * number.sum()}
        labelled = batch.labelled("number")
        if labelled is not None:
            number, truth = number[labelled], truth[labelled]
        return {"number": model.criterion(number, truth)}  # type: ignore[operator]

    def infer(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return standardised numbers `(B, 1)`."""
        number: Tensor = model(batch.images["image"], batch.covariates)
        return number

    def last_layer(self, model: nn.Module) -> nn.Module:
        """Return the last linear layer. Raises PlanError where covariates enter the model behind it."""
        from torch import nn

        if model.line is not None:
            raise PlanError(
                "with covariates the last layer of a regressor is no linear one",
                hint="--set task.options.covariates= for the image alone, or --set train.recipe=supervised",
            )
        return [m for m in model.head.modules() if isinstance(m, nn.Linear)][-1]

    def wanted(self, batch: Batch, state: State) -> Wanted:
        """Return the standardised number of each case, `(B, 1)`."""
        import torch

        number = batch.targets.get("number")
        if number is None:
            number = torch.full((batch.rows, 1), float("nan"))
        known = batch.labelled("number")
        return Wanted(
            number if known is None else torch.where(known[:, None], number, float("nan")), "numbers"
        )

    def decode(
        self,
        raw: Any,
        state: State,
        calibration: Mapping[str, Any],
        reference: Image,
        *,
        undo: Undo | None = None,
    ) -> Value:
        """Return the number in its own unit, the mean over an ensemble's members where `raw` is `(M, 1)`.

        One that lies beyond all that was learned from is marked, for there the model guesses.
        """
        about = state.values
        x = float(np.mean(raw, dtype=np.float64)) * about["sd"] + about["mean"]
        unit = f" {about['unit']}" if about["unit"] else ""
        beyond = (
            f"{about['target']} {x:.4g}{unit}, learned from {about['low']:.4g} to {about['high']:.4g}{unit}"
        )
        return _value(x, state, outside=None if about["low"] <= x <= about["high"] else (beyond,))

    def semi_supervised(self, target: TargetInfo | None) -> tuple[str, ...]:
        """Return a teacher."""
        return ("meanteacher",)

    def opinion(self, raw: Tensor, state: State) -> Opinion:
        """Return the number in standard deviations."""
        return Opinion(raw, "none")

    def taught(self, batch: Batch, opinion: Opinion, sure: Tensor) -> Batch:
        """Return the batch with the number that was said of each case as its target."""
        return replace(batch, targets={"number": opinion.values}, on_grid=frozenset(), has={"number": sure})

    def calibrated(self, raw: Tensor, state: State, calibration: Mapping[str, Any]) -> Tensor:
        """Return the mean of the members' numbers in their own unit, `(B, 1)`."""
        number: Tensor = raw.double().mean(dim=1) * state.values["sd"] + state.values["mean"]
        return number.to(raw.dtype)

    def trivial(self, state: State, reference: Image) -> Value:
        """Return the mean of the training cases, whatever the image shows."""
        return _value(state.values["mean"], state)

    def scalar(self, raw: Tensor, ask: Ask) -> Tensor:
        """Return the one number, whatever is asked."""
        return raw[:, 0]


def number_of(case: Case, name: str) -> float:
    """Return a case's target as a number. Raises DataError, naming the case, where it is none or is not finite."""
    value = case.targets[name]
    if not _is_finite(value):
        raise DataError(f"case {case.id}: '{name}' is not a finite number", found=repr(value))
    return float(value)  # type: ignore[arg-type]


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _value(x: float, state: State, *, outside: tuple[str, ...] | None = None) -> Value:
    return Value(x=x, unit=state.values["unit"] or None, quantity=state.values["target"], outside=outside)


TASK = Regress()
