"""Private attributes that are known to be safe, by creator: of PS3.15 Table E.3.10-1, those that hold numbers or codes.

Two digits `ee` of element number within the creator's block. What is not here is removed, whatever the file says of it;
so are words under a number's tag. Left out of the table's: sequences, UIDs, texts, and data in which pixels may hide.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

_NUMBERS = ("DS", "IS", "CS", "FL", "FD", "SS", "US", "SL", "UL")
_WORDS = ("SH", "LO", "ST")


def _elements(text: str) -> frozenset[int]:
    return frozenset(int(part, 16) for part in text.split())


# HOLOGIC's and LORAD's of mammography
_SELENIA = """
    06 07 08 16 26 27 28 29 30 31 32 33 34 35 37 40 41 50 51 52 53 60 70 71 80 90
"""
SAFE: dict[tuple[int, str], frozenset[int]] = {
    (0x7053, "Philips PET Private Group"): _elements("00 09"),  # SUV factor, activity factor
    (0x00E1, "ELSCINT1"): _elements("21"),  # DLP
    (0x01E1, "ELSCINT1"): _elements("26 50"),  # phantom type, acquisition duration
    (0x01F1, "ELSCINT1"): _elements("01 07 26 27"),  # acquisition, speed, pitch, rotation time
    (0x0019, "GEMS_ACQU_01"): _elements("23 24 27 9E"),  # table speed, mid scan time, rotation, sequence
    (0x0025, "GEMS_SERS_01"): _elements("07"),  # images in series
    (0x0043, "GEMS_PARM_01"): _elements("27 39 6F"),  # pitch ratio, b-value, table entry and coil
    (0x0045, "GEMS_HELIOS_01"): _elements("01 02"),  # macro rows and width
    (0x0045, "GEMS_SENO_02"): _elements("06 1B 20 27 29 2A 2B 49 58 59 60 61 64 71 72 90 A0 A1 A2 A4 A7 A8"),
    (0x0903, "GEIIS PACS"): _elements("10 11 12"),  # flags of an image
    (0x0019, "HOLOGIC, Inc."): _elements(_SELENIA + "25 42 43 44 45 46 61 62 85 87 89 8A 97 98"),
    (0x0019, "LORAD Selenia"): _elements(_SELENIA),
    (0x2001, "Philips Imaging DD 001"): _elements("03 04"),  # b-factor, diffusion direction
    (0x2005, "Philips MR Imaging DD 001"): _elements("0D 0E"),  # scale intercept and slope
    (0x0019, "SIEMENS MR HEADER"): _elements("0C 0D 0E 27"),  # b-value, directionality, direction, matrix
}
# Of these, those whose value is of words by the table: a ratio, an internal sequence's name
_WORDED = {(0x0043, "GEMS_PARM_01", 0x27), (0x0019, "GEMS_ACQU_01", 0x9E), (0x0043, "GEMS_PARM_01", 0x6F)}


def safe_tags(data: Iterable[Any]) -> set[Any]:
    """Return the tags of one data set's safe private elements, with the creators that they need."""
    elements = [e for e in data if e.tag.is_private]
    creators = {(e.tag.group, e.tag.elem): str(e.value).strip() for e in elements if e.tag.is_private_creator}
    kept: set[Any] = set()
    for element in elements:
        tag = element.tag
        creator = creators.get((tag.group, tag.elem >> 8), "")
        if tag.is_private_creator or (tag.elem & 0xFF) not in SAFE.get((tag.group, creator), ()):
            continue
        if element.VR in _NUMBERS or (
            element.VR in _WORDS and (tag.group, creator, tag.elem & 0xFF) in _WORDED
        ):
            kept |= {tag, type(tag)((tag.group << 16) | (tag.elem >> 8))}
    return kept
