"""Examples and batches: prepared cases as a task encodes them, one by one in numpy and stacked in torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array

if TYPE_CHECKING:
    import torch
    from torch import Tensor

UNKNOWN = -1  # in an integer target on the images' grid: nothing is known here


@dataclass(frozen=True, eq=False)
class Example:
    """One prepared case, in numpy, before it is cut and put into a batch. Absent things are None or not named.

    `images` by name `(C, Z, Y, X)`, or `(T, C, Z, Y, X)` where the task takes time; they may differ in size.
    `present` tells of planned images that share one array whether the case has each. `targets` by name, those named
    in `on_grid` as `(K, Z, Y, X)` and moved with the main image by every geometric change. `ragged` are targets and
    prompts whose number differs from case to case, along their first axis; those named in `points` `(N, 3)` and
    `boxes` `(N, 2, 3)`, low and high corner, are `(z, y, x)` in voxels of the prepared grid and move with it, too.
    `frame_times_s` `(T,)` are those of a cine's frames, `times_days` those of events. `patient` and `group` (a site,
    a scanner) are for samplers and losses that keep cases together. `stratum` is the group by the planned `train.by`.

    What comes together with images has a name of its own: `courses` `(T, F)` are time courses, `parents` `(T,)` say
    of the rows of one that is a tree which row is above each, and `vectors` `(F,)` are what a text or an earlier stage
    says. `times_s` `(T,)` are the times in seconds of an image's frames or visits (those before the case's own are
    negative) or of a course's rows, by the image's or the course's name.
    """

    case_id: str
    images: Mapping[str, Array]
    targets: Mapping[str, Array] = field(default_factory=dict)
    on_grid: frozenset[str] = frozenset()
    covariates: Array | None = None
    tokens: Array | None = None
    frame_times_s: Array | None = None
    times_days: Array | None = None
    present: Mapping[str, bool] = field(default_factory=dict)
    ragged: Mapping[str, Array] = field(default_factory=dict)
    points: frozenset[str] = frozenset()
    boxes: frozenset[str] = frozenset()
    patient: str | None = None
    group: str | None = None
    stratum: str | None = None
    courses: Mapping[str, Array] = field(default_factory=dict)
    parents: Mapping[str, Array] = field(default_factory=dict)
    vectors: Mapping[str, Array] = field(default_factory=dict)
    times_s: Mapping[str, Array] = field(default_factory=dict)


@dataclass(eq=False)
class Memory:
    """What a model keeps of the steps of one case that it has seen, `held` by the name of a source.

    A pass over a batch that has one goes on where the last one ended, and replaces what is held.
    """

    held: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Batch:
    """What a task's `loss` and `infer` are given, and all that the loop knows of a task.

    `images` by name `(B, C, Z, Y, X)` float32 (a 2-D picture has Z == 1), or `(B, T, C, Z, Y, X)`; `targets` by name;
    `on_grid` names the targets that lie on the images' grid `(B, K, Z, Y, X)`; `covariates` `(B, F)`;
    `tokens` `(B, L)` int64; `frame_times_s` `(B, T)`, NaN where a cine has no such frame; `times_days` `(B, …)`.
    `has` says by a target's name which cases have it, `present` by the name of an image (or `covariates`, `tokens`,
    `frame_times_s`, `times_days`) which cases have that, each `(B,)` bool. What a case lacks is filled: with zeros,
    with -1 where integers lie on the grid, with NaN in covariates and times. `ragged` holds a tensor for each case,
    None where it has none. `courses` are `(B, T, F)`, `parents` `(B, T)` int64, `vectors` `(B, F)` and `times_s`
    `(B, T)`, by name; courses and images with time are as long as the longest, and a step that is not there has the
    time NaN. With a `memory` the batch holds the next steps of cases whose steps so far are in it.
    """

    images: Mapping[str, Tensor]
    case_ids: tuple[str, ...] = ()
    targets: Mapping[str, Tensor] = field(default_factory=dict)
    on_grid: frozenset[str] = frozenset()
    covariates: Tensor | None = None
    tokens: Tensor | None = None
    frame_times_s: Tensor | None = None
    times_days: Tensor | None = None
    has: Mapping[str, Tensor] = field(default_factory=dict)
    present: Mapping[str, Tensor] = field(default_factory=dict)
    ragged: Mapping[str, tuple[Tensor | None, ...]] = field(default_factory=dict)
    points: frozenset[str] = frozenset()
    boxes: frozenset[str] = frozenset()
    patients: tuple[str | None, ...] = ()
    groups: tuple[str | None, ...] = ()
    courses: Mapping[str, Tensor] = field(default_factory=dict)
    parents: Mapping[str, Tensor] = field(default_factory=dict)
    vectors: Mapping[str, Tensor] = field(default_factory=dict)
    times_s: Mapping[str, Tensor] = field(default_factory=dict)
    memory: Memory | None = None

    @property
    def rows(self) -> int:
        """Return how many cases or tiles there are."""
        singles = (t for t in (self.covariates, self.tokens) if t is not None)
        held = (*self.images.values(), *singles, *self.courses.values(), *self.vectors.values())
        return len(held[0]) if held else len(self.case_ids)

    def to(self, device: torch.device) -> Batch:
        """Return the same on another device."""
        from torch import Tensor, float32, float64

        def move(value: Any) -> Any:
            if isinstance(value, Tensor):
                if device.type == "mps" and value.dtype == float64:  # which has no such numbers
                    value = value.to(float32)
                return value.to(device, non_blocking=True)
            if isinstance(value, Mapping):
                return {k: move(v) for k, v in value.items()}
            if isinstance(value, tuple):
                return tuple(move(v) for v in value)
            return value

        changed = {name: move(getattr(self, name)) for name in self.__dataclass_fields__}
        return replace(self, **changed)

    def labelled(self, target: str) -> Tensor | None:
        """Return which cases have a target, `(B,)` bool, where some lack it; None where all have it."""
        has = self.has.get(target)
        return None if has is None or bool(has.all()) else has


def collate(examples: Sequence[Example]) -> Batch:
    """Stack examples into a Batch; what some of them lack is filled there, and `has` and `present` say so.

    Raises DataError where two cases' arrays of one name differ in shape otherwise than in their number of frames.
    """
    import torch

    targets = {k: [e.targets.get(k) for e in examples] for k in _names(e.targets for e in examples)}
    images = {k: [e.images.get(k) for e in examples] for k in _names(e.images for e in examples)}
    on_grid = frozenset().union(*(e.on_grid for e in examples))
    singles = {k: [getattr(e, k) for e in examples] for k in _SINGLES}
    singles = {k: v for k, v in singles.items() if any(a is not None for a in v)}
    named = {f: _held(examples, f) for f in _NAMED}
    present = {k: _there(v) for k, v in (images | singles | named["courses"] | named["vectors"]).items()}
    for name in _names(e.present for e in examples):
        present[name] = torch.tensor([bool(e.present.get(name)) for e in examples])
    beside: dict[str, Any] = {k: _stacked(k, v, _SINGLES[k]) for k, v in singles.items()}
    return Batch(
        images={k: _stacked(k, v, 0) for k, v in images.items()},
        case_ids=tuple(e.case_id for e in examples),
        targets={k: _stacked(k, v, _unknown(v) if k in on_grid else 0) for k, v in sorted(targets.items())},
        on_grid=on_grid & targets.keys(),
        has={k: _there(v) for k, v in sorted(targets.items())},
        present=present,
        ragged={
            k: tuple(None if (a := e.ragged.get(k)) is None else torch.from_numpy(a) for e in examples)
            for k in _names(e.ragged for e in examples)
        },
        points=frozenset().union(*(e.points for e in examples)),
        boxes=frozenset().union(*(e.boxes for e in examples)),
        patients=tuple(e.patient for e in examples),
        groups=tuple(e.group for e in examples),
        courses=_named(named, "courses"),
        parents=_named(named, "parents"),
        vectors=_named(named, "vectors"),
        times_s=_named(named, "times_s"),
        **beside,
    )


def _named(held: Mapping[str, Mapping[str, Sequence[Array | None]]], of: str) -> dict[str, Tensor]:
    """Return what examples have under the names of a field, stacked."""
    return {k: _stacked(k, v, _NAMED[of], timed=of != "vectors") for k, v in held[of].items()}


def _held(examples: Sequence[Example], field_: str) -> dict[str, list[Array | None]]:
    """Return what examples have under the names of a field, None where one lacks it."""
    each = [getattr(e, field_) for e in examples]
    return {k: [held.get(k) for held in each] for k in _names(each)}


_SINGLES = {
    "covariates": float("nan"),
    "tokens": 0,
    "frame_times_s": float("nan"),
    "times_days": float("nan"),
}
_NAMED = {"courses": 0, "parents": -1, "vectors": 0, "times_s": float("nan")}


def main_image(example: Example) -> Array:
    """Return the image whose grid targets, points and boxes lie on: `image`, or the first. Raises DataError."""
    if not example.images:
        raise DataError(f"case {example.case_id} has no image")
    return example.images["image"] if "image" in example.images else next(iter(example.images.values()))


def part_of(example: Example, start: Sequence[int], size: Sequence[int]) -> Example:
    """Return an example whose main image is a part of itself, from index `start` `(z, y, x)` on; all else is whole."""
    main = main_image(example)
    z, y, x = (slice(a, a + n) for a, n in zip(start, size, strict=True))
    images = {
        name: np.ascontiguousarray(image[..., z, y, x]) if image is main else image
        for name, image in example.images.items()
    }
    return replace(example, images=images)


def with_tiles(example: Example, device: torch.device) -> Callable[[Tensor], Batch]:
    """Return what makes a batch of tiles of the main image, each with all else that is known of the case.

    Tiles are `(B, C, z, y, x)`; those of a cine `(B, T * C, z, y, x)` or `(B, T, C, z, y, x)`, given on as the latter.
    """
    main = main_image(example)
    name = next(k for k, v in example.images.items() if v is main)
    rest = {k: v for k, v in example.images.items() if k != name}
    known = replace(example, images=rest, targets={}, on_grid=frozenset(), ragged={})
    beside = collate([known]).to(device)

    def batch(tiles: Tensor) -> Batch:
        n = len(tiles)
        shaped = tiles.reshape(n, *main.shape[:-3], *tiles.shape[-3:])
        spread = repeated(beside, n)
        return replace(spread, images={name: shaped, **spread.images})

    return batch


def repeated(batch: Batch, n: int) -> Batch:
    """Return a batch of one case as one of `n` rows that are all alike; nothing is copied."""
    from torch import Tensor

    def each(value: Any) -> Any:
        if isinstance(value, Tensor):
            return value.expand(n, *value.shape[1:])
        if isinstance(value, Mapping):
            return {k: each(v) for k, v in value.items()}
        return value * n if isinstance(value, tuple) else value

    return Batch(**{f.name: each(getattr(batch, f.name)) for f in fields(Batch)})


def _names(mappings: Any) -> list[str]:
    """Return the names in any of several mappings, in the order in which they first appear."""
    return list(dict.fromkeys(name for mapping in mappings for name in mapping))


def _there(arrays: Sequence[Array | None]) -> Tensor:
    import torch

    return torch.tensor([a is not None for a in arrays])


def _unknown(arrays: Sequence[Array | None]) -> int:
    """Return what fills a target on the grid where a case lacks it."""
    return UNKNOWN if all(a is None or a.dtype.kind == "i" for a in arrays) else 0


def _stacked(name: str, arrays: Sequence[Array | None], fill: float, *, timed: bool = False) -> Tensor:
    """Stack arrays `(…)` into `(B, …)`; what is `timed` is as long as the longest, and what is lacking is `fill`."""
    import torch

    held = [a for a in arrays if a is not None]
    if len(held) == len(arrays) and len({a.shape for a in held}) == 1:
        return torch.from_numpy(np.stack(held))
    longest = max(held, key=lambda a: a.shape[0] if a.ndim else 0)
    timed = timed or longest.ndim == 5 or name == "frame_times_s"
    wanted = longest.shape[1:] if timed else longest.shape
    odd = next((a for a in held if (a.shape[1:] if timed else a.shape) != wanted), None)
    if odd is not None:
        raise DataError(
            f"the cases of a batch differ in the shape of '{name}'",
            found=f"{odd.shape} and {longest.shape}",
            hint="one size for all cases, or a ragged target",
        )
    whole = longest.dtype.kind in "iu"
    out = np.full((len(arrays), *longest.shape), 0 if whole and fill != fill else fill, longest.dtype)
    for k, array in enumerate(arrays):
        if array is not None:
            out[(k, slice(len(array))) if timed else k] = array
    return torch.from_numpy(out)
