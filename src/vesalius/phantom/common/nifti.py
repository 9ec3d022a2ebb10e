"""NIfTI bytes of a volume, the same on every run."""

from __future__ import annotations

import gzip
from typing import Any

import nibabel as nib
import numpy as np

from vesalius.core.image import Array


def nifti_gz(array: Array, affine: Array) -> bytes:
    """Return gzipped NIfTI-1 of `(Z, Y, X)` with an affine from index (x, y, z) to LPS mm.

    NIfTI's millimetres are RAS, so the first two rows change sign; both forms carry code 1 (scanner), the
    header says mm, and the gzip header has no time in it.
    """
    ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    image: Any = nib.Nifti1Image(np.ascontiguousarray(array.transpose(2, 1, 0)), ras)  # type: ignore[no-untyped-call]
    image.set_sform(ras, code=1)
    image.set_qform(ras, code=1)
    image.header.set_xyzt_units("mm")
    return gzip.compress(bytes(image.to_bytes()), compresslevel=3, mtime=0)
