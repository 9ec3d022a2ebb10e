"""DICOM pixels and places held against SimpleITK (GDCM) and dcm2niix; the table goes to docs/dicom-agreement.md."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from pydicom.encaps import generate_frames

from benchmarks import _dcm2niix, _fits, _record
from benchmarks._figures import Figure
from vesalius import formats
from vesalius.core.case import Ref
from vesalius.core.errors import FormatError, NotAnImage
from vesalius.core.image import Image
from vesalius.dicom.parser import parse
from vesalius.formats import dicom

SECTION = "Ratios"
SOAK = False
SEEDS = (0,)
LOSSY = tuple(f"1.2.840.10008.1.2.4.{end}" for end in (50, 51, 81, 91, 203))
TWINS = {
    "SC_rgb_rle_16bit.dcm": "SC_rgb_16bit.dcm",
    "SC_rgb_rle_32bit.dcm": "SC_rgb_32bit.dcm",
    "SC_rgb_expb_32bit.dcm": "SC_rgb_32bit.dcm",
    "rtdose_expb.dcm": "rtdose.dcm",
}
PAGE = _record.ROOT / "docs" / "dicom-agreement.md"


@dataclass(frozen=True)
class Row:
    """One image: how its values and its corners agree, and why not where they do not."""

    name: str
    what: str
    values: str
    corners: str
    why: str = ""
    converted: str = ""  # what dcm2niix makes of it, where it is a volume with a place

    @property
    def agrees(self) -> bool:
        """Whether nothing differs."""
        return self.values in ("equal", "within 1e-3") and self.corners in (
            "within 1e-3 mm",
            "no place in the file",
        )


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Every image of the zoo and every series of mr_dicom. Quick: the series alone, and nothing is written."""
    rows = series(_fits.shared("mr_dicom"))
    others: Counter[str] = Counter()
    if not quick:
        zoo, others = files(_fits.shared("dicom_zoo"))
        rows += zoo
        PAGE.write_text(page(rows, others), encoding="utf-8")
    told = [r for r in rows if not r.agrees and r.why]
    silent = [r for r in rows if not r.agrees and not r.why]
    names = "; ".join(r.name for r in silent)
    return [
        Figure("volumes that dcm2niix converts to the same", _share(rows)),
        Figure("images that both read alike", f"{sum(r.agrees for r in rows)} of {len(rows)}"),
        Figure("images that differ, with the reason said", str(len(told))),
        Figure("images that differ without a reason", str(len(silent)), "0", not silent, note=names),
    ]


def _share(rows: Sequence[Row]) -> str:
    """How many volumes dcm2niix converts to the same, of those that it converts to one volume."""
    made = [r.converted for r in rows if r.converted and not r.converted.startswith("not")]
    return f"{made.count('agrees')} of {len(made)}"


def series(folder: Path) -> list[Row]:
    """Each series of a study against SimpleITK's reading of the same files, in its own order."""
    import SimpleITK

    found, _ = dicom.series(p for p in sorted(folder.rglob("*")) if p.is_file())
    rows = []
    for each in found:
        names = SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(
            str(each.ref.paths[0].parent), each.series_uid
        )
        rows.append(
            compare(each.ref, f"{folder.name}/{each.ref.paths[0].parent.name}", SimpleITK.ReadImage(names))
        )
    return rows


def files(folder: Path) -> tuple[list[Row], Counter[str]]:
    """Each file by itself; and how many were no image, by their name, or refused."""
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    rows, others = [], Counter[str]()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        try:
            dicom.header(Ref((path,)))
        except NotAnImage as other:
            others[other.code] += 1
            continue
        except FormatError:
            others["refused"] += 1
            continue
        try:
            theirs: Any = SimpleITK.ReadImage(str(path))
        except RuntimeError:
            theirs = None
        try:
            rows.append(compare(Ref((path,)), path.relative_to(folder).parts[0] + "/" + path.name, theirs))
        except FormatError:
            others["refused"] += 1
    return rows, others


def compare(ref: Ref, name: str, theirs: Any) -> Row:
    """Our reading against SimpleITK's image of the same file, from whichever end it begins."""
    import SimpleITK

    with warnings.catch_warnings(action="ignore"):
        image = formats.read(ref)
    what = f"{image.modality or '?'} {'×'.join(map(str, image.array.shape))} {image.array.dtype}"
    if theirs is None:
        why = "SimpleITK does not read it"
        return Row(name, what, "not compared", "not compared", why, _dcm2niix.verdict(ref, image))
    other = np.squeeze(SimpleITK.GetArrayFromImage(theirs))
    ours = np.squeeze(np.moveaxis(image.array, -4, -1) if image.channels else image.array)
    if ours.shape != other.shape:
        palette = image.channels and ours.size == other.size * 3
        why = "SimpleITK gives the palette's indexes" if palette else ""
        return Row(name, what, f"{ours.shape} and {other.shape}", "not compared", why)
    ours = ours.astype(np.float64) / image.display.get("unit_factor", 1.0)
    far, turned = _apart(ours, other), False
    if far and image.shape[0] > 1 and image.times_s is None:
        turned = _apart(ours[::-1], other) < far
        far = min(far, _apart(ours[::-1], other))
    values, why = _values(far, ours, other, image, ref)
    corners = _corners(image, theirs, turned)
    why = why or ("SimpleITK begins at the other end" if turned else "")
    return Row(name, what, values, corners, why, _dcm2niix.verdict(ref, image))


