"""complete: the whole anatomy that goes with a part of it, with a band; and how unusual a whole one is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from vesalius import formats
from vesalius.core.answers.mask import Mask
from vesalius.core.answers.surface import Surface
from vesalius.core.cohort import Label
from vesalius.core.disk import assert_apart, new_folder, write_text
from vesalius.core.image import Image
from vesalius.run.shape.page import completion_page
from vesalius.run.shape.part import part_from
from vesalius.run.shape.result import Completed as Completed
from vesalius.run.shape.said import as_table, document_of
from vesalius.run.stopping import all_or_nothing
from vesalius.shapes.files import write_surface
from vesalius.shapes.models.completing import complete as completed
from vesalius.shapes.models.file import load_model
from vesalius.shapes.models.model import ShapeModel
from vesalius.shapes.models.scoring import unusual
from vesalius.shapes.voxels import filled

__all__ = ["Completed", "complete"]


def complete(
    model: ShapeModel | Path | str,
    source: Path | str | Image | Surface,
    out: Path | str | None = None,
    *,
    label: str | None = None,
    missing: Path | str | Image | None = None,
    whole: bool = False,
) -> Completed:
    """Complete what is missing of an anatomy, and say how surely, by a model that `shape` learned.

    Pose and shape go by what is seen alone. Where a mask touches the image's edge, and in large planes, it is taken as
    cut. The band is that of left-out shapes with a part missing. With `whole` nothing is missing, and the answer says
    how unusual the shape is.

    Args:
        model: A model, or the folder that `shape` wrote.
        source: A mask or a mesh, or its file.
        out: A new folder for `completed.stl`, `completed.json`, `completed.html`, `band.csv`, and of a mask also
            `completed.nii.gz` on its grid.
        label: The mask's label, where it has several and none is called as the model's.
        missing: A mask on the same grid, not 0 where nothing is known, as where metal or a tumour hides the anatomy.
        whole: Nothing is missing.

    Returns:
        The completed surface with its band, on the mask's grid too where one was given, and the files.

    Raises:
        DataError: Too little is seen, the mirror image fits better, or units differ.
        BundleError: The folder holds no shape model, or a damaged one.
        OutputError: `out` holds something.
    """
    known = model if isinstance(model, ShapeModel) else load_model(model)
    for place in (x for x in (model, source, missing) if isinstance(x, str | Path) and out is not None):
        assert_apart(Path(place), Path(str(out)))
    part = part_from(source, label=label or None, named=known.label, missing=missing)
    found = completed(known, part.surface, part.seen, whole=whole)
    found = replace(found, notes=(*part.notes, *found.notes))
    rare = unusual(known, part.surface) if whole else None
    mask = None if part.grid is None else filled(found.surface, part.grid)
    document = document_of(known, found, rare)
    files: dict[str, Path] = {}
    folder = None if out is None else new_folder(Path(out), default="completed")
    with all_or_nothing(folder):
        if folder is not None:
            files = _written(folder, known, found, mask, part.grid, document)
    return Completed(found, mask, rare, files, document)


def _written(
    folder: Path, model: ShapeModel, found: Any, mask: Any, grid: Image | None, document: dict[str, Any]
) -> dict[str, Path]:
    files = {
        name: folder / f"completed.{end}"
        for name, end in (("surface", "stl"), ("json", "json"), ("page", "html"))
    }
    files["band"] = folder / "band.csv"
    write_surface(found.surface, files["surface"])
    write_text(files["json"], json.dumps(document, indent=1, allow_nan=False) + "\n")
    write_text(files["band"], as_table(found))
    if mask is not None and grid is not None:
        files["mask"] = folder / "completed.nii.gz"
        image = replace(grid, array=mask[None].astype("uint8"), channels=(), unit=None)
        formats.write(Mask(image=image, labels=(Label(1, model.label or "completed"),)), files["mask"])
    write_text(files["page"], completion_page(model, found.surface, found.seen, found.band_mm, document))
    return files
