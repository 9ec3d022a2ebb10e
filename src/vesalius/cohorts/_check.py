"""Decoding every case once: faulty ones are set aside by name, labels are counted, the data is hashed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from vesalius import formats
from vesalius.cohorts._build import some
from vesalius.cohorts._hashing import case_digest, cohort_digest
from vesalius.cohorts._limits import enforce_fatal, enforce_limit
from vesalius.core import grids
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import Cohort, Label, SetAside, TargetInfo
from vesalius.core.errors import DataError, VesaliusError
from vesalius.core.image import Array, Image, pixel_fault
from vesalius.core.progress import Progress, Silent
from vesalius.core.words import counted

MAX_LABELS = 256


@dataclass(frozen=True, eq=False)
class Decoded:
    """One case with its pixels: images, masks and the region by name; or the fault that stops its use."""

    case: Case
    images: Mapping[str, Image] = field(default_factory=dict)
    masks: Mapping[str, Image] = field(default_factory=dict)
    region: Image | None = None
    values: Mapping[str, Mapping[int, int]] = field(default_factory=dict)  # voxels by label value, by mask
    digest: str = ""
    fault: SetAside | None = None


Observer = Callable[[Decoded], None]


def check(
    cohort: Cohort,
    *,
    target: str | None = None,
    progress: Progress | None = None,
    max_set_aside: float = 0.10,
    workers: int = 1,
    observe: Observer | None = None,
    strict: bool = True,
) -> Cohort:
    """Decode every file to its end, one case (or `workers` of them) in memory at a time.

    Returns the cohort without its faulty cases, with the label values that its masks hold, and with its hash.
    `target` names the one that is to be learned. `observe` sees each case with its pixels, in order, faulty ones
    too, so that whatever else needs the pixels shares this pass. With `strict=False` nothing is raised: all is
    left in `set_aside` and `notes`.

    Raises LeakError or GeometryError for what would corrupt a result, DataError when nothing usable is left,
    when more than `max_set_aside` is set aside, or when the target never varies.
    """
    if strict:
        enforce_fatal(cohort)
    progress = progress or Silent()
    good: list[Case] = []
    aside = list(cohort.set_aside)
    values: dict[str, dict[int, int]] = {name: {} for name, t in cohort.targets.items() if t.kind == "mask"}
    digests: dict[str, str] = {}
    files: dict[Path, str] = {}
    progress.start("check", len(cohort.cases))
    try:
        for decoded in _decode_all(cohort.cases, files, max(workers, 1)):
            if observe is not None:
                observe(decoded)
            if decoded.fault is not None:
                aside.append(decoded.fault)
            else:
                good.append(decoded.case)
                digests[decoded.case.id] = decoded.digest
                for name, counts in decoded.values.items():
                    into = values.setdefault(name, {})
                    for value, n in counts.items():
                        into[value] = into.get(value, 0) + n
            progress.advance("check")
    finally:
        progress.finish("check")
    notes = list(cohort.notes)
    targets = {
        name: _with_values(info, values[name], notes) if info.kind == "mask" else info
        for name, info in cohort.targets.items()
    }
    checked = replace(
        cohort,
        cases=tuple(good),
        set_aside=tuple(aside),
        targets=targets,
        notes=tuple(notes),
        hash=cohort_digest(digests),
    )
    if strict:
        enforce_fatal(checked)
        enforce_limit(checked, max_set_aside)
        _varies(checked, target)
    return checked


def decode(case: Case, *, files: dict[Path, str] | None = None) -> Decoded:
    """Read every file of one case and look for faults; `files` keeps the SHA-256 of containers already read."""
    try:
        images = {name: _image(item) for name, item in case.images.items()}
        masks = {n: _mask(t) for n, t in case.targets.items() if isinstance(t, (Ref, Image))}
        region = None if case.region is None else _mask(case.region)
        digest = case_digest(case, {} if files is None else files)
    except VesaliusError as error:
        return Decoded(case, fault=SetAside(case.id, str(error)))
    except OSError as error:
        return Decoded(case, fault=SetAside(case.id, f"cannot be opened: {error}"))
    values = {name: _count(mask.array) for name, mask in masks.items()}
    fault = _fault(case, images, masks, region, values)
    return Decoded(case, images, masks, region, values, digest, fault)


def geometry_fault(image: Image, mask: Image) -> str | None:
    """What contradicts between an image and a mask drawn on it, in one line; None if they agree."""
    return grids.mask_fault(image, mask)


def _fault(
    case: Case,
    images: Mapping[str, Image],
    masks: Mapping[str, Image],
    region: Image | None,
    values: Mapping[str, Mapping[int, int]],
) -> SetAside | None:
    reference = images[case.reference]
    for name, mask in masks.items():
        fault = geometry_fault(reference, mask)
        if fault:
            return SetAside(case.id, f"the {name} has {fault}", fatal=True)
        if len(values[name]) > MAX_LABELS:
            return SetAside(case.id, f"the {name} holds {len(values[name])} different values: it is no mask")
    fault = geometry_fault(reference, region) if region is not None else None
    if fault:
        return SetAside(case.id, f"the field of view has {fault}", fatal=True)
    for name, image in images.items():
        bad = pixel_fault(image, name)
        if bad:
            return SetAside(case.id, bad)
        unplaced = image.affine is None or reference.affine is None
        if image.shape != reference.shape and unplaced:
            words = grids.difference(image, reference)
            reason = f"'{name}' and '{case.reference}' differ in shape ({words}) and have no geometry to resample by"
            return SetAside(case.id, reason)
    return None


def _decode_all(cases: tuple[Case, ...], files: dict[Path, str], workers: int) -> Iterator[Decoded]:
    if workers == 1:
        for case in cases:
            yield decode(case, files=files)
        return
    waiting: list[Future[Decoded]] = []
    with ThreadPoolExecutor(workers) as pool:
        for case in cases:
            waiting.append(pool.submit(decode, case, files=files))
            if len(waiting) > workers:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()


def _image(item: Ref | Image) -> Image:
    return formats.read(item) if isinstance(item, Ref) else item


def _mask(item: Ref | Image) -> Image:
    return formats.read_mask(item) if isinstance(item, Ref) else item


def _count(array: Array) -> dict[int, int]:
    values, counts = np.unique(array, return_counts=True)
    return {int(v): int(n) for v, n in zip(values, counts, strict=True)}


def _with_values(info: TargetInfo, counts: Mapping[int, int], notes: list[str]) -> TargetInfo:
    """The target with a label for every value found; values that nothing names are named by their number."""
    named = {label.value: label for label in info.labels}
    found = [v for v in counts if v != 0]
    strangers = sorted(v for v in found if v not in named)
    if named and strangers:
        notes.append(f"{info.name}: values that nothing names: {some(map(str, strangers))}")
    missing = [label.name for v, label in named.items() if v not in counts]
    if missing and counts:
        notes.append(f"{info.name}: labels that no mask holds: {some(missing)}")
    for value in strangers:
        named[value] = Label(value, str(value))
    return replace(info, labels=tuple(named[v] for v in sorted(named)))


def _varies(cohort: Cohort, name: str | None) -> None:
    """Raise DataError if the target that is to be learned is the same in every case."""
    if name is None and len(cohort.targets) == 1:
        name = next(iter(cohort.targets))
    if name is None or name not in cohort.targets:
        return
    info = cohort.targets[name]
    held = [c.targets[name] for c in cohort.cases if name in c.targets]
    if not held:
        raise DataError(f"no case is left that has the target '{name}'", hint="look with `inspect`")
    if info.kind == "mask" and not info.labels:
        raise DataError(
            f"nothing to learn from '{name}'",
            found="only the background, 0, in every mask",
            hint="other masks",
        )
    if info.kind in ("class", "ordinal") and len(set(map(str, held))) < 2:
        raise DataError(
            f"nothing to learn from '{name}'",
            found=f"one class only, '{held[0]}', in all {counted(len(held), 'case')}",
            hint="at least two classes, or another --target",
        )
