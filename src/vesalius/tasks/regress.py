"""How much, how large, how old? One number for a whole image, or for a row of a table, with what else is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, ClassVar

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
from vesalius.core.promise import OPTION
from vesalius.core.statistics import Statistics
from vesalius.core.words import counted, listed
from vesalius.plan import tables, together
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.prepare import covariates
from vesalius.prepare.batch import Batch, Example
from vesalius.prepare.case import BLANK, Prepared
from vesalius.prepare.geometry import Undo
from vesalius.prepare.opinion import Opinion
from vesalius.tasks import _numbers, _plain, _sources, _spread
from vesalius.tasks._beside import learned, nothing_to_see, plan_covariates, planned
from vesalius.tasks._copies import copied
from vesalius.tasks._numbers import SEVERAL, abouts
from vesalius.tasks._sources import BARE, Sources, check_sources, input_of, net_of, seen
from vesalius.tasks.contract import Nets, Wanted, planned_net

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

NAMES = {"regress": "One number for a whole image, or for a row of a table: an age, a volume, a score"}
DEFAULT_FOR = ("number",)
OPTIONS = {"unit": "", "covariates": "", "categories": "", "interval": "none"}
LIMITS = {"interval": {"in": ["none", "normal", "quantiles"]}}

INTERVAL = "interval"  # the option: what a model says of its answers' spread (see `_spread.py`)
PROMISED = 0.9  # of cases, of intervals that a fit promises by itself
ENOUGH = 20  # cases from which on it does: of fewer, hardly any interval has bounds


class Regress(Sources):
    """Smooth L1 on the standardised number; covariates enter beside the image's features, or alone."""

    name: ClassVar[str] = "regress"
    answer: ClassVar[type[Answer]] = Value
    targets: ClassVar[tuple[str, ...]] = ("number",)
    roles: ClassVar[tuple[str, ...]] = ("encoder", "table", "sequence", "cine")
    run: ClassVar[str] = "whole"
    primary: ClassVar[str] = "r2"
    mirrors: ClassVar[bool] = True

    def defaults(self, prints: Fingerprint, machine: Machine, target: TargetInfo | None) -> Draft:
        """Return the choices for whole images and numbers: units, covariates, intervals, and little change of size."""
        draft = (
            together.without_images(prints)
            if prints.imageless
            else super().defaults(prints, together.machine_for(prints, machine), target)
        )
        if target is not None:
            why = f"'{target.name}' holds numbers; another task: --task NAME, numbers as classes: --column label=NAME"
            draft.set("task.name", self.name, why)
        units = [info.unit or "" for info in _numbers.infos(target)] if target else [""]
        why = (
            f"'{target.name}' says so"
            if target and any(units)
            else "the data say none; --set task.options.unit=ml"
        )
        draft.set("task.options.unit", ",".join(units) if any(units) else "", why)
        plan_covariates(draft, prints)
        _intervals(draft, prints)
        why = "quadratic near the truth, linear one deviation or more away from it: a few odd truths do not rule"
        draft.set("loss.name", "smooth_l1", why)
        if not prints.imageless:
            for path, what in (("zoom", "size"), ("brightness", "density"), ("contrast", "density")):
                draft.set(f"augment.{path}", 0.05, f"little, for the number may be a {what}")
        if not self.takes_time:  # a task that says so sees frames in its own way
            together.propose(draft, prints, machine, joins=False)
        return draft

    def check(self, cohort: Cohort, target: TargetInfo | None) -> tuple[str, ...]:
        """Return what is missing: two cases at least, images or covariates, and finite numbers that vary."""
        if target is None:
            return ("a number for each case (a column of a table: --target NAME)",)
        cases = [c for c in cohort.cases if _numbers.held(c, target.name)]
        if len(cases) < 2:
            return ("a number for at least two cases",)
        return (
            _unlike_numbers(cases, target)
            or nothing_to_see(cases)
            or _nothing_to_learn(cases, target)
            or copied(cohort, cases, target)
        )

    def check_plan(self, plan: Plan, target: TargetInfo | None) -> None:
        """Raise PlanError for a net of a table where there are images, or of images where there are none."""
        check_sources(plan, target)
        if plan.sources.courses:
            return
        tabular = tables.is_table(plan.net.name)
        bare = bool(plan.fingerprint.get(tables.IMAGELESS))
        if tabular != bare:
            raise PlanError(
                f"net '{plan.net.name}' reads " + ("a table's columns alone" if tabular else "images"),
                found="cases " + ("without images" if bare else "with images"),
                hint=f"--set net.name={'mlp' if bare else 'resnet-18'}",
            )
        if bare and not planned(plan)[0] and not plan.sources.texts:
            raise PlanError(
                "without images there must be covariates to learn from",
                found="none planned",
                hint="--column covariate=NAME, or --set task.options.covariates=A,B",
            )

    def promises(self, plan: Plan) -> str:
        """Return the way in which its answers are promised: by their own bounds, where the model says them."""
        return "quantile" if _how(plan) != _spread.NONE else ""

    def summary(self, cases: Sequence[Case], target: TargetInfo | None, plan: Plan) -> Statistics:
        """Return the statistics of the numbers, and of the planned covariates."""
        if target is None:
            return Statistics()
        held = [c for c in cases if _numbers.held(c, target.name)]
        each = _numbers.moments(held, target)
        one = each[target.name] if not target.parts else Statistics(each)
        return Statistics({"numbers": one, **_sources.of_cases(held, plan)})

    def state(self, summary: Statistics, target: TargetInfo | None, plan: Plan) -> State:
        """Return mean, deviation and ends of the numbers, and what is learned of the covariates."""
        if target is None:
            raise DataError("regression needs a target", hint="--target NAME")
        units = _units(plan, target)
        values: dict[str, Any] = {"target": target.name}
        if target.parts:
            each = summary.part("numbers", Statistics)
            values[SEVERAL] = {
                name: _numbers.described(each.part(name, Moments), name, unit) for name, unit in units.items()
            }
        else:
            numbers = summary.part("numbers", Moments)
            values |= _numbers.described(numbers, target.name, units[target.name])
        values["covariates"] = _sources.may_lack(learned(summary, target, plan), plan)
        if _how(plan) != _spread.NONE:
            values |= {INTERVAL: _how(plan), "share": _share(plan)}
        if tables.is_table(plan.net.name):
            values[BARE] = True
        return State(values | _sources.learned_sources(summary, plan))

    def spread(self, state: State) -> float | None:
        """Return the deviation of the training cases' numbers."""
        return float(state.values["sd"])

    def encode(self, case: Case, prepared: Prepared, reference: Image, state: State) -> Example:
        """Return the standardised numbers and the covariates beside the prepared image, where there is one."""
        z = _numbers.standardised(case, state)
        targets = {} if z is None else {"number": z}
        return replace(seen(case, prepared, state), targets=targets)

    def build(self, plan: Plan, state: State, nets: Nets) -> nn.Module:
        """Return the planned net under an output for each number, and the planned loss."""
        from vesalius.tasks._regressor import Regressor, TableRegressor

        wide = covariates.width(state.values["covariates"])
        criterion = losses.build(plan.loss.name, options=plan.loss.options)
        many, said, share = len(abouts(state)), _spread.said(_how(plan)), _share(plan)
        if state.values.get(BARE) and not plan.sources.joined:
            net = planned_net(plan, nets, channels=wide)
            return TableRegressor(net, criterion, numbers=many, spread=said, share=share)
        net, wide = net_of(plan, state, nets)
        return Regressor(net, wide, criterion, numbers=many, spread=said, share=share)

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the planned loss over the numbers that cases have, and that of what is said of their spread."""
        from vesalius.tasks._together import shown

        said = self.infer(model, shown(model, batch, generator), generator)
        truth = batch.targets.get("number")
        number, spread = said[:, : model.numbers], said[:, model.numbers :]
        if truth is None:
            return {"number": 0.0 * said.sum()}
        labelled = batch.labelled("number")
        if labelled is not None:
            number, spread, truth = number[labelled], spread[labelled], truth[labelled]
        terms = {"number": model.criterion(number, truth)}  # type: ignore[operator]
        if model.spread is not None:
            terms["spread"] = _spread.loss(spread, number, truth, share=float(model.share))  # type: ignore[arg-type]
        return terms

    def infer(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return standardised numbers, and what is said of their spread behind them, `(B, N·(1 + S))`."""
        x = input_of(batch, model)
        said: Tensor = model(x, None if x is batch else batch.covariates)
        return said

    def last_layer(self, model: nn.Module) -> nn.Module:
        """Return the last linear layer. Raises PlanError where another one stands behind it."""
        from torch import nn

        if model.line is not None:
            raise PlanError(
                "with covariates the last layer of a regressor is no linear one",
                hint="--set task.options.covariates= for the image alone, or --set train.recipe=supervised",
            )
        if model.spread is not None:
            raise PlanError(
                "what a regressor says of its answers' spread is learned by gradients alone",
                hint="--set task.options.interval=none, or --set train.recipe=supervised",
            )
        return [m for m in model.head.modules() if isinstance(m, nn.Linear)][-1]

    def wanted(self, batch: Batch, state: State) -> Wanted:
        """Return the standardised numbers of each case, `(B, N)`."""
        import torch

        number = batch.targets.get("number")
        if number is None:
            number = torch.full((batch.rows, len(abouts(state))), float("nan"))
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
    ) -> Answer:
        """Return the number in its own unit, the mean over an ensemble's members where `raw` is `(M, 1)`.

        One that lies beyond all that was learned from is marked, for there the model guesses.
        """
        return _numbers.answered(raw, state)[0]

    def as_rule(self, state: State, calibration: Mapping[str, Any]) -> dict[str, Any]:
        """Return each number's name, unit, mean and deviation, and between which ends it was learned."""
        return {"rule": "numbers", "numbers": [asdict(about) for about in abouts(state)]}

    def semi_supervised(self, target: TargetInfo | None) -> tuple[str, ...]:
        """Return a teacher."""
        return ("meanteacher",)

    def opinion(self, raw: Tensor, state: State) -> Opinion:
        """Return the numbers in standard deviations."""
        return Opinion(raw[:, : len(abouts(state))], "none")

    def taught(self, batch: Batch, opinion: Opinion, sure: Tensor) -> Batch:
        """Return the batch with the numbers that were said of each case as its targets."""
        return replace(batch, targets={"number": opinion.values}, on_grid=frozenset(), has={"number": sure})

    def calibrated(self, raw: Tensor, state: State, calibration: Mapping[str, Any]) -> Tensor:
        """Return the mean of the members' numbers in their own units, `(B, N)`."""
        each = abouts(state)
        sd, mean = (raw.new_tensor([getattr(a, key) for a in each]).double() for key in ("sd", "mean"))
        number: Tensor = raw[:, :, : len(each)].double().mean(dim=1) * sd + mean
        return number.to(raw.dtype)

    def remember(
        self, model: nn.Module, examples: Sequence[Example], state: State, *, cases: Sequence[Case]
    ) -> State:
        """Return the state with a plain model of the covariates alone, where several sources come together."""
        if not self.sources(state) or not state.values.get("covariates"):
            return state
        return _plain.remembered(examples, state, "number", how="numbers")

    def plain(self, example: Example, state: State) -> Answer | None:
        """Return the numbers of the plain model of the covariates."""
        z = _plain.said(example, state)
        bare = State({k: v for k, v in state.values.items() if k != INTERVAL}, state.arrays)
        return None if z is None else self.decode(z[None], bare, {}, BLANK)

    def trivial(self, state: State, reference: Image) -> Answer:
        """Return the mean of the training cases, whatever the image shows."""
        about = abouts(state)[0]
        return about.value(about.mean)

    def scalar(self, raw: Tensor, ask: Ask) -> Tensor:
        """Return the one number, whatever is asked."""
        return raw[:, 0]


