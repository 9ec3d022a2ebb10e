"""What would this image be if it were not noisy, blurred, or of a lower dose? An image from an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vesalius import losses
from vesalius.core import grids
from vesalius.core.answers import Answer
from vesalius.core.answers.map import HIGHEST, LOWEST, Map
from vesalius.core.ask import Ask
from vesalius.core.bundle import State
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.errors import DataError, PlanError
from vesalius.core.image import Array, Image
from vesalius.core.options import options_of
from vesalius.core.plan import Plan
from vesalius.core.seeds import seed_of
from vesalius.core.statistics import Statistics
from vesalius.plan import patches
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.prepare import degradations, geometry
from vesalius.prepare.batch import Batch, Example
from vesalius.prepare.case import Prepared, load, load_reference
from vesalius.prepare.geometry import Undo
from vesalius.tasks._filters import AS_IT_IS, best, filtered
from vesalius.tasks.contract import Nets, Task, planned_net

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

NAMES = {"restore": "An image without its noise, its blur or its missing slices: an image from an image"}
DEFAULT_FOR = ("clean",)
OPTIONS = {"degradation": "", "amount": 0.0}
LOOKED_AT = 16  # training cases that the plain filter is chosen by
WRONG = "wrong"  # what the head is to give, among the targets of an example
CHANNEL = "channel-"  # what the field of a channel is called, before its number
_STILL = 1e-6


class Restore(Task):
    """A dense net gives what is to be added to an image, point by point; the answer is the image with it.

    Pairs are given (a target of images, `--column clean=…`), or made: `task.options.degradation` makes each training
    case worse by `task.options.amount` (0: the middle one of its own), with noise that follows from the case, and the
    case's own image is what it ought to be. Whoever asks brings images that are worse already. What is added lies on
    the image's own grid, so that all that is not changed stays as it was.
    """

    name: ClassVar[str] = "restore"
    answer: ClassVar[type[Answer]] = Map
    targets: ClassVar[tuple[str, ...]] = ("clean",)
    roles: ClassVar[tuple[str, ...]] = ("dense",)
    run: ClassVar[str] = "dense"
    primary: ClassVar[str] = "psnr"
    needs_target: ClassVar[bool] = False
    mirrors: ClassVar[bool] = True

    def defaults(self, prints: Fingerprint, machine: Machine, target: TargetInfo | None) -> Draft:
        """Return the choices for patches, without random changes of intensities, which would no longer fit the pair."""
        draft = Draft()
        fits = patches.images(draft, prints, machine)
        patches.dense_net(draft, prints, machine)
        draft.set("loss.name", "mae", "sharper than squares, which blur where they are unsure")
        patches.augmentation(draft, prints)
        for name in ("noise", "brightness", "contrast"):
            draft.set(
                f"augment.{name}", 0.0, "the image and what is wrong with it change together or not at all"
            )
        patches.batches(draft, prints, machine, fits=fits)
        draft.set("train.foreground", 0.0, "each point teaches as much as any other")
        draft.set("train.members", 1, "the mean of several restored images is hardly better than one")
        return draft

    def check(self, cohort: Cohort, target: TargetInfo | None) -> tuple[str, ...]:
        """At least two cases with an image, and with a clean one where these are given."""
        name = None if target is None else target.name
        n = sum(bool(c.images) and (name is None or name in c.targets) for c in cohort.cases)
        what = "an image" if name is None else f"an image and the clean image '{name}'"
        return () if n > 1 else (f"at least two cases with {what} ({n} found)",)

    def check_plan(self, plan: Plan, target: TargetInfo | None) -> None:
        """Refuse several images, whose pairs nobody names, and a plan without pairs or with both kinds of them."""
        options = options_of("tasks", self.name, plan.task.options, where="task.options")
        name = str(options["degradation"])
        if len(plan.data.images) != 1:
            raise PlanError(
                "one image is restored at a time", found=", ".join(plan.data.images), hint="--set data.images"
            )
        if (target is None) == (not name):
            raise PlanError(
                "pairs are given or made, one of the two",
                found="neither" if target is None else "both",
                hint="--column clean=COLUMN, or --set task.options.degradation=noise",
            )
        if name:
            amount_of(name, float(options["amount"]))

    def state(self, summary: Statistics, target: TargetInfo | None, plan: Plan) -> State:
        """Return how pairs are made, and by what added values are scaled."""
        options = options_of("tasks", self.name, plan.task.options, where="task.options")
        name = str(options["degradation"])
        how = [n.sd if n.method == "fixed" else None for n in plan.data.normalise]
        return State(
            {
                "target": None if target is None else target.name,
                "degradation": name,
                "amount": amount_of(name, float(options["amount"])) if name else 0.0,
                "seed": plan.train.seed,
                "scales": how,
                "filter": AS_IT_IS,
            }
        )

    def posed(self, case: Case, state: State) -> Case:
        """Return a case whose image is made worse, where pairs are made; the clean one is then its truth."""
        values = state.values
        if not values["degradation"] or case.reference is None:
            return case
        seed = seed_of(int(values["seed"]), values["degradation"], case.id)
        image = degradations.degraded(
            load_reference(case), values["degradation"], float(values["amount"]), seed=seed
        )
        return replace(
            case,
            images={**case.images, case.reference: image},
            targets={**case.targets, CLEAN: load_reference(case)},
        )

    def truth(self, case: Case, state: State) -> Any:
        """Return the clean image: the one that is given, or the case's own."""
        name = state.values["target"]
        return case.image if name is None else case.targets.get(name)

    def encode(self, case: Case, prepared: Prepared, reference: Image, state: State) -> Example:
        """Return what is wrong with the image, in deviations of it, on the prepared grid, where the truth is known.

        `case` is as `posed` left it, and names the clean image among its targets.
        """
        clean = case.targets.get(state.values["target"] or CLEAN)
        if clean is None:
            return Example(case.id, {"image": prepared.array})
        if not isinstance(clean, Ref | Image):
            raise DataError(f"case {case.id}: the target is no image", found=type(clean).__name__)
        image = load(clean)
        if image.array.shape != reference.array.shape:
            raise DataError(
                f"case {case.id}: the clean image lies on another grid",
                found=f"{image.array.shape}, not {reference.array.shape}",
            )
        if (apart := grids.difference(image, reference)) is not None:
            raise DataError(f"case {case.id}: the clean image lies on another grid", found=apart)
        wrong = image.array.astype(np.float32) - reference.array.astype(np.float32)
        wrong /= scales(reference, state)
        made = geometry.forward(wrong, prepared.undo).astype(np.float32)
        return Example(case.id, {"image": prepared.array}, {WRONG: made}, on_grid=frozenset({WRONG}))

    def build(self, plan: Plan, state: State, nets: Nets) -> nn.Module:
        """Return a dense net with its head, and the planned loss."""
        from vesalius.tasks._restorer import Restorer

        criterion = losses.build(plan.loss.name, options=plan.loss.options)
        return Restorer(planned_net(plan, nets), plan.data.channels, criterion)

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the planned loss of what is to be added."""
        found = model(batch.images["image"])
        if WRONG not in batch.targets:
            return {WRONG: 0.0 * found.sum()}
        return {WRONG: model.criterion(found, batch.targets[WRONG].float())}  # type: ignore[operator]

    def infer(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """What is to be added, `(B, C, Z, Y, X)`, in deviations of the image."""
        found: Tensor = model(batch.images["image"])
        return found

    def point(self, raw: Tensor) -> Tensor | Mapping[str, Tensor]:
        """Return the fields as they are, one a channel."""
        return raw[0] if len(raw) == 1 else {f"{CHANNEL}{k}": one for k, one in enumerate(raw)}

    def decode(
        self,
        raw: Any,
        state: State,
        calibration: Mapping[str, Any],
        reference: Image,
        *,
        undo: Undo | None = None,
    ) -> Answer:
        """Return the image with what was wrong taken away, in its own type and unit, on its own grid."""
        fields = _fields(raw)
        if fields.shape != reference.array.shape:
            raise DataError(
                "the image has other channels than the model restores",
                found=f"{reference.array.shape[0]} of {reference.shape}, restored {fields.shape}",
            )
        made = reference.array.astype(np.float32) + fields * scales(reference, state)
        return _answer(made, reference)

    def score(self, raw: Any, example: Example, state: State) -> dict[str, float] | None:
        """Return the peak signal-to-noise ratio on the prepared grid, where 10 deviations are the peak."""
        if WRONG not in example.targets:
            return None
        fields = _fields(raw)
        error = float(((fields - np.asarray(example.targets[WRONG])) ** 2).mean())
        return {"psnr": float(10 * np.log10(100 / max(error, 1e-10)))}

    def remember(
        self, model: nn.Module, examples: Sequence[Example], state: State, *, cases: Sequence[Case]
    ) -> State:
        """Return the state with the plain filter that restores training cases best."""
        held = [c for c in cases if c.reference is not None and self.truth(c, state) is not None][:LOOKED_AT]

        def pairs() -> Any:
            for case in held:
                clean = load(self.truth(case, state))
                yield load_reference(self.posed(case, state)).array, clean.array.astype(np.float32)

        return State({**state.values, "filter": best(pairs()) if held else AS_IT_IS}, state.arrays)

    def trivial(self, state: State, reference: Image) -> Map:
        """Return the image after the plain filter that suited training cases best, which may be none."""
        return _answer(filtered(reference.array, str(state.values["filter"])), reference)

    def scalar(self, raw: Tensor, ask: Ask) -> Tensor:
        """Return the mean of what is added; no method explains an image, as nothing is asked of it."""
        return raw.flatten(1).mean(dim=1)


CLEAN = "clean"  # under which name a case that was made worse has its own image among its targets


def amount_of(name: str, amount: float) -> float:
    """Return the amount of a degradation that is asked for, 0 for the middle one of its own. Raises DataError."""
    way = degradations.get(name)
    found = amount or way.amounts[len(way.amounts) // 2]
    way.assert_amount(found, name)
    return found


def scales(reference: Image, state: State) -> Array:
    """Return by what added values are multiplied, `(C, 1, 1, 1)`: a planned deviation, or the image's own."""
    planned = list(state.values["scales"])
    own = reference.array.reshape(reference.array.shape[0], -1).std(axis=1, dtype=np.float64)
    each = [planned[c] if c < len(planned) and planned[c] else float(own[c]) for c in range(len(own))]
    found: Array = np.maximum(np.array(each, dtype=np.float32), _STILL).reshape(-1, 1, 1, 1)
    return found


def _fields(raw: Any) -> Array:
    """Return the fields that `point` gave, `(C, Z, Y, X)`, in the order of their channels' numbers; one has none."""
    if not isinstance(raw, Mapping):
        return np.asarray(raw)[None]
    return np.stack([raw[name] for name in sorted(raw, key=lambda n: int(n.removeprefix(CHANNEL) or 0))])


def _answer(made: Array, reference: Image) -> Map:
    """Return an image's values as an answer in its own type; whole numbers are rounded and stay within their type."""
    kind = reference.array.dtype
    if np.issubdtype(kind, np.integer):
        ends = np.iinfo(kind)
        made = np.clip(np.rint(made), ends.min, ends.max)
    about = {LOWEST: float(reference.array.min()), HIGHEST: float(reference.array.max())}
    image = replace(reference, array=made.astype(kind))
    return Map(image=image, quantity="restored image", unit=reference.unit, figures=about)


TASK = Restore()
