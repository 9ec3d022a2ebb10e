"""Faults that headers alone show: files that are missing, empty or unreadable; masks of another shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from vesalius import formats
from vesalius.cohorts._splits import leaking_patients
from vesalius.cohorts.targets import contract as kinds
from vesalius.core import archive, grids
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import Cohort, SetAside, TargetInfo
from vesalius.core.errors import FormatError, VesaliusError
from vesalius.core.image import Image
from vesalius.formats import Header


def screen(cohort: Cohort) -> Cohort:
    """Set aside, by name and with the reason, the cases whose headers already show that they are unusable.

    Headers are opened only where a mask is to be held against its image; containers (npz) and DICOM series are
    opened only when they are decoded: their headers are not cheap.
    """
    good: list[Case] = []
    aside = list(cohort.set_aside)
    leaks = {c.id: p for p, cases in leaking_patients(cohort.cases).items() for c in cases}
    for case in cohort.cases:
        fault = _leak(case, leaks) or fault_of(case, cohort.targets)
        if fault is None:
            good.append(case)
        else:
            aside.append(fault)
    return replace(cohort, cases=tuple(good), set_aside=tuple(aside))


def fault_of(case: Case, infos: Mapping[str, TargetInfo]) -> SetAside | None:
    """Return the first fault that a case's headers show, or None; `infos` are the cohort's targets."""
    try:
        for image in case.images.values():
            if isinstance(image, Ref):
                _present(image)
        targets = kinds.drawings(case, infos)
        drawn = any(isinstance(t, Ref) for t in targets.values())
        held = case.image
        reference = _cheap(held) if drawn and isinstance(held, Ref) else None
        for name, target in targets.items():
            if isinstance(target, Ref):
                fault = _contradiction(case, name, reference, _cheap(target))
                if fault is not None:
                    _readable(held, target)
                    return fault
    except VesaliusError as error:
        return SetAside(case.id, str(error))
    return None


def _readable(*items: Ref | Image | None) -> None:
    """Decode the image and mask, so that a header with a wrong shape counts as the file's fault, not the mask's."""
    for item in items:
        if isinstance(item, Ref):
            formats.read(item)


def _leak(case: Case, leaks: dict[str, str]) -> SetAside | None:
    if case.id not in leaks:
        return None
    return SetAside(case.id, f"patient '{leaks[case.id]}' stands in more than one split", fatal=True)


def _contradiction(case: Case, name: str, image: Header | None, mask: Header | None) -> SetAside | None:
    if image is None or mask is None or image.shape == mask.shape:
        return None
    return SetAside(case.id, f"'{name}' has {grids.mask_fault(image, mask)}", fatal=True)


def _present(ref: Ref) -> None:
    path = ref.paths[0]
    if not archive.exists(path):
        raise FormatError(f"{path}: no such file")
    if archive.size(path) == 0:
        raise FormatError(f"{path}: an empty file", found="0 bytes")


def _cheap(ref: Ref) -> Header | None:
    _present(ref)
    if ref.member is not None or len(ref.paths) > 1 or formats.sniff(ref.paths[0]) == "dicom":
        return None
    return formats.header(ref)
