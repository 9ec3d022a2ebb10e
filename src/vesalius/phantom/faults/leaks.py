"""A split that leaks: patients, and pictures, that stand both in training and in the test."""

from __future__ import annotations

import numpy as np

from vesalius.phantom.faults._copies import copy
from vesalius.phantom.faults.contract import Planted, Site

ORDER = 5
NEEDS = ("pixels",)
TEST = 5  # every so many patients are the test


def plant(site: Site, share: float, random: np.random.Generator) -> list[Planted]:
    """Write a column `split`, a fifth of the patients in the test, and let a share of the cases leak into training.

    In turn, a case of training is said to be of a patient of the test (`sort` "patient"), and a copy of a test picture
    stands in training under another name and patient (`sort` "image"). `of` is the case of the test.
    """
    patients = list(dict.fromkeys(str(row.get("patient") or row["case"]) for row in site.rows))
    held = {p for k, p in enumerate(patients) if k % TEST == TEST - 1}
    for row in site.rows:
        row["split"] = "test" if str(row.get("patient") or row["case"]) in held else "train"
    train, test = ([k for k, r in enumerate(site.rows) if r["split"] == s] for s in ("train", "test"))
    if not test:
        return []
    count = min(len(train), len(test), max(2, round(share * len(site.rows))))
    pairs = zip(random.permutation(train)[:count], random.permutation(test)[:count], strict=True)
    planted = []
    for number, (i, j) in enumerate(pairs):
        one, other = site.rows[int(i)], site.rows[int(j)]
        sort = "patient" if number % 2 == 0 and other.get("patient") else "image"
        if sort == "patient":
            one["patient"] = other["patient"]
        else:
            one = copy(site, other, f"leak-{number:04d}")
            one["split"] = "train"
        planted.append(Planted("leaks", str(one["case"]), {"sort": sort, "of": str(other["case"])}))
    return planted
