"""Stages that existing bundles are: opened, put into the plan, and held against the cohort before training."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vesalius.cohorts import Overlap
from vesalius.core.bundle import ORIGIN, Bundle, Stage, State, open_bundle
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort
from vesalius.core.errors import BundleError, PlanError, VesaliusError
from vesalius.core.plan import STAGE_NAME, USER, EarlierPlan, Plan, TakesPlan, override
from vesalius.core.words import counted
from vesalius.infer import handover
from vesalius.infer.predictor import Predictor
from vesalius.infer.twins import FOLDED
from vesalius.reliability.marks import Marks
from vesalius.run.members import member_of, weights_file
from vesalius.run.past import Past, past_of_bundle
from vesalius.run.stages import StagePlan
from vesalius.tasks import contract as tasks

PLANES, FEATURES = (
    "channel",
    "features",
)  # what is taken unasked: where the stage finds things, else what it sees
LOOKED_AT = 3  # training cases that are prepared for such a stage before anything is trained


@dataclass(frozen=True, eq=False)
class GivenStage:
    """A bundle that is an earlier stage under a name of its own; `past` is what is known of what it learned from."""

    name: str
    bundle: Bundle
    past: Past

    @property
    def last(self) -> Stage:
        """The stage of the bundle that gives its answer."""
        return self.bundle.stages[-1]

    def overlap(self, cohort: Cohort, marks: Marks) -> Overlap:
        """Return which cases it learned from, as far as that is known; all of these very data where no record says."""
        found = self.past.overlap(cohort, marks)
        if found is not None:
            return found
        same = {case.id: None for case in cohort.cases} if self.past.same(cohort) else {}
        return Overlap(self.past.of, same)


def given_stages(places: Mapping[str, str]) -> dict[str, GivenStage]:
    """Return the bundles that are to be stages, opened, by their names.

    Raises PlanError for a name that no stage can have, BundleError where there is no bundle.
    """
    found = {}
    for name, place in places.items():
        if not re.match(STAGE_NAME, name):
            raise PlanError(
                f"a stage cannot be called '{name}'",
                hint="letters, digits, _ and -, as in --stage vessels=BUNDLE",
            )
        try:
            bundle = open_bundle(Path(place))
        except VesaliusError as error:
            raise BundleError(
                f"the stage '{name}' is no bundle: {error.what}",
                found=error.found,
                hint=error.hint or f"--stage {name}=RUN, a run or its bundle",
            ) from error
        found[name] = GivenStage(name, bundle, past_of_bundle(bundle))
    return found


def with_given(plan: Plan, given: Mapping[str, GivenStage], settings: Mapping[str, Any]) -> Plan:
    """Return the plan with the bundles as stages before all others, in their order, and with what is taken of them.

    One that the plan names already keeps its place. Unless the user or the plan says what is taken, the last stage is
    given what each new one finds as channels, or its features where it finds no place.
    """
    if not given:
        return plan
    known = {stage.name: stage for stage in plan.earlier}
    for name, one in given.items():
        if name in known and known[name].bundle != one.bundle.hash:
            known[name] = EarlierPlan(name=name, bundle=one.bundle.hash)
    new = [EarlierPlan(name=n, bundle=g.bundle.hash) for n, g in given.items() if n not in known]
    moved = [stage.model_copy(update={"takes": _shifted(stage.takes, len(new))}) for stage in known.values()]
    stages = (*new, *moved)
    if stages == plan.earlier:
        return plan
    told = [stage.model_dump(mode="json") for stage in stages]
    plan = plan.model_copy(update={"takes": _shifted(plan.takes, len(new))})
    plan = override(plan, {"earlier": told}, reason=USER)
    asked = any(path.partition(".")[0] == "takes" for path in settings)
    if plan.takes is not None or asked or not new:
        return plan
    hows = [_unasked(given[stage.name]) for stage in new]
    first, *others = [TakesPlan(stage=k, how=how) for k, how in enumerate(hows)]
    takes = first.model_copy(update={"also": tuple(others)})
    each = " and ".join(
        f"what '{s.name}' {'finds, as channels' if how == PLANES else 'sees, as features'}"
        for s, how in zip(new, hows, strict=True)
    )
    return override(plan, {"takes": takes.model_dump(mode="json")}, reason=f"{each} beside the image")


def with_given_named(settings: Mapping[str, Any], given: Mapping[str, GivenStage]) -> Mapping[str, Any]:
    """Return settings whose list of earlier stages, where they have one, begins with the bundles that are stages."""
    listed = settings.get("earlier")
    if not given or not isinstance(listed, list | tuple):
        return settings
    names = [one.get("name") for one in listed if isinstance(one, Mapping)]
    twice = [name for name in given if name in names]
    if twice:
        raise PlanError(
            f"two stages are called '{twice[0]}'",
            found=f"--stage {twice[0]} and one in earlier",
            hint="another name",
        )
    ahead = [{"name": name, "bundle": one.bundle.hash} for name, one in given.items()]
    return {**settings, "earlier": [*ahead, *listed]}


def assert_given(plan: Plan, given: Mapping[str, GivenStage]) -> None:
    """Raise PlanError where a plan has a bundle as a stage that is not given, or another one is."""
    planned = {stage.name: stage.bundle for stage in plan.earlier if stage.bundle is not None}
    for name, wanted in planned.items():
        there = given[name].bundle.hash if name in given else None
        if there != wanted:
            raise PlanError(
                f"the stage '{name}' of this plan is the bundle {str(wanted)[:16]}, which is not given",
                found=f"the bundle {there[:16]}" if there else f"no --stage {name}",
                hint=f"--stage {name}=BUNDLE with the bundle of that hash, or the run that holds it",
            )
    strange = [name for name in given if name not in planned]
    if strange:
        raise PlanError(
            f"the plan has no stage '{strange[0]}' that a bundle is",
            found=", ".join(planned) or "no such stage",
            hint="a run that is resumed keeps its plan",
        )


def assert_fitting(given: Mapping[str, GivenStage], cases: Sequence[Case]) -> None:
    """Raise, in the words of what is wrong, where a bundle that is a stage cannot be asked about training cases."""
    for name, one in given.items():
        predictor = Predictor(one.bundle, device="cpu", weights=len(one.bundle.stages) > 1)
        for case in cases[:LOOKED_AT]:
            try:
                predictor.encoded(case)
            except VesaliusError as error:
                raise type(error)(
                    f"the stage '{name}' cannot be asked about these images: {error.what}",
                    found=error.found,
                    hint="a bundle that learned from the same kind of image"
                    if error.hint is None or "accept" in error.hint
                    else error.hint,
                ) from error


def known_of(
    one: GivenStage, cohort: Cohort, marks: Marks, *, learned: Sequence[str], tested: Sequence[str]
) -> str:
    """Return in a sentence which of the cases a bundle that is a stage learned from, or that nobody knows."""
    unchecked = one.past.unchecked(cohort, marks)
    seen = one.overlap(cohort, marks).trained
    many, tests = sum(i in seen for i in learned), sum(i in seen for i in tested)
    said = (
        f"the stage '{one.name}', {one.past.of}, learned from {many or 'none'} of the {len(learned)} training cases "
        f"and from {tests or 'none'} of the {counted(len(tested), 'test case')}"
    )
    if unchecked and not seen:
        return f"the stage '{one.name}': {unchecked}"
    return "; ".join(filter(None, (said, unchecked)))


def places_of(stages: Sequence[StagePlan], given: Mapping[str, GivenStage]) -> dict[int, int]:
    """Return which stage of the bundle each stage of the plan is: a bundle that is a stage may have several."""
    places, many = {}, 0
    for number, stage in enumerate(stages):
        many += 1 if stage.bundle is None else len(given[stage.name].bundle.stages)
        places[number] = many - 1
    return places


def needed_to_load(stage: Stage) -> dict[str, State]:
    """Return those records of a stage without which its members cannot be loaded."""
    return {name: record for name, record in stage.extras.items() if name in (FOLDED, ORIGIN)}


def _moved(name: str, stage: int) -> str:
    """Return what a member's file is called in a stage of another number."""
    return Path(weights_file(stage, member_of(name))).with_suffix(Path(name).suffix).name


