"""The input of a self-test: made-up images of the kind that a bundle learned from, and what its task needs beside them.

A recipe says what they are like, in plain data that a bundle keeps; a seed makes one of them. No pixel is of a patient.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import numpy as np

from vesalius.core.bundle import Bundle, Stage
from vesalius.core.case import Case, Prompt
from vesalius.core.image import Array, Image, Triple
from vesalius.core.learned import Learned
from vesalius.core.plan import DataPlan, Normalisation
from vesalius.prepare.made_up import Draw, Size, field
from vesalius.tasks.contract import Task

FRAMES = 4  # of a made-up cine
LEVELS = 1023  # steps of grey at most
_TWO_TILES = 1.4  # tiles along one axis of a picture that is answered tile by tile
_SLICES = 3  # of a volume that is looked at slice by slice
_LARGEST = 1.5  # times the size that a network sees, along each axis
_FRAME_S = 0.1


@dataclass(frozen=True, slots=True)
class ImageRecipe:
    """What one made-up image is like. `shape` is `(Z, Y, X)`, `spacing_mm` `(x, y, z)`.

    Its values are `low` + k × `step` for whole numbers k from 0 to `levels`; the step is a power of two, so that each
    is exact in whatever type. `frames` is 0 of an image without a time axis.
    """

    name: str
    shape: Size
    channels: int
    channel_names: tuple[str, ...]
    spacing_mm: Triple | None
    placed: bool
    low: float
    step: float
    levels: int
    dtype: str
    unit: str | None
    modality: str | None
    frames: int = 0


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the made-up cases of a bundle are like: their images, the first of which is the reference."""

    images: tuple[ImageRecipe, ...]

    def json(self) -> list[dict[str, Any]]:
        """Return the recipe as plain data."""
        return [asdict(image) for image in self.images]


def parse(data: Sequence[Mapping[str, Any]]) -> Recipe:
    """Return a recipe from its plain data. Raises KeyError, TypeError or ValueError where it is none."""
    return Recipe(tuple(_image_recipe(one) for one in data))


def _image_recipe(data: Mapping[str, Any]) -> ImageRecipe:
    spacing = data["spacing_mm"]
    known = {**data, "shape": tuple(data["shape"]), "channel_names": tuple(data["channel_names"])}
    return ImageRecipe(**{**known, "spacing_mm": None if spacing is None else tuple(spacing)})


def recipe_of(bundle: Bundle, task: Task) -> Recipe:
    """Return what a bundle's made-up cases are like: as its training cases were, but no larger than they need be.

    `task` is that of its last stage.
    """
    stage = bundle.stages[0] if bundle.stages[-1].takes is not None else bundle.stages[-1]
    data, learned = stage.plan.data, bundle.learned
    if not data.images or _without_images(task, bundle):
        return Recipe(())
    spacing = _spacing(data, learned)
    shape = _shape(stage, learned, spacing)
    each = data.channels // len(data.images)
    images = []
    for k, name in enumerate(data.images):
        low, high = _reach(data.normalise[k * each : (k + 1) * each], learned)
        low, step, levels, kind = _values(low, high)
        images.append(
            ImageRecipe(
                name=name,
                shape=shape,
                channels=each,
                channel_names=data.names_of(k) if len(data.names_of(k)) == each else (),
                spacing_mm=spacing,
                placed=spacing is not None and shape[0] > 1,
                low=low,
                step=step,
                levels=levels,
                dtype=kind,
                unit=_first(learned.units) if learned else None,
                modality=_first(learned.modalities) if learned else None,
                frames=FRAMES if task.sees_time(stage.plan) else 0,
            )
        )
    return Recipe(tuple(images))


def _without_images(task: Task, bundle: Bundle) -> bool:
    """Return whether the training cases had no images: the task answers such ones, and all that was seen is a point."""
    nothing = task.geometry(Case("", {}, reference=None), bundle.stages[-1].state)
    points = bundle.learned is None or all(high <= 1 for _, high in bundle.learned.size)
    return nothing is not None and points


def _first(known: Sequence[str | None]) -> str | None:
    return next((word for word in known if word is not None), None)


def _spacing(data: DataPlan, learned: Learned | None) -> Triple | None:
    """Return the spacing in the middle of what was learned from; the planned one where that is not known."""
    if learned is None or learned.spacing_mm is None:
        return data.spacing_mm
    x, y, z = (float(f"{math.sqrt(low * high):.6g}") for low, high in learned.spacing_mm)
    return x, y, z


def _shape(stage: Stage, learned: Learned | None, spacing: Triple | None) -> Size:
    """Return `(Z, Y, X)`: one tile, two along an axis of a picture; of whole images what is usual, if not too large."""
    data = stage.plan.data
    wanted = []
    for axis, n in enumerate(data.size):
        scale = 1.0
        if data.spacing_mm is not None and spacing is not None:
            scale = data.spacing_mm[2 - axis] / spacing[2 - axis]
        if data.sampling == "whole":
            wanted.append(_LARGEST * n)
        else:
            wanted.append(scale * n * (_TWO_TILES if data.dims == 2 and axis == 1 else 1.0))
    if data.dims == 2:
        wanted[0] = float(_SLICES if learned is not None and learned.flat is False else 1)
    known = [math.inf] * 3 if learned is None else [math.sqrt(low * high) for low, high in learned.size]
    z, y, x = (max(1, round(min(a, b))) for a, b in zip(wanted, known, strict=True))
    return z, y, x


