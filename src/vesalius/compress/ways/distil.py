"""Distillation: a smaller net learns from nothing what the model says, of the cases that each member learned from."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import torch
from torch import nn

from vesalius import nets
from vesalius.compress.contract import TORCH, Member, Model, Source, Variant, Way
from vesalius.compress.learning import Clock, asking, compares, tuned
from vesalius.compress.pruning.groups import groups_of
from vesalius.core.bundle import State
from vesalius.core.errors import PlanError, VesaliusError
from vesalius.core.plan import Plan, override
from vesalius.core.progress import Progress
from vesalius.core.words import counted
from vesalius.infer.asked import built
from vesalius.infer.shapes import FORM

NAMES = {
    "distil": "A narrower net of the same family learns what the model says",
    "distil-mobilenetv2": "MobileNetV2 learns what the model says",
    "distil-efficientnet-lite0": "EfficientNet-Lite0 learns what the model says",
    "distil-resnet-10": "ResNet-10 learns what the model says",
    "distil-resnet-18": "ResNet-18 learns what the model says",
    "distil-unet": "A plain U-Net learns what the model says",
    "distil-flexunet": "A U-Net over a classifier's encoder learns what the model says",
}
GOAL = 0.5  # of the operations of the model before
SCALES = (
    0.9,
    0.8,
    0.75,
    0.7,
    0.65,
    0.6,
    0.55,
    0.5,
    0.45,
    0.4,
    0.35,
    0.3,
    0.25,
    0.2,
    0.15,
    0.125,
    0.1,
    0.0625,
)
KEPT = ("stem", "norm", "spacing_mm", "patch")  # options that another family is given, too, where it has them


class Distil(Way):
    """One student a member, on the cases that this member learned from: its fold is out of fold for both.

    A student of the same family is as wide as takes half of the operations at most, by the dial `net.scale`; one of
    another family is as large as takes so many at most, 1 or less. It begins from nothing, and makes as many steps as
    the original's training did.
    """

    combines: ClassVar[bool] = True
    cost: ClassVar[float] = 100.0

    def __init__(self, name: str) -> None:
        self.name = name  # type: ignore[misc]
        self.cost = 100.0 if not self.family else 200.0  # type: ignore[misc]

    @property
    def family(self) -> str:
        """The registered name of the student's net; empty for that of the model itself."""
        return self.name.partition("-")[2]

    def suits(self, source: Source) -> str:
        """Return why nothing can be distilled: answers that cannot be compared, or a net that fits no such task."""
        task, plan = source.task, source.model.plan
        if not compares(task):
            return f"what two models of {task.name} say cannot be compared (it has no `opinion`)"
        if not self.family:
            return ""
        if self.family == plan.net.name:
            return f"the model is a {self.family} itself: distil makes it narrower"
        about = nets.describe(self.family)
        if about["ROLE"] not in task.roles or plan.data.dims not in about.get("DIMS", (2, 3)):
            return f"{self.family} is no {plan.data.dims}-D net for {task.name}"
        if about["ROLE"] != nets.describe(plan.net.name)["ROLE"]:
            return f"{self.family} sees images otherwise than {plan.net.name}"
        return ""

    def apply(self, source: Source, *, to: Path, progress: Progress) -> Variant:
        """Return the students. Raises PlanError where no student of that net is small enough."""
        state = _unformed(source.model.state)
        plan, share = self._student(source, state)
        weight = source.model.plan.train.steps
        clock = Clock(source.until, [weight] * len(source.model.members))
        settings = {"train.recipe": "distil", "train.recipe_options": {}}
        found = []
        for one in source.model.members:
            weights = tuned(
                source,
                plan,
                state,
                one.number,
                start=None,
                teacher=one.module,
                settings=settings,
                name=self.name,
                to=to,
                progress=progress,
                deadline=clock.deadline(weight),
            )
            student = built(source.task, plan, state, nets)
            student.load_state_dict(weights)
            found.append(Member(one.number, student.eval()))
        many = len(source.unlabelled)
        said = (
            f"{counted(len(found), 'student')} ({plan.net.name}, scale {plan.net.scale:g}) learned from nothing what "
            f"each member says of the cases that it had learned from; {share:.0%} of the operations are left",
            *([f"also of {counted(many, 'case')} without the target"] if many else []),
        )
        figures = {"share of operations left": share, "scale": plan.net.scale}
        return Variant(self.name, Model(plan, state, tuple(found), TORCH), said, figures)

    def _student(self, source: Source, state: State) -> tuple[Plan, float]:
        """Return the plan of the largest student that takes few enough operations, and their share."""
        first = source.model.members[0]
        ask = asking(source, first.number)
        whole = groups_of(first.module, ask.raw).operations
        before = source.model.plan
        for plan in self._sizes(before):
            try:
                with torch.random.fork_rng(devices=[]):
                    student: nn.Module = built(source.task, plan, state, nets)
                share = groups_of(student, ask.raw).operations / whole
            except VesaliusError:
                continue  # too small for this net, or a size that it cannot take
            if share <= GOAL:
                why = (
                    f"{self.name}: the largest of those tried that takes at most {GOAL:.0%} of the operations"
                )
                return override(before, _settings(before, plan), reason=why), share
        raise PlanError(
            f"no {self.family or before.net.name} takes at most {GOAL:.0%} of the operations of this model",
            hint="prune-filters, or distil-NET with a smaller net",
        )

    def _sizes(self, plan: Plan) -> list[Plan]:
        """Return plans of students, the largest first."""
        if not self.family:
            own = plan.net.scale
            least = nets.describe(plan.net.name)["SMALLEST"]
            scales = [round(own * s, 4) for s in SCALES if own * s >= least]
            return [_with(plan, net={**plan.net.model_dump(), "scale": s, "init": None}) for s in scales]
        about = nets.describe(self.family)
        kept = {k: v for k, v in plan.net.options.items() if k in KEPT and k in about["OPTIONS"]}
        scales = [s for s in (1.0, *SCALES) if s >= about["SMALLEST"]]
        each = {"name": self.family, "dropout": plan.net.dropout}
        small = [{**kept, "stem": "small"}] if "stem" in kept else []  # where the family lacks that stem
        return [
            _with(plan, net={**each, "options": options, "scale": s})
            for options in (kept, *small)
            for s in scales
        ]


def _with(plan: Plan, *, net: dict[str, object]) -> Plan:
    return override(plan, {f"net.{k}": v for k, v in net.items()}, reason="a student")


def _settings(before: Plan, plan: Plan) -> dict[str, object]:
    """Return the settings of the net that differ, by their paths."""
    own, other = before.net.model_dump(), plan.net.model_dump()
    return {f"net.{k}": other[k] for k in own if own[k] != other[k]}


def _unformed(state: State) -> State:
    """Return a state without the form of a pruned model: a student is built by its plan alone."""
    return State({k: v for k, v in state.values.items() if k != FORM}, state.arrays)


WAYS: dict[str, Way] = {name: Distil(name) for name in NAMES}
