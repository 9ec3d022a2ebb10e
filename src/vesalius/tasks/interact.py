"""Which voxels belong to the object that a person points at? Points, boxes and scribbles, corrected click by click."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vesalius import losses
from vesalius.core import grids
from vesalius.core.answers import Answer
from vesalius.core.answers.mask import Mask
from vesalius.core.ask import Ask
from vesalius.core.bundle import State
from vesalius.core.case import Case, Prompt, Ref
from vesalius.core.cohort import Cohort, Label, TargetInfo
from vesalius.core.errors import DataError, PlanError
from vesalius.core.guidance import KINDS, Guidance
from vesalius.core.image import Array, Image
from vesalius.core.options import options_of
from vesalius.core.plan import Plan
from vesalius.core.statistics import Statistics
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.prepare.batch import Batch, Example
from vesalius.prepare.case import Prepared, load, load_mask
from vesalius.prepare.geometry import Undo
from vesalius.prepare.made_up import Draw
from vesalius.tasks import segment
from vesalius.tasks._interact_plan import draft_of
from vesalius.tasks._label_map import kept, labels_of
from vesalius.tasks.contract import Nets, Task, planned_net

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

NAMES = {"interact": "The object that a person points at: clicks, boxes and scribbles"}
OPTIONS = {"clicks": 5, "rounds": 3, "region": 0, "hold_out": ""}
LIMITS = {"clicks": {"ge": 1, "le": 20}, "rounds": {"ge": 0, "le": 10}, "region": {"ge": 0, "le": 256}}
OBJECT = "object"  # what an object is called whose label nobody named
SEGMENT = segment.TASK


class Interact(Task):
    """One object at a time, whatever it is called: a dense net sees the image, the strokes and the mask so far.

    It learns from every label of any masks, each shown by a simulated person; labels in `task.options.hold_out` are
    never shown in training. A case is asked about by its `prompts`, those of one label together, and without any its
    mask is empty. Where answers are held against their truth a simulated person clicks, label after label.
    """

    name: ClassVar[str] = "interact"
    answer: ClassVar[type[Answer]] = Mask
    targets: ClassVar[tuple[str, ...]] = ("mask",)
    roles: ClassVar[tuple[str, ...]] = ("dense",)
    run: ClassVar[str] = "clicked"
    primary: ClassVar[str] = "dice"

    def defaults(self, prints: Fingerprint, machine: Machine, target: TargetInfo | None) -> Draft:
        """Return the choices of a light net that is asked while a person waits."""
        return draft_of(prints, machine)

    def check(self, cohort: Cohort, target: TargetInfo | None) -> tuple[str, ...]:
        """At least two cases with a mask, and at least one label in them."""
        return SEGMENT.check(cohort, target)

    def check_plan(self, plan: Plan, target: TargetInfo | None) -> None:
        """Refuse other sources than one image, and labels held out that are not there or leave nothing."""
        options = options_of("tasks", self.name, plan.task.options, where="task.options")
        chosen = plan.sources
        if chosen.joined or chosen.frames or chosen.apart or chosen.courses or chosen.texts:
            raise PlanError("strokes lie on one image", found="sources in the plan", hint="no sources")
        if plan.data.sampling != "patches":
            raise PlanError(
                "strokes are answered from a region of the image",
                found=f"data.sampling={plan.data.sampling}",
                hint="--set data.sampling=patches",
            )
        if plan.data.nonzero or plan.data.resample is not None:
            raise PlanError(
                "strokes may lie anywhere on an image, which is prepared whole and plainly",
                found="data.nonzero or data.resample in the plan",
                hint="--set data.nonzero=false",
            )
        known = [x.name for x in target.labels] if target is not None else []
        held = _held_out(options)
        if target is not None and known and (unknown := [n for n in held if n not in known]):
            raise PlanError(
                "labels that are held out are not there", found=", ".join(unknown), hint=", ".join(known)
            )
        if known and set(known) <= set(held):
            raise PlanError("every label is held out, so that nothing can be learned", found=", ".join(held))

    def state(self, summary: Statistics, target: TargetInfo | None, plan: Plan) -> State:
        """Return the labels of the data, and those that were never shown in training."""
        if target is None:
            raise DataError("clicks are learned from masks", hint="--target NAME")
        options = options_of("tasks", self.name, plan.task.options, where="task.options")
        return State(
            {
                "target": target.name,
                "labels": kept(target.labels),
                "held_out": _held_out(options),
                "clicks": int(options["clicks"]),
            }
        )

    def posed(self, case: Case, state: State) -> Case:
        """Return a case with its true mask for a simulated person to look at; without one as it is."""
        item = case.targets.get(state.values["target"])
        if not isinstance(item, Ref | Image) or case.prompts:
            return case
        return replace(case, shown=item)

    def encode(self, case: Case, prepared: Prepared, reference: Image, state: State) -> Example:
        """Return the mask as labels on the prepared grid, or what is asked: strokes, or a mask for a simulated person.

        `ragged["strokes"]` `(N, 7)` are places `(label, stroke, kind, adds, z, y, x)` on the image's own grid, and
        `ragged["person"]` `(Z, Y, X)` the true label of each voxel there by its number, -1 where it is not known.
        """
        example = SEGMENT.encode(case, prepared, reference, state)
        if example.targets:
            index = example.targets["mask"]
            for k, label in enumerate(state.values["labels"], start=1):
                if label["name"] in state.values["held_out"]:
                    index[index == k] = 0  # as in data where nobody drew it
            return example
        ragged: dict[str, Array] = {}
        if case.prompts:
            ragged["strokes"] = _as_rows(case, reference, [x["name"] for x in state.values["labels"]])
        elif case.shown is not None:
            ragged["person"] = _seen(case, case.shown, reference, state)
        return replace(example, ragged=ragged)

    def build(self, plan: Plan, state: State, nets: Nets) -> nn.Module:
        """Return a dense net that sees guidance beside the image, with its head and the planned loss."""
        from vesalius.prepare.strokes import CHANNELS
        from vesalius.tasks._interactor import Interactor

        options = options_of("tasks", self.name, plan.task.options, where="task.options")
        net = planned_net(plan, nets, channels=plan.data.inputs + len(CHANNELS))
        criterion = losses.build(plan.loss.name, smoothing=plan.loss.smoothing, options=plan.loss.options)
        spacing = None if plan.data.spacing_mm is None else plan.data.spacing_mm[::-1]
        return Interactor(net, criterion, spacing=spacing, rounds=int(options["rounds"]))

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the planned loss after some rounds of simulated strokes."""
        from vesalius.tasks._interacting import loss_of

        return loss_of(model, batch, generator)  # type: ignore[arg-type]

    def infer(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Logits `(B, 2, Z, Y, X)` of regions and the `guidance` beside them; without guidance nothing was shown."""
        logits: Tensor = model(batch.images["image"], batch.images.get("guidance"))
        return logits

    def decode(
        self,
        raw: Any,
        state: State,
        calibration: Mapping[str, Any],
        reference: Image,
        *,
        undo: Undo | None = None,
    ) -> Mask:
        """Return the objects under their labels' values, or under a value of their own where nobody named a label.

        `raw` is `{"mask": numbers of labels (Z, Y, X), …}` on the reference's grid, one more than there are labels for
        an object without one; beside it the same `after` so many clicks.
        """
        labels = labels_of(state)
        fields = {name: np.asarray(field) for name, field in raw.items()}
        outside = () if raw["mask"].any() or "told" in fields else (UNTOLD,)
        alone = "object" in fields
        mask = _mask(fields["mask"], labels, reference, alone=alone)
        parts = {
            after_words(int(name.removeprefix("after-"))): _mask(field, labels, reference)
            for name, field in fields.items()
            if name.startswith("after-")
        }
        return replace(mask, parts=parts, outside=outside or None)

    def rivals(self, answer: Answer, truth: Any, state: State) -> Mapping[str, Answer]:
        """Return what the same model says after other numbers of clicks."""
        return {name: part for name, part in answer.parts.items() if name.startswith("after ")}

    def score(self, raw: Any, example: Example, state: State) -> dict[str, float] | None:
        """Return the Dice of each label that is learned, after the few clicks that validation affords."""
        found = SEGMENT.score(raw["mask"], example, state)
        values = {
            str(x["value"]) for x in state.values["labels"] if x["name"] not in state.values["held_out"]
        }
        return None if found is None else {name: x for name, x in found.items() if name in values}

    def remember(
        self, model: nn.Module, examples: Sequence[Example], state: State, *, cases: Sequence[Case]
    ) -> State:
        """Return the state with how often each place of a common grid holds each label."""
        return SEGMENT.remember(model, examples, state, cases=cases)

    def trivial(self, state: State, reference: Image) -> Mask | None:
        """Return the training-mean mask, stretched onto the reference's grid."""
        return SEGMENT.trivial(state, reference)

    def scalar(self, raw: Tensor, ask: Ask) -> Tensor:
        """Return the mean logit of the object, over the region that is asked about or the voxels where it wins."""
        return SEGMENT.scalar(raw, replace(ask, place=0))

    def made_up(self, case: Case, state: State, draw: Draw) -> Case:
        """Return a made-up case with a click in its middle and a box around that."""
        case = super().made_up(case, state, draw)
        if case.image is None:
            return case
        z, y, x = load(case.image).shape
        corners = ((z // 4, y // 4, x // 4), (z - 1 - z // 4, y - 1 - y // 4, x - 1 - x // 4))
        return replace(case, prompts=(Prompt("click", ((z // 2, y // 2, x // 2),)), Prompt("box", corners)))


UNTOLD = "nobody showed an object: without strokes the mask is empty"


def after_words(clicks: int) -> str:
    """Return how an answer after so many clicks is called among the parts of an answer."""
    return f"after {clicks} click{'' if clicks == 1 else 's'}"


def _held_out(options: Mapping[str, Any]) -> list[str]:
    return [name.strip() for name in str(options["hold_out"]).split(",") if name.strip()]


def _seen(case: Case, shown: Ref | Image, reference: Image, state: State) -> Array:
    """Return the true label of each voxel by its number. Raises DataError where it does not lie on the image."""
    mask = load_mask(shown)
    if (fault := grids.mask_fault(reference, mask)) is not None:
        raise DataError(f"case {case.id}: the true mask does not lie on the image", found=fault)
    index = np.zeros(mask.shape, np.int32)
    index[mask.array[0].astype(np.int64) < 0] = -1
    for k, label in enumerate(state.values["labels"], start=1):
        index[mask.array[0] == label["value"]] = k
    return index


def _as_rows(case: Case, reference: Image, names: Sequence[str]) -> Array:
    """Return a case's prompts as numbers. Raises DataError for places outside of the image and unknown labels."""
    guidance = Guidance.of_prompts(case.prompts)
    try:
        guidance.assert_within(reference.shape)
    except DataError as error:
        raise DataError(f"case {case.id}: {error.what}", found=error.found, hint=error.hint) from error
    rows = []
    for k, (prompt, stroke) in enumerate(zip(case.prompts, guidance.strokes, strict=True)):
        if prompt.label is not None and prompt.label not in names:
            raise DataError(
                f"case {case.id}: a stroke of a label that the bundle does not know",
                found=prompt.label,
                hint=f"{', '.join(names)}; or none: any object can be shown",
            )
        number = len(names) + 1 if prompt.label is None else names.index(prompt.label) + 1
        rows += [(number, k, KINDS.index(stroke.kind), stroke.adds, *place) for place in stroke.places]
    return np.array(rows, np.float64)


def _mask(index: Array, labels: Sequence[Label], reference: Image, *, alone: bool = False) -> Mask:
    """Return label numbers as the data's own label values, in the reference's geometry; `alone` of an object alone."""
    free = max([0, *(x.value for x in labels)]) + 1
    if alone or (index > len(labels)).any():
        alone = alone or not ((index > 0) & (index <= len(labels))).any()
        own = Label(1 if alone else free, OBJECT)
        labels = (own,) if alone else (*labels, own)
        index = np.where(index > 0, 1, 0) if alone else index
    values = np.array([0, *(x.value for x in labels)])
    kind = np.min_scalar_type(int(values.max())) if values.min() >= 0 else np.dtype(np.int32)
    image = Image(
        values.astype(kind)[index][None],
        affine=reference.affine,
        spacing_mm=reference.spacing_mm,
        spacing_at=reference.spacing_at,
        modality="SEG",
        source=reference.source,
    )
    return Mask(image=image, labels=tuple(labels))


TASK = Interact()
