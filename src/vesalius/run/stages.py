"""A plan as the list of its stages: each with its own plan, what it takes of an earlier one, and its share of time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vesalius.core.case import IGNORED, Case, InstanceMask, Ref
from vesalius.core.errors import PlanError
from vesalius.core.image import Image
from vesalius.core.plan import STAGED, Plan, TakesPlan, override
from vesalius.core.words import counted
from vesalius.formats import read_ids
from vesalius.infer.cropping import box_around, crop_case, crop_image
from vesalius.prepare.case import load_mask, load_reference

LOCATE = "locate"  # what the first of two stages is called in checkpoints, logs and bundles


@dataclass(frozen=True, eq=False)
class StagePlan:
    """One stage of a run. Its task and its target are those of its own `plan`.

    `takes` is what it is given of an earlier stage, as a bundle has it: `{"stage": 0, "as": "crop", "margin_mm": 10}`.
    `share` is its part of the time for training, where the last stage has 1. `purpose` says in words what an earlier
    stage is for.
    """

    name: str
    plan: Plan
    takes: Mapping[str, Any] | None = None
    share: float = 1.0
    purpose: str = ""


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
    for path in own.settings:
        if path.partition(".")[0] not in STAGED:
            raise PlanError(
                f"'{path}' is not a setting of the stage '{own.name}'",
                found=f"a stage before the last has the sections {', '.join(STAGED)}",
                hint="share and takes stand beside settings",
            )
    settings = {
        "earlier": [],
        "takes": None,
        "train.steps": max(1, round(plan.train.steps * own.share)),
        "train.members": 1,
        "train.phases": [],  # the weights to begin from are the last stage's
        "train.lora": 0,
        **own.settings,
    }
    reason = f"of the stage '{own.name}'"
    takes = _taken(own.name, own.takes, number)
    return StagePlan(own.name, override(plan, settings, reason=reason), takes, own.share, f"'{own.name}'")


def _taken(name: str, takes: TakesPlan | None, number: int) -> dict[str, Any] | None:
    """Return what the `number`-th stage takes of an earlier one, as a bundle has it. Raises PlanError."""
    if takes is None:
        return None
    if takes.stage >= number:
        raise PlanError(
            f"the stage '{name}' takes what stage {takes.stage} found, which is not before it",
            found=f"{counted(number, 'stage')} before it",
            hint="a number from 0",
        )
    return {"stage": takes.stage, "as": takes.how, "margin_mm": takes.margin_mm}


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
    }
    return override(plan, settings, reason=f"the locating stage: {factor:g} times coarser")


def training_cut(stages: Sequence[StagePlan], number: int) -> Callable[[Case], Case] | None:
    """Return what makes of a training case what the `number`-th stage is given of it; None where it is given all.

    Where the stage takes an earlier answer, that stage's truth stands for it.
    """
    takes = stages[number].takes
    if takes is None:
        return None
    if takes["as"] != "crop":
        raise PlanError(f"a stage that takes '{takes['as']}' of an earlier one is not known", hint="crop")
    found = stages[takes["stage"]].plan.task.target
    return _crop(found, stages[number].plan.task.target, float(takes["margin_mm"]))


def _crop(located: str | None, target: str | None, margin_mm: float) -> Callable[[Case], Case]:
    """Cuts a training case to the box of its mask `located` and a margin; its mask `target` is cut alike."""

    def crop(case: Case) -> Case:
        item = case.targets.get(located or "")
        if not isinstance(item, Ref | Image):
            return case
        reference, mask = load_reference(case), load_mask(item)
        low, high = box_around((mask.array[0] != 0) & (mask.array[0] != IGNORED), reference, margin_mm)
        targets = dict(case.targets)
        own = targets.get(target or "")
        if isinstance(own, Ref | Image):
            targets[target or ""] = crop_image(mask if target == located else load_mask(own), low, high)
        elif isinstance(own, InstanceMask):
            targets[target or ""] = replace(own, ids=crop_image(read_ids(own), low, high))
        return replace(crop_case(case, reference, low, high), targets=targets)

    return crop
