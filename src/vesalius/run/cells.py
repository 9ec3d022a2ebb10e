"""Cells: where a case's images lie, as a table in a new folder has it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from vesalius import formats
from vesalius.core.case import Case, Ref
from vesalius.core.disk import output_errors


def image_cells(folder: Path, case: Case, name: str) -> dict[str, str]:
    """Return where a case's images lie, by name, relative to a table's folder; one that no path names alone is copied.

    `name` is the case's in names of files.
    """
    found = {}
    for key, item in case.images.items():
        lone = isinstance(item, Ref) and len(item.paths) == 1 and item.member is None and item.index is None
        if isinstance(item, Ref) and lone:
            found[key] = path_cell(folder, item)
            continue
        image = formats.read(item) if isinstance(item, Ref) else item
        path = folder / "images" / f"{name}-{key}.nii.gz"
        if not path.is_file():
            with output_errors(path):
                path.parent.mkdir(parents=True, exist_ok=True)
            formats.write(replace(image, display={}), path)
        found[key] = path.relative_to(folder).as_posix()
    return found


def path_cell(folder: Path, item: Ref) -> str:
    """Return where a file lies, relative to a folder."""
    return Path(os.path.relpath(item.paths[0].resolve(), folder.resolve())).as_posix()