def _reach(normalise: Sequence[Normalisation], learned: Learned | None) -> tuple[float, float]:
    """Return the lowest and the highest value: the middle of what was learned from, as far as the plan looks at it.

    Values that a plan clips would all be one, so that only a quarter of its reach is kept beyond either end.
    """
    first = normalise[0] if normalise else None
    low, high = -math.inf, math.inf
    if learned is not None:
        low, high = sum(learned.darkest) / 2, sum(learned.brightest) / 2
    if first is not None and first.low is not None and first.high is not None:
        beyond = (first.high - first.low) / 4 if learned is not None else 0.0
        low, high = max(low, first.low - beyond), min(high, first.high + beyond)
    elif learned is None and first is not None and first.mean is not None and first.sd is not None:
        low, high = first.mean - 2 * first.sd, first.mean + 2 * first.sd
    return (low, high) if -math.inf < low < high < math.inf else (0.0, 255.0)


def _values(low: float, high: float) -> tuple[float, float, int, str]:
    """Return the lowest value, the step, the number of steps, and the type that holds them all exactly."""
    reach = high - low if high > low else max(abs(high), 1.0)
    levels = min(LEVELS, int(reach)) if reach >= 64 else LEVELS
    step = 2.0 ** math.floor(math.log2(reach / levels))
    bottom = math.floor(low / step) * step
    top = bottom + step * levels
    whole = step >= 1 and bottom.is_integer()
    if whole and bottom >= 0 and top <= 255:
        return bottom, step, levels, "uint8"
    if whole and bottom >= -(2**15) and top < 2**15:
        return bottom, step, levels, "int16"
    return bottom, step, levels, "float32"


@dataclass(frozen=True, slots=True)
class Made:
    """One made-up case: its seed, what it has beside images, and a hash of its pixels."""

    seed: int
    covariates: Mapping[str, float | str | None]
    texts: Mapping[str, str]
    prompts: tuple[Prompt, ...]
    pixels: str

    def json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {**asdict(self), "prompts": [asdict(p) for p in self.prompts]}


def parse_made(data: Mapping[str, Any]) -> Made:
    """Return a made-up case from its plain data. Raises KeyError, TypeError or ValueError where it is none."""
    prompts = tuple(
        Prompt(p["kind"], tuple(tuple(q) for q in p["points"]), p["label"], bool(p["inside"]))
        for p in data["prompts"]
    )
    return Made(
        int(data["seed"]), dict(data["covariates"]), dict(data["texts"]), prompts, str(data["pixels"])
    )


def make(task: Task, stage: Stage, recipe: Recipe, seed: int) -> tuple[Made, Case]:
    """Return a made-up case, with what a task needs beside its images. Raises DataError where there is no such case."""
    images = _images(recipe, seed)
    case = task.made_up(_case(recipe, seed, images), stage.state, Draw(seed))
    made = Made(seed, dict(case.covariates), dict(case.texts), case.prompts, pixels_of(images))
    return made, again(recipe, made, images)


def again(recipe: Recipe, made: Made, images: Mapping[str, Image] | None = None) -> Case:
    """Return the same case again, from what a bundle keeps of it."""
    case = _case(recipe, made.seed, _images(recipe, made.seed) if images is None else images)
    return replace(case, covariates=made.covariates, texts=made.texts, prompts=made.prompts)


def _case(recipe: Recipe, seed: int, images: Mapping[str, Image]) -> Case:
    reference = recipe.images[0].name if recipe.images else None
    return Case(f"made-up-{seed}", images, reference=reference, registered=True)


def pixels_of(images: Mapping[str, Any]) -> str:
    """Return a hash of the pixels of a made-up case, by which it is seen to be the same."""
    found = hashlib.sha256()
    for name, image in images.items():
        array = cast(Image, image).array
        found.update(f"{name} {array.dtype.str} {array.shape}".encode())
        found.update(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    return found.hexdigest()[:32]


def _images(recipe: Recipe, seed: int) -> dict[str, Image]:
    return {one.name: _image(one, Draw(1000 * (seed + 1) + k)) for k, one in enumerate(recipe.images)}


def _image(recipe: ImageRecipe, draw: Draw) -> Image:
    channels = [_pixels(recipe, draw) for _ in range(recipe.channels)]
    array: Array = np.stack(channels)
    times = None
    if recipe.frames:  # what is seen moves on by two voxels a frame
        array = np.stack([np.roll(array, 2 * t, axis=-1) for t in range(recipe.frames)])
        times = tuple(_FRAME_S * t for t in range(recipe.frames))
    affine = None
    if recipe.placed and recipe.spacing_mm is not None:
        x, y, z = recipe.spacing_mm
        affine = np.array([[-x, 0, 0, 90], [0, -y, 0, 110], [0, 0, z, -40], [0, 0, 0, 1.0]])
    return Image(
        array,
        affine=affine,
        spacing_mm=None if affine is not None else recipe.spacing_mm,
        times_s=times,
        unit=recipe.unit,
        modality=recipe.modality,
        channels=recipe.channel_names,
    )


def _pixels(recipe: ImageRecipe, draw: Draw) -> Array:
    steps = field(draw, recipe.shape, recipe.levels)
    return (recipe.low + recipe.step * steps).astype(recipe.dtype)
