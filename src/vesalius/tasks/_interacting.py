"""How `interact` learns: one object of each patch is shown by a simulated person, who corrects what the model says.

The rounds before the last are asked without gradients, as in RITM (Sofiiuk et al., arXiv:2102.06583) and DeepEdit
(Diaz-Pinto et al., arXiv:2305.10655); some begin with a mask that somebody proposed, as a service's first answer is.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from vesalius.core.image import Array
from vesalius.prepare import simulated
from vesalius.prepare.batch import UNKNOWN, Batch
from vesalius.prepare.strokes import Marks, channels
from vesalius.tasks._interactor import Interactor

Rng = np.random.Generator
MASK = "mask"
ONE_PART = 0.5  # of objects of several parts, of which one part alone is meant
PROPOSED, BOXED, SCRIBBLED = (
    0.15,
    0.2,
    0.15,
)  # of objects, how the person begins; the others begin with a click
SCRIBBLES = 0.2  # of corrections that are a line
FORGOTTEN = 0.15  # of the masks so far that are not shown
SMALLEST = 4  # voxels of an object in a patch


def loss_of(model: Interactor, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
    """Return the planned loss of the last of some rounds; patches without an object count for nothing."""
    image = batch.images["image"]
    drawn = torch.randint(0, 2**31 - 1, (1,), generator=generator, device=generator.device)
    rng = np.random.default_rng(int(drawn))
    index = batch.targets[MASK][:, 0].cpu().numpy() if MASK in batch.targets else None
    people = [
        None if index is None else person_of(one, rng, model.spacing)
        for one in (image if index is None else index)
    ]
    rows = [k for k, person in enumerate(people) if person is not None]
    if not rows:
        return {MASK: 0.0 * model(image).sum()}
    image, several = image[rows], [p for p in people if p is not None]
    for _ in range(int(rng.integers(0, model.rounds + 1))):
        with _at_rest(model), torch.no_grad():
            logits = model(image, _guidance(several, image))
            found = (logits[:, 1] > logits[:, 0]).cpu().numpy()
        for person, mask in zip(several, found, strict=True):
            person.correct(mask)
    logits = model(image, _guidance(several, image))
    truth = np.stack([p.target() for p in several])
    return {MASK: model.criterion(logits, torch.from_numpy(truth).to(image.device))}


class Person:
    """A simulated person with one object in mind, and what was shown of it so far."""

    def __init__(
        self, truth: Array, known: Array, rng: Rng, spacing: tuple[float, float, float] | None
    ) -> None:
        self.truth, self.known, self.rng, self.spacing = truth, known, rng, spacing
        self.added: list[Array] = []
        self.removed: list[Array] = []
        self.box: tuple[Array, Array] | None = None
        self.mask = np.zeros(truth.shape, bool)
        way = rng.random()
        if way < PROPOSED:
            self.mask = proposed(truth, rng)
            self.correct(self.mask)
        elif way < PROPOSED + BOXED:
            corners = simulated.box(truth, rng)
            if corners is not None:
                self.box = np.array(corners[0]), np.array(corners[1]) + 1
        else:
            at = simulated.first(truth, spacing, rng)
            if at is not None:
                line = rng.random() < SCRIBBLED / (1 - PROPOSED - BOXED)
                self._add(truth, at, line=line, adds=True)

    def correct(self, mask: Array) -> None:
        """Take a mask in, and show where it is most wrong."""
        self.mask = mask
        found = simulated.correction(self.truth, mask, self.known, spacing=self.spacing, rng=self.rng)
        if found is not None:
            at, adds = found
            error = (self.truth & ~mask if adds else mask & ~self.truth) & self.known
            self._add(error, at, line=self.rng.random() < SCRIBBLES, adds=adds)

    def guidance(self) -> Array:
        """Return what the model sees of the strokes and of the mask so far, `(4, Z, Y, X)`."""
        shown = np.zeros_like(self.mask) if self.rng.random() < FORGOTTEN else self.mask
        marks = Marks(_stacked(self.added), _stacked(self.removed), self.box)
        return channels(marks, shown.astype(np.float32), self.spacing)

    def target(self) -> Array:
        """Return the truth as a class of each voxel, -1 where nothing is known."""
        return np.where(self.known, self.truth, UNKNOWN).astype(np.int64)

    def _add(self, where: Array, at: simulated.Voxel, *, line: bool, adds: bool) -> None:
        voxels = simulated.scribble(where, at, self.rng) if line else np.array([at])
        (self.added if adds else self.removed).append(voxels)


def person_of(index: Array, rng: Rng, spacing: tuple[float, float, float] | None) -> Person | None:
    """Return a person with an object of a patch `(Z, Y, X)` in mind: any label, all of it or one part of it."""
    values, counts = np.unique(index[index > 0], return_counts=True)
    large = values[counts >= SMALLEST]
    if not len(large):
        return None
    truth: Array = index == large[rng.integers(len(large))]
    parts, n = ndimage.label(truth, structure=np.ones((3, 3, 3)))
    if n > 1 and rng.random() < ONE_PART:
        sizes = np.bincount(parts.reshape(-1))[1:]
        chosen = np.flatnonzero(sizes >= SMALLEST)
        if len(chosen):
            truth = parts == 1 + chosen[rng.integers(len(chosen))]
    return Person(truth, index != UNKNOWN, rng, spacing)


def proposed(truth: Array, rng: Rng) -> Array:
    """Return an object as another model may propose it: moved, too large or too small."""
    moved = truth
    for axis, side in enumerate(truth.shape):
        most = max(side // 10, 0)
        step = int(rng.integers(-most, most + 1)) if most else 0
        moved = np.roll(moved, step, axis=axis)
    times = int(rng.integers(0, 3))
    if not times:
        return moved
    shape = np.ones([min(n, 3) for n in truth.shape], bool)
    change = ndimage.binary_dilation if rng.random() < 0.5 else ndimage.binary_erosion
    found: Array = change(moved, shape, iterations=times)
    return found


def _guidance(people: list[Person], image: Tensor) -> Tensor:
    return torch.from_numpy(np.stack([p.guidance() for p in people])).to(image)


def _stacked(several: list[Array]) -> Array:
    return np.concatenate(several) if several else np.zeros((0, 3), np.int64)


class _at_rest:
    """Inside this block a model answers as it will when it is asked, and learns nothing of what it sees."""

    def __init__(self, model: Interactor) -> None:
        self.model, self.training = model, model.training

    def __enter__(self) -> None:
        self.model.eval()

    def __exit__(self, *_: object) -> None:
        self.model.train(self.training)