def _apart(ours: Any, other: Any) -> float:
    return float(np.abs(ours - other.astype(np.float64)).max())


def _values(far: float, ours: Any, other: Any, image: Image, ref: Ref) -> tuple[str, str]:
    if far == 0:
        return "equal", ""
    if image.array.dtype.kind == "f" and far <= max(1e-3, 1e-6 * float(np.abs(other).max())):
        return "within 1e-3", ""
    return f"{far:g} apart", _reason(far, ours, other, ref)


def _reason(far: float, ours: Any, other: Any, ref: Ref) -> str:
    """Why values differ, as far as it can be shown."""
    file = parse(ref.paths[0])
    photometric = str(file.head.get("PhotometricInterpretation") or "")
    total = ours + other.astype(np.float64)
    if photometric == "MONOCHROME1" and np.ptp(total) < 1e-3:
        return "MONOCHROME1, which SimpleITK inverts"
    if "ModalityLUTSequence" in file.head:
        return "a modality look-up table, which SimpleITK does not apply"
    if photometric == "PALETTE COLOR" and np.array_equal(ours // 256, other):
        return "a palette of 16 bits, of which SimpleITK keeps 8"
    twin = TWINS.get(ref.paths[0].name)
    found = next(iter(_fits.shared("dicom_zoo").rglob(twin)), None) if twin else None
    if found is not None and np.array_equal(formats.read(found).array, formats.read(ref).array):
        return f"ours is that of {twin}, the same image stored otherwise, which both read alike"
    if photometric.startswith("YBR"):
        stream = next(generate_frames(file.pixel_bytes(), number_of_frames=1))
        if np.array_equal(imagecodecs.jpeg8_decode(stream), ours):
            return "ours is what libjpeg makes of the stream; SimpleITK leaves it as YCbCr"
    return "a lossy code stream, rounded otherwise" if file.syntax in LOSSY and far <= 4 else ""


def _corners(image: Image, theirs: Any, turned: bool) -> str:
    if image.affine is None:
        return "no place in the file"
    affine = np.eye(4)
    n = theirs.GetDimension()
    steps = np.array(theirs.GetDirection()).reshape(n, n) * np.array(theirs.GetSpacing())
    affine[:n, :n], affine[:n, 3] = steps, np.array(theirs.GetOrigin())
    z, y, x = image.shape
    if turned:
        affine[:3, 3] += affine[:3, 2] * (z - 1)
        affine[:3, 2] *= -1
    corners = np.array([[i, j, k, 1] for i in (0, x - 1) for j in (0, y - 1) for k in (0, z - 1)], float).T
    apart = float(np.abs((image.affine - affine) @ corners)[:3].max())
    return "within 1e-3 mm" if apart <= 1e-3 else f"{apart:.3g} mm apart"


def page(rows: Sequence[Row], others: Counter[str]) -> str:
    """The page of the documentation."""
    named = ", ".join(f"{n} {code}" for code, n in sorted(others.items()))
    alike = sum(r.agrees for r in rows)
    lines = [
        "# DICOM, held against SimpleITK and dcm2niix",
        "",
        "Every image of `../shared/data/dicom_zoo`, file by file, and every series of `mr_dicom`, read here and by",
        "SimpleITK (GDCM). Integers must be equal, rescaled values agree within 1e-3, and corners within 1e-3 mm; what",
        "differs has its reason beside it. Made by `python -m benchmarks dicom_agreement`.",
        "",
        "Grey volumes with a place are also converted by dcm2niix, and its NIfTI is held against ours in the",
        "same way, in whatever order its axes are; of one slice the depth is not compared. Where they differ,",
        "SimpleITK and ours agree: dcm2niix takes the step from slice to slice from the first two, whose",
        "positions are rounded in the file (0.002 mm at the far end); it does not know the offsets of a dose",
        "grid's frames; and it shears a single slice of a tilted gantry. What is not converted is JPEG-LS, or",
        "JPEG 2000 of a kind that Debian's build does not decode.",
        "",
        f"{len(rows)} images, of which {alike} agree in all; of what dcm2niix converts, {_share(rows)}. "
        f"What the zoo holds beside them: {named}.",
        "",
        "| image | what | values | corners | dcm2niix | why |",
        "|---|---|---|---|---|---|",
        *(f"| {r.name} | {r.what} | {r.values} | {r.corners} | {r.converted} | {r.why} |" for r in rows),
        "",
    ]
    return "\n".join(lines)
