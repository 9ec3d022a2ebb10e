"""What do images hold, before anybody asks about them? Features, learned without any target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vesalius.core.answers import Answer
from vesalius.core.answers.map import Map
from vesalius.core.ask import Ask
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.core.plan import Plan
from vesalius.core.statistics import Statistics
from vesalius.losses import OWN
from vesalius.plan import patches, whole
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.prepare.batch import Batch, Example, main_image
from vesalius.prepare.case import Prepared
from vesalius.prepare.geometry import Undo
from vesalius.tasks.contract import Nets, Task, planned_net

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

NAMES = {"represent": "Features of images, learned without a target, for other models to begin from"}
LEARNS_WITHOUT_TARGETS = True  # `vesalius pretrain` asks this question
LOOKED_AT, EACH = 256, 64  # cases, and places of each, that the direction of the answer is found in


class Represent(Task):
    """A net's features. The answer shows along which direction they differ most, point by point.

    What is learned is the net (`net.…` in the weights); the recipe says how. The answer is the first principal
    component of the map that shows where things are, in standard deviations of the training cases: a look at what the
    features tell apart, and no finding. Targets of the data are not looked at.
    """

    name: ClassVar[str] = "represent"
    answer: ClassVar[type[Answer]] = Map
    targets: ClassVar[tuple[str, ...]] = ()
    roles: ClassVar[tuple[str, ...]] = ("encoder", "dense")
    run: ClassVar[str] = "dense"
    primary: ClassVar[str] = "minus the held-out loss"
    recipe: ClassVar[str] = "vicreg"
    needs_target: ClassVar[bool] = False
    mirrors: ClassVar[bool] = True

    def defaults(self, prints: Fingerprint, machine: Machine, target: TargetInfo | None) -> Draft:
        """Return the choices that suit most recipes; each recipe may change them (`Recipe.defaults`)."""
        draft = Draft()
        if prints.flat:
            whole.images(draft, prints, machine)
            draft.set("data.sampling", "whole", "features are of whole pictures")
        else:
            patches.images(draft, prints, machine)
            draft.set("data.sampling", "patches", "a volume is learned from piece by piece")
        whole.encoder(draft, machine)
        draft.set("net.dropout", 0.0, "views differ enough")
        draft.set("loss.name", OWN, "the recipe's own")
        _views(draft)
        draft.set("infer.mirror", [], "one look is enough")
        draft.set("infer.overlap", 0.25, "the answer is only a look at the features")
        draft.set("infer.batch", 32 if prints.flat else 2, "whole pictures at a time")
        draft.set("infer.novelty", "none", "no answer is given that a strange case could make wrong")
        draft.set(
            "train.batch", 64 if prints.flat else 8, "views are held against those of others in the batch"
        )
        draft.set("train.members", 1, "features of several nets are not comparable")
        draft.set("train.lr", 1e-3, "usual for learning without targets")
        draft.set("train.select", "last", "no figure tells without a target which checkpoint is best")
        return draft

    def check(self, cohort: Cohort, target: TargetInfo | None) -> tuple[str, ...]:
        """Images, and at least two cases."""
        n = sum(bool(c.images) for c in cohort.cases)
        return () if n > 1 else (f"at least two cases with an image ({n} found)",)

    def state(self, summary: Statistics, target: TargetInfo | None, plan: Plan) -> State:
        """Return nothing but which images are looked at; the direction of the answer is found after the training."""
        return State({"images": list(plan.data.images)})

    def encode(self, case: Case, prepared: Prepared, reference: Image, state: State) -> Example:
        """Return the image, and no target whatever the case has."""
        return Example(case.id, {"image": prepared.array})

    def build(self, plan: Plan, state: State, nets: Nets) -> nn.Module:
        """Return a net, with the direction of the answer where it is known."""
        import torch

        from vesalius.tasks._represented import Representer

        known = {k: torch.from_numpy(np.asarray(v, np.float32)) for k, v in state.arrays.items()}
        return Representer(planned_net(plan, nets), plan.data.size, plan.data.inputs, **known)

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return how badly hidden blocks are guessed from the rest, by one linear layer; recipes have losses of their
        own."""
        return {"redrawn": model.redrawn(batch.images["image"], generator)}  # type: ignore[operator]

    def infer(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return how far each point lies along the direction, `(B, 1, Z, Y, X)`."""
        found: Tensor = model(batch.images["image"])
        return found

    def point(self, raw: Tensor) -> Tensor:
        """Return the field as it is."""
        return raw[0]

    def decode(
        self,
        raw: Any,
        state: State,
        calibration: Mapping[str, Any],
        reference: Image,
        *,
        undo: Undo | None = None,
    ) -> Answer:
        """Return the field on the reference's grid."""
        field = np.asarray(raw, dtype=np.float32)[None]
        image = Image(
            field,
            affine=reference.affine,
            spacing_mm=reference.spacing_mm,
            spacing_at=reference.spacing_at,
            source=reference.source,
        )
        return Map(image=image, quantity="first principal component of the features", unit="SD")

    def scalar(self, raw: Tensor, ask: Ask) -> Tensor:
        """Return the mean of the field, over the region that is asked about where there is one."""
        import torch

        if ask.where is None:
            return raw.flatten(1).mean(dim=1)
        inside = torch.as_tensor(ask.where).to(raw).expand(len(raw), *raw.shape[2:])
        return (raw[:, 0] * inside).flatten(1).sum(dim=1) / inside.flatten(1).sum(dim=1).clamp_min(1.0)

    def remember(
        self, model: nn.Module, examples: Sequence[Example], state: State, *, cases: Sequence[Case]
    ) -> State:
        """Return the state with the direction along which the features of training cases differ most."""
        return State(state.values, direction_of(_places(model, examples[:LOOKED_AT])))


def direction_of(vectors: Array) -> dict[str, Array]:
    """Return the middle `(F,)` of vectors `(N, F)`, the direction `(F,)` in which they differ most, and their spread.

    The direction points to where its largest part is positive, so that the same vectors always have the same one.
    """
    middle = vectors.mean(axis=0)
    _, directions = np.linalg.eigh(np.cov((vectors - middle).T).reshape(2 * (vectors.shape[1],)))
    direction = directions[:, -1]
    direction = direction * (1.0 if direction[np.abs(direction).argmax()] > 0 else -1.0)
    spread = ((vectors - middle) @ direction).std()
    found = {"middle": middle, "direction": direction, "spread": np.asarray(max(float(spread), 1e-12))}
    return {name: value.astype(np.float32) for name, value in found.items()}


def _places(model: Any, examples: Sequence[Example]) -> Array:
    """Return features of evenly spread places of some examples, `(N, F)` float64; of the middle of a large one."""
    import torch

    device = next(model.parameters()).device
    found: list[Array] = []
    with torch.inference_mode():
        for example in examples:
            image = main_image(example)
            starts = [max(0, (n - s) // 2) for n, s in zip(image.shape[-3:], model.size, strict=True)]
            z, y, x = (slice(a, a + s) for a, s in zip(starts, model.size, strict=True))
            part = torch.from_numpy(np.ascontiguousarray(image[:, z, y, x])).to(device)
            vectors = model.places(part[None])[0].flatten(1).T.double().cpu().numpy()
            found.append(vectors[:: max(1, len(vectors) // EACH)])
    if not found:
        raise DataError("no case to look at the features of")
    return np.concatenate(found)


def _views(draft: Draft) -> None:
    """Set how far two views of one image are apart: further than for learning from targets."""
    draft.set(
        "augment.flip_axes", ["x"], "a view may be a mirror image; [] where the later task names a side"
    )
    draft.set("augment.probability", 0.8, "most views are changed")
    draft.set("augment.rotate_deg", 20.0, "how a patient may lie or a probe be held")
    draft.set("augment.translate", 0.1, "structures are not centred alike")
    draft.set("augment.zoom", 0.2, "patients differ in size")
    draft.set("augment.crop", 0.3, "a part of an image is of the same image")
    draft.set("augment.shear", 0.08, "small changes of shape")
    draft.set("augment.noise", 0.1, "scanners differ")
    draft.set("augment.blur", 0.5, "scanners differ")
    draft.set("augment.brightness", 0.4, "brightness alone must not tell images apart")
    draft.set("augment.contrast", 0.4, "contrast alone must not tell images apart")
    draft.set("augment.gamma", 0.3, "nor may the curve of the grey values")


TASK = Represent()
