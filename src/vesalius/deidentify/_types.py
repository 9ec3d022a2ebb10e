"""Types of the attributes whose action depends on them, by IOD (PS3.3); what PS3.15 Table E.1-1a asks for.

X/Z: removed unless Type 2; X/D: unless Type 1; and so on. Within the IODs listed, what is not named here is Type 3. An
attribute in a sequence, or of an IOD not listed, gets the action that is valid whatever its Type: the last one named.
"""

from __future__ import annotations

_BASE = "1.2.840.10008.5.1.4.1.1."


def _uids(*tails: str) -> frozenset[str]:
    return frozenset(_BASE + tail for tail in tails)


PLAIN = _uids(
    "1", "2", "4", "6.1", "3.1", "7", "7.1", "7.2", "7.3", "7.4", "20", "12.1", "12.2"
)  # CR CT MR US SC NM XA RF
PROJECTION = _uids(
    "1.1", "1.1.1", "1.2", "1.2.1", "1.3", "1.3.1"
)  # DX MG IO, for presentation and processing
PET = _uids("128")
ENHANCED = _uids(
    "2.1", "2.2", "4.1", "4.3", "4.4", "6.2", "12.1.1", "12.2.1", "13.1.1", "13.1.2", "13.1.3", "13.1.4", "13.1.5",
    "128.1", "130", "14.1", "14.2",
)  # fmt: skip
DERIVED = _uids(
    "66.4", "66.5", "66.6", "66.7", "30", "67", "66.1", "66.2", "66.3"
)  # SEG, surfaces, maps, REG …
SLIDE = _uids("77.1.6")
LIGHT = _uids(
    "77.1.1", "77.1.2", "77.1.3", "77.1.4", "77.1.1.1", "77.1.2.1", "77.1.4.1"
)  # endoscopy … photography
EYE = _uids("77.1.5.1", "77.1.5.2", "77.1.5.4")
REPORT = _uids(
    "88.11", "88.22", "88.33", "88.34", "88.35", "88.40", "88.50", "88.59", "88.65", "88.67", "88.68", "88.71"
)
PRESENTATION = _uids("11.1", "11.2", "11.3", "11.4", "11.5", "11.8")
RADIOTHERAPY = _uids("481.1", "481.2", "481.3", "481.5", "481.4", "481.6", "481.7", "481.8", "481.9")
PAPER = _uids("104.1", "104.2", "104.3", "104.4", "104.5")
WAVE = _uids("9.1.1", "9.1.2", "9.1.3", "9.2.1", "9.3.1", "9.4.1", "9.4.2", "9.5.1", "9.6.1", "9.6.2")

LISTED = frozenset().union(
    PLAIN, PROJECTION, PET, ENHANCED, DERIVED, SLIDE, LIGHT, EYE, REPORT, PRESENTATION, RADIOTHERAPY, PAPER, WAVE
)  # fmt: skip
_IMAGES = PLAIN | PROJECTION | PET | LIGHT | frozenset(_uids("481.1", "481.2"))

# attribute → (Type, IODs) where it is 1, 1C, 2 or 2C; a conditional Type counts as met, since the attribute is there
TYPES: dict[str, tuple[tuple[int, frozenset[str]], ...]] = {
    "00080022": ((2, PET),),  # Acquisition Date: PET Image, C.8.9.4
    "00080032": ((2, PET),),
    "00080023": (  # Content Date: General Image 2C; 1 in multi-frame functional groups, SR, SEG, waveforms …
        (2, _IMAGES | PAPER),
        (1, ENHANCED | DERIVED | SLIDE | EYE | REPORT | WAVE),
    ),
    "00080033": (
        (2, PLAIN | PROJECTION | PET | PAPER),
        (1, ENHANCED | DERIVED | SLIDE | EYE | REPORT | WAVE | LIGHT),
    ),
    "0008002A": ((1, ENHANCED | SLIDE | EYE | WAVE), (2, PAPER)),  # Acquisition DateTime
    "00081070": ((2, RADIOTHERAPY),),  # Operators' Name: RT Series, C.8.8.1
    "00081111": ((1, ENHANCED | PROJECTION), (2, REPORT)),  # Referenced Performed Procedure Step Sequence
    "00080082": (),
    "00100020": ((2, LISTED),),  # Patient ID: Patient, C.7.1.1
    "00102203": ((2, LISTED),),
    "00180010": ((2, LISTED),),  # Contrast/Bolus Agent, C.7.6.4
    "00181000": (
        (1, ENHANCED | DERIVED | SLIDE),
    ),  # Device Serial Number: Enhanced General Equipment, C.7.5.2
    "00400555": (
        (2, ENHANCED | PROJECTION | SLIDE | EYE | WAVE | LIGHT | _uids("30")),
    ),  # Acquisition Context Sequence, C.7.6.14
    "0040B020": ((1, WAVE),),
    "00700084": ((2, DERIVED | PRESENTATION),),  # Content Creator's Name: Content Identification, 10.9
    "00080012": (),
    "00321060": (),
    "22000002": ((2, SLIDE),),  # Slide Label, C.8.12.8
    "22000005": ((2, SLIDE),),
    "30080250": ((1, RADIOTHERAPY),),
    "30080251": ((1, RADIOTHERAPY),),
    "30080054": ((1, RADIOTHERAPY),),
    "30080056": ((1, RADIOTHERAPY),),
    "300A0006": ((1, RADIOTHERAPY),),  # RT Plan Date is 2, which X/D leaves to D
    "300A0007": ((1, RADIOTHERAPY),),
    "300E0008": ((2, RADIOTHERAPY),),  # Reviewer Name: Approval, C.8.8.16
    "00081140": ((1, ENHANCED | PRESENTATION | REPORT | DERIVED),),
    "00082112": ((1, ENHANCED | DERIVED),),
}


def resolve(action: str, tag: str, sop_class: str | None) -> str:
    """Return one of X, Z, D, U for an action that may be conditional.

    `sop_class` is None for an attribute within a sequence. `tag` is eight hex digits.
    """
    if "/" not in action:
        return action
    choices = action.replace("*", "").split("/")
    if sop_class is None or sop_class not in LISTED:
        return choices[-1]
    kind = next((t for t, iods in TYPES.get(tag, ()) if sop_class in iods), 3)
    if kind == 3:
        return choices[0]  # X where the row has it, Z in Z/D
    if kind == 2 and "Z" in choices:
        return "Z"
    return choices[-1]
