"""Prepared examples, kept in memory or on disk, and the batches drawn from them: a pure function of the step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.disk import output_errors
from vesalius.core.errors import PlanError
from vesalius.core.groups import Grouping
from vesalius.core.image import Array, Image
from vesalius.core.plan import Plan
from vesalius.core.progress import Progress, track
from vesalius.core.seeds import seed_of
from vesalius.infer.asked import sampler_of
from vesalius.infer.handed import prepared_of
from vesalius.infer.handover.contract import Given
from vesalius.prepare import augment
from vesalius.prepare.batch import Batch, Example, collate, main_image
from vesalius.prepare.case import MAIN, load_reference
from vesalius.tasks.contract import Sampler, Task

Giving = Callable[[Case, Image], Given]  # a case and its reference image → what a stage is given of it
CENTRES = 512
MOST_OFTEN = 10.0  # times the mean: so often an example of a small group is drawn at most
_COVARIATES = "covariates beside the targets"


def prepare_examples(
    task: Task,
    cases: Sequence[Case],
    plan: Plan,
    state: State,
    *,
    progress: Progress,
    folder: Path | None = None,
    memory_bytes: int = 4 << 30,
    given: Giving | None = None,
) -> list[Example]:
    """Prepare and encode every case once.

    While they fit into `memory_bytes` they stay in memory; beyond it their arrays lie in `folder` and are
    mapped. `given` makes of a case what a stage is given of it. Raises DataError, naming the case.
    """
    examples: list[Example] = []
    used = 0
    for case in track(cases, progress, "prepare", len(cases)):
        example = example_of(task, case, plan, state, given=given)
        size = sum(a.nbytes for a in (*example.images.values(), *example.targets.values()))
        if folder is not None and used + size > memory_bytes:
            example = _spill(example, folder, len(examples))
        else:
            used += size
        examples.append(example)
    return examples


def example_of(task: Task, case: Case, plan: Plan, state: State, *, given: Giving | None = None) -> Example:
    """Return one case prepared and encoded, as training is given it; `given` makes of it what a stage is given.

    Raises DataError, naming the case.
    """
    case = task.posed(case, state)
    reference = None if case.images else task.geometry(case, state)
    reference = reference or load_reference(case)
    handed = Given(case, reference) if given is None else given(case, reference)
    example, _ = prepared_of(task, handed, plan, state)
    stratum = None if plan.train.by is None else Grouping(plan.train.by, plan.train.by_bounds).of(case)
    return replace(example, patient=case.patient, group=case.group, stratum=stratum)


def _spill(example: Example, folder: Path, number: int) -> Example:
    def mapped(name: str, array: Array) -> Array:
        path = folder / f"{number}-{''.join(c if c.isalnum() else '_' for c in name)}.npy"
        with output_errors(path):
            folder.mkdir(parents=True, exist_ok=True)
            np.save(path, array)
        opened: Array = np.load(path, mmap_mode="r")
        return opened

    return replace(
        example,
        images={k: mapped(f"image-{k}", v) for k, v in example.images.items()},
        targets={k: mapped(f"target-{k}", v) if v.ndim == 4 else v for k, v in example.targets.items()},
    )


@dataclass(frozen=True, eq=False)
class Batches:
    """Training batches of one member. Batch `step` depends on seed, member and step alone, so a resumed run
    draws what an uninterrupted one would have drawn."""

    examples: Sequence[Example]
    plan: Plan
    member: int
    centres: tuple[tuple[Array, ...], ...]
    weights: torch.Tensor | None
    sampler: Sampler | None = None
    stack: Callable[[Sequence[Example]], Batch] = collate

    def order(self, step: int) -> list[int]:
        """Return which examples make up a batch: the task's draw, a balanced one, or a fresh permutation each epoch."""
        train, n = self.plan.train, len(self.examples)
        if self.sampler is not None:
            g = torch.Generator().manual_seed(seed_of(train.seed, self.member, "draw", step))
            return list(self.sampler(step, g))
        if self.weights is not None:
            g = torch.Generator().manual_seed(seed_of(train.seed, self.member, "draw", step))
            return torch.multinomial(self.weights, train.batch, replacement=True, generator=g).tolist()
        places = range(step * train.batch, (step + 1) * train.batch)
        epochs = {p // n for p in places}
        shuffled = {}
        for epoch in epochs:
            g = torch.Generator().manual_seed(seed_of(train.seed, self.member, "epoch", epoch))
            shuffled[epoch] = torch.randperm(n, generator=g).tolist()
        return [shuffled[p // n][p % n] for p in places]

    def __call__(self, step: int, device: torch.device) -> Batch:
        """Batch number `step`, augmented, on `device`."""
        g = torch.Generator().manual_seed(seed_of(self.plan.train.seed, self.member, "batch", step))
        return augmented(self.cut(step, g).to(device), self.plan, g)

    def cut(self, step: int, generator: torch.Generator) -> Batch:
        """Return batch number `step` before it is augmented; where patches lie follows from the generator."""
        chosen = self.order(step)
        if self.plan.data.sampling == "patches":
            return self.stack([self._patch(k, generator) for k in chosen])
        return self.stack([self.examples[k] for k in chosen])

    def _patch(self, k: int, generator: torch.Generator) -> Example:
        return patch_of(self.examples[k], self.centres[k] if self.centres else (), self.plan, generator)


def patch_of(
    example: Example, centres: Sequence[Array], plan: Plan, generator: torch.Generator | None
) -> Example:
    """Return a random patch of an example, of the planned size; as often as planned around one of the `centres`.

    `centres` hold voxels `(N, 3)` of each label (see `centres_of`). Without a generator torch's own is drawn from.
    """
    size, shape = plan.data.size, main_image(example).shape[-3:]
    start = [
        int(torch.randint(0, n - s + 1, (1,), generator=generator)) for n, s in zip(shape, size, strict=True)
    ]
    if centres and float(torch.rand(1, generator=generator)) < plan.train.foreground:
        label = centres[int(torch.randint(0, len(centres), (1,), generator=generator))]
        centre = label[int(torch.randint(0, len(label), (1,), generator=generator))]
        jitter = [int(torch.randint(0, max(1, s), (1,), generator=generator)) for s in size]
        start = [
            int(np.clip(c - j, 0, n - s)) for c, j, n, s in zip(centre, jitter, shape, size, strict=True)
        ]
    return cut_out(example, start, size)


def cut_out(example: Example, start: Sequence[int], size: Sequence[int]) -> Example:
    """Return a patch of an example: its main image, all on that grid, and its points and boxes, counted from `start`.

    Boxes end where the patch does; one that lies outside of it has no extent any more. None is dropped, so that
    ragged targets that belong together keep their order. Images of another size are left whole.
    """
    shape = main_image(example).shape[-3:]
    z, y, x = (slice(a, a + s) for a, s in zip(start, size, strict=True))

    ours = example.points | example.boxes

    def moved(name: str, value: Array) -> Array:
        from_start: Array = value - np.asarray(start, value.dtype) if name in ours else value
        return np.clip(from_start, 0, np.asarray(size, value.dtype)) if name in example.boxes else from_start

    return replace(
        example,
        images={
            n: np.ascontiguousarray(v[..., z, y, x]) if v.shape[-3:] == shape else v
            for n, v in example.images.items()
        },
        targets={
            n: np.ascontiguousarray(v[..., z, y, x]) if n in example.on_grid else v
            for n, v in example.targets.items()
        },
        ragged={n: moved(n, v) for n, v in example.ragged.items()},
    )


def augmented(batch: Batch, plan: Plan, generator: torch.Generator, *, mix: bool = True) -> Batch:
    """Return the batch after the planned augmentation; all frames of a cine are changed alike.

    Points and boxes move with the main image. Cases are mixed only where each has every target, and none has places;
    their covariates are mixed with them. Without `mix` each case stays itself, whatever is planned.
    """
    if not batch.images:
        return batch
    fields = {k: v for k, v in batch.targets.items() if k in batch.on_grid}
    rest = {k: v for k, v in batch.targets.items() if k not in batch.on_grid}
    images = {k: v.flatten(1, 2) if v.ndim == 6 else v for k, v in batch.images.items()}
    frames = {k: v.shape[1] if v.ndim == 6 else 1 for k, v in batch.images.items()}
    points, boxes = ({k: v for k, v in batch.ragged.items() if k in of} for of in (batch.points, batch.boxes))
    places = augment.Places(points, boxes)
    images, fields, places = augment.space(images, fields, plan.augment, generator, places=places)
    images = _intensity(images, plan, generator, frames=frames)
    covariates = batch.covariates
    known = covariates is None or not bool(covariates.isnan().any())
    if mix and not fields and not places and known and all(batch.labelled(name) is None for name in rest):
        beside = {_COVARIATES: covariates} if rest and covariates is not None else {}
        images, rest = augment.mixup(images, {**rest, **beside}, plan.augment, generator)
        covariates = rest.pop(_COVARIATES, covariates)
    images = {k: v.reshape(batch.images[k].shape) for k, v in images.items()}
    ragged = {**batch.ragged, **places.points, **places.boxes}
    return replace(batch, images=images, targets={**fields, **rest}, covariates=covariates, ragged=ragged)


def _intensity(
    images: Mapping[str, torch.Tensor], plan: Plan, generator: torch.Generator, *, frames: Mapping[str, int]
) -> dict[str, torch.Tensor]:
    """Return images with intensities changed as planned; what earlier stages made is no intensity, and stays."""
    made = plan.data.inputs - plan.data.channels
    if not made or MAIN not in images:
        return augment.intensity(images, plan.augment, generator)
    main, n = images[MAIN], frames[MAIN]
    each = main.reshape(len(main), n, -1, *main.shape[2:])  # (B, T, C, …)
    own = each[:, :, :-made].flatten(1, 2)
    changed = augment.intensity({**images, MAIN: own}, plan.augment, generator)
    louder = changed[MAIN].reshape(len(main), n, -1, *main.shape[2:])
    return {**changed, MAIN: torch.cat([louder, each[:, :, -made:]], dim=2).flatten(1, 2)}


def batches(examples: Sequence[Example], plan: Plan, member: int, *, task: Task | None = None) -> Batches:
    """Return batches over examples that have what the task learns from; finds where foreground lies, once.

    `task` may draw and stack the examples in its own way.
    """
    centres: tuple[tuple[Array, ...], ...] = ()
    if plan.data.sampling == "patches" and plan.train.foreground > 0:
        centres = tuple(centres_of(e, k, plan) for k, e in enumerate(examples))
    weights = None
    if plan.train.balance_groups:
        weights = _balanced_by_group(examples)
    elif plan.train.balance:
        weights = _balanced(examples)
    if task is None:
        return Batches(examples, plan, member, centres, weights)
    sampler = sampler_of(task, examples, plan)
    if sampler is not None and plan.train.balance_groups:
        raise PlanError(
            f"task {task.name} draws its batches itself, so groups cannot be balanced",
            hint="--set train.balance_groups=false",
        )
    return Batches(examples, plan, member, centres, weights, sampler=sampler, stack=task.collate)


def centres_of(example: Example, number: int, plan: Plan) -> tuple[Array, ...]:
    """Return up to CENTRES voxels `(N, 3)` of each label that is there, and the middles of the boxes of each name."""
    found = []
    rng = np.random.default_rng(seed_of(plan.train.seed, "centres", number))
    for name in sorted(example.on_grid):
        mask = np.asarray(example.targets[name][0])
        if mask.dtype.kind not in "iu":
            continue
        for value in np.unique(mask):
            if value > 0:
                flat = np.flatnonzero(mask == value)
                if len(flat) > CENTRES:
                    flat = np.sort(rng.choice(flat, CENTRES, replace=False))
                found.append(np.stack(np.unravel_index(flat, mask.shape), axis=1))
    for name in sorted(example.boxes):
        boxes = np.asarray(example.ragged.get(name, ())).reshape(-1, 2, 3)
        if len(boxes):
            found.append(np.floor(boxes.mean(axis=1)).astype(np.int64))
    return tuple(found)


def _balanced(examples: Sequence[Example]) -> torch.Tensor | None:
    """Return a weight for each example, so that each class is drawn equally often."""
    hot = [e.targets["label"] for e in examples if "label" in e.targets]
    if len(hot) != len(examples):
        return None
    matrix = np.stack(hot)
    matrix = np.column_stack([matrix, matrix.max(axis=1) == 0])  # 'none of them' is drawn as often as any
    share = matrix.mean(axis=0)
    each = (matrix / np.maximum(share, 1e-6)).sum(axis=1)
    return torch.from_numpy(each.astype(np.float64))


def _balanced_by_group(examples: Sequence[Example]) -> torch.Tensor:
    """Return a weight for each example, so that each group is drawn equally often, and in it each class.

    The cases whose group is not known are a group, too. No example is drawn more than `MOST_OFTEN` times as often as in
    a draw that heeds no group, so that a group of few patients is not learned by heart.
    """
    weights = torch.zeros(len(examples), dtype=torch.float64)
    for group in dict.fromkeys(e.stratum for e in examples):
        at = [k for k, e in enumerate(examples) if e.stratum == group]
        own = _balanced([examples[k] for k in at])
        own = torch.ones(len(at), dtype=torch.float64) if own is None else own
        weights[at] = own / own.sum()
    weights = weights / weights.mean()
    return weights.clamp(max=MOST_OFTEN)
