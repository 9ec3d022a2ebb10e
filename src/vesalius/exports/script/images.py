"""Images in files: numpy's own, pictures (with Pillow) and NIfTI (with nibabel), as channels of planes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Size = tuple[int, int, int]
COLOURS = ("red", "green", "blue")


class Refused(Exception):
    """Something cannot be answered; its words say what is wrong and what was found."""


@dataclass(frozen=True)
class Image:
    """Pixels `(C, Z, Y, X)`; `affine` (4, 4) takes the index `(x, y, z)` to LPS millimetres, where it is known.

    `spacing_mm` is `(x, y, z)`; without an affine it may be known alone. `channels` are what the channels are called.
    """

    array: Array
    affine: Array | None = None
    spacing_mm: tuple[float, float, float] | None = None
    channels: tuple[str, ...] = ()


def read_image(path: str) -> Image:
    """Read one image by its suffix: .npz, .npy, .nii, .nii.gz, or a picture that Pillow opens."""
    name = path.lower()
    if name.endswith((".npz", ".npy")):
        return _of_numpy(path)
    if name.endswith((".nii", ".nii.gz")):
        return _of_nifti(path)
    return _of_picture(path)


def _of_numpy(path: str) -> Image:
    """Read `image` `(C, Z, Y, X)` of an npz file, with `affine` or `spacing_mm` where they stand; or an npy file."""
    held = np.load(path, allow_pickle=False)
    if isinstance(held, np.ndarray):
        return checked(Image(held))
    affine = held["affine"].astype(np.float64) if "affine" in held.files else None
    spacing = None
    if "spacing_mm" in held.files:
        x, y, z = (float(s) for s in held["spacing_mm"])
        spacing = (x, y, z)
    names = tuple(str(n) for n in held["channels"]) if "channels" in held.files else ()
    return checked(placed(held["image"], affine, spacing, names))


def _of_nifti(path: str) -> Image:
    """Read a NIfTI file with nibabel: sform before qform, RAS turned to LPS, a fourth axis as channels."""
    import nibabel  # pip install nibabel

    held: Any = nibabel.load(path)
    head = held.header
    array = np.asarray(held.dataobj)
    if array.ndim not in (3, 4) or array.dtype.names is not None:
        raise Refused(f"{path}: a NIfTI file with axes x, y, z, or x, y, z and channels; found {array.shape}")
    if (
        array.ndim == 4
        and head.get_xyzt_units()[1] != "unknown"
        and float(head["pixdim"][4]) not in (0.0, 1.0)
    ):
        raise Refused(f"{path}: an image with a time axis; found shape {array.shape}")
    array = array[..., None] if array.ndim == 3 else array
    array = array.transpose(3, 2, 1, 0)  # (x, y, z, c) → (C, Z, Y, X)
    unit = {"meter": 1000.0, "micron": 0.001}.get(head.get_xyzt_units()[0], 1.0)
    if int(head["sform_code"]) == 0 and int(head["qform_code"]) == 0:
        x, y, z = (float(s) * unit for s in head.get_zooms()[:3])
        return checked(placed(array, None, (x, y, z), ()))
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.diag([unit, unit, unit, 1.0]) @ held.affine
    return checked(placed(array, affine, None, ()))


def _of_picture(path: str) -> Image:
    """Read a grey picture of 8 or 16 bits or one of 8-bit colours with Pillow, turned as its EXIF says."""
    from PIL import Image as Pillow  # pip install pillow
    from PIL import ImageOps

    with Pillow.open(path) as picture:
        if getattr(picture, "n_frames", 1) > 1 or picture.mode not in ("L", "RGB", "I;16", "I;16B", "I;16L"):
            raise Refused(
                f"{path}: one grey picture, or one of red, green and blue; found mode {picture.mode}"
            )
        seen = ImageOps.exif_transpose(picture)
        array = np.asarray(seen)
    if array.ndim == 3:
        return Image(np.moveaxis(array, -1, 0)[:, None], channels=COLOURS)  # (Y, X, 3) → (3, 1, Y, X)
    return Image(array[None, None])


def placed(
    array: Array,
    affine: Array | None,
    spacing: tuple[float, float, float] | None,
    channels: tuple[str, ...],
) -> Image:
    """Return an image whose spacing is that of its affine, where it has one."""
    if affine is not None:
        x, y, z = (float(s) for s in np.linalg.norm(affine[:3, :3], axis=0))
        spacing = (x, y, z)
    return Image(array, affine, spacing, channels)


def checked(image: Image) -> Image:
    """Return an image of four axes. Raises Refused for another one."""
    if image.array.ndim != 4 or image.array.dtype.kind not in "iuf":
        raise Refused(f"an image is numbers (C, Z, Y, X); found {image.array.shape} {image.array.dtype}")
    return image


def file_of(folder: Path, name: str) -> str:
    """Return the path of a file that lies beside this script. Raises Refused for a name that leads elsewhere."""
    if Path(name).name != name:
        raise Refused(f"a file beside the script; found '{name}'")
    return str(folder / name)
