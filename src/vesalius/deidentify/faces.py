"""Faces, file by file: which volume a file belongs to, and how its pixels lose the face."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.core.case import Ref
from vesalius.core.errors import DataError, GeometryError
from vesalius.core.image import Array
from vesalius.core.progress import Progress, track
from vesalius.deidentify import deface, pixels
from vesalius.deidentify._read import SetAside
from vesalius.deidentify.names import kind_of
from vesalius.dicom.pixels import decoded
from vesalius.formats import dicom, nifti

MODALITIES = ("CT", "MR", "PT")
LABELS = 32  # as many different whole numbers at most make a volume one of labels
KEPT = 4  # volumes whose faces are remembered: files of a series stand together as a rule


class Faces:
    """The volumes among a run's files. A file that may show a face which cannot be found is set aside."""

    def __init__(self, files: Iterable[Path], progress: Progress) -> None:
        found = [p for p in files if kind_of(p) == "dicom" and p.stat().st_size > 0]
        sorted_ = dicom.sort(track(found, progress, "find volumes", len(found)))
        self.refs: dict[Path, Ref] = {}
        for series in sorted_.series:
            if series.modality in MODALITIES:
                self.refs |= dict.fromkeys(series.ref.paths, series.ref)
        self.alone = {path for path, _ in (*sorted_.spare, *sorted_.left)}  # localisers, copies, no place
        self.alone |= {
            path for paths, _ in sorted_.refused for path in paths
        }  # volumes that are short or mixed
        self.masks: dict[str, dict[str, Array] | None] = {}

    def of_dicom(self, path: Path) -> Callable[[Any], bool] | None:
        """Return what blanks the face in this file's data set; None where there is none. Raises SetAside."""
        if path in self.alone:
            raise SetAside("its face cannot be removed: the file is not part of a volume")
        ref = self.refs.get(path)
        if ref is None:
            return None
        known = str(ref)
        if known not in self.masks:
            if len(self.masks) >= KEPT:
                self.masks.pop(next(iter(self.masks)))
            self.masks[known] = self._find(ref)
        masks = self.masks[known]
        return None if masks is None else lambda data: _blank(data, masks)

    def of_nifti(self, path: Path) -> Callable[[Array, float], Array] | None:
        """Return what blanks the face in this file's stored values, `(X, Y, Z, …)`; None where there is none.

        Raises SetAside.
        Whole numbers of which there are few are labels, and labels are left alone.
        """
        mask = _face(lambda: nifti.read(Ref((path,))), labels=True)
        if mask is None:
            return None
        here = mask

        def blank(stored: Array, air: float) -> Array:
            new = stored.copy()
            new[here.T] = stored.min() if stored.dtype.kind in "iuf" and stored.min() < air else air
            return new

        return blank

    def _find(self, ref: Ref) -> dict[str, Array] | None:
        def read() -> Any:
            image = dicom.read(ref)
            if len(image.source.sop_uids) != image.shape[0]:
                raise GeometryError("faces cannot be removed from multi-frame volumes")
            return image

        image = None

        def once() -> Any:
            nonlocal image
            image = read()
            return image

        mask = _face(once)
        if mask is None or image is None:
            return None
        return dict(zip(image.source.sop_uids, mask, strict=True))


def _face(read: Callable[[], Any], *, labels: bool = False) -> Array | None:
    try:
        image = read()
        whole = image.array.dtype.kind in "iub" or bool((image.array == np.rint(image.array)).all())
        if labels and whole and len(np.unique(image.array)) <= LABELS:
            return None
        return deface.face(image)
    except GeometryError as error:
        raise SetAside(f"its face cannot be removed: {error.what}") from error
    except DataError as error:
        raise SetAside("its face cannot be removed: it cannot be read as a volume") from error


def _blank(data: Any, masks: dict[str, Array]) -> bool:
    """Set the face's pixels to the plane's smallest value, in place; whether the plane was looked at."""
    mask = masks.get(str(data.SOPInstanceUID))
    if mask is None:
        raise SetAside("its face cannot be removed: the file is not part of the volume")
    if not mask.any():
        return True
    try:
        shown = decoded.frames(data)
    except decoded.UNREADABLE as error:
        raise SetAside("its face cannot be removed: its pixels cannot be decoded") from error
    if shown.shape != (1, *mask.shape):
        raise SetAside("its face cannot be removed: its pixels are not a single plane")
    pixels.blank(data, mask, pixels=shown, value=shown.min())
    return True
