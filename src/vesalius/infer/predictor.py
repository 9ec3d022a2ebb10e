"""Predictor: a bundle loaded once, answering case after case."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from vesalius import nets
from vesalius.core.answers import Answer
from vesalius.core.answers.mask import Mask
from vesalius.core.bundle import Bundle, Stage
from vesalius.core.case import Case, Ref
from vesalius.core.errors import BundleError, DataError, PlanError
from vesalius.core.image import Array, Image
from vesalius.core.plan import InferPlan, Plan
from vesalius.infer import guard, tiles
from vesalius.plan.threads import Threads
from vesalius.prepare.batch import Batch, Example, collate
from vesalius.prepare.case import load, load_reference, prepare
from vesalius.tasks import contract as tasks
from vesalius.tasks.contract import Task

AXES = {"z": 2, "y": 3, "x": 4}
Watch = Callable[[float], None]
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Loaded:
    """One stage, ready: its task and its members' models in evaluation mode."""

    stage: Stage
    task: Task
    models: tuple[nn.Module, ...]


class Predictor:
    """Answers of a bundle. The models are loaded once; memory is bounded by one case and one slab of tiles.

    `device` is a torch device, by default a GPU where there is one. A case whose modality or unit is another than what
    the bundle learned from is refused unless `accept_mismatch` says to go on. On a processor it computes with as many
    threads as there are cores that others leave free, at most `cores`, by default torch's threads. Raises BundleError.
    """

    accept_mismatch = False
    threads: Threads | None = None  # on a processor alone

    def __init__(
        self,
        bundle: Bundle,
        *,
        device: str | None = None,
        accept_mismatch: bool = False,
        cores: int | None = None,
    ) -> None:
        self.bundle, self.accept_mismatch = bundle, accept_mismatch
        self.device = device_of(device)
        self.stages = tuple(_load(bundle, stage, self.device) for stage in bundle.stages)
        if self.device.type == "cpu":
            self.threads = Threads(cores or torch.get_num_threads())

    def __call__(self, case: Case, *, watch: Watch | None = None) -> Answer:
        """The last stage's answer, in the geometry of the case's reference image, earlier ones as its parts.

        `watch` is told from time to time which share of the work is done; what it raises ends the work.
        Raises MismatchError for another kind of image than the bundle learned from, unless that is accepted.
        """
        case = replace(case, targets={})
        answers: list[Answer] = []
        reference = load_reference(case)
        outside = self.admit(case, reference)
        for k, loaded in enumerate(self.stages):
            takes = loaded.stage.takes
            told = _part(watch, k, len(self.stages))
            if takes is None:
                answers.append(self._answer(loaded, case, reference, told))
                continue
            found = answers[takes["stage"]]
            if takes["as"] != "crop" or not isinstance(found, Mask):
                raise BundleError(f"a stage that takes '{takes['as']}' of an earlier one is not known")
            answers.append(self._inside(loaded, case, reference, found, float(takes["margin_mm"]), told))
        parts = {loaded.stage.name: a for loaded, a in zip(self.stages[:-1], answers[:-1], strict=True)}
        return replace(
            answers[-1],
            case_id=case.id,
            source=reference.source,
            bundle=self.bundle.hash,
            by=self.bundle.name,
            parts=parts,
            outside=outside,
        )

    def admit(self, case: Case, reference: Image | None = None) -> tuple[str, ...] | None:
        """Return in what a case lies outside of what the bundle learned from, as `Answer.outside` has it.

        Raises MismatchError where it may not be answered.
        """
        reference = reference or load_reference(case)
        return guard.admit(self.bundle, case, reference, accept_mismatch=self.accept_mismatch)

    @property
    def accepting(self) -> Predictor:
        """The same models, which answer about another kind of image than they learned from, too."""
        other = copy.copy(self)
        other.accept_mismatch = True
        return other

    @property
    def joins(self) -> bool:
        """Whether several cases go through the model in one pass: one stage that looks at whole images."""
        return len(self.stages) == 1 and self.stages[0].task.run == "whole"

    def together(self, cases: Sequence[Case]) -> list[Answer | DataError]:
        """The answers to several cases, in one pass where the bundle `joins` them; a faulty one gives its error.

        They are those of each case alone but for rounding, which differs with the number of cases in a pass.
        """
        if not self.joins:
            return [_or_error(partial(self, case)) for case in cases]
        (loaded,) = self.stages
        plan, state = loaded.stage.plan, loaded.stage.state
        ready = [_or_error(partial(self._encoded, loaded, case)) for case in cases]
        examples = [r[0] for r in ready if not isinstance(r, DataError)]
        if not examples:
            return [r for r in ready if isinstance(r, DataError)]
        if self.threads is not None:
            self.threads.begin()
        raw = iter(whole(loaded.task, loaded.models, examples, plan.infer, self.device))
        answers: list[Answer | DataError] = []
        for case, r in zip(cases, ready, strict=True):
            if isinstance(r, DataError):
                answers.append(r)
                continue
            answer = loaded.task.decode(next(raw), state, loaded.stage.calibration, r[1])
            answers.append(
                replace(
                    answer,
                    case_id=case.id,
                    source=r[1].source,
                    bundle=self.bundle.hash,
                    by=self.bundle.name,
                    outside=r[2],
                )
            )
        return answers

    def _encoded(self, loaded: Loaded, case: Case) -> tuple[Example, Image, tuple[str, ...] | None]:
        """A case as its example, its reference image, and in what it lies outside of what was learned from."""
        case = replace(case, targets={})
        reference = load_reference(case)
        outside = self.admit(case, reference)
        prepared = prepare(case, loaded.stage.plan.data, reference=reference)
        return loaded.task.encode(case, prepared, reference, loaded.stage.state), reference, outside

    def _answer(self, loaded: Loaded, case: Case, reference: Image, watch: Watch | None = None) -> Answer:
        plan, state = loaded.stage.plan, loaded.stage.state
        prepared = prepare(case, plan.data, reference=reference)
        example = loaded.task.encode(case, prepared, reference, state)
        raw: Any
        if self.threads is not None:
            self.threads.begin()
        if loaded.task.run == "dense":
            array = example.images["image"]
            pieces = dense(loaded.task, loaded.models, array, plan, self.device)
            pieces = self._watched(pieces, array.shape[1:], watch)
            thin = replace(reference, array=np.broadcast_to(np.uint8(0), reference.array.shape))
            undo = prepared.undo
            del prepared, example, array
            raw = tiles.to_native(pieces, undo, loaded.task.point)
            reference = thin
        elif loaded.task.run == "tiles":
            raw = in_tiles(loaded.task, loaded.models, example, plan, self.device)
        else:
            raw = whole(loaded.task, loaded.models, [example], plan.infer, self.device)[0]
        return loaded.task.decode(raw, state, loaded.stage.calibration, reference)

    def _watched(self, pieces: Iterator[Any], shape: Sequence[int], watch: Watch | None) -> Iterator[Any]:
        """The stretches of a streamed field, `watch` told of each before it is handed on."""
        for piece in pieces:
            if self.threads is not None:
                self.threads.follow()
            axis, _, stop, _ = piece
            if watch is not None:
                watch(stop / shape[axis])
            yield piece

    def _inside(
        self,
        loaded: Loaded,
        case: Case,
        reference: Image,
        found: Mask,
        margin_mm: float,
        watch: Watch | None = None,
    ) -> Answer:
        """Answer within the box of what an earlier stage found, and put it back into the whole."""
        low, high = box_around(found.image.array[0] != 0, reference, margin_mm)
        cropped = crop_case(case, reference, low, high)
        answer = self._answer(loaded, cropped, load_reference(cropped), watch)
        if not isinstance(answer, Mask):
            return answer
        array = np.zeros((answer.image.array.shape[0], *reference.shape), dtype=answer.image.array.dtype)
        array[(slice(None), *(slice(a, b) for a, b in zip(low, high, strict=True)))] = answer.image.array
        image = replace(answer.image, array=array, affine=reference.affine)
        return replace(answer, image=image)


