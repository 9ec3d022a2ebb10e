"""Facts: what each case of a cohort is like, measured while it is decoded anyway; and which channels all have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.cohorts import usual_reference
from vesalius.cohorts.targets.contract import Thing
from vesalius.core.case import IGNORED, Case
from vesalius.core.channels import are_colours, described, order
from vesalius.core.course import Course
from vesalius.core.errors import MismatchError
from vesalius.core.image import Array, Image, Triple
from vesalius.plan.sources import NOTHING, ImageFacts, SourceFacts, image_facts, measured
from vesalius.prepare.case import channel_names, frame
from vesalius.prepare.geometry import orientation
from vesalius.prepare.seen import SAMPLE, body_part_of, canonical, modality_of, sample, unit_of

RARE = 0.05  # of the labelled area
Ends = tuple[float, float, float, float]  # the 0.5th and the 99.5th percentile, the mean and the deviation


@dataclass(frozen=True, slots=True)
class ChannelFacts:
    """The intensities of one channel: of which image it is, the `k`-th there, and its ends, mean and deviation.

    `inside` are those where the mask holds a label, None where there is none or its grid is another.
    """

    image: str
    k: int
    unit: str | None
    bits: int | None
    values: Ends
    inside: Ends | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """One image and its mask: `shape` and `spacing_mm` in canonical axes, (Z, Y, X) and (x, y, z); its intensities.

    `each` are those of each channel by itself, and of the other images. `width_px` is how wide the thinnest label
    of a flat mask is, in pixels; None where there is no label, and of volumes. `things` are those that the target
    places in the image, by label and size `(z, y, x)` in voxels, in canonical axes, too.
    """

    shape: tuple[int, int, int]
    spacing_mm: Triple | None
    channels: int
    grey: bool
    unit: str | None
    bits: int | None
    low: float
    high: float
    mean: float
    sd: float
    inside: tuple[float, float, float, float] | None  # p0.5, p99.5, mean, sd where a label is
    voxels: tuple[tuple[int, int], ...] = ()  # of each value of the mask
    names: tuple[str, ...] = ()  # of the channels, where they have any
    modality: str | None = None
    body_part: str | None = None
    sequence: str | None = None
    each: tuple[ChannelFacts, ...] = ()
    width_px: float | None = None
    things: tuple[Thing, ...] = ()
    sources: SourceFacts = NOTHING
    own: ImageFacts | None = None  # of the reference, as one of the case's images; None where it has none


def facts(
    image: Image,
    mask: Image | None,
    *,
    seed: int = 0,
    case: Case | None = None,
    beside: Mapping[str, Image] | None = None,
    things: Sequence[Thing] = (),
    around: Array | None = None,
    courses: Mapping[str, Course] | None = None,
) -> Facts:
    """Measure one image; intensities on a random sample of its pixels. `case` says what is declared of it.

    `beside` are the case's other images by name, of which the channels' intensities are measured. `things` are those
    that the target places in the image, in its own axes, and `around` are bits of the voxels in and about them, which
    stand for a label where there is no mask. `courses` are the case's time courses.
    """
    shape, spacing = canonical(image)
    order, _ = orientation(image.affine)
    array = (
        image.array[0] if image.times_s is not None else frame(image)
    )  # `prepare` refuses what a task cannot take
    rng = np.random.default_rng(seed)
    points = sample(array, rng)
    values = points[np.isfinite(points)]
    values = values if values.size else np.zeros(1)
    grey = array.shape[0] == 1 or (image.in_colour and bool((points == points[:1]).all()))
    names = image.channels if case is None else channel_names(image, case)
    declared = () if case is None else case.declared
    bits, unit = _bits(array), unit_of(image, declared)
    if mask is None and around is not None and around.any():
        drawn: Image | None = Image(around[None].astype(np.uint8))
    else:
        drawn = mask
    where = _labelled(array, drawn, rng)
    name = "image" if case is None or case.reference is None else case.reference
    there = case is not None and bool(case.images)
    each = _each(name, array, points, unit, where)
    for other, found in (beside or {}).items():
        held = found.array[0] if found.times_s is not None else frame(found)
        inside = _labelled(held, drawn, np.random.default_rng(seed))
        each += _each(
            other, held, sample(held, np.random.default_rng(seed)), unit_of(found, declared), inside
        )
    return Facts(
        shape=shape,
        spacing_mm=spacing,
        channels=int(array.shape[0]),
        grey=grey,
        unit=unit,
        bits=bits,
        low=float(np.percentile(values, 0.5)),
        high=float(np.percentile(values, 99.5)),
        mean=float(values.mean()),
        sd=float(values.std()),
        inside=None if where is None else _ends(array[0].reshape(-1)[where]),
        names=names if len(names) == array.shape[0] else (),
        modality=modality_of(image, declared),
        body_part=body_part_of(image),
        sequence=image.sequence,
        each=each,
        width_px=None if mask is None or mask.shape != array.shape[1:] else width_px(mask.array[0]),
        things=tuple((name, (size[order[0]], size[order[1]], size[order[2]])) for name, size in things),
        sources=NOTHING
        if case is None
        else measured(case, image if there else None, beside or {}, courses or {}),
        own=image_facts(name, image) if there else None,
    )


def _bits(array: Array) -> int | None:
    return 8 if array.dtype in (np.uint8, np.bool_) else 16 if array.dtype == np.uint16 else None


def _labelled(array: Array, mask: Image | None, rng: np.random.Generator) -> Array | None:
    """Return the places of random voxels that have a label; None where none has."""
    if mask is None or mask.shape != array.shape[1:]:
        return None
    where = np.flatnonzero((mask.array[0] != 0) & (mask.array[0] != IGNORED))
    return rng.choice(where, min(SAMPLE, len(where)), replace=False) if len(where) else None


def _ends(values: Array) -> Ends | None:
    """Return the percentiles, the mean and the deviation of what is finite; None where nothing is."""
    values = values.astype(np.float64)
    values = values[np.isfinite(values)]
    if not values.size:
        return None
    low, high = np.percentile(values, (0.5, 99.5))
    return float(low), float(high), float(values.mean()), float(values.std())


def _each(
    name: str, array: Array, points: Array, unit: str | None, where: Array | None
) -> tuple[ChannelFacts, ...]:
    """Return what each channel of an image is like; `points` `(C, N)` are values of all of it."""
    bits = _bits(array)
    return tuple(
        ChannelFacts(
            name,
            k,
            unit,
            bits,
            _ends(points[k]) or (0.0, 0.0, 0.0, 0.0),
            None if where is None else _ends(array[k].reshape(-1)[where]),
        )
        for k in range(array.shape[0])
    )


def width_px(mask: Array) -> float | None:
    """Return how wide the thinnest label of a flat mask `(1, Y, X)` is on average, in pixels; None without labels.

    It is twice a label's area by the length of its edges: about the width of a line, and 0.8 of a disc's radius. What
    makes up less than a twentieth of the labelled area counts for nothing, as blurred edges are.
    """
    if mask.shape[0] != 1:
        return None
    plane = mask[0]
    values, areas = np.unique(plane[(plane != 0) & (plane != IGNORED)], return_counts=True)
    found = []
    for value, area in zip(values, areas, strict=True):
        inside = plane == value
        edges = int((inside[1:] != inside[:-1]).sum()) + int((inside[:, 1:] != inside[:, :-1]).sum())
        if area >= RARE * areas.sum() and edges:
            found.append(2 * int(area) / edges)
    return min(found, default=None)


def shared_channels(
    kinds: Mapping[tuple[int, tuple[str, ...]], int],
    images: Sequence[str],
    *,
    such_as: Mapping[tuple[int, tuple[str, ...]], str] | None = None,
) -> tuple[int, tuple[str, ...]]:
    """Return how many channels each image has, and what they are called.

    `kinds` says how many cases have which number and names of channels, and `such_as` which case does, for example.
    Raises MismatchError where cases differ in that.
    Pictures in colour and grey ones are one cohort, for grey is colour of which all channels are equal.
    """
    counts = {n for n, _ in kinds}
    named = [names for n, names in kinds if names]
    coloured = any(map(are_colours, named))
    if counts - {1} and len(counts - ({1} if coloured else set())) > 1:
        rare = min(kinds, key=lambda k: kinds[k])
        usual = max(kinds, key=lambda k: kinds[k])
        example = f", such as {such_as[rare]}" if such_as else ""
        raise MismatchError(
            "the images of this cohort have different channels",
            found=f"{described(*usual)} in {kinds[usual]} cases, {described(*rare)} in {kinds[rare]}{example}",
            hint="images with the same channels in all cases",
        )
    count = max(counts)
    full = [names for n, names in kinds if names and n == count]
    if any(order(names, full[0]) is None for names in full[1:]):
        raise MismatchError(
            "the channels of this cohort's images have different names",
            found=" and ".join(", ".join(names) for names in full[:2]),
            hint="images with the same channels in all cases",
        )
    if len(images) > 1 and count == 1:
        return count, tuple(images)
    return count, (full[0] * max(len(images), 1) if full else ())


def assert_shared_channels(cases: Sequence[Case], measured: Mapping[str, Facts]) -> None:
    """Raise MismatchError, with a case for example, where the images of some cases have different channels.

    Compared are the images that are the reference of most cases.
    """
    kinds: dict[tuple[int, tuple[str, ...]], list[str]] = {}
    usual = usual_reference(cases)
    for case in cases:
        if case.id in measured and (usual is None or usual in case.images):
            one = measured[case.id]
            kinds.setdefault((one.channels, one.names), []).append(case.id)
    shared_channels({k: len(v) for k, v in kinds.items()}, (), such_as={k: v[0] for k, v in kinds.items()})
