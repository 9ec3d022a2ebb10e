"""Looks at the images of several scanners, small enough to be kept: what ways of harmonising them are tried on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from vesalius.core.case import Case
from vesalius.core.errors import DataError
from vesalius.core.groups import grouping
from vesalius.core.image import Array, pixel_fault
from vesalius.core.progress import Progress, track
from vesalius.core.seeds import seed_of
from vesalius.core.words import counted, listed
from vesalius.prepare.case import frame, load
from vesalius.prepare.harmonise.contract import Sample
from vesalius.prepare.harmonising import shrunk

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


def look_at(
    cases: Sequence[Case],
    images: Sequence[str],
    *,
    by: str | None,
    progress: Progress,
    seed: int = 0,
    most: int = MOST,
) -> Looks:
    """Return looks at the named images of cases, at most so many of each scanner, drawn by the seed.

    Cases whose scanner is not known, where one is asked for, or that lack one of the images, are left out, and that is
    said. Of a cine the middle frame is looked at. Raises DataError where nothing is left, or images differ in their
    number of channels.
    """
    scanner = dict.fromkeys((c.id for c in cases), None) if by is None else _scanners(cases, by)
    known = [
        c for c in cases if (by is None or scanner[c.id] is not None) and all(n in c.images for n in images)
    ]
    notes = []
    if len(known) < len(cases):
        lacks = f"no {by} or lacks an image" if by else "lacks an image"
        notes.append(f"{counted(len(cases) - len(known), 'case')} of {len(cases)}: {lacks}; left out")
    chosen = _drawn(known, scanner, most, seed)
    if len(chosen) < len(known):
        notes.append(
            f"{len(chosen)} of {len(known)} images are looked at: at most {most} of one {by or 'cohort'}"
        )
    if not chosen:
        raise DataError("there is no image to look at", found=listed(notes), hint="another --by")
    each, units, names = [], set(), set()
    for case in track(chosen, progress, "look", len(chosen)):
        parts, called = [], []
        for name in images:
            image = load(case.images[name])
            fault = pixel_fault(image, name)
            if fault:
                raise DataError(f"case {case.id}: {fault}")
            if image.times_s is not None:
                middle = len(image.times_s) // 2
                image = replace(image, array=image.array[middle], times_s=None)
            units.add(image.unit)
            pixels = frame(image)
            own = (
                image.channels
                if len(image.channels) == len(pixels)
                else [str(k + 1) for k in range(len(pixels))]
            )
            parts += [shrunk(channel) for channel in pixels]
            called += [name if len(pixels) == 1 else f"{name}/{word}" for word in own]
        names.add(tuple(called))
        each.append(Look(case, case.patient or case.id, scanner[case.id], tuple(parts)))
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