def _or_error(work: Callable[[], T]) -> T | DataError:
    try:
        return work()
    except DataError as error:
        return error


def _part(watch: Watch | None, k: int, n: int) -> Watch | None:
    """What watches the k-th of n stages, for who watches them all."""
    return None if watch is None else lambda share: watch((k + share) / n)


def device_of(name: str | None = None) -> torch.device:
    """The torch device of that name, by default a GPU where there is one. Raises PlanError for one that is not."""
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        there = "cpu, cuda" if torch.cuda.is_available() else "cpu"
        raise PlanError(f"there is no device '{name}' on this machine", hint=there) from error
    return device


def _load(bundle: Bundle, stage: Stage, device: torch.device) -> Loaded:
    from safetensors.torch import load_file

    if stage.runtime != "torch":
        raise BundleError(f"this Vesalius cannot run '{stage.runtime}' bundles", hint="runtime torch")
    task = tasks.get(stage.plan.task.name)
    models = []
    for name in stage.members:
        model = task.build(stage.plan, stage.state, nets)
        try:
            model.load_state_dict(load_file(bundle.path / name, device="cpu"))
        except (OSError, RuntimeError, ValueError) as error:
            raise BundleError(
                f"{bundle.path}: weights '{name}' do not fit the plan", found=str(error)[:200]
            ) from error
        models.append(model.to(device).eval())
    return Loaded(stage, task, tuple(models))


def forward(
    task: Task, model: nn.Module, batch: Batch, infer: InferPlan, generator: torch.Generator
) -> Tensor:
    """Raw output of one model, averaged over the planned mirror images of the input."""
    raw = task.infer(model, batch, generator)
    if not infer.mirror:
        return raw
    total, n = raw, 1
    axes = [AXES[a] for a in infer.mirror]
    for k in range(1, 2 ** len(axes)):
        chosen = [a for i, a in enumerate(axes) if k >> i & 1]
        if any(next(iter(batch.images.values())).shape[a] == 1 for a in chosen):
            continue
        flipped = replace(batch, images={name: t.flip(chosen) for name, t in batch.images.items()})
        other = task.infer(model, flipped, generator)
        total = total + (other.flip(chosen) if task.run == "dense" else other)
        n += 1
    return total / n


