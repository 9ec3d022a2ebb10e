"""A patient's files: image, label map and the readers' drawings, in the layout of each format."""

from __future__ import annotations

from pathlib import Path

from vesalius.core.errors import DataError
from vesalius.phantom.abdomen.dicom import dicom_files
from vesalius.phantom.abdomen.known import KnownPatient
from vesalius.phantom.abdomen.patient import AbdomenPatient
from vesalius.phantom.abdomen.window import windowed
from vesalius.phantom.common.nifti import nifti_gz
from vesalius.phantom.common.output import put
from vesalius.phantom.common.picture import png
from vesalius.phantom.contract import Row


def write(root: Path, study: KnownPatient, format: str) -> Row:
    """Write one patient's files below `root` and return the row of cohort.csv; none of one without pixels.

    `nifti`  volumes: `imagesTr/` and `labelsTr/` as in the Medical Segmentation Decathlon
    `png`    the key axial slice: `classes/<class>/` and `pairs/images/`, `pairs/masks/`
    `dicom`  one CT series a patient under `dicom/`, masks as NIfTI in `masks/`

    Raises DataError for a format of a patient without pixels.
    """
    if not isinstance(study, AbdomenPatient):
        if format != "nifti":
            raise DataError(
                "a table without pixels has no files in any format", found=format, hint="leave the format out"
            )
        return study.row({})
    return study.row(WRITERS[format](root, study))


def _write_nifti(root: Path, study: AbdomenPatient) -> Row:
    image, mask = f"imagesTr/{study.id}.nii.gz", f"labelsTr/{study.id}.nii.gz"
    put(root / image, nifti_gz(study.image, study.affine))
    put(root / mask, nifti_gz(study.labels, study.affine))
    _write_experts(root, study)
    return {"image": image, "mask": mask}


def _write_png(root: Path, study: AbdomenPatient) -> Row:
    k, name = study.key_slice, f"{study.id}.png"
    image, mask = f"classes/{study.diagnosis}/{name}", f"pairs/masks/{name}"
    picture = png(windowed(study.image[k]))
    put(root / image, picture)
    put(root / "pairs" / "images" / name, picture)
    put(root / mask, png(study.labels[k]))
    for drawing in study.experts:
        put(root / "experts" / drawing.skill.name / name, png(drawing.mask[k]))
    return {"image": image, "mask": mask}


def _write_dicom(root: Path, study: AbdomenPatient) -> Row:
    folder, mask = f"dicom/{study.patient}", f"masks/{study.id}.nii.gz"
    for name, data in dicom_files(study):
        put(root / folder / name, data)
    put(root / mask, nifti_gz(study.labels, study.affine))
    _write_experts(root, study)
    return {"image": folder, "mask": mask}


def _write_experts(root: Path, study: AbdomenPatient) -> None:
    for drawing in study.experts:
        path = root / "experts" / drawing.skill.name / f"{study.id}.nii.gz"
        put(path, nifti_gz(drawing.mask, study.affine))


WRITERS = {"nifti": _write_nifti, "png": _write_png, "dicom": _write_dicom}
