"""Question: what is asked of one case, as a number that follows from its image; the only door to the models."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vesalius.core.ask import Ask
from vesalius.core.image import Array, Triple
from vesalius.infer.alone import Alone
from vesalius.infer.runs.contract import Members
from vesalius.infer.weighing import listened
from vesalius.prepare.batch import Batch, Example, collate, main_image, repeated, with_tiles

Watch = Callable[[int], None]
Changed = tuple[
    Tensor, Tensor | None
]  # an image `(C, Z, Y, X)` and covariates `(F,)`, one or both of them changed
PASS = 16  # images that go through a model at once
CACHED = 450_000  # voxels, on a processor: of more the maps leave its cache, and each image takes half as long again
SLOPED = 2**21  # values of images whose gradients are followed at once, which bounds the memory for them


@dataclass(frozen=True)
class Seen:
    """Which picture of a case is asked about: an image by its source's name, and which step where it has some."""

    source: str
    step: int | None = None


class Question:
    """How much the models say what is asked, of a case whose image was changed.

    `image` is the main image `(C, Z, Y, X)` as prepared, `covariates` `(F,)` what stands beside it, both on the device;
    frames of an image in time are channels here, so that a map is of places, whatever the time. With `seen` it is one
    step of the image of that source: a frame, a visit. All else of the case stays as it is.

    Calling it gives the mean over the members of `Task.scalar`, a logit for instance; gradients can be followed through
    it. `passes` counts the images that went through a network. `cuts` keeps how the image was cut into pieces, which is
    the same for every method and every model.
    """

    def __init__(
        self,
        members: Members,
        example: Example,
        ask: Ask,
        *,
        watch: Watch | None = None,
        seen: Seen | None = None,
    ) -> None:
        self.members, self.example, self.ask, self.watch, self.seen = members, example, ask, watch, seen
        self.passes = 0
        self.cuts: dict[tuple[int, Triple | None], Array] = {}
        array = np.ascontiguousarray(_picture(example, seen), dtype=np.float32)
        self._shape = array.shape  # (C, Z, Y, X) or (T, C, Z, Y, X)
        self._held = array.size if seen is None else example.images[seen.source].size  # values in one pass
        self.image = torch.from_numpy(array.reshape(-1, *array.shape[-3:])).to(members.device)
        known = example.covariates
        self.covariates = (
            None if known is None else torch.from_numpy(np.asarray(known, np.float32)).to(members.device)
        )
        self._batch = (
            with_tiles(example, members.device) if seen is None else _with_seen(example, seen, members)
        )

    @property
    def models(self) -> Sequence[nn.Module]:
        """The members' models."""
        return self.members.models

    def of(self, models: Sequence[nn.Module]) -> Question:
        """Return the same question to other models."""
        other = Question(
            replace(self.members, models=models), self.example, self.ask, watch=self.watch, seen=self.seen
        )
        other.cuts = self.cuts
        return other

    @property
    def sloped(self) -> int:
        """How many images go through a model at once where gradients are followed."""
        return max(1, min(PASS, SLOPED // max(self._held, 1)))

    @property
    def _at_once(self) -> int:
        """How many images go through a model at once where nothing is kept for gradients."""
        if self.image.device.type != "cpu":
            return PASS
        steps = 1 if self.seen is None else self._held // max(self.image.numel(), 1)
        return max(1, min(PASS, CACHED // max(math.prod(self.image.shape[-3:]) * steps, 1)))

    def about(self, image: Array) -> Question:
        """Return the same question about another image `(C, Z, Y, X)` in place of this one."""
        if self.seen is None:
            name = next(k for k, v in self.example.images.items() if v is main_image(self.example))
            whole = image.reshape(self._shape)
        else:
            name, whole = self.seen.source, self.example.images[self.seen.source].copy()
            whole[... if self.seen.step is None else self.seen.step] = image.reshape(self._shape)
        example = replace(self.example, images={**self.example.images, name: whole})
        return Question(self.members, example, self.ask, watch=self.watch, seen=self.seen)

    def eye(self, model: nn.Module) -> nn.Module:
        """Return the part of a model that looks at the image: of a net of several sources the eye of its source."""
        net: Any = None if self.seen is None else listened(model, alone=True)
        if net is None or self.seen is None:
            return model
        found: nn.Module = net.eye_of(next(s for s in net.sources if s.name == self.seen.source))
        return found

    def row(self, model: nn.Module) -> int | None:
        """Return which row of all that the eye looks at is the image, where it sees several one by one; else None.

        An eye that all sources share sees one source's steps after the other's.
        """
        net: Any = None if self.seen is None else listened(model, alone=True)
        if net is None or self.seen is None:
            return None
        eye, before = self.eye(model), 0
        for source in net.sources:
            if source.name == self.seen.source:
                return before + (self.seen.step or 0)
            x = self.example.images.get(source.name)
            if source.kind == "image" and x is not None and net.eye_of(source) is eye:
                before += x.shape[0] if x.ndim == 5 else 1
        return before

    def alone(self, model: nn.Module) -> None:
        """Have the part of a model that looks at the image look at it, for what can be overheard of that."""
        eye: Any = self.eye(model)
        if eye is model:
            self.one(model, self.image[None])
        else:
            eye(self.image[None, :, 0] if eye.dims == 2 else self.image[None])

    def one(self, model: nn.Module, images: Tensor, covariates: Tensor | None = None) -> Tensor:
        """Return what one model says of each image, `(N, C, Z, Y, X)` → `(N,)`."""
        batch = self._batch(images.reshape(len(images), *self._shape))
        if covariates is not None:
            batch = replace(batch, covariates=covariates)
        generator = torch.Generator(device="cpu").manual_seed(0)
        self.passes += len(images)
        if self.watch is not None:
            self.watch(len(images))
        raw = self.members.task.infer(model, batch, generator)
        return self.members.task.scalar(raw, self.ask)

    def __call__(self, images: Tensor, covariates: Tensor | None = None) -> Tensor:
        """Return what the models together say of each image, `(N, C, Z, Y, X)` → `(N,)`."""
        return torch.stack([self.one(m, images, covariates) for m in self.models]).mean(dim=0)

    @property
    def slopeless(self) -> str | None:
        """Return in a sentence why no gradients can be followed through the models; None where they can."""
        alone = any(isinstance(model, Alone) for model in self.members.models)
        return "the model was imported as a graph, which has no gradients" if alone else None

    def slopes(self, images: Tensor, covariates: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Return how what the models say follows each image, as `images` are, and the covariates `(N, F)`."""
        images = images.detach().requires_grad_(True)
        given = None if covariates is None else covariates.detach().requires_grad_(True)
        with torch.enable_grad():
            total = self(images, given).sum()
        seen = [images] if given is None else [images, given]
        found = torch.autograd.grad(total, seen, allow_unused=True)
        slopes = [torch.zeros_like(s) if g is None else g for s, g in zip(seen, found, strict=True)]
        return slopes[0], None if given is None else slopes[1]

    def each(self, changed: Iterable[Changed]) -> Array:
        """Return what the models say of each changed case, `(N,)` float64, without gradients and in bounded memory."""
        found: list[Tensor] = []
        with torch.inference_mode():
            for group in _groups(changed, self._at_once):
                images = torch.stack([image for image, _ in group])
                beside = [c for _, c in group if c is not None]
                found.append(self(images, torch.stack(beside) if beside else None).double().cpu())
        return torch.cat(found).numpy() if found else np.zeros(0)

    def itself(self) -> float:
        """Return what the models say of the case as it is."""
        return float(self.each([(self.image, self.covariates)])[0])


def _picture(example: Example, seen: Seen | None) -> Array:
    """Return the main image, or what is seen."""
    if seen is None:
        return main_image(example)
    image = example.images[seen.source]
    return image if seen.step is None else image[seen.step]


def _with_seen(example: Example, seen: Seen, members: Members) -> Callable[[Tensor], Batch]:
    """Return what makes a batch of pictures `(n, C, Z, Y, X)`, each in its place in the case."""
    bare = replace(example, targets={}, on_grid=frozenset(), ragged={})
    known = collate([bare]).to(members.device)

    def batch(tiles: Tensor) -> Batch:
        spread = repeated(known, len(tiles))
        x, k = spread.images[seen.source], seen.step
        if k is not None:
            tiles = torch.cat([x[:, :k], tiles[:, None], x[:, k + 1 :]], dim=1)
        return replace(spread, images={**spread.images, seen.source: tiles})

    return batch


def _groups(items: Iterable[Changed], size: int) -> Iterator[list[Changed]]:
    group: list[Changed] = []
    for item in items:
        group.append(item)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
