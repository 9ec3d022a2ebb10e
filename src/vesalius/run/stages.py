"""A plan as the list of its stages: each with its own plan, what it takes of an earlier one, and its share of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vesalius.core.bundle import each_taken
from vesalius.core.errors import PlanError
from vesalius.core.plan import STAGED, EarlierPlan, Plan, TakesPlan, override
from vesalius.core.words import counted
from vesalius.infer import handover

LOCATE = "locate"  # what the first of two stages is called in checkpoints, logs and bundles


@dataclass(frozen=True, eq=False)
class StagePlan:
    """One stage of a run. Its task and its target are those of its own `plan`.

    `takes` is what it is given of an earlier stage, as a bundle has it: `{"stage": 0, "as": "crop", "margin_mm": 10}`.
    `share` is its part of the time for training, where the last stage has 1. `purpose` says in words what an earlier
    stage is for. `bundle` is the hash of the bundle that it is, of one that is not trained; its plan is then that
    bundle's own, and `plan` means nothing.
    """

    name: str
    plan: Plan
    takes: Mapping[str, Any] | None = None
    share: float = 1.0
    purpose: str = ""
    bundle: str | None = None

    @property
    def taken(self) -> tuple[Mapping[str, Any], ...]:
        """What is taken of each earlier stage; empty where none is."""
        return each_taken(self.takes)


def stages_of(plan: Plan) -> tuple[StagePlan, ...]:
    """Return the stages of a plan in the order in which they are trained and answer; the last gives the answer.

    Raises PlanError where the plan has a coarse look and its images have no spacing, or where its stages do not fit.
    """
    if plan.locate is not None and (plan.earlier or plan.takes is not None):
        raise PlanError(
            "a plan has a locating stage or other earlier ones, not both", hint="--set locate=null"
        )
    if plan.locate is not None:
        first = StagePlan(LOCATE, _coarser(plan), share=plan.locate.share, purpose="finding the region")
        takes = {"stage": 0, "as": "crop", "margin_mm": plan.locate.margin_mm}
        return first, StagePlan(plan.task.name, plan, takes)
    last = StagePlan(plan.task.name, plan, _taken(plan.task.name, plan.takes, len(plan.earlier)))
    stages = (*(_earlier(plan, number) for number in range(len(plan.earlier))), last)
    names = [stage.name for stage in stages]
    for name in names:
        if names.count(name) > 1:
            raise PlanError(f"two stages are called '{name}'", hint="another name in earlier")
    return stages


def _earlier(plan: Plan, number: int) -> StagePlan:
    """Return one of the stages before the last: the plan with what is other for it."""
    own = plan.earlier[number]
    if own.bundle is not None:
        _assert_untouched(own)
        return StagePlan(own.name, plan, share=0.0, purpose=f"'{own.name}'", bundle=own.bundle)
    for path in own.settings:
        if path.partition(".")[0] not in STAGED:
            raise PlanError(
                f"'{path}' is not a setting of the stage '{own.name}'",
                found=f"a stage before the last has the sections {', '.join(STAGED)}",
                hint="share and takes stand beside settings",
            )
    handed = [
        str(one["as"]) for takes in _all_takes(plan) for one in each_taken(takes) if one["stage"] == number
    ]
    compared = any(not handover.get(way).truth and not handover.get(way).alone for way in handed)
    settings = {
        "earlier": [],
        "takes": None,
        **({"data.taken": {}} if plan.data.taken else {}),
        "train.steps": max(1, round(plan.train.steps * own.share)),
        "train.members": plan.train.folds if compared else 1,
        "train.phases": [],  # the weights to begin from are the last stage's
        "train.lora": 0,
        "train.varied": [],
        **own.settings,
    }
    reason = f"of the stage '{own.name}'"
    takes = _taken(own.name, own.takes, number)
    return StagePlan(own.name, override(plan, settings, reason=reason), takes, own.share, f"'{own.name}'")


def _assert_untouched(own: EarlierPlan) -> None:
    """Raise PlanError where something is planned of a stage that a bundle is."""
    planned = [*own.settings, *(["takes"] if own.takes is not None else [])]
    if planned:
        raise PlanError(
            f"the stage '{own.name}' is a bundle, which stays as it is",
            found=", ".join(planned),
            hint="no settings for it, or a stage that is trained",
        )


def _all_takes(plan: Plan) -> list[dict[str, Any] | None]:
    """Return what each stage takes of earlier ones, in their order, the last at the end."""
    early = [_taken(stage.name, stage.takes, k) for k, stage in enumerate(plan.earlier)]
    return [*early, _taken(plan.task.name, plan.takes, len(plan.earlier))]


def _taken(name: str, takes: TakesPlan | None, number: int) -> dict[str, Any] | None:
    """Return what the `number`-th stage takes of earlier ones, as a bundle has it. Raises PlanError, UnknownName."""
    if takes is None:
        return None
    first, *others = (_of_one(name, one, number) for one in (takes, *takes.also))
    several = (first, *others)
    for one in several:
        if sum(one["stage"] == other["stage"] and one["as"] == other["as"] for other in several) > 1:
            raise PlanError(f"the stage '{name}' takes the {one['as']} of stage {one['stage']} twice")
    if sum(handover.get(one["as"]).part for one in several) > 1:
        raise PlanError(
            f"the stage '{name}' takes two parts of the image", hint="one crop, and channels beside it"
        )
    return {**first, "also": others} if others else first


def _of_one(name: str, takes: TakesPlan, number: int) -> dict[str, Any]:
    if takes.stage >= number:
        raise PlanError(
            f"the stage '{name}' takes what stage {takes.stage} found, which is not before it",
            found=f"{counted(number, 'stage')} before it",
            hint="a number from 0",
        )
    way = handover.get(takes.how)
    found: dict[str, Any] = {"stage": takes.stage, "as": takes.how}
    return {**found, "margin_mm": takes.margin_mm} if way.part else found


def _coarser(plan: Plan) -> Plan:
    """Return the plan of the locating stage: the same net on a coarser grid."""
    if plan.locate is None or plan.data.spacing_mm is None:
        raise PlanError(
            "two stages need images with spacing, so that the first can be coarser",
            hint="--set locate=null for one stage",
        )
    factor = plan.locate.spacing_factor
    x, y, z = plan.data.spacing_mm
    settings = {
        "locate": None,
        "data.spacing_mm": [x * factor, y * factor, z * factor],
        "train.steps": max(1, round(plan.train.steps * plan.locate.share)),
        "train.members": 1,
        "train.phases": [],
        "train.lora": 0,
        "train.varied": [],
    }
    return override(plan, settings, reason=f"the locating stage: {factor:g} times coarser")


def by_truth(stages: Sequence[StagePlan], number: int = -1) -> bool:
    """Return whether in training all that a stage, by default the last, is given is truth, and no answer of a model."""
    return all(
        handover.get(one["as"]).truth and stages[one["stage"]].bundle is None for one in stages[number].taken
    )
