"""The truth of a case, as somebody drew it: labels on the case's own image, to be seen beside a model's answer."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom

from vesalius import formats
from vesalius.core import grids
from vesalius.core.answers.mask import Mask
from vesalius.core.case import Ref
from vesalius.core.cohort import Label
from vesalius.core.errors import FormatError, VesaliusError
from vesalius.core.image import Image
from vesalius.core.words import counted
from vesalius.dicom.damage import DAMAGE
from vesalius.prepare.case import load_reference
from vesalius.serve.http import results
from vesalius.serve.http.problems import Problem, error_body
from vesalius.serve.http.study import StoredCase, UploadedStudy
from vesalius.serve.http.uploads import Received

_MOST_LABELS = 256
_UNPLACED = "only one of image and truth says where it lies: their sizes agree, their places are not known to"


@dataclass(frozen=True)
class Truth:
    """True labels of one case, on its image's grid, and where they lie as a NIfTI.

    `source` is what the client calls the file; `named` says whether the file itself says what its labels are called.
    """

    mask: Mask
    path: Path
    source: str
    named: bool
    notes: tuple[str, ...] = ()

    def json(self, study: UploadedStudy, case: StoredCase, model: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return it in the form of an answer (`schemas.TruthBody`); what it does not name is called as `model` does."""
        mask, names = self.mask, "file" if self.named else None
        if not self.named and model is not None:
            called = {x["value"]: x for x in model["labels"]}
            if any(x.value in called for x in mask.labels):
                names = "model"
                mask = replace(mask, labels=tuple(_called(x, called.get(x.value)) for x in mask.labels))
        return {
            "case": case.id,
            "kind": type(mask).__name__,
            "answer": results.outline(mask),
            "summary": results.summary(mask),
            "outside": [],
            "notes": list(self.notes),
            "files": {"mask.nii.gz": f"/api/studies/{study.id}/cases/{case.id}/truth/mask.nii.gz"},
            "source": self.source,
            "names_from": names,
        }


class Truths:
    """The truths that are kept: one a case, gone with its study."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], Truth] = {}

    def get(self, study: UploadedStudy, case: StoredCase) -> Truth | None:
        """Return a case's truth; None where nobody gave one."""
        with self._lock:
            return self._kept.get((study.id, case.id))

    def put(self, study: UploadedStudy, case: StoredCase, truth: Truth) -> Truth | None:
        """Keep a case's truth in the place of another, which is returned."""
        with self._lock:
            old = self._kept.get((study.id, case.id))
            self._kept[study.id, case.id] = truth
        return old

    def remove(self, study: UploadedStudy, case: StoredCase) -> Truth | None:
        """Forget a case's truth and return it."""
        with self._lock:
            return self._kept.pop((study.id, case.id), None)

    def forget(self, study: UploadedStudy) -> None:
        """Keep nothing of a study any more."""
        with self._lock:
            for key in [k for k in self._kept if k[0] == study.id]:
                del self._kept[key]


def read_truth(item: Received, case: StoredCase, folder: Path) -> Truth:
    """Read a file of labels as the truth of a case. Raises Problem 422 for what is not drawn on that case's image.

    Sizes must agree, places as far as both say them, and of a DICOM object the frame of reference.
    """
    try:
        reference = load_reference(case.case)
        drawn = _is_dicom(item.path)
        image = case.case.image
        paths = image.paths if drawn and case.dicom and isinstance(image, Ref) else ()
        notes = list(_of_another_series(item.path, reference)) if drawn else []
        found = formats.read_mask(Ref((item.path, *paths)))
        labels = formats.labels(item.path)
    except VesaliusError as error:
        said = {
            k: v and v.replace(str(item.path), item.label).replace(item.path.name, item.label)
            for k, v in error_body(error).items()
        }
        raise Problem(422, str(said["error"]), found=said["found"], hint=said["hint"]) from error
    if found.source.forms is not None and found.source.forms.doubt:
        notes.append(f"of {item.label}, {found.source.forms.doubt}")
    truth = on_image(found, labels, reference, folder, source=item.label)
    return replace(truth, notes=(*notes, *truth.notes))


def on_image(found: Image, labels: Sequence[Label], reference: Image, folder: Path, *, source: str) -> Truth:
    """Return labels as the truth of an image, written into `folder`. Raises Problem 422 where they are not of it."""
    fault = grids.mask_fault(reference, found)
    if fault is not None:
        raise Problem(
            422, "that file is not the truth of this image: it has another grid", found=fault,
            hint="labels that were drawn on this image",
        )  # fmt: skip
    values = [int(v) for v in np.unique(found.array) if v > 0]
    if len(values) > _MOST_LABELS:
        said = counted(len(values), "value")
        raise Problem(422, "that file is an image, not labels", found=said, hint="whole numbers, one a label")
    kept = tuple(x for x in labels if x.value > 0) or tuple(Label(v, f"value {v}") for v in values)
    missing = sorted(set(values) - {x.value for x in kept})
    kept = (*kept, *(Label(v, f"value {v}") for v in missing))
    clean = np.where(found.array > 0, found.array, 0).astype(found.array.dtype)
    placed = replace(found, array=clean, affine=reference.affine, spacing_mm=reference.spacing_mm)
    mask = Mask(image=placed, labels=kept, source=reference.source)
    folder.mkdir(parents=True, exist_ok=True)
    path = formats.write(mask, folder / "mask.nii.gz", source=reference)
    unplaced = (found.affine is None) != (reference.affine is None)
    return Truth(mask, path, source, bool(labels), (_UNPLACED,) if unplaced else ())


def _called(label: Label, model: Mapping[str, Any] | None) -> Label:
    return label if model is None else replace(label, name=model["name"], colour=model["colour"])


def _is_dicom(path: Path) -> bool:
    return formats.by_content(path) == "dicom"


def _of_another_series(path: Path, reference: Image) -> tuple[str, ...]:
    """Return what is to be said of a DICOM object that was drawn on another series at the same place.

    Raises FormatError for one whose frame of reference is another, as that of another patient is.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            head = pydicom.dcmread(path, stop_before_pixels=True, force=True)
            frames = {str(head.get("FrameOfReferenceUID") or "")}
            frames |= {
                str(x.get("FrameOfReferenceUID") or "")
                for x in head.get("ReferencedFrameOfReferenceSequence") or ()
            }
            series = {
                str(x.get("SeriesInstanceUID") or "") for x in head.get("ReferencedSeriesSequence") or ()
            }
    except DAMAGE as error:
        raise FormatError(f"{path}: a damaged DICOM object", found=type(error).__name__) from error
    own = reference.source
    frames, series = frames - {""}, series - {""}
    if frames and own.frame_of_reference_uid and own.frame_of_reference_uid not in frames:
        raise FormatError(
            "that file is not the truth of this image: it has another frame of reference",
            found="another patient's, or another scan",
            hint="labels that were drawn on this image",
        )
    if series and own.series_uid and own.series_uid not in series:
        return ("the truth was drawn on another series at the same place",)
    return ()