def number_of(case: Case, name: str) -> float:
    """Return a case's target as a number. Raises DataError, naming the case, where it is none or is not finite."""
    return _numbers.finite(case.targets[name], name, case.id)


def _unlike_numbers(cases: Sequence[Case], target: TargetInfo) -> tuple[str, ...]:
    """Return which targets hold no finite numbers to learn from; nothing where all do."""
    for info in _numbers.infos(target):
        found = {
            c.id: _numbers.held(c, target.name)[info.name]
            for c in cases
            if info.name in _numbers.held(c, target.name)
        }
        if len(found) < 2:
            return (f"'{info.name}' for at least two cases",)
        wrong = {case: value for case, value in found.items() if not _numbers.is_finite(value)}
        if wrong:
            case, value = next(iter(wrong.items()))
            odd = f"{counted(len(wrong), 'case')}, such as {case}: {value}"
            return (f"a finite number in '{info.name}' ({odd})",)
    return ()


def _nothing_to_learn(cases: Sequence[Case], target: TargetInfo) -> tuple[str, ...]:
    """Return which numbers do not vary, or stand for empty cells."""
    for info in _numbers.infos(target):
        there = [_numbers.held(c, target.name) for c in cases]
        numbers = [float(one[info.name]) for one in there if info.name in one]
        if min(numbers) == max(numbers):
            many = counted(len(numbers), "case")
            return (f"a target that varies: '{info.name}' is {numbers[0]:g} in all {many}",)
        if (code := covariates.no_value(Histogram.of(numbers))) is not None:
            many = counted(Counter(numbers)[code], "case")
            return (f"an empty cell where '{info.name}' is not known, in place of {code:g} ({many})",)
    return ()


