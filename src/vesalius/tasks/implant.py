"""What is missing from this bone? The part that fills a defect, learned from healthy bones or from pairs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vesalius.core.answers import Answer
from vesalius.core.answers.mask import Mask
from vesalius.core.bundle import State
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import Cohort, Label, TargetInfo
from vesalius.core.errors import DataError, PlanError
from vesalius.core.image import Image
from vesalius.core.options import options_of
from vesalius.core.plan import Plan
from vesalius.core.seeds import seed_of
from vesalius.core.statistics import Statistics
from vesalius.plan import patches
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.plan.sizes import up
from vesalius.prepare.batch import Batch, Example
from vesalius.prepare.case import Prepared, load_mask, load_reference
from vesalius.prepare.geometry import Undo
from vesalius.shapes.bone import BONE_HU, bone_of
from vesalius.shapes.defects import cut
from vesalius.tasks._label_map import kept
from vesalius.tasks.contract import Nets, Task, planned_net
from vesalius.tasks.segment import Segment

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

NAMES = {"implant": "The part that fills a bone's defect, learned from healthy bones or from pairs"}
OPTIONS = {"bone": 0.0, "mirror": False}
LIMITS = {"bone": {"ge": 0}}
GIVEN = "implant"  # under which name a case that was cut, or that came with its truth, has the implant
FIELD_CPU, FIELD_GPU = 96**3, 160**3  # voxels of the whole field that a step can afford
LOOKED_AT = 32  # training cases that the mean implant is made of
TOLD = 8  # training cases whose targets are held against the bone that is there
SOFT_HU = 40.0  # what stands where bone was taken out of a CT: soft tissue


class Implant(Segment):
    """A completion net: the whole bone, coarsely, and for each point whether the missing part is there.

    Without a target the training bones are healthy: each is cut anew at every step (`shapes/defects.py`), and once,
    always alike, where it is validated or scored. With a target (`--target implant`) pairs are given: the image has
    the defect, the mask is what is missing. Bone is what lies above `task.options.bone`, in the image's own values.
    The net sees that bone, not the image, so that a mask and a CT are asked alike; with `task.options.mirror` it also
    sees the bone mirrored across its middle. Bone that is there is never part of the answer.
    """

    name: ClassVar[str] = "implant"
    answer: ClassVar[type[Answer]] = Mask
    targets: ClassVar[tuple[str, ...]] = ("mask",)
    needs_target: ClassVar[bool] = False
    may_nets: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def sees_time(self, plan: Plan) -> bool:
        """Return False: a bone stands still."""
        return False

    def defaults(self, prints: Fingerprint, machine: Machine, target: TargetInfo | None) -> Draft:
        """Return the choices for the whole field at a coarse grid, seen as bone and no bone."""
        draft = Draft()
        draft.set("data.sampling", "patches", "the answer is about each point")
        size, coarser = field_size(prints.shape_median, FIELD_GPU if machine.gpu else FIELD_CPU)
        if prints.spacing_known and prints.spacing_median is not None and not prints.flat:
            why = "the median spacing" if coarser == 1 else "coarse enough for the whole field at once"
            draft.set("data.spacing_mm", [round(s * coarser, 4) for s in prints.spacing_median], why)
        else:
            draft.set("data.spacing_mm", None, "pictures without spacing are left on their grid")
        draft.set("data.size", size, "the whole field: what is missing follows from all that is there")
        patches.dense_net(draft, prints, machine)
        draft.set("loss.name", "dice-ce", "overlap is the goal and cross-entropy steadies it")
        draft.set("loss.class_weights", "none", "Dice heeds how rare the implant is")
        each = 1 if prints.grey else prints.channels
        seen = [{"method": "fixed", "low": 0.0, "high": 1.0, "mean": 0.0, "sd": 1.0}] * (
            each * len(prints.images)
        )
        draft.set("data.normalise", seen, "the net sees bone as 1 and all else as 0")
        draft.set("task.options", {"bone": _threshold(prints), "mirror": False}, _why(prints))
        patches.augmentation(draft, prints)
        for name in ("noise", "brightness", "contrast"):
            draft.set(f"augment.{name}", 0.0, "bone and no bone have no noise")
        patches.batches(draft, prints, machine, fits=True)
        draft.set("infer.overlap", 0.25, "a tile is nearly always the whole field")
        return draft

    def check(self, cohort: Cohort, target: TargetInfo | None) -> tuple[str, ...]:
        """At least two cases with an image, and with the implant where it is given."""
        if target is not None:
            return super().check(cohort, target)
        n = sum(bool(c.images) for c in cohort.cases)
        return () if n > 1 else (f"at least two cases with the image or the mask of a bone ({n} found)",)

    def check_plan(self, plan: Plan, target: TargetInfo | None) -> None:
        """Refuse several images, frames, and a threshold of nothing."""
        super().check_plan(plan, target)
        if len(plan.data.images) != 1 or plan.sources.frames:
            raise PlanError(
                "an implant is found in one image",
                found=", ".join(plan.data.images),
                hint="--set data.images",
            )
        options = options_of("tasks", self.name, plan.task.options, where="task.options")
        if not float(options["bone"]) > 0:
            raise PlanError(
                "nothing says from which value on the image is bone",
                hint="--set task.options.bone=200 for a CT whose files do not say that it is one",
            )

    def summary(self, cases: Sequence[Case], target: TargetInfo | None, plan: Plan) -> Statistics:
        """Return nothing. Raises DataError where a target is bone that is there, and so no implant."""
        for case in cases[:TOLD] if target is not None else ():
            item = case.targets.get(target.name if target else "")
            if isinstance(item, Ref | Image):
                _assert_missing(case, load_mask(item), float(plan.task.options["bone"]))  # type: ignore[arg-type]
        return Statistics()

    def state(self, summary: Statistics, target: TargetInfo | None, plan: Plan) -> State:
        """Return the label map, the threshold of bone, and whether defects are made."""
        labels = (Label(1, GIVEN),) if target is None else target.labels
        options = options_of("tasks", self.name, plan.task.options, where="task.options")
        return State(
            {
                "target": GIVEN if target is None else target.name,
                "made": target is None,
                "seed": plan.train.seed,
                "bone": float(options["bone"]),
                "mirror": bool(options["mirror"]),
                "share": [1 / (len(labels) + 1)] * (len(labels) + 1),
                "labels": kept(labels),
            }
        )

    def posed(self, case: Case, state: State) -> Case:
        """Return a healthy bone with a defect that follows from its id; a case that has its implant as it is."""
        if not state.values["made"] or GIVEN in case.targets or case.reference is None:
            return case
        image = load_reference(case)
        if image.affine is None:
            raise DataError(
                f"case {case.id!r} has no place in millimetres, so no hole of a known size can be cut into it",
                found="an image without an affine",
                hint="NIfTI, NRRD or DICOM that says its spacing and its orientation",
            )
        bone = bone_of(image, state.values["bone"])
        missing = cut(bone, image.affine, seed_of(int(state.values["seed"]), "defect", case.id)).implant
        rest = image.array.copy()
        rest[:, missing] = SOFT_HU if image.unit == "HU" else image.array.min()
        implant = replace(image, array=missing[None].astype(np.uint8), unit=None, modality="SEG", channels=())
        return replace(
            case,
            images={**case.images, case.reference: replace(image, array=rest)},
            targets={**case.targets, GIVEN: implant},
        )

    def truth(self, case: Case, state: State) -> Any:
        """Return the implant that is given, or what was taken out of a healthy bone."""
        if not state.values["made"]:
            return super().truth(case, state)
        return self.posed(case, state).targets.get(GIVEN)

    def prepare(self, case: Case, plan: Plan, state: State, *, reference: Image) -> Prepared:
        """Return the bone of a case made ready as planned: 1 where bone is, 0 elsewhere."""
        bone = bone_of(reference, state.values["bone"])
        shown = np.broadcast_to(bone[None].astype(np.float32), reference.array.shape[-4:])
        seen = replace(reference, array=np.ascontiguousarray(shown), unit=None)
        images = {**case.images, case.reference: seen} if case.reference is not None else case.images
        return Task.prepare(self, replace(case, images=images), plan, state, reference=seen)

    def build(self, plan: Plan, state: State, nets: Nets) -> nn.Module:
        """Return a dense net with its head, shown the mirrored bone too where that is planned, and the loss."""
        from vesalius import losses
        from vesalius.tasks._implanting import Completer

        mirror = bool(state.values["mirror"])
        criterion = losses.build(plan.loss.name, smoothing=plan.loss.smoothing, options=plan.loss.options)
        return Completer(
            planned_net(plan, nets, channels=plan.data.inputs * (2 if mirror else 1)),
            len(state.values["labels"]) + 1,
            criterion,
            deep=plan.loss.deep_supervision,
            mirror=mirror,
            spacing_mm=plan.data.spacing_mm if state.values["made"] else None,
            made=bool(state.values["made"]),
        )

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the planned loss; of healthy bones, in training, about defects that are drawn anew."""
        from vesalius.tasks._implanting import Completer, cut_anew

        if isinstance(model, Completer) and model.made and model.training and "mask" in batch.targets:
            batch = cut_anew(batch, model.spacing_mm, generator)
        return super().loss(model, batch, generator)

    def decode(
        self,
        raw: Any,
        state: State,
        calibration: Mapping[str, Any],
        reference: Image,
        *,
        undo: Undo | None = None,
    ) -> Mask:
        """Return what is missing, on the reference's grid, without any bone that is there."""
        found = super().decode(raw, state, calibration, reference, undo=undo)
        if found.image.shape != reference.shape:
            return found
        array = found.image.array.copy()
        array[0][bone_of(reference, state.values["bone"])] = 0
        return replace(found, image=replace(found.image, array=array))

    def levels(self, raw: Tensor) -> Mapping[str, Tensor]:
        """Return nothing: what is promised of a mask could hold bone that is there."""
        return {}

    def as_rule(self, state: State, calibration: Mapping[str, Any]) -> None:  # type: ignore[override]
        """Return None: the net sees bone, which a script would have to find first."""
        return

    def semi_supervised(self, target: TargetInfo | None) -> tuple[str, ...]:
        """Return nothing: a bone without an implant among the targets is a healthy one."""
        return ()

    def remember(
        self, model: nn.Module, examples: Sequence[Example], state: State, *, cases: Sequence[Case]
    ) -> State:
        """Return the state with how often each place of a common grid is missing."""
        return super().remember(
            model, examples, state, cases=[self.posed(c, state) for c in cases[:LOOKED_AT]]
        )


