"""The first of two stages: a coarse look that says where the fine one should be, and its training crops."""

from __future__ import annotations

from collections.abc import Callable

from vesalius.core.bundle import State
from vesalius.core.case import IGNORED, Case, Ref
from vesalius.core.errors import PlanError
from vesalius.core.image import Image
from vesalius.core.plan import Plan, override
from vesalius.infer.cropping import box_around, crop_case, crop_image
from vesalius.prepare.case import load_mask, load_reference


def coarse_plan(plan: Plan) -> Plan:
    """The plan of the locating stage: the same net on a coarser grid. Raises PlanError without spacing."""
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
    }
    return override(plan, settings, reason=f"the locating stage: {factor:g} times coarser")


def crop_to_truth(plan: Plan, state: State) -> Callable[[Case], Case]:
    """Cuts a training case to the box of its mask and the planned margin, as the first stage would."""

    def crop(case: Case) -> Case:
        item = case.targets.get(state.values["target"])
        if not isinstance(item, Ref | Image) or plan.locate is None:
            return case
        reference, mask = load_reference(case), load_mask(item)
        low, high = box_around(
            (mask.array[0] != 0) & (mask.array[0] != IGNORED), reference, plan.locate.margin_mm
        )
        cut = crop_case(case, reference, low, high)
        targets = dict(cut.targets)
        targets[state.values["target"]] = crop_image(mask, low, high)
        return Case(**{**vars(cut), "targets": targets})

    return crop
