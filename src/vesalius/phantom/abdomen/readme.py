"""The README of a written cohort: what lies where, and what the columns mean."""

from __future__ import annotations

from vesalius.phantom.abdomen.patient import LABELS

_FILES = {
    "nifti": """\
| `imagesTr/<case>.nii.gz` | the CT, int16 in Hounsfield units |
| `labelsTr/<case>.nii.gz` | the label map |
| `dataset.json` | the same, as the Medical Segmentation Decathlon describes it |
| `experts/expert_<k>/<case>.nii.gz` | liver (1) and lesions (2) as reader k draws them |""",
    "png": """\
| `classes/<class>/<case>.png` | the axial slice with most of the first lesion (or of the liver), −140 to 260 HU |
| `pairs/images/<case>.png`, `pairs/masks/<case>.png` | the same slice, and its label map |
| `dataset.json` | the names of the labels |
| `experts/expert_<k>/<case>.png` | liver (1) and lesions (2) as reader k draws them |""",
    "dicom": """\
| `dicom/<patient>/IM<n>.dcm` | the CT, one file a slice, from the feet to the head |
| `masks/<case>.nii.gz` | the label map |
| `dataset.json` | the names of the labels |
| `experts/expert_<k>/<case>.nii.gz` | liver (1) and lesions (2) as reader k draws them |""",
    "table": "",
}

_LISTED = "the same, as the Medical Segmentation Decathlon describes it"
_BOXES = """\
| `boxes.csv` | a row a lesion: case, kind, box in voxels (from 0 on, high end excluded) and diameter in mm |"""


_EXPERTS = """\
| `experts/experts.csv` | whose drawing it is, and the class that the reader believes in |
"""
_COLUMNS = """\
Columns: `class` normal, cyst or malignant; `age` in years; `bmi` in kg/m²; `tumour_stage` 0 benign, 1 to 3 malignant;
`marker` a tumour marker in the blood; `treatment` 1 treated, 0 not; `time_days` until death (`event` 1) or until
the last look (`event` 0). The survival curves hold at both treatments; what would have happened is known.
"""
_HELD = "a row a case: its files, class, covariates, treatment, time, event and report"
_KNOWN = "all that is known: lesions, boxes, densities, formulas, both survival curves, the readers' skill"


def readme(
    kind: str,
    *,
    cases: int,
    seed: int,
    assignment: str,
    boxes: bool = False,
    columns: str | None = None,
    effects: str = "",
) -> str:
    """Return Markdown for a cohort written as `kind` (nifti, png, dicom, or table where there are no pixels).

    `columns` says what those of the table are, by default those of a cohort as it always was; `effects` what the
    treatments do to these patients.
    """
    table = kind == "table"
    shown = (
        ""
        if table
        else f"Labels: 0 background, {', '.join(f'{v} {name}' for name, v in LABELS.items())}.\n\n"
    )
    files = (
        _FILES[kind].replace(_LISTED, "the names of the labels") + f"\n{_BOXES}" if boxes else _FILES[kind]
    )
    what = "patients without their abdominal CT" if table else "abdominal CT studies"
    held = _HELD if columns is None else "a row a case"
    known = (
        _KNOWN if columns is None else "all that is known of each case, every arm's curves, and the formulas"
    )
    return f"""# A synthetic cohort: {cases} {what} whose truth is known

Made by `vesalius phantom` from seed {seed}; treatment is {assignment}. No patient is behind any of it.

| file | what |
|---|---|
| `cohort.csv` | {held} |
{"" if table else files + chr(10) + _EXPERTS}| `truth.json` | {known} |

{shown}{_COLUMNS if columns is None else columns}{effects}"""
