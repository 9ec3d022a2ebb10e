"""An image volume as dcm2niix converts it, held against ours: the same voxels at the same places, in any order."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from vesalius.core.case import Ref
from vesalius.core.image import Image

TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def is_there() -> bool:
    """Whether the program is installed (Debian: dcm2niix)."""
    return shutil.which("dcm2niix") is not None


def verdict(ref: Ref, image: Image) -> str:
    """`agrees`, or how far apart; `` for what is no grey volume with a place, `not converted` for what it refuses."""
    if image.affine is None or image.channels or image.times_s is not None or not is_there():
        return ""
    with tempfile.TemporaryDirectory() as there:
        folder = Path(there)
        (folder / "in").mkdir()
        for k, path in enumerate(ref.paths):
            shutil.copyfile(path, folder / "in" / f"{k:05d}.dcm")
        words = ["dcm2niix", "-z", "n", "-b", "n", "-m", "y", "-f", "out", "-o", there, str(folder / "in")]
        try:
            subprocess.run(words, capture_output=True, timeout=120, check=False)
        except subprocess.TimeoutExpired:
            return "not converted"
        made = sorted(p for p in folder.glob("*.nii") if "ROI" not in p.name)  # overlays apart
        if len(made) != 1:
            return "not converted" if not made else f"{len(made)} volumes"
        theirs: Any = nibabel.load(made[0])
        return _held(image, np.asarray(theirs.get_fdata()), TO_LPS @ theirs.affine)


def _held(image: Image, values: Any, affine: Any) -> str:
    """Compare voxel by voxel: `values` are `(X, Y, Z)` as NIfTI has them, `affine` to LPS mm."""
    values = values[..., None] if values.ndim == 2 else values
    if values.ndim != 3 or image.affine is None:
        return "another shape"
    if values.shape[2] == 1:  # how deep one slice is, is anybody's convention
        affine = affine.copy()
        affine[:3, 2] = image.affine[:3, 2] * np.sign(affine[:3, 2] @ image.affine[:3, 2])
    to = np.linalg.inv(image.affine) @ affine  # from their index to ours
    long = np.abs(to[:3, :3]).max(0)
    turn = np.rint(to[:3, :3] / long)
    if (
        abs(long[2] - 1) > 0.01
        and max(np.abs(to[:3, :3] / long - turn).max(), np.abs(long[:2] - 1).max()) < 0.01
    ):
        ours_mm, theirs_mm = (np.linalg.norm(a[:3, 2]) for a in (image.affine, affine))
        return f"slices {theirs_mm:.4g} mm apart, not {ours_mm:.4g}"
    last = np.array(values.shape) - 1
    corners = np.array(
        [[i, j, k, 1] for i in (0, last[0]) for j in (0, last[1]) for k in (0, last[2])], float
    ).T
    skewed = np.abs(to[:3, :3] - turn).max() > 0.01
    if skewed or sorted(np.abs(turn).sum(0)) != [1, 1, 1] or sorted(np.abs(turn).sum(1)) != [1, 1, 1]:
        return "another direction"
    ours = image.array[0].transpose(2, 1, 0).astype(np.float64) / image.display.get("unit_factor", 1.0)
    order = [int(np.abs(turn[:, k]).argmax()) for k in range(3)]  # our axis for each of theirs
    ours = ours.transpose(order)
    ours = ours[tuple(slice(None, None, int(turn[order[k], k])) for k in range(3))]
    if ours.shape != values.shape:
        return "another shape"
    far = float(np.abs(ours - values).max())
    start = np.array([0.0 if turn[order[k], k] > 0 else ours.shape[k] - 1 for k in range(3)])
    placed = np.eye(4)
    placed[:3, :3] = turn
    placed[order, 3] = start
    apart = float(np.abs((image.affine @ placed - affine) @ corners)[:3].max())
    allowed = max(1e-3, 1e-6 * float(np.abs(values).max()))
    said = [f"values {far:.3g} apart"] if far > allowed else []
    said += [f"corners {apart:.3g} mm apart"] if apart > 1e-3 else []
    return ", ".join(said) or "agrees"
