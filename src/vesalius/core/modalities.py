"""Modalities: DICOM's codes, people's words for them, and which of them are alike.

Projection radiographs are one modality, whether film was scanned or a detector read (CR, DX, RG); so are angiography
and fluoroscopy (XA, RF). `OT` (other) and codes of objects that are no images say nothing.
Source: PS3.3 C.7.3.1.1.1.
"""

from __future__ import annotations

import re

_ALIKE = {"CR": "DX", "RG": "DX", "RF": "XA", "SPECT": "NM", "PET": "PT", "MRI": "MR", "OCT": "OPT"}
_CODES = {
    "BI", "CT", "CR", "DG", "DX", "ECG", "ES", "GM", "IO", "IVOCT", "IVUS", "LS", "MG", "MR", "NM", "OAM", "OCT", "OP",
    "OPM", "OPT", "OPTBSV", "OPTENF", "OPV", "PT", "PX", "RF", "RG", "SM", "TG", "US", "XA", "XC",
}  # fmt: skip
_WORDS = {
    "cta": "CT",
    "ctscan": "CT",
    "cthu": "CT",
    "cbct": "CT",
    "computedtomography": "CT",
    "mri": "MR",
    "magneticresonance": "MR",
    "magneticresonanceimaging": "MR",
    "pet": "PT",
    "positronemissiontomography": "PT",
    "spect": "NM",
    "ultrasound": "US",
    "sonography": "US",
    "xray": "DX",
    "cxr": "DX",
    "chestxray": "DX",
    "radiograph": "DX",
    "radiography": "DX",
    "mammography": "MG",
    "mammogram": "MG",
    "fundus": "OP",
    "fundusphotography": "OP",
    "oct": "OPT",
    "endoscopy": "ES",
    "colonoscopy": "ES",
    "dermoscopy": "XC",
    "histology": "SM",
    "pathology": "SM",
    "microscopy": "SM",
}
_SEQUENCES = re.compile(r"^(t1|t2|flair|dwi|adc|swi|pd|tof|bold|fa|dti|asl|swan|ssfp|cine)")

_NAMED = (  # sequences by the words for them, the telling ones first; T1 after contrast medium is another than T1
    ("ADC", r"adc|apparent"),
    ("DWI", r"dwi|diff|diffusion|ep2d|trace"),
    ("FLAIR", r"flair|fluid attenuated|tirm|dark fluid"),
    ("SWI", r"swi|swan|susceptibility"),
    ("TOF", r"tof|time of flight"),
    ("T1C", r"t1\w* .*(gd|ce|post|contrast|km|[+]c)|t1c|t1ce|t1gd|(post|gd) .*t1\w*"),
    ("T1", r"t1|t1w|t1n|mprage|bravo|spgr"),
    ("T2", r"t2|t2w|t2star|haste"),
    ("PD", r"pd|pdw|proton density"),
)


def of_code(code: str | None) -> str | None:
    """Return the modality that a DICOM code stands for (`CR` → `DX`); None where it says nothing (`OT`)."""
    found = (code or "").strip().upper()
    return _ALIKE.get(found, found) if found in _CODES else None


def of_word(word: str) -> str | None:
    """Return the modality that an author's word names (`MRI`, `CT`, `X-ray`), or None."""
    bare = re.sub(r"[^0-9a-z]+", "", word.casefold())
    return _WORDS.get(bare) or of_code(bare)


def of_channel(word: str) -> str | None:
    """Return the modality of a channel by its name: a modality's, or that of a sequence of MR (`FLAIR`, `T1w`)."""
    bare = re.sub(r"[^0-9a-z]+", "", word.casefold())
    return of_word(word) or ("MR" if _SEQUENCES.match(bare) else None)


def sequence_of(text: str | None) -> str | None:
    """Return which sequence of MR a description names (`Ax T2 FLAIR` → `FLAIR`); None where it names none."""
    words = " ".join(re.findall(r"[a-z0-9]+|[+]c", (text or "").casefold()))
    return next((name for name, said in _NAMED if re.search(rf"(?:^| )(?:{said})(?: |$)", words)), None)
