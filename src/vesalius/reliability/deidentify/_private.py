"""Private attributes that are known to be safe, by creator: of PS3.15 Table E.3.10-1, those that hold numbers or codes.

Two digits `ee` of element number within the creator's block. What is not here is removed, whatever the file says of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

SAFE: dict[tuple[int, str], frozenset[int]] = {
    (0x7053, "Philips PET Private Group"): frozenset({0x00, 0x09}),  # SUV factor, activity factor
    (0x00E1, "ELSCINT1"): frozenset({0x21}),  # DLP
    (0x01E1, "ELSCINT1"): frozenset({0x26}),  # phantom type
    (0x01F1, "ELSCINT1"): frozenset({0x01, 0x07, 0x26, 0x27}),  # acquisition, speed, pitch, rotation time
    (0x0019, "GEMS_ACQU_01"): frozenset(
        {0x23, 0x24, 0x27, 0x9E}
    ),  # table speed, mid scan time, rotation, sequence
    (0x0025, "GEMS_SERS_01"): frozenset({0x07}),  # images in series
    (0x0043, "GEMS_PARM_01"): frozenset({0x27, 0x39, 0x6F}),  # pitch ratio, b-value, table entry and coil
    (0x0045, "GEMS_HELIOS_01"): frozenset({0x01, 0x02}),  # macro rows and width
    (0x2001, "Philips Imaging DD 001"): frozenset({0x03, 0x04}),  # b-factor, diffusion direction
    (0x2005, "Philips MR Imaging DD 001"): frozenset({0x0D, 0x0E}),  # scale intercept and slope
    (0x0019, "SIEMENS MR HEADER"): frozenset(
        {0x0C, 0x0D, 0x0E, 0x27}
    ),  # b-value, directionality, direction, matrix
    (0x0051, "SIEMENS MR HEADER"): frozenset({0x0B}),  # matrix size
}
_VRS = ("DS", "IS", "CS", "SH", "LO", "FL", "FD", "SS", "US", "SL", "UL")


def safe_tags(data: Iterable[Any]) -> set[Any]:
    """Tags of one data set's safe private elements, with the creators that they need."""
    elements = [e for e in data if e.tag.is_private]
    creators = {(e.tag.group, e.tag.elem): str(e.value).strip() for e in elements if e.tag.is_private_creator}
    kept: set[Any] = set()
    for element in elements:
        tag = element.tag
        creator = creators.get((tag.group, tag.elem >> 8), "")
        known = SAFE.get((tag.group, creator)) or SAFE.get((tag.group, creator.title()), frozenset())
        if not tag.is_private_creator and (tag.elem & 0xFF) in known and element.VR in _VRS:
            kept |= {tag, type(tag)((tag.group << 16) | (tag.elem >> 8))}
    return kept
