"""morph: anatomies drawn from a shape model, as meshes and as masks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from vesalius import formats
from vesalius.core.answers.mask import Mask
from vesalius.core.answers.surface import Surface
from vesalius.core.cohort import Label
from vesalius.core.disk import assert_apart, new_folder, write_text
from vesalius.core.errors import DataError
from vesalius.core.image import Image
from vesalius.core.progress import Progress, watched
from vesalius.run.shape.result import Morphed as Morphed
from vesalius.run.stopping import all_or_nothing
from vesalius.shapes.files import write_surface
from vesalius.shapes.models.file import load_model
from vesalius.shapes.models.generating import LIMIT, generate
from vesalius.shapes.models.model import ShapeModel
from vesalius.shapes.voxels import filled

__all__ = ["Morphed", "morph"]
MARGIN = 3  # voxels around a shape
MOST_VOXELS = 512**3


def morph(
    model: ShapeModel | Path | str,
    out: Path | str | None = None,
    *,
    cases: int = 10,
    limit: float = LIMIT,
    spacing_mm: float | None = None,
    seed: int = 0,
    progress: Progress | bool | None = None,
) -> Morphed:
    """Draw anatomies from a model that `shape` learned, by its own law; the same seed draws the same.

    Args:
        model: A model, or the folder that `shape` wrote.
        out: A new folder for `00000.stl` …, and `morph.json`, which says of what model and seed they are.
        cases: How many.
        limit: How many standard deviations a mode may be off the mean; beyond it, it is drawn again.
        spacing_mm: Write each as a mask, too, on a grid of this spacing.
        seed: Of what is drawn.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a notebook.

    Returns:
        The surfaces, around 0 and in the directions of LPS, and the files.

    Raises:
        DataError: There are no cases to draw, or the grid would be too large.
        BundleError: The folder holds no shape model, or a damaged one.
        OutputError: `out` holds something.
    """
    shown = watched(progress)
    known = model if isinstance(model, ShapeModel) else load_model(model)
    if spacing_mm is not None and not spacing_mm > 0:
        raise DataError("a spacing is above 0 mm", found=f"{spacing_mm:g}")
    if isinstance(model, str | Path) and out is not None:
        assert_apart(Path(model), Path(out))
    drawn = generate(known, cases, seed=seed, limit=limit)
    folder = None if out is None else new_folder(Path(out), default="morphed")
    files: list[Path] = []
    with all_or_nothing(folder):
        if folder is not None:
            shown.start("anatomies", cases)
            for k, one in enumerate(drawn):
                files.append(write_surface(one, folder / f"{k:05d}.stl"))
                if spacing_mm is not None:
                    files.append(_mask(one, known, spacing_mm, folder / f"{k:05d}.nii.gz"))
                shown.advance("anatomies")
            shown.finish("anatomies")
            told = {"model": known.hash, "label": known.label, "seed": seed, "limit": limit, "cases": cases}
            write_text(folder / "morph.json", json.dumps(told, indent=1) + "\n")
            files.append(folder / "morph.json")
    return Morphed(drawn, tuple(files))


def _mask(surface: Surface, model: ShapeModel, spacing_mm: float, path: Path) -> Path:
    low = surface.vertices_mm.min(axis=0) - MARGIN * spacing_mm
    size = np.ceil((surface.vertices_mm.max(axis=0) - low) / spacing_mm).astype(int) + MARGIN
    if np.prod(size.astype(float)) > MOST_VOXELS:
        raise DataError(
            "the grid would be too large", found=f"{size.tolist()} voxels", hint="a coarser --spacing"
        )
    affine = np.diag([spacing_mm] * 3 + [1.0])
    affine[:3, 3] = low
    grid = Image(np.zeros((1, *size[::-1]), dtype=np.uint8), affine=affine)
    image = replace(grid, array=filled(surface, grid)[None].astype(np.uint8))
    return formats.write(Mask(image=image, labels=(Label(1, model.label or "shape"),)), path)
