"""The images of a case where several sources come together: each made ready by itself, with its frames and visits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from vesalius.core.case import Case, Ref, role_of
from vesalius.core.channels import plain
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.core.plan import DataPlan, SourcesPlan
from vesalius.core.words import listed
from vesalius.prepare import geometry
from vesalius.prepare.case import MAIN, Prepared, Takes, load, prepare

DAY_S = 86_400.0


def image_sources(data: DataPlan, sources: SourcesPlan) -> tuple[str, ...]:
    """Return the names of the sources that are images: `image` for those that share a grid, and each one apart."""
    shared = any(name not in sources.apart for name in data.images)
    return (*((MAIN,) if shared else ()), *(name for name in data.images if name in sources.apart))


def plan_of(name: str, data: DataPlan, sources: SourcesPlan) -> DataPlan:
    """Return how the images of one source are prepared: those that share a grid as planned, one apart by itself."""
    each = data.channels // len(data.images)
    chosen = [k for k, n in enumerate(data.images) if (n not in sources.apart if name == MAIN else n == name)]
    places = [k * each + c for k in chosen for c in range(each)]
    names = tuple(n for k in chosen for n in data.names_of(k))
    changed = {
        "images": tuple(data.images[k] for k in chosen),
        "channels": len(places),
        "channel_names": names if len(names) == len(places) else (),
        "normalise": tuple(data.normalise[p] for p in places),
    }
    if data.harmonise is not None:
        steps = [
            s.model_copy(update={"fitted": tuple(s.fitted[p] for p in places)}) if s.fitted else s
            for s in data.harmonise.steps
        ]
        changed["harmonise"] = data.harmonise.model_copy(update={"steps": tuple(steps)})
    if name != MAIN:
        size = sources.apart[name]
        changed |= {"size": size, "dims": 2 if size[0] == 1 else 3, "spacing_mm": None, "taken": {}}
    return data.model_copy(update=changed)


def prepare_sources(case: Case, data: DataPlan, sources: SourcesPlan, *, reference: Image) -> Prepared:
    """Return the images of a case by source: `(C, Z, Y, X)`, or `(T, C, Z, Y, X)` where they have steps.

    Steps are frames, visits (the earliest first), or the several images of one role (`view#1`, `view#2`); `times_s` are
    their times in seconds, those of earlier visits negative. A source that a case lacks is not named. Raises DataError,
    naming the case, for images that cannot be prepared.
    """
    images: dict[str, Array] = {}
    times: dict[str, Array] = {}
    undos: dict[str, geometry.Undo] = {}
    for name in image_sources(data, sources):
        steps, when = [], []
        for visit, seconds in _visits(case, sources):
            for one in _cases(visit, name, data, sources):
                image = (
                    reference if visit is case and _is_reference(one, case) else load(one.images[_ref(one)])
                )
                made, undo, frames = _made(one, image, plan_of(name, data, sources), sources)
                steps.append(made)
                when += [seconds + t for t in frames]
                if _is_reference(one, case):
                    undos[name] = undo
        if steps:
            stacked = np.concatenate(steps)
            several = sources.timed or len(case.of_role(name)) > 1 or len(stacked) > 1
            images[name] = stacked if several else stacked[0]
            if several:
                times[name] = np.asarray(when, np.float64)  # milliseconds, beside days and years
    undo = next(iter(undos.values()), None) or _undo(reference, data)
    return Prepared(
        case.id, images, undo, reference.source, undos, dict.fromkeys(images, True), times_s=times
    )


def frames_of(image: Image, sources: SourcesPlan) -> Image:
    """Return an image with the frames that are looked at: all of them in turn where `causal`, else `frames`, spread."""
    if image.times_s is None:
        return image
    chosen = frame_places(image.array.shape[0], sources)
    if len(chosen) == image.array.shape[0]:
        return image
    return replace(image, array=image.array[chosen], times_s=tuple(image.times_s[k] for k in chosen))


def frame_places(n: int, sources: SourcesPlan) -> Array:
    """Return the places of the frames that are looked at, of an image of so many."""
    if sources.frames < 1 or sources.causal or n <= sources.frames:
        return np.arange(n)
    return np.unique(np.round(np.linspace(0, n - 1, sources.frames)).astype(int))


def image_of(case: Case, name: str, data: DataPlan, sources: SourcesPlan) -> str | None:
    """Return the name of the image that stands for a source of a case: the reference where it is one of the source's.

    None where the case has no image of that source at this visit.
    """
    each = list(_cases(case, name, data, sources))
    if any(_is_reference(one, case) for one in each):
        return case.reference
    if not each:
        return None
    return each[0].reference if name == MAIN else _under(case, name)[0]


def steps_of_reference(
    case: Case, name: str, data: DataPlan, sources: SourcesPlan, *, reference: Image, total: int
) -> dict[int, int]:
    """Return which of the `total` steps of a source are frames of the reference image, and which frame each is.

    Steps are in the order of `prepare_sources`: earlier visits first, then the case's own images.
    """
    counts: list[int] = []
    at = -1
    for one in _cases(case, name, data, sources):
        if _is_reference(one, case):
            at = len(counts)
        image = reference if _is_reference(one, case) else load(one.images[_ref(one)])
        timed = sources.frames > 0 and image.times_s is not None
        counts.append(len(frame_places(image.array.shape[0], sources)) if timed else 1)
    if at < 0:
        return {}
    first = total - sum(counts) + sum(counts[:at])
    n = reference.array.shape[0] if reference.times_s is not None else 1
    places = frame_places(n, sources) if counts[at] > 1 else [0]
    return {first + k: int(place) for k, place in enumerate(places)}


def _visits(case: Case, sources: SourcesPlan) -> Iterator[tuple[Case, float]]:
    """Yield the visits that are looked at, the earliest first, with their seconds before the case's own (negative)."""
    before = sorted(case.earlier, key=lambda v: -v.days_before)
    for visit in before[len(before) - (sources.visits - 1) :] if sources.visits > 1 else ():
        yield visit.case, -visit.days_before * DAY_S
    yield case, 0.0


