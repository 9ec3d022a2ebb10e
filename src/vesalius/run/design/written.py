"""A design written down: the mesh as STL and 3MF, the mask, design.json and the page."""

from __future__ import annotations

import json
from pathlib import Path

from vesalius import formats
from vesalius.core.disk import write_text
from vesalius.core.numbers import finite
from vesalius.run.design.page import page
from vesalius.run.design.result import Design
from vesalius.shapes.files import write_surface

FILES = {
    "page": "design.html",
    "json": "design.json",
    "stl": "implant.stl",
    "3mf": "implant.3mf",
    "mask": "implant.nii.gz",
}


def write_design(design: Design, folder: Path) -> dict[str, str]:
    """Write a design into a folder, and return where each file lies. Raises OutputError."""
    write_surface(design.surface, folder / FILES["stl"])
    write_surface(design.surface, folder / FILES["3mf"])
    formats.write(design.mask, folder / FILES["mask"])
    write_text(folder / FILES["json"], json.dumps(finite(design.json()), indent=1, allow_nan=False) + "\n")
    write_text(folder / FILES["page"], page(design))
    return {name: str(folder / file) for name, file in FILES.items()}
