"""What DICOM values mean: Hounsfield units, grays, and the standardised uptake value by body weight.

Where the unit is not known, or what the SUV needs is missing, values stay as rescaled, their unit is None and a note
says why. Source: PS3.3 C.8.9.1 (PET series), C.8.9.2 (PET isotope); the QIBA FDG-PET profile's pseudo-code for SUVbw.
"""

from __future__ import annotations

import datetime
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from vesalius.dicom import elements

# types of rescale that name another unit, as spectral scanners write them (PS3.3 C.11.1.1.2), in UCUM
_OF_CT = {"MGML": "mg/mL", "PCT": "%", "ED": "10*23/mL"}


@dataclass(frozen=True)
class Meaning:
    """A unit, the factor that brings rescaled values to it, and why there is none if there is none."""

    unit: str | None = None
    factor: float = 1.0
    note: str | None = None


def earliest(heads: Iterable[Any]) -> datetime.datetime | None:
    """Return when the first of a series' images was acquired, across midnight too; None where none says."""
    moments = (_acquired(head) for head in heads)
    return min((m for m in moments if m is not None), default=None)


def meaning(
    head: Any, *, rescaled: bool, said: str | None, first: datetime.datetime | None = None
) -> Meaning:
    """Return the unit of an object's rescaled values; `said` is its rescale type, `first` when its series began."""
    modality = elements.text(head, "Modality")
    if modality == "PT":
        return suv(head, first)
    if modality == "RTDOSE":
        gray = elements.text(head, "DoseUnits") == "GY"
        scaling = elements.number(head, "DoseGridScaling")
        if scaling is None or scaling <= 0:
            return Meaning(note="no DoseGridScaling")
        return Meaning("Gy" if gray else None, scaling, None if gray else "dose is relative")
    if said == "HU" or (said is None and modality == "CT" and rescaled):
        return Meaning("HU")
    if modality == "CT" and said in _OF_CT:
        return Meaning(_OF_CT[said])
    return Meaning()


def suv(head: Any, first: datetime.datetime | None) -> Meaning:
    """Return SUVbw in g/ml of a PET series, from its units, its decay correction, the dose and the patient's weight."""
    units = elements.text(head, "Units")
    if units == "GML":
        kind = elements.text(head, "SUVType") or "BW"
        return Meaning("SUVbw") if kind == "BW" else Meaning(note=f"an SUV of another type ({kind})")
    if units == "CNTS":
        return _philips(head, first)
    if units != "BQML":
        return Meaning(note=f"PET units {units or 'that are not said'} do not give an SUV")
    return _from_activity(head, first, 1.0)


def _philips(head: Any, first: datetime.datetime | None) -> Meaning:
    """Counts, with Philips's private factors to SUV (7053,xx00) or to activity (7053,xx09)."""
    factor = _private(head, 0x00)
    if factor is not None and factor > 0:
        return Meaning("SUVbw", factor)
    activity = _private(head, 0x09)
    if activity is not None and activity > 0:
        return _from_activity(head, first, activity)
    return Meaning(note="PET counts without Philips's factor to SUV")


def _private(head: Any, element: int) -> float | None:
    data = head.private("Philips PET Private", 0x7053, element) if hasattr(head, "private") else None
    if data is None:
        return None
    try:
        return float(data.strip(b" \0"))
    except ValueError:
        return float(struct.unpack("<d", data)[0]) if len(data) == 8 else None


def _from_activity(head: Any, first: datetime.datetime | None, to_bqml: float) -> Meaning:
    weight = elements.number(head, "PatientWeight")
    drug = (head.get("RadiopharmaceuticalInformationSequence") or [{}])[0]
    dose = elements.number(drug, "RadionuclideTotalDose")
    if weight is None or weight <= 0:
        return Meaning(note="no SUV: the patient's weight is not said")
    if dose is None or dose <= 0:
        return Meaning(note="no SUV: the injected dose is not said")
    corrected = elements.words(head, "CorrectedImage")
    if corrected and not {"ATTN", "DECY"} <= set(corrected):
        return Meaning(note="no SUV: not corrected for attenuation and decay")
    how = elements.text(head, "DecayCorrection")
    if how == "ADMIN":
        return Meaning("SUVbw", to_bqml * weight * 1000 / dose)
    if how != "START":
        return Meaning(note=f"no SUV: decay correction {how or 'not said'}")
    half_life = elements.number(drug, "RadionuclideHalfLife")
    if half_life is None or half_life <= 0:
        return Meaning(note="no SUV: the half-life is not said")
    elapsed = _elapsed_s(head, drug, first)
    if elapsed is None:
        return Meaning(note="no SUV: the times of injection and scan are not said, or contradict each other")
    left = dose * 2.0 ** (-elapsed / half_life)
    return Meaning("SUVbw", to_bqml * weight * 1000 / left)


def _elapsed_s(head: Any, drug: Any, first: datetime.datetime | None) -> float | None:
    """Seconds from the injection to the time that decay is corrected to, the start of the series."""
    scan = _moment(elements.text(head, "SeriesDate"), elements.text(head, "SeriesTime"))
    acquired = first or _acquired(head)
    if scan is None or (acquired is not None and scan > acquired):
        scan = acquired  # the series was made anew after the scan: its time is not the scan's
    if scan is None:
        return None
    begun = elements.text(drug, "RadiopharmaceuticalStartDateTime")
    if begun is not None:
        start = _moment(begun[:8], begun[8:].split("+")[0].split("-")[0])
    else:
        start = _moment(scan.strftime("%Y%m%d"), elements.text(drug, "RadiopharmaceuticalStartTime"))
        if start is not None and start > scan:
            start -= datetime.timedelta(days=1)  # injected before midnight
    if start is None:
        return None
    elapsed = (scan - start).total_seconds()
    return elapsed if 0 <= elapsed < 48 * 3600 else None


def _acquired(head: Any) -> datetime.datetime | None:
    date = elements.text(head, "AcquisitionDate") or elements.text(head, "SeriesDate")
    return _moment(date, elements.text(head, "AcquisitionTime"))


def _moment(date: str | None, time: str | None) -> datetime.datetime | None:
    if not date or not time:
        return None
    digits = time.strip().replace(":", "")
    whole, _, part = digits.partition(".")
    try:
        day = datetime.datetime.strptime(date.strip().replace(".", ""), "%Y%m%d")
        hours, minutes, seconds = int(whole[:2]), int(whole[2:4] or 0), int(whole[4:6] or 0)
        micro = int(float(f"0.{part}") * 1e6) if part else 0
    except ValueError:
        return None
    return day + datetime.timedelta(hours=hours, minutes=minutes, seconds=seconds, microseconds=micro)