def sealed_stages(one: GivenStage, base: int) -> list[tuple[Stage, dict[str, str]]]:
    """Return the stages of a bundle that is a stage, as a new bundle has them from number `base` on.

    Each comes with the new names of its members' files. What tells unlike cases, and all records of how it was made,
    are that bundle's own and stay with it.
    """
    found = []
    for k, stage in enumerate(one.bundle.stages):
        last = k == len(one.bundle.stages) - 1
        files = {name: _moved(name, base + k) for name in stage.members}
        takes = [
            {
                **taken,
                "stage": taken["stage"] + base,
                "name": taken.get("name", one.bundle.stages[taken["stage"]].name),
            }
            for taken in stage.taken
        ]
        first = {k: v for k, v in takes[0].items() if k != "also"} if takes else None
        moved = replace(
            stage,
            name=one.name if last else f"{one.name}-{stage.name}",
            members=tuple(files.values()),
            takes={**first, "also": takes[1:]} if first and takes[1:] else first,
            extras=needed_to_load(stage),
        )
        found.append((moved, files))
    return found


def _shifted(takes: TakesPlan | None, by: int) -> TakesPlan | None:
    """Return what a stage takes where so many stages were put before all others."""
    if takes is None or not by:
        return takes
    also = tuple(one.model_copy(update={"stage": one.stage + by}) for one in takes.also)
    return takes.model_copy(update={"stage": takes.stage + by, "also": also})


def _unasked(one: GivenStage) -> str:
    task = tasks.get(one.last.plan.task.name)
    return FEATURES if handover.get(PLANES).fault(task) else PLANES
