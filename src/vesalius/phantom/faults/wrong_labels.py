"""Cases whose class is another one than the truth."""

from __future__ import annotations

import numpy as np

from vesalius.phantom.faults.contract import Planted, Site

ORDER = 0
NEEDS = ("classes",)


def plant(site: Site, share: float, random: np.random.Generator) -> list[Planted]:
    """Give a share of the cases another class, each other one as likely; `was` and `is` tell which.

    Where a folder is named for the class, the picture moves to the other's.
    """
    name = str(site.classes)
    classes = sorted({row[name] for row in site.rows if row[name]})
    planted = []
    for i in site.chosen([k for k, row in enumerate(site.rows) if row[name]], share, random):
        row, was = site.rows[i], site.rows[i][name]
        others = [c for c in classes if c != was]
        now = row[name] = others[int(random.integers(len(others)))]
        for column in site.images:
            path = site.root / row[column]
            if path.parent.name == was:
                moved = path.parent.parent / now / path.name
                moved.parent.mkdir(exist_ok=True)
                row[column] = path.rename(moved).relative_to(site.root).as_posix()
        planted.append(Planted("wrong_labels", row["case"], {"target": name, "was": was, "is": now}))
    return planted
