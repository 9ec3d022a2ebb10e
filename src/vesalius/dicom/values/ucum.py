"""Units of measure as DICOM codes them: ours in UCUM and back, others in the private scheme (PS3.16 CID 7181, 84)."""

from __future__ import annotations

from typing import Any

from vesalius.dicom import elements
from vesalius.dicom.values import terms

UNITLESS = ("1", "no units")
_CODES = {
    "%": ("%", "percent"),
    "mm": ("mm", "millimeter"), "cm": ("cm", "centimeter"), "mm2": ("mm2", "square millimeter"),
    "mm3": ("mm3", "cubic millimeter"), "ml": ("ml", "milliliter"), "mL": ("ml", "milliliter"),
    "years": ("a", "year"), "a": ("a", "year"), "months": ("mo", "month"), "days": ("d", "day"),
    "weeks": ("wk", "week"), "hours": ("h", "hour"), "minutes": ("min", "minute"), "cm2": ("cm2", "square centimeter"),
    "kg/m2": ("kg/m2", "kilogram per square meter"), "ml/min": ("ml/min", "milliliter per minute"),
    "HU": ("[hnsf'U]", "Hounsfield unit"), "SUVbw": ("{SUVbw}g/ml", "Standardized Uptake Value body weight"),
    "kg": ("kg", "kilogram"), "g": ("g", "gram"), "s": ("s", "second"), "mm2/s": ("mm2/s", "mm2/s"),
    "pixels": ("{pixels}", "pixels"), "Gy": ("Gy", "gray"), "mmHg": ("mm[Hg]", "millimeter of mercury"),
    "1/pixel": ("/{pixel}", "per pixel"), "1/voxel": ("/{voxel}", "per voxel"),
}  # fmt: skip
_OURS = {code: unit for unit, (code, _) in reversed(_CODES.items())}


def term_of(unit: str | None) -> terms.Term:
    """Return a unit's code; of the private scheme where it is none that is known here."""
    if unit in (None, "", "1"):
        return UNITLESS[0], "UCUM", UNITLESS[1]
    known = _CODES.get(str(unit))
    return (known[0], "UCUM", known[1]) if known else terms.private(str(unit))


def unit_of(item: Any) -> str | None:
    """Return the unit that a MeasurementUnitsCodeSequence's item names, as UCUM has it where we have no word.

    None for none.
    A code of another scheme than UCUM and our own names no unit that could be relied on.
    """
    code, scheme = elements.text(item, "CodeValue"), elements.text(item, "CodingSchemeDesignator")
    if scheme == terms.PRIVATE:
        return elements.text(item, "CodeMeaning")
    if scheme != "UCUM" or code in (None, UNITLESS[0]):
        return None
    return word_of(str(code))


def word_of(code: str) -> str | None:
    """Return our word for a unit's UCUM code, the code itself where we have none; None for no unit."""
    return None if code == UNITLESS[0] else _OURS.get(code, code)
