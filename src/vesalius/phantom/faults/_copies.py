"""A case copied under another name: its files, its row, and what is known of it."""

from __future__ import annotations

import shutil
from pathlib import Path

from vesalius.phantom.contract import Row
from vesalius.phantom.faults.contract import ENDINGS, Site


def copy(site: Site, row: Row, name: str) -> Row:
    """Add a case `name` that has the files of `row` byte for byte, and a patient of its own; return its row."""
    old = str(row["case"])
    new = {**row, "case": name}
    if row.get("patient"):
        new["patient"] = f"{row['patient']}-{name}"
    for column in (*site.images, *site.masks):
        if row.get(column):
            new[column] = _copied(site.root / row[column], old, name).relative_to(site.root).as_posix()
    for path in site.pixels(row):
        if path.name in {f"{old}{end}" for end in ENDINGS}:
            _copied(path, old, name)
    site.rows.append(new)
    known = next((t for t in site.truths if t.get("id") == old), None)
    if known is not None:
        site.truths.append({**known, "id": name})
    return new


def _copied(path: Path, old: str, name: str) -> Path:
    new = path.with_name(path.name.replace(old, name))
    shutil.copyfile(path, new)
    return new
