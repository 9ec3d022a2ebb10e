"""Writing a Map as a parametric map: 32-bit floats, with what they measure and in which unit (PS3.3 A.75)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np

from vesalius.core.answers import Answer
from vesalius.core.answers.map import Map
from vesalius.core.errors import GeometryError, OutputError
from vesalius.core.image import Image
from vesalius.dicom.values import terms
from vesalius.dicom.write import study as studies
from vesalius.dicom.write.seg import code, complete, geometry, schemes
from vesalius.dicom.write.sr_parts import unit_of

KIND, NUMBER = "PM", 4


def write(thing: Image | Answer, path: Path, *, source: Image | None = None) -> None:
    """Write a parametric map into the source's study. Raises OutputError, GeometryError."""
    if not isinstance(thing, Map):
        raise OutputError("a parametric map holds a map", found=type(thing).__name__)
    study = studies.study_of(thing, source)
    studies.check_grid(thing.image, study, source)
    studies.save(parametric_map(thing, study), path)


def _window(low: float, high: float) -> dict[str, Any]:
    """Return the window from the least to the largest value; one narrower than 1 must say LINEAR_EXACT (C.11.2.1.2)."""
    centre, width = (low + high) / 2, max(high - low, 1e-6)
    if width >= 1:
        return {"window_center": centre, "window_width": width}
    exact = hd.VOILUTTransformation(
        window_center=centre, window_width=width, voi_lut_function=hd.VOILUTFunctionValues.LINEAR_EXACT
    )
    return {"voi_lut_transformations": [exact]}


def parametric_map(thing: Map, study: studies.ResultStudy) -> Any:
    """Return the map as a ParametricMap object of highdicom; float64 becomes float32.

    Raises OutputError, GeometryError.
    """
    array = thing.image.array
    if thing.image.affine is None or "FrameOfReferenceUID" not in study.first:
        raise GeometryError(
            "a parametric map has a place in the patient, and this image has none", hint=".sc.dcm"
        )
    if array.shape[0] != 1:
        raise OutputError("a parametric map holds one quantity", found=f"{array.shape[0]} channels")
    pixels = np.ascontiguousarray(array[0], np.float32)
    held = pixels[np.isfinite(pixels)]
    if not held.size:
        raise OutputError("a map without a finite value")
    low, high = float(held.min()), float(held.max())
    mapping = hd.pm.RealWorldValueMapping(
        lut_label=thing.quantity[:16] or "map",
        lut_explanation=thing.quantity[:64] or "map",
        unit=unit_of(thing.unit),
        value_range=(low, high),
        slope=1.0,
        intercept=0.0,
        quantity_definition=code(terms.private(thing.quantity)),
    )
    with studies.making("parametric map"):
        made = hd.pm.ParametricMap(
            source_images=list(study.heads),
            pixel_array=pixels,
            **study.made(KIND, NUMBER),
            contains_recognizable_visual_features=False,
            real_world_value_mappings=[mapping],
            **_window(low, high),
            content_label="MAP",
            content_description=f"Automatic, for {studies.RESEARCH}",
            content_qualification="RESEARCH",
            series_description=study.title("map"),
            specific_character_set="ISO_IR 192",
            coding_schemes=schemes(),
            **geometry(thing.image, study),
        )
    made.Laterality = studies.side(study)
    complete(made, thing.image, study)
    made.ContentCreatorName = f"{studies.MAKER}^"
    studies.remark(made, thing)
    studies.copy_patient(made, study)
    return made
