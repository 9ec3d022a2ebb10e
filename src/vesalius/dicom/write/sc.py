"""Writing a Mask or a Map drawn on its source as a secondary capture: colour frames for any viewer (PS3.3 A.8.5).

Of a Text it is where the model looked: a frame for each map that its sentences refer to, of the plane where that is
strongest, in the order of the sentences.

Each of the source's planes is a frame: grey in its window, labels tinted with an outline, a map in a colour scale; a
line at the top says what it is, and that it is for research. To look at, not to measure: the SEG and the map are for
that.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont
from pydicom.dataset import Dataset
from pydicom.uid import MultiFrameTrueColorSecondaryCaptureImageStorage, RLELossless

from vesalius.core import grids
from vesalius.core.answers import Answer
from vesalius.core.answers.map import Map
from vesalius.core.answers.mask import Mask
from vesalius.core.answers.text import Text
from vesalius.core.case import Ref
from vesalius.core.errors import OutputError
from vesalius.core.image import Array, Image
from vesalius.core.palette import colour_of, rgb
from vesalius.dicom.write import study as studies
from vesalius.dicom.write.looked import looked, plane_of, source_of

KIND, NUMBER = "SC", 5
_TINT = 0.35
_LEAST_FOR_WORDS = 96  # columns


def write(thing: Image | Answer, path: Path, *, source: Image | None = None) -> None:
    """Write a multi-frame colour capture into the source's study. Raises OutputError, GeometryError."""
    if isinstance(thing, Text):
        _write_looked(thing, path, source)
        return
    if not isinstance(thing, Mask | Map):
        raise OutputError("an overlay shows a mask or a map", found=type(thing).__name__)
    study = studies.study_of(thing, source)
    studies.check_grid(thing.image, study, source)
    if source is None:
        from vesalius.dicom.read.image import read

        source = read(Ref(thing.source.files, thing.source.member, thing.source.index))
    if source.times_s is not None:  # drawn on its first time
        source = replace(source, array=source.array[0], times_s=None)
    if source.array.ndim != 4 or source.shape != thing.image.shape:
        words = grids.difference(thing.image, source) or f"{source.array.ndim} axes"
        raise OutputError("an overlay needs its source on the same grid", found=words)
    _save(drawn(thing, source), thing, study, path)


def _write_looked(answer: Text, path: Path, source: Image | None) -> None:
    study = studies.study_of(answer, source)
    frames = pictures(answer, source)
    if not frames:
        raise OutputError(
            "nothing says where the model looked as it wrote this text", found="no map", hint=".sr.dcm"
        )
    _save(np.concatenate(frames), answer, study, path, packed=False)  # as any archive takes it: they are few


def pictures(answer: Text, source: Image | None = None) -> list[Array]:
    """Return where the model looked as it wrote a text: a picture `(1, Y, X, 3)` of 8 bits for each of `looked`.

    Raises OutputError, FormatError.
    """
    shown = looked(answer)
    if not shown:
        return []
    image = source if source is not None else source_of(answer)
    return [drawn(*plane_of(one, image)) for one in shown]


def _save(
    frames: Array, thing: Answer, study: studies.ResultStudy, path: Path, *, packed: bool = True
) -> None:
    data = capture(frames, study)
    studies.remark(data, thing)
    if packed:
        with warnings.catch_warnings(action="ignore"):
            data.compress(RLELossless, frames if len(frames) > 1 else frames[0], generate_instance_uid=False)
    else:
        data.PixelData = frames.tobytes() + b"\0" * (frames.size % 2)
        data["PixelData"].VR = "OB"
    studies.save(data, path)


def drawn(thing: Mask | Map, source: Image) -> Array:
    """Return the frames `(Z, Y, X, 3)` of 8 bits."""
    grey = _grey(source)
    if isinstance(thing, Mask):
        frames, words = _tinted(grey, thing)
    else:
        frames, words = _scaled(grey, thing)
    if frames.shape[2] >= _LEAST_FOR_WORDS:
        if thing.outside:
            words.insert(0, (studies.REMARKS, (255, 170, 60)))
        for plane in frames:
            _write_words(plane, words)
    return frames


