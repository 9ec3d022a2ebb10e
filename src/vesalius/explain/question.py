"""Question: what is asked of one case, as a number that follows from its image; the only door to the models."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from vesalius.core.ask import Ask
from vesalius.core.image import Array, Triple
from vesalius.infer.runs.contract import Members
from vesalius.prepare.batch import Example, main_image, with_tiles

Watch = Callable[[int], None]
Changed = tuple[
    Tensor, Tensor | None
]  # an image `(C, Z, Y, X)` and covariates `(F,)`, one or both of them changed
PASS = 16  # images that go through a model at once
CACHED = 450_000  # voxels, on a processor: of more the maps leave its cache, and each image takes half as long again
SLOPED = 2**21  # values of images whose gradients are followed at once, which bounds the memory for them


class Question:
    """How much the models say what is asked, of a case whose image was changed.

    `image` is the main image `(C, Z, Y, X)` as prepared, `covariates` `(F,)` what stands beside it, both on the device;
    frames of an image in time are channels here, so that a map is of places, whatever the time. All else of the case
    stays as it is. Calling it gives the mean over the members of `Task.scalar`, a logit for instance; gradients can be
    followed through it. `passes` counts the images that went through a network. `cuts` keeps how the image was cut into
    pieces, which is the same for every method and every model.
    """

    def __init__(self, members: Members, example: Example, ask: Ask, *, watch: Watch | None = None) -> None:
        self.members, self.example, self.ask, self.watch = members, example, ask, watch
        self.passes = 0
        self.cuts: dict[tuple[int, Triple | None], Array] = {}
        array = np.ascontiguousarray(main_image(example), dtype=np.float32)
        self._shape = array.shape  # (C, Z, Y, X) or (T, C, Z, Y, X)
        self.image = torch.from_numpy(array.reshape(-1, *array.shape[-3:])).to(members.device)
        known = example.covariates
        self.covariates = (
            None if known is None else torch.from_numpy(np.asarray(known, np.float32)).to(members.device)
        )
        self._batch = with_tiles(example, members.device)

    @property
    def models(self) -> Sequence[nn.Module]:
        """The members' models."""
        return self.members.models

    def of(self, models: Sequence[nn.Module]) -> Question:
        """Return the same question to other models."""
        other = Question(replace(self.members, models=models), self.example, self.ask, watch=self.watch)
        other.cuts = self.cuts
        return other

    @property
    def sloped(self) -> int:
        """How many images go through a model at once where gradients are followed."""
        return max(1, min(PASS, SLOPED // max(self.image.numel(), 1)))

    @property
    def _at_once(self) -> int:
        """How many images go through a model at once where nothing is kept for gradients."""
        if self.image.device.type != "cpu":
            return PASS
        return max(1, min(PASS, CACHED // max(math.prod(self.image.shape[-3:]), 1)))

    def about(self, image: Array) -> Question:
        """Return the same question about another image `(C, Z, Y, X)` in place of this one."""
        name = next(k for k, v in self.example.images.items() if v is main_image(self.example))
        example = replace(self.example, images={**self.example.images, name: image.reshape(self._shape)})
        return Question(self.members, example, self.ask, watch=self.watch)

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


def _groups(items: Iterable[Changed], size: int) -> Iterator[list[Changed]]:
    group: list[Changed] = []
    for item in items:
        group.append(item)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
