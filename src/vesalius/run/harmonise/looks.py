"""Looks at the images of several scanners, small enough to be kept: what ways of harmonising them are tried on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from vesalius.core.case import Case
from vesalius.core.errors import DataError
from vesalius.core.groups import grouping
from vesalius.core.image import Array, Image, pixel_fault
from vesalius.core.plan import DataPlan
from vesalius.core.progress import Progress, track
from vesalius.core.seeds import seed_of
from vesalius.core.words import counted, listed
from vesalius.prepare.case import channel_names, frame, load, planned_images
from vesalius.prepare.harmonise.contract import Sample
from vesalius.prepare.harmonising import shrunk
from vesalius.prepare.intensity import to_channels

MOST = 60  # images of one scanner that are looked at


@dataclass(frozen=True, eq=False)
class Look:
    """One case: its `channels` `(Z, Y, X)` float32 in the order of `Looks.channels`, and who and what it is of."""

    case: Case
    patient: str
    scanner: str | None
    channels: tuple[Array, ...]

    def sample(self, k: int) -> Sample:
        """Return a channel as methods learn from it; it may be changed."""
        return Sample(self.channels[k].copy(), self.scanner, self.patient)


@dataclass(frozen=True, eq=False)
class Looks:
    """Looks at some cases. `channels` are what each channel is called, `unit` that of all images, where they have one.

    `notes` say what was left out.
    """

    each: tuple[Look, ...]
    channels: tuple[str, ...]
    unit: str | None
    notes: tuple[str, ...] = ()

    @property
    def scanners(self) -> list[str]:
        """The scanner of each look."""
        return [str(look.scanner) for look in self.each]

    @property
    def patients(self) -> list[str]:
        """The patient of each look."""
        return [look.patient for look in self.each]

    def samples(self, rows: Sequence[int] | None = None) -> list[list[Sample]]:
        """Return what methods learn from, channel by channel: of all looks, or of some rows."""
        chosen = self.each if rows is None else [self.each[k] for k in rows]
        return [[look.sample(k) for look in chosen] for k in range(len(self.channels))]


Pixels = Mapping[str, Array]  # what a channel is called → `(Z, Y, X)`


def own_pixels(case: Case, images: Sequence[str]) -> tuple[Pixels, str | None] | None:
    """Return each channel of the named images and the unit that they share; None where the case lacks one of them."""
    if not all(name in case.images for name in images):
        return None
    found: dict[str, Array] = {}
    units = set()
    for name in images:
        image = _still(load(case.images[name]), case, name)
        pixels = frame(image)
        own = (
            image.channels if len(image.channels) == len(pixels) else [str(k + 1) for k in range(len(pixels))]
        )
        found |= {
            name if len(pixels) == 1 else f"{name}/{word}": p for word, p in zip(own, pixels, strict=True)
        }
        units.add(image.unit)
    return found, units.pop() if len(units) == 1 else None


def planned_pixels(case: Case, plan: DataPlan) -> tuple[Pixels, str | None] | None:
    """Return each planned channel and the unit that they share; None where the case lacks a planned image."""
    each = plan.channels // len(plan.images)
    found: dict[str, Array] = {}
    units = set()
    for k, name in enumerate(planned_images(case, plan, incomplete=True)):
        if name is None:
            return None
        image = _still(load(case.images[name]), case, name)
        names, planned = channel_names(image, case), plan.names_of(k)
        pixels = to_channels(frame(image), each, names=names, planned=planned)
        found |= {f"{plan.images[k]}/{c + 1}": p for c, p in enumerate(pixels)}
        units.add(image.unit)
    return found, units.pop() if len(units) == 1 else None


def _still(image: Image, case: Case, name: str) -> Image:
    """Return an image without time: of a cine the middle frame. Raises DataError for pixels that are not finite."""
    fault = pixel_fault(image, name)
    if fault:
        raise DataError(f"case {case.id}: {fault}")
    if image.times_s is None:
        return image
    return replace(image, array=image.array[len(image.times_s) // 2], times_s=None)


def look_at(
    cases: Sequence[Case],
    pixels: Callable[[Case], tuple[Pixels, str | None] | None],
    *,
    by: str | None,
    progress: Progress,
    seed: int = 0,
    most: int = MOST,
) -> Looks:
    """Return looks at the images of cases, at most so many of each scanner, drawn by the seed.

    `pixels` gives what is looked at of a case, None where it lacks that. Cases whose scanner is not known, where one is
    asked for, or that lack an image are left out, and that is said. Raises DataError where nothing is left, or images
    differ in their number of channels.
    """
    scanner = dict.fromkeys((c.id for c in cases), None) if by is None else _scanners(cases, by)
    known = [c for c in cases if by is None or scanner[c.id] is not None]
    chosen = _drawn(known, scanner, most, seed)
    each, units, names, lacking = [], set(), set(), 0
    for case in track(chosen, progress, "look", len(chosen)):
        found = pixels(case) if case.images else None
        if found is None:
            lacking += 1
            continue
        channels, unit = found
        units.add(unit)
        names.add(tuple(channels))
        small = tuple(shrunk(channel) for channel in channels.values())
        each.append(Look(case, case.patient or case.id, scanner[case.id], small))
    notes = []
    if len(known) < len(cases):
        notes.append(f"{counted(len(cases) - len(known), 'case')} of {len(cases)} without {by} left out")
    if lacking:
        notes.append(f"{counted(lacking, 'case')} of {len(chosen)} without all images left out")
    if len(chosen) < len(known):
        notes.append(
            f"{len(chosen)} of {len(known)} images are looked at: at most {most} of one {by or 'cohort'}"
        )
    if not each:
        raise DataError("there is no image to look at", found=listed(notes) or "no case")
    if len({len(n) for n in names}) > 1:
        raise DataError(
            "images differ in their number of channels", found=listed(sorted(", ".join(n) for n in names))
        )
    return Looks(tuple(each), min(names), units.pop() if len(units) == 1 else None, tuple(notes))


def _scanners(cases: Sequence[Case], by: str) -> dict[str, str | None]:
    """Return the scanner of each case by its id. Raises DataError where no case has the column."""
    way = grouping(cases, by)
    return {c.id: way.of(c) for c in cases}


def _drawn(cases: Sequence[Case], scanner: dict[str, str | None], most: int, seed: int) -> list[Case]:
    """Return at most so many cases of each scanner, those of a patient together, in the cohort's order."""
    rank = {c.id: seed_of(seed, "harmonise", c.patient or c.id) for c in cases}
    taken: set[str] = set()
    for name in sorted({str(scanner[c.id]) for c in cases}):
        own = sorted((c for c in cases if str(scanner[c.id]) == name), key=lambda c: (rank[c.id], c.id))
        taken |= {c.id for c in own[:most]}
    return [c for c in cases if c.id in taken]