def capture(frames: Array, study: studies.ResultStudy) -> Dataset:
    """Return the data set around the frames, uncompressed."""
    data = Dataset()
    data.SOPClassUID, data.Modality = MultiFrameTrueColorSecondaryCaptureImageStorage, "OT"
    studies.fill(data, study, kind=KIND, what="overlay", number=NUMBER)
    data.ConversionType = "WSD"
    data.ImageType = ["DERIVED", "SECONDARY"]
    data.ContentDate, data.ContentTime = data.InstanceCreationDate, data.InstanceCreationTime
    data.DerivationDescription = (
        f"Drawn on its source by {studies.MAKER} {study.version}, for {studies.RESEARCH}"
    )
    data.SourceImageSequence = [studies.referenced(head, study.frame) for head in study.heads]
    data.Laterality = studies.side(study)
    studies.orient(data, study)
    data.BurnedInAnnotation = "NO"  # nothing that identifies a patient
    if study.first.get("LossyImageCompression") == "01":
        for name in ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod"):
            if name in study.first:
                data[name] = study.first[name]
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PlanarConfiguration = 3, "RGB", 0
    data.NumberOfFrames, data.Rows, data.Columns = frames.shape[:3]
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 8, 8, 7, 0
    if len(frames) > 1:
        data.FrameIncrementPointer = 0x00182001
        data.PageNumberVector = list(range(1, len(frames) + 1))
    return data


def _grey(source: Image) -> Array:
    """Return the source's planes as `(Z, Y, X, 3)` from 0 to 1: in its window, else from its 0.5 to 99.5
    percentiles.
    """
    if source.array.shape[0] == 3:
        colour = np.moveaxis(source.array, 0, -1).astype(np.float32)
        return colour / (65535 if source.array.dtype == np.uint16 else 255)
    values = source.array[0].astype(np.float32)
    window: Any = source.display.get("window")
    if window is not None and window[1] > 0:
        low, high = window[0] - window[1] / 2, window[0] + window[1] / 2
    else:
        low, high = (float(v) for v in np.nanpercentile(values[:: max(1, len(values) // 16)], (0.5, 99.5)))
    part = np.clip(np.nan_to_num((values - low) / max(high - low, 1e-6)), 0, 1)
    if source.display.get("photometric") == "MONOCHROME1":
        part = 1 - part
    shown: Array = np.repeat(part[..., None], 3, axis=-1)
    return shown


def _tinted(grey: Array, mask: Mask) -> tuple[Array, list[tuple[str, tuple[int, int, int]]]]:
    words = []
    for k, label in enumerate(mask.labels):
        bits = mask.image.array[k] != 0 if mask.overlapping else mask.image.array[0] == label.value
        colour = rgb(colour_of(label, k))
        if bits.any():
            words.append((label.name, colour))
        tint = np.array(colour, np.float32) / 255
        grey[bits] = (1 - _TINT) * grey[bits] + _TINT * tint
        grey[bits & ~_eroded(bits)] = tint
    return (grey * 255 + 0.5).astype(np.uint8), words


def _eroded(bits: Array) -> Array:
    """Return the pixels whose four neighbours in the plane belong to it too."""
    padded = np.pad(bits, ((0, 0), (1, 1), (1, 1)))
    inner = padded[:, :-2, 1:-1] & padded[:, 2:, 1:-1] & padded[:, 1:-1, :-2] & padded[:, 1:-1, 2:]
    found: Array = inner & bits
    return found


def _scaled(grey: Array, field: Map) -> tuple[Array, list[tuple[str, tuple[int, int, int]]]]:
    """Return the map over the image, the more opaque the higher, and its range in words."""
    from matplotlib import colormaps

    values = field.image.array[0].astype(np.float32)
    held = values[np.isfinite(values)]
    low, high = (float(held.min()), float(held.max())) if held.size else (0.0, 0.0)
    part = np.nan_to_num((values - low) / max(high - low, 1e-12))
    scale = colormaps["magma"]
    for z in range(len(grey)):
        tint = scale(part[z])[..., :3].astype(np.float32)
        weight = (0.7 * part[z])[..., None]
        grey[z] = (1 - weight) * grey[z] + weight * tint
    unit = f" {field.unit}" if field.unit else ""
    words = f"{field.quantity} {low:.3g} to {high:.3g}{unit}"
    return (grey * 255 + 0.5).astype(np.uint8), [(words, (255, 200, 120))]


def _write_words(plane: Array, words: list[tuple[str, tuple[int, int, int]]]) -> None:
    """A line for what it is, and one a label in its colour, into the plane's top left."""
    size = max(10, plane.shape[0] // 32)
    font = ImageFont.load_default(size)
    picture = Pillow.fromarray(plane)
    draw = ImageDraw.Draw(picture)
    lines = [(f"{studies.MAKER}: {studies.RESEARCH} only", (255, 255, 255)), *words[:8]]
    for k, (text, colour) in enumerate(lines):
        draw.text(
            (4, 2 + k * (size + 2)), text, fill=colour, font=font, stroke_width=1, stroke_fill=(0, 0, 0)
        )
    plane[:] = np.asarray(picture)