def whole(
    task: Task,
    models: Sequence[nn.Module],
    examples: Sequence[Example],
    infer: InferPlan,
    device: torch.device,
) -> Array:
    """Raw output of whole cases by every model: `(N, M, …)`."""
    generator = torch.Generator(device="cpu").manual_seed(0)
    rows = []
    with torch.inference_mode():
        for k in range(0, len(examples), max(infer.batch, 1)):
            batch = collate(examples[k : k + max(infer.batch, 1)]).to(device)
            outs = [forward(task, m, batch, infer, generator).float().cpu() for m in models]
            rows.append(torch.stack(outs, dim=1).numpy())
    return np.concatenate(rows)


def dense(task: Task, models: Sequence[nn.Module], array: Array, plan: Plan, device: torch.device) -> Any:
    """The blended field of all models over a prepared array `(C, Z, Y, X)`, streamed (see `tiles.stream`)."""
    generator = torch.Generator(device="cpu").manual_seed(0)

    def run(tile: Tensor) -> Tensor:
        with torch.inference_mode(), _precision(plan, device):
            batch = Batch(images={"image": tile})
            total = forward(task, models[0], batch, plan.infer, generator)
            for model in models[1:]:
                total = total + forward(task, model, batch, plan.infer, generator)
            return total / len(models) if len(models) > 1 else total

    return tiles.stream(
        array,
        size=plan.data.size,
        overlap=plan.infer.overlap,
        batch=plan.infer.batch,
        forward=run,
        device=device,
    )


def in_tiles(
    task: Task, models: Sequence[nn.Module], example: Example, plan: Plan, device: torch.device
) -> Any:
    """Raw output of each tile of a case, joined by the task."""
    import itertools

    array = example.images["image"]
    generator = torch.Generator(device="cpu").manual_seed(0)
    size = plan.data.size
    shape = (array.shape[1], array.shape[2], array.shape[3])
    places = [tiles.starts(n, t, plan.infer.overlap) for n, t in zip(shape, size, strict=True)]
    found = []
    with torch.inference_mode():
        for z, y, x in itertools.product(*places):
            cut = array[:, z : z + size[0], y : y + size[1], x : x + size[2]]
            batch = Batch(images={"image": torch.from_numpy(np.ascontiguousarray(cut))[None]}).to(device)
            raw = torch.stack([task.infer(m, batch, generator)[0] for m in models]).mean(dim=0)
            found.append(tasks.Tile(raw.float().cpu().numpy(), (z, y, x), size))
    return task.merge(found, shape)


def labels(task: Task, models: Sequence[nn.Module], array: Array, plan: Plan, device: torch.device) -> Array:
    """The values of a dense task on the prepared grid itself, `(Z, Y, X)`; for validation while training."""
    out: Array | None = None
    for axis, start, stop, raw in dense(task, models, array, plan, device):
        values = task.point(raw).cpu().numpy()
        if out is None:
            out = np.zeros(array.shape[1:], dtype=values.dtype)
        place: list[slice] = [slice(None)] * 3
        place[axis] = slice(start, stop)
        out[tuple(place)] = values
    if out is None:
        raise DataError("an empty image")
    return out


def box_around(mask: Array, reference: Image, margin_mm: float) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The index box `(Z, Y, X)` of what is True with a margin in mm (pixels without spacing); all where nothing is."""
    where = np.nonzero(mask)
    if not len(where[0]):
        return (0, 0, 0), reference.shape
    spacing = reference.spacing_mm or (1.0, 1.0, 1.0)
    pad = [int(np.ceil(margin_mm / s)) for s in reversed(spacing)]
    low = tuple(max(0, int(w.min()) - p) for w, p in zip(where, pad, strict=True))
    high = tuple(min(n, int(w.max()) + 1 + p) for w, p, n in zip(where, pad, reference.shape, strict=True))
    return low, high


def crop_image(image: Image, low: Sequence[int], high: Sequence[int]) -> Image:
    """The part of an image in an index box `(Z, Y, X)`, its affine moved along."""
    z, y, x = (slice(a, b) for a, b in zip(low, high, strict=True))
    array = image.array[..., z, y, x]
    if image.affine is None:
        return replace(image, array=array)
    shift = np.eye(4)
    shift[:3, 3] = list(low)[::-1]
    return replace(image, array=array, affine=image.affine @ shift)


def crop_case(case: Case, reference: Image, low: Sequence[int], high: Sequence[int]) -> Case:
    """A case whose reference image, and every image on its grid, is cropped to a box of it."""
    images: dict[str, Ref | Image] = {}
    for name, item in case.images.items():
        image = reference if name == case.reference else load(item)
        images[name] = crop_image(image, low, high) if image.shape == reference.shape else image
    return replace(case, images=images)


def _precision(plan: Plan, device: torch.device) -> AbstractContextManager[Any]:
    if plan.train.precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()