def field_size(shape: Sequence[int], budget: int) -> tuple[list[int], float]:
    """Return a size `(Z, Y, X)` that holds a whole field, and how many times coarser its voxels are."""
    coarser = 1.0
    while True:
        size = [up(math.ceil(n / coarser), 8) if n > 1 else 1 for n in shape]
        if math.prod(size) <= budget or max(size) <= 8:
            return size, coarser
        coarser *= 1.05


def _threshold(prints: Fingerprint) -> float:
    """Return from which value on an image is bone, as far as the training images say it."""
    if prints.unit == "HU":
        return BONE_HU
    if prints.low < 0:
        return 0.0  # neither a mask nor a picture: `check_plan` asks for it
    middle = (prints.low + prints.high) / 2
    return round(float(middle), 6) if middle > 0 else 0.5


def _why(prints: Fingerprint) -> str:
    if prints.unit == "HU":
        return "bone in Hounsfield units, where partial volume still counts"
    if prints.low < 0:
        return "the images have no unit, and nobody knows what in them is bone"
    return "half way between the darkest and the brightest values, as the images have no unit"


def _assert_missing(case: Case, target: Image, threshold: float) -> None:
    """Raise DataError where what ought to be missing is bone that is there: masks of the bone itself are no pairs."""
    image = load_reference(case)
    if image.unit != "HU" and len(np.unique(image.array[:, ::4, ::4, ::4])) > 2:
        return  # without a unit the threshold is not sure enough to refuse anything by
    wanted = target.array[0] > 0
    if wanted.shape != image.shape or not wanted.any():
        return
    share = float(bone_of(image, threshold)[wanted].mean())
    if share > 0.5:
        raise DataError(
            f"case {case.id}: the target is bone that is there, and no implant",
            found=f"{share:.0%} of it",
            hint="no --target, and defects are cut into these bones",
        )


TASK = Implant()
