"""What a person hands to a model without files: one thing or many, each as a case, with what was assumed of it.

Things come one at a time, from a generator too, and none is kept once it is answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image as Pil

from vesalius import formats
from vesalius.core.bundle import Bundle
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError, MismatchError, SourceError, UnknownName, VesaliusError
from vesalius.core.image import Image, pixel_fault
from vesalius.core.words import counted
from vesalius.infer.guard import ACCEPTED
from vesalius.prepare.harmonising import by_image
from vesalius.prepare.pixels import bare, own_geometry
from vesalius.prepare.seen import look

_FAR = 16  # so many times smaller or larger than what was learned from, values are on another scale
_UNIT = 100  # so many times smaller or larger, a spacing is not in millimetres


@dataclass(frozen=True, eq=False)
class Asked:
    """A case that is to be answered, or what is wrong with it; `assumed` are sentences that its answer carries."""

    id: str
    case: Case | VesaliusError
    assumed: tuple[str, ...] = ()


def is_many(source: object) -> bool:
    """Return whether a source is many things: a list, a generator, a data set; not a path, an array or one case.

    Raises DataError for a pair of an array and an affine, of which nobody could say what it means.
    """
    if isinstance(source, tuple) and len(source) == 2 and getattr(source[1], "shape", None) == (4, 4):
        raise DataError(
            "a pair of pixels and an affine does not say which axis is which, nor to which millimetres it leads",
            hint="vs.image(array, axes='zyx', affine=affine, world='LPS'); with nibabel axes='xyz', world='RAS'",
        )
    if isinstance(source, bytes | bytearray | memoryview):
        raise DataError(
            "bytes are no pixels",
            found=type(source).__name__,
            hint="a path, or PIL.Image.open(io.BytesIO(…))",
        )
    if hasattr(source, "dataset") and getattr(source, "batch_size", None) is not None:
        raise DataError(
            "a loader gives batches, of which nobody says what each is",
            found=type(source).__name__,
            hint="its data set, a generator of single images, or list(batch) for each batch",
        )
    single = isinstance(source, str | Path | Mapping | Image | Case | Pil.Image)
    single = single or hasattr(source, "__array__") or own_geometry(source) is not None
    return not single and (isinstance(source, Iterable) or hasattr(source, "__getitem__"))


def asked(
    things: Iterable[Any], bundle: Bundle, *, read: Callable[[Path], Cohort], accept_mismatch: bool = False
) -> Iterator[Asked]:
    """Yield each thing as the case that it is; a path as all the cases that lie there, read by `read`.

    What cannot be a case is yielded with its error. No two have the same id: a case has its own, a file its name, and
    everything else is `image-0001` and so on, by its place among the things.
    """
    taken: set[str] = set()
    for k, thing in enumerate(_unbroken(things), start=1):
        for one in _of(thing, f"image-{k:04d}", bundle, read, accept_mismatch):
            found, n = one, 1
            while found.id in taken:
                n += 1
                found = replace(one, id=f"{one.id}-{n}")
            taken.add(found.id)
            case = replace(found.case, id=found.id) if isinstance(found.case, Case) else found.case
            yield replace(found, case=case)


def _unbroken(things: Iterable[Any]) -> Iterator[Any]:
    """Yield things as they come. Raises SourceError where what they come from raises."""
    given = 0
    try:
        for thing in things:
            yield thing
            given += 1
    except Exception as error:
        raise SourceError(
            f"what was given raised after {counted(given, 'thing')}",
            found=f"{type(error).__name__}: {error}",
            hint="a folder as out, which keeps each answer as it comes",
        ) from error


def _of(
    thing: Any, name: str, bundle: Bundle, read: Callable[[Path], Cohort], accept_mismatch: bool
) -> Iterator[Asked]:
    if isinstance(thing, Case):
        yield Asked(thing.id, thing)
        return
    if isinstance(thing, str | Path):
        yield from _at(Path(thing), read)
        return
    file = getattr(thing, "filename", None) if isinstance(thing, Pil.Image) else None
    name = formats.stem(Path(file)) if file else name
    try:
        images, assumed = _images(thing, bundle)
        reference = _reference(images, bundle)
        case = Case(name, images, reference=reference)
        pixels = images[reference]
        if isinstance(pixels, Image):
            assumed += _unknown(thing, bundle)
            assumed += _scale(case, pixels, bundle, accept_mismatch)
    except VesaliusError as error:
        yield Asked(name, error)
        return
    yield Asked(name, case, assumed)


def _at(path: Path, read: Callable[[Path], Cohort]) -> Iterator[Asked]:
    try:
        cohort = read(path)
        if not cohort.cases and not cohort.set_aside:
            raise DataError(f"no images in {path}")
    except VesaliusError as error:
        yield Asked(formats.stem(path), error)
        return
    ids = {c.id for c in cohort.cases}
    for case in cohort.cases:
        yield Asked(case.id, case)
    for item in cohort.set_aside:
        if item.case not in ids:
            yield Asked(item.case, DataError(item.reason))


def _images(thing: Any, bundle: Bundle) -> tuple[dict[str, Ref | Image], tuple[str, ...]]:
    """Return the images of one case by name: of a mapping those in it, of anything else the one that it is."""
    plan = bundle.stages[-1].plan.data
    if not isinstance(thing, Mapping):
        image, assumed = _image(thing, bundle)
        return {plan.images[0] if len(plan.images) == 1 else "image": image}, assumed
    if not thing:
        raise DataError("a case without images", hint="images by name")
    images: dict[str, Ref | Image] = {}
    said: list[str] = []
    known = plan.images if len(plan.images) > 1 else (*plan.images, "image")
    for name, one in thing.items():
        if name not in known:
            raise UnknownName("image", str(name), plan.images)
        if isinstance(one, str | Path):
            images[str(name)] = Ref((Path(one),))
            continue
        images[str(name)], assumed = _image(one, bundle)
        said += [text for text in assumed if text not in said]
    return images, tuple(said)


def _image(thing: Any, bundle: Bundle) -> tuple[Image, tuple[str, ...]]:
    return (thing, ()) if isinstance(thing, Image) else bare(thing, bundle.stages[-1].plan.data)


def _reference(images: Mapping[str, Any], bundle: Bundle) -> str:
    """Return which image has the geometry of the answer: the first that was planned, or the first that is there."""
    planned = bundle.stages[-1].plan.data.images
    return next((name for name in planned if name in images), next(iter(images)))


def _unknown(thing: Any, bundle: Bundle) -> tuple[str, ...]:
    """Return what a bundle learned from and what bare pixels do not say of themselves."""
    things = thing.values() if isinstance(thing, Mapping) else (thing,)
    if bundle.learned is None or all(isinstance(t, str | Path | Image | Pil.Image) for t in things):
        return ()
    pairs = (("modality", bundle.learned.modality), ("unit", bundle.learned.unit))
    return tuple(f"{what} unknown, learned from {known}" for what, known in pairs if known)


def _scale(case: Case, image: Image, bundle: Bundle, accept_mismatch: bool) -> tuple[str, ...]:
    """Return what to say of values, or of a spacing, on another scale than was learned from, whatever their type.

    Pixels in memory have often been divided by 255, standardised, or shifted on their way to another model, and
    nobody vouches for what they are. Raises MismatchError unless that is accepted.
    """
    found = [text for text in (_far_off(case, image, bundle), _metres(image, bundle)) if text is not None]
    if found and not accept_mismatch:
        what, text, hint = found[0]
        raise MismatchError(
            f"case {case.id}: {what} on another scale than was learned from",
            found=text,
            hint=f"{hint}, or accept_mismatch=True",
        )
    return tuple(f"{ACCEPTED}{text}" for _, text, _ in found)


def _far_off(case: Case, image: Image, bundle: Bundle) -> tuple[str, str, str] | None:
    """Return what is wrong with values that cannot be on the scale that was learned, what was found, what to try.

    They are far smaller: even the largest is, though not all are zero. They are far larger: even the 99.5th percentile
    is. Or none is below zero, where those of every training case reach far below it, as Hounsfield units do: they were
    shifted or rescaled.
    """
    learned, plan = bundle.learned, bundle.stages[-1].plan.data
    absolute = any(n.method != "zscore" or n.low is not None or n.high is not None for n in plan.normalise)
    if plan.harmonise is not None and by_image(plan.harmonise.steps):
        return None  # each image is brought onto the learned scale by its own values
    if learned is None or not learned.absolute or not absolute or image.unit is not None:
        return None
    if pixel_fault(image, case.id) is not None:
        return None  # what is not finite is refused where every image is looked at
    low, high = float(image.array.min()), float(image.array.max())
    reach = learned.brightest[1] - learned.darkest[0]
    text = (
        f"values {low:.4g} to {high:.4g}, learned from {learned.darkest[0]:.4g} to {learned.brightest[1]:.4g}"
    )
    if low >= 0 and learned.unit is not None and _FAR * learned.darkest[1] < -reach:
        return (
            "the values are",
            f"{text} {learned.unit}",
            f"vs.image(…, unit='{learned.unit}') if they are that",
        )
    seen = look(case, image)
    large = max(abs(seen.darkest or 0.0), abs(seen.brightest or 0.0)) > _FAR * reach > 0
    small = 0 < _FAR * max(abs(low), abs(high)) <= reach  # nothing but zeros says nothing of a scale
    if small or large:
        return "the values are", text, "values as a file has them (not divided by 255, not standardised)"
    return None


def _metres(image: Image, bundle: Bundle) -> tuple[str, str, str] | None:
    """Return what is wrong with a spacing that cannot be in millimetres, what was found, and what to try."""
    learned, flat = bundle.learned, image.is_2d
    if learned is None or learned.spacing_mm is None or image.spacing_mm is None:
        return None
    given, known = image.spacing_mm[:2] if flat else image.spacing_mm, learned.spacing_mm
    least, most = min(low for low, _ in known), max(high for _, high in known)
    if all(least / _UNIT < s < most * _UNIT for s in given):
        return None
    text = f"spacing {' × '.join(f'{s:.3g}' for s in given)} mm, learned from {least:.3g} to {most:.3g}"
    return "the spacing is", text, "spacing_mm in millimetres"
