"""How long until an event, and under which treatment? A curve of a case, from images, what else is known, or both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from vesalius import losses
from vesalius.benefit import given
from vesalius.core.answers import Answer
from vesalius.core.answers.curve import Curve
from vesalius.core.ask import Ask
from vesalius.core.bundle import State
from vesalius.core.case import Case, Event
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.core.plan import Plan
from vesalius.core.statistics import Statistics
from vesalius.plan import tables, together
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.prepare import covariates
from vesalius.prepare.batch import Batch, Example
from vesalius.prepare.case import Prepared
from vesalius.prepare.geometry import Undo
from vesalius.tasks import _awaited, _awaiting, _clinic, _gaining, _prognosis, _sources, _treated
from vesalius.tasks._awaited import EVENTS, arms_of, awaited
from vesalius.tasks._sources import BARE, COVARIATES, Sources, check_sources, input_of, net_of, seen
from vesalius.tasks.contract import Nets, planned_net

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

NAMES = {
    "prognose": "How long until an event: survival over time, under each treatment where there are several"
}
DEFAULT_FOR = ("event", "events")
OPTIONS = {
    "model": "cox",
    "arm": "",
    "assignment": "unknown",
    "covariates": "",
    "categories": "",
    "horizon": 0.0,
}
LIMITS = {
    "model": {"in": ["cox", "linear", "hazard", "deephit"]},
    "assignment": {"in": ["randomised", "observed", "unknown"]},
    "horizon": {"ge": 0.0},
}

EVENT = _clinic.EVENT  # among the targets of an example
LINEAR = "linear"  # the model without a net


class Prognose(Sources):
    """Cox's partial likelihood, discrete hazards or DeepHit; one model for several events, causes and arms."""

    name: ClassVar[str] = "prognose"
    answer: ClassVar[type[Answer]] = Curve
    targets: ClassVar[tuple[str, ...]] = ("event", "events")
    roles: ClassVar[tuple[str, ...]] = ("encoder", "table", "sequence", "cine")
    run: ClassVar[str] = "whole"
    primary: ClassVar[str] = "c_index"
    mirrors: ClassVar[bool] = True

    # --- planned

    def defaults(self, prints: Fingerprint, machine: Machine, target: TargetInfo | None) -> Draft:
        """Return the choices for whole images and times to events: large batches, arms, covariates."""
        draft = (
            together.without_images(prints)
            if prints.imageless
            else super().defaults(prints, together.machine_for(prints, machine), target)
        )
        _awaiting.plan(draft, prints, target, name=self.name)
        draft.set("loss.name", losses.OWN, "the model says how its times are learned from")
        together.propose(draft, prints, machine, joins=not prints.imageless)
        return draft

    def check(self, cohort: Cohort, target: TargetInfo | None) -> tuple[str, ...]:
        """Return what is missing: cases to look at, times, and events that happened."""
        return _awaiting.missing(cohort, target)

    def check_plan(self, plan: Plan, target: TargetInfo | None) -> None:
        """Raise PlanError for a net that cannot see the cases, or arms of the wrong sort."""
        check_sources(plan, target)
        _awaiting.check(plan)

    # --- what is learned without gradients

    def summary(self, cases: Sequence[Case], target: TargetInfo | None, plan: Plan) -> Statistics:
        """Return the statistics of times and events, and of the planned covariates and arms."""
        if target is None:
            return Statistics()
        held = [c for c in cases if _awaited.held(c, target.name)]
        names, sorts = _awaiting.columns(plan)
        found = {"events": _awaited.summary(held, target), **_sources.of_cases(held, plan)}
        return Statistics({**found, COVARIATES: covariates.summary(held, names, sorts)})

    def state(self, summary: Statistics, target: TargetInfo | None, plan: Plan) -> State:
        """Return what is known of the events, a baseline that looks at nothing, and what is learned of covariates."""
        if target is None:
            raise DataError("a prognosis needs times to an event", hint="--target NAME")
        about, arrays = _awaited.learned(summary.part("events", Statistics), target)
        values: dict[str, Any] = {"target": target.name, EVENTS: about, "centre": [0.0] * len(about)}
        model = str(plan.task.options.get("model") or "cox")
        values["model"] = "cox" if model == LINEAR else model
        values["horizon"] = float(plan.task.options.get("horizon") or 0.0)
        names, sorts = _awaiting.columns(plan)
        known = summary.part(COVARIATES, Statistics)
        beside = covariates.learn(known, names, sorts)
        beside = _sources.may_lack(beside, plan)
        if arm := _awaiting.arm_of(plan):
            values["arms"], beside[arm] = _awaiting.arms(beside[arm], arm, covariates.words_of(known, arm))
            values[given.ASSIGNMENT] = str(plan.task.options.get(given.ASSIGNMENT) or "")
        values[COVARIATES] = beside
        if tables.is_table(plan.net.name):
            values[BARE] = True
        return State(values | _sources.learned_sources(summary, plan), arrays)

    def sources(self, state: State) -> tuple[str, ...]:
        """Return the names of the sources that come together; the arm is asked about, and is none of them."""
        return super().sources(_awaiting.unarmed(state))

    def encode(self, case: Case, prepared: Prepared, reference: Image, state: State) -> Example:
        """Return times, causes and entries, and the covariates beside what is seen, with the arm as the last."""
        rows = _awaited.encoded(case, state)
        return replace(seen(case, prepared, state), targets={} if rows is None else {EVENT: rows})

    # --- the model

    def build(self, plan: Plan, state: State, nets: Nets) -> nn.Module:
        """Return the planned net, or a straight line, under log hazards of each event under each arm."""
        from vesalius.tasks._survivor import LineSurvivor, Outputs, Survivor, TableSurvivor

        kind, causes = state.values["model"], [about.each for about in awaited(state)]
        outputs = [
            Outputs(
                kind,
                len(each),
                awaited(state)[k].shares,
                tuple(float(end) for end in state.arrays[f"ends-{k}"]),
                _awaiting.upto(state, k),
            )
            for k, each in enumerate(causes)
        ]
        bare = _awaiting.unarmed(state)
        wide = covariates.width(bare.values[COVARIATES])
        columns = covariates.width(state.values[COVARIATES]) - wide
        arms = len(arms_of(state))
        if plan.task.options.get("model") == LINEAR:
            return LineSurvivor(wide, outputs, arms=arms, arm_columns=columns)
        if state.values.get(BARE) and not plan.sources.joined:
            net = planned_net(plan, nets, channels=wide)
            return TableSurvivor(net, outputs, arms=arms, arm_columns=columns)
        net, beside = net_of(plan, bare, nets)
        line = wide if plan.sources.joined else 0
        return Survivor(net, beside, outputs, arms=arms, arm_columns=columns, line=line)

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the loss of each event over the cases of which it and their arm are known."""
        from vesalius.tasks._survivor import given_logits
        from vesalius.tasks._together import shown

        survivor: Any = model
        reduced, arm = survivor.split(batch)
        raw = self._asked(survivor, shown(model, reduced, generator), arm)
        many = len(survivor.outputs)
        logits, known = given_logits(raw, many)
        truth = batch.targets.get(EVENT)
        if truth is None:
            return {"event": 0.0 * raw.sum()}
        has = batch.labelled(EVENT)
        known = known if has is None else known & has
        truth = truth.masked_fill(~known[:, None, None], float("nan"))
        parts = survivor.parts(logits)
        terms = [
            one.loss(part, truth[:, k])
            for k, (one, part) in enumerate(zip(survivor.outputs, parts, strict=True))
        ]
        return {f"event-{k}" if many > 1 else "event": term for k, term in enumerate(terms)}

    def infer(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return whether each arm was given, the log hazards and the logits under each, `(B, A, 1 + E + W)`."""
        survivor: Any = model
        reduced, arm = survivor.split(batch)
        return self._asked(survivor, reduced, arm)

    def _asked(self, survivor: Any, reduced: Batch, arm: Tensor | None) -> Tensor:
        x = input_of(reduced, survivor)
        raw: Tensor = survivor.said(survivor(x, None if x is reduced else reduced.covariates), arm)
        return raw

    # --- the answer

    def decode(
        self,
        raw: Any,
        state: State,
        calibration: Mapping[str, Any],
        reference: Image,
        *,
        undo: Undo | None = None,
    ) -> Curve:
        """Return a curve for each arm, with bands, causes, risk and rank; those of further events are its parts."""
        return _gaining.gained(_prognosis.curve(raw, state, calibration), raw, state, calibration)

    def outside(self, case: Case, state: State) -> tuple[str, ...]:
        """Return in what a case lies outside of what was learned from, and which arms nobody like it was given."""
        return (*super().outside(case, state), *given.outside(case, state))

    def truth(self, case: Case, state: State) -> Event | Mapping[str, Event] | None:
        """Return what happened to a case, of several events by name; None where nothing is known."""
        there = _awaited.held(case, state.values["target"])
        if len(state.values[EVENTS]) > 1:
            return dict(there) or None
        return there.get(awaited(state)[0].name)

    def calibrate(
        self, raw: Sequence[Array], truths: Sequence[Any], *, state: State, plan: Plan
    ) -> dict[str, Any]:
        """Return the risks of cases that no model had seen, and a scale and a shift of log hazards where they help."""
        return _prognosis.calibrated(raw, truths, state, folds=int(plan.train.folds or 0))

    def remember(
        self, model: nn.Module, examples: Sequence[Example], state: State, *, cases: Sequence[Case]
    ) -> State:
        """Return the state with Breslow's baseline over all training cases, their risks, and a model of the clinic."""
        from vesalius.tasks._survivor import asked_at_once

        raws = asked_at_once(self, model, examples)
        found = _prognosis.remembered(raws, [e.targets.get(EVENT) for e in examples], state)
        return _treated.remembered(cases, _clinic.remembered(examples, found))

    def plain(self, example: Example, state: State) -> Answer | None:
        """Return the curve of a Cox model of the covariates alone."""
        return _clinic.said(example, state)

    def trivial(self, state: State, reference: Image) -> Curve | None:
        """Return Kaplan-Meier's curve of the training cases, whatever is known of this one."""
        return _prognosis.trivial(state)

    def scalar(self, raw: Tensor, ask: Ask) -> Tensor:
        """Return the log hazard under the arm that is asked about, or as a sum over arms what it does to survival."""
        if ask.sum:
            terms = [share * raw[:, place, 1] for place, share in ask.sum.items()]
            total = terms[0]
            for term in terms[1:]:
                total = total + term
            return total
        risk: Tensor = raw[:, ask.place if ask.place < raw.shape[1] else 0, 1]
        return -risk if ask.of in ("horizon", "arm") else risk


TASK = Prognose()