def _units(plan: Plan, target: TargetInfo) -> dict[str, str]:
    """Return the planned unit of each number. Raises PlanError where there is not one for each of several."""
    text = str(plan.task.options.get("unit") or "")
    names = [info.name for info in _numbers.infos(target)]
    if not target.parts:
        return {target.name: text}
    units = [unit.strip() for unit in text.split(",")] if text else [""] * len(names)
    if len(units) != len(names):
        raise PlanError(
            f"task.options.unit must have a unit for each of {listed(names)}, parted by commas",
            found=text,
            hint="nothing between two commas where one has no unit",
        )
    return dict(zip(names, units, strict=True))


def _how(plan: Plan) -> str:
    return str(plan.task.options.get(INTERVAL) or _spread.NONE)


def _share(plan: Plan) -> float:
    """Return which share of cases bounds are to hold: what is promised, if anything is."""
    asked = plan.task.options.get(OPTION)
    return float(asked) if isinstance(asked, int | float) and 0 < asked < 1 else _spread.SHARE


def _intervals(draft: Draft, prints: Fingerprint) -> None:
    """Plan what is said of answers' spread, and that an interval is promised where there are cases enough."""
    why = "what is promised stands on the size of errors; normal or quantiles lets it follow the case"
    how = _spread.NONE
    if prints.imageless:
        how, why = (
            _spread.QUANTILES,
            "as wide as the case is hard: by folds a fifth narrower than one width for all",
        )
    draft.set(f"task.options.{INTERVAL}", how, why)
    if prints.cases < ENOUGH:
        return
    why = "an interval around each number that holds 9 of 10, by the members' answers about their own folds"
    draft.set(f"task.options.{OPTION}", PROMISED, why)


TASK = Regress()
