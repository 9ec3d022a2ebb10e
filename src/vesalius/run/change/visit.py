"""A visit: what its image and its headers say that two visits must share, and when it was."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from vesalius.core.case import Case
from vesalius.core.errors import DataError, MismatchError
from vesalius.core.image import Image
from vesalius.core.words import counted
from vesalius.dicom.identity import read_birth, read_identity

UNEVEN = 1.25  # voxels of one visit so many times as large as the other's
ACCEPT = "--accept where you know better"
GIVEN, DATED, TOLD = "given", "StudyDate", "the cohort's table"


@dataclass(frozen=True)
class Visit:
    """What is known of one visit. `patient` and `birth` are DICOM's, or the case's own patient; never written down."""

    case: str
    patient: str | None = None
    birth: str | None = None
    date: datetime.date | None = None
    study: str | None = None
    modality: str | None = None
    unit: str | None = None


@dataclass(frozen=True)
class Apart:
    """How many days lie between two visits, by what that is known, and what is to be read with it."""

    days: float | None
    by: str = ""
    notes: tuple[str, ...] = ()


def visit_of(case: Case, image: Image) -> Visit:
    """Return what a case and its reference image say of a visit."""
    said, birth = {}, None
    if image.source.series_uid is not None and image.source.files:
        said, birth = read_identity(image.source.files[0]), read_birth(image.source.files[0])
    date = said.get("study_date")
    return Visit(
        case.id,
        said.get("patient") or case.patient,
        birth,
        None if date is None else datetime.date.fromisoformat(date),
        image.source.study_uid,
        image.modality,
        image.unit,
    )


def assert_one_patient(earlier: Visit, later: Visit, *, accept: bool) -> tuple[str, ...]:
    """Return what is to be said of two visits whose patient, modality or unit differ, or are not known.

    Raises DataError for two patients, MismatchError for another modality or unit, unless that is accepted.
    """
    notes = []
    births = (earlier.birth, later.birth)
    other = (
        "another patient" if earlier.patient and later.patient and earlier.patient != later.patient else ""
    )
    if not other and all(births) and births[0] != births[1]:
        other = "the same PatientID with another day of birth"
    if other:
        if not accept:
            raise DataError(
                f"the two visits are of two patients: {other}", hint=f"two visits of one patient, or {ACCEPT}"
            )
        notes.append(f"the two visits say that they are of two patients ({other}), which was accepted")
    elif earlier.patient is None or later.patient is None:
        notes.append("nothing says that both visits are of one patient: that was taken on trust")
    for what in ("modality", "unit"):
        one, two = getattr(earlier, what), getattr(later, what)
        if one != two and ((one and two) or what == "unit"):
            if not accept:
                raise MismatchError(
                    f"the two visits have another {what}", found=f"{one or 'none'} and {two or 'none'}",
                    hint=f"images of one kind, or {ACCEPT}",
                )  # fmt: skip
            notes.append(f"the two visits have another {what}, {one or 'none'} and {two or 'none'}: accepted")
    return tuple(notes)


def days_between(
    earlier: Visit, later: Visit, days: float | None, *, told: float | None, accept: bool
) -> Apart:
    """Return how far two visits lie apart: as `days` says, else as the cohort's table has `told`, else by their dates.

    Raises DataError where the later one is dated before the earlier one, unless that is accepted, and for no time.
    """
    for given in (days, told):
        if given is not None and not 0 < given < 60_000:
            raise DataError(
                "the later visit lies after the earlier one", found=f"{given:g} days between them",
                hint="the days from the earlier to the later visit, more than 0",
            )  # fmt: skip
    dated: int | None = None
    if earlier.date is not None and later.date is not None:
        dated = (later.date - earlier.date).days
    notes = []
    if dated is not None and dated < 0:
        found = f"{earlier.date} and {later.date}"
        if not accept:
            raise DataError(
                "the visit that is given as the earlier one is dated after the other", found=found,
                hint=f"the two in the other order, or {ACCEPT}",
            )  # fmt: skip
        notes.append(f"the visits are dated in the other order, {found}: accepted, and not counted as time")
        dated = None
    if dated == 0:
        notes.append("both visits are of one day, so that there is no growth a day")
        dated = None
    known = [(days, GIVEN), (told, TOLD), (dated, DATED)]
    length, by = next(((float(d), by) for d, by in known if d is not None), (None, ""))
    if length is not None and dated is not None and abs(length - dated) > 1:
        notes.append(f"{length:g} days were said ({by}), and the dates lie {counted(dated, 'day')} apart")
    if length is None and not notes:
        notes.append("nothing says when the visits were, so that there is no growth a day: --days says it")
    return Apart(length, by, tuple(notes))


def differences(earlier: Visit, later: Visit, images: tuple[Image, Image]) -> tuple[str, ...]:
    """Return in what two images differ that changes what is measured of them, though the patient did not."""
    found = []
    one, two = (image.spacing_mm for image in images)
    if one is not None and two is not None:
        ratios = [max(a / b, b / a) for a, b in zip(one, two, strict=True)]
        shown = ratios[:2] if images[0].is_2d else ratios
        if max(shown) > UNEVEN:
            said = " and ".join("×".join(f"{s:.3g}" for s in each) for each in (one, two))
            found.append(
                f"voxels differ in size, {said} mm: small things are measured otherwise by that alone"
            )
    elif one is None and two is None:
        found.append("nothing says how large a pixel is: sizes are in pixels, and compare only at one scale")
    if any(image.spacing_at == "detector" for image in images):
        found.append(
            "spacing is that of the detector: sizes change with the distance of tube and patient, too"
        )
    if earlier.study is not None and earlier.study == later.study:
        found.append("both images are of one study")
    return tuple(found)