def _cases(visit: Case, name: str, data: DataPlan, sources: SourcesPlan) -> Iterator[Case]:
    """Yield a case with the images of one source alone: those on one grid, or one for each of a role."""
    if name == MAIN:
        chosen = {k: v for k, v in visit.images.items() if _called(k, sources.apart) is None}
        if chosen:
            first = visit.reference if visit.reference in chosen else next(iter(chosen))
            yield replace(visit, images=chosen, reference=first, earlier=())
        return
    for own in _under(visit, name):
        yield replace(visit, images={name: visit.images[own]}, reference=name, earlier=(), declared=())


def _under(case: Case, name: str) -> tuple[str, ...]:
    """Return the names of a case's images under a role, however the role's name is written."""
    return case.of_role(name) or tuple(k for k in case.images if plain(k) == plain(name))


def _called(image: str, names: Mapping[str, object] | Sequence[str]) -> str | None:
    """Return which of some roles an image has; None where it has none of them."""
    word = role_of(image)
    return next((n for n in names if n in (image, word) or plain(n) == plain(word)), None)


def _is_reference(one: Case, case: Case) -> bool:
    """Return whether a case of one source holds the reference image of the whole case."""
    return case.reference is not None and one.image is case.images.get(case.reference)


def _ref(case: Case) -> str:
    assert case.reference is not None
    return case.reference


def _made(
    case: Case, image: Image, plan: DataPlan, sources: SourcesPlan
) -> tuple[Array, geometry.Undo, list[float]]:
    """Return the prepared steps `(T, C, Z, Y, X)` of one case of one source, the way back, and the steps' times."""
    timed = sources.frames > 0
    if timed:
        case = replace(case, images={n: _framed(item, sources) for n, item in case.images.items()})
        image = frames_of(image, sources)
    prepared = prepare(case, plan, reference=image, takes=Takes(time=timed))
    array = prepared.array
    times = list(image.times_s or (0.0,)) if timed else [0.0]
    return (array if timed else array[None]), prepared.undo, times


def _framed(item: Ref | Image, sources: SourcesPlan) -> Image:
    return frames_of(load(item), sources)


def _undo(reference: Image, data: DataPlan) -> geometry.Undo:
    flat = data.model_copy(update={"spacing_mm": None})
    size = flat.size if reference.shape[0] > 1 or flat.size[0] == 1 else (1, *flat.size[1:])
    return geometry.layout(reference, canonical=flat.canonical, spacing_mm=None, size=size, whole=True)


def lacking(case: Case, needed: Sequence[str]) -> DataError:
    """Return the error of a case that has none of the sources that a model knows."""
    there = [
        *case.images,
        *case.courses,
        *case.texts,
        *(k for k, v in case.covariates.items() if v is not None),
    ]
    return DataError(
        f"case {case.id} has none of the sources that the model knows",
        found=listed(there, 8) if there else "nothing",
        hint=f"one at least of {listed(list(needed), 8)}",
    )
