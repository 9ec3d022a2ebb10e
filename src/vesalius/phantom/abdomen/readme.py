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
}

_BOXES = """\
| `boxes.csv` | a row a lesion: case, kind, box in voxels (from 0 on, high end excluded) and diameter in mm |"""


def readme(kind: str, *, cases: int, seed: int, assignment: str, boxes: bool = False) -> str:
    """Return Markdown for a cohort written as `kind` (nifti, png or dicom)."""
    boxed = f"\n{_BOXES}" if boxes else ""
    labels = ", ".join(f"{value} {name}" for name, value in LABELS.items())
    return f"""# A synthetic cohort: {cases} abdominal CT studies whose truth is known

Made by `vesalius phantom` from seed {seed}; treatment is {assignment}. No patient is behind any of it.

| file | what |
|---|---|
| `cohort.csv` | a row a case: its files, class, covariates, treatment, time, event and report |
{_FILES[kind]}{boxed}
| `experts/experts.csv` | whose drawing it is, and the class that the reader believes in |
| `truth.json` | all that is known: lesions, boxes, densities, formulas, both survival curves, the readers' skill |

Labels: 0 background, {labels}.

Columns: `class` normal, cyst or malignant; `age` in years; `bmi` in kg/m²; `tumour_stage` 0 benign, 1 to 3 malignant;
`marker` a tumour marker in the blood; `treatment` 1 treated, 0 not; `time_days` until death (`event` 1) or until
the last look (`event` 0). The survival curves hold at both treatments; what would have happened is known.
"""
