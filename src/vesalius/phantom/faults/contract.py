"""The contract of a planted fault: a file in `phantom/faults/` that alters a written cohort before its table is.

A fault's name is its file's stem, and its description the first line of its docstring. The file declares, as literals
that are read without importing it:

    ORDER = 1               when it is planted: 0 labels, 1 masks, 2 pixels, 3 headers, 4 further cases, 5 splits
    NEEDS = ("pixels",)     what a cohort must have: "classes", "masks", "pixels" (files of NIfTI or PNG), "spacing"

and has

    plant(site, share, random) -> list[Planted]        alter files and rows of the site, and say what was done

`share` lies above 0 and is at most 1. The same site, share and generator give the same bytes. A fault may also have

    texts(site, planted, texts) -> texts               mend text files of the cohort, such as `boxes.csv`, to what holds
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vesalius.core.image import Array
from vesalius.phantom.contract import Row

ENDINGS = (".nii.gz", ".png")  # of files whose pixels can be altered


@dataclass(frozen=True, slots=True)
class Planted:
    """One fault in one case: the file's stem that planted it, and what is known of it as plain JSON values."""

    kind: str
    case: str
    known: Row = field(default_factory=dict)

    def truth(self) -> Row:
        """Return it as truth.json holds it."""
        return {"kind": self.kind, "case": self.case, **self.known}


@dataclass(frozen=True, eq=False)
class Site:
    """A cohort of phantoms that is written but for its table: a fault may change `rows` and `truths`, and add to them.

    `images` and `masks` are the columns that name files of images and of masks, `classes` the column of the class, or
    None. One row is one case.
    """

    root: Path
    rows: list[Row]
    truths: list[Row]
    images: tuple[str, ...]
    masks: tuple[str, ...]
    classes: str | None

    def chosen(self, among: Sequence[int], share: float, random: np.random.Generator) -> list[int]:
        """Return that share of the rows `among`, drawn without order: rounded, and at least one."""
        count = min(len(among), max(1, round(share * len(among))))
        return sorted(int(i) for i in random.choice(np.asarray(among), count, replace=False)) if among else []

    def files(self, row: Row, columns: Sequence[str]) -> list[Path]:
        """Return the files that columns of a row name; empty cells are passed over."""
        return [self.root / row[name] for name in columns if row.get(name)]

    def pixels(self, row: Row) -> list[Path]:
        """Return every file with pixels of a case: those of its row, and those elsewhere that are named for it."""
        named = self.files(row, (*self.images, *self.masks))
        others = {path for end in ENDINGS for path in self.root.rglob(f"{row['case']}{end}")}
        return list(dict.fromkeys((*named, *sorted(others - set(named)))))

    def alter(self, path: Path, how: Callable[[Array], Array]) -> None:
        """Write a file anew with `how(array)` for its pixels, `(Z, Y, X, C)`, rows and columns as they are stored."""
        from vesalius.phantom.faults._pixels import read  # a list of what there is reads no file

        held = read(path)
        held.put(how(held.array))
