"""The clinical table of nsclc_radiomics as columns: age, stages and sex of the patients whose age is known."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from vesalius.core.image import Array
from vesalius.survival.observed import Observed, observed

NAMES = ("age", "male", "T", "N", "stage II", "stage IIIa", "stage IIIb")
_NEEDED = ("age", "gender", "clinical.T.Stage", "Clinical.N.Stage", "Overall.Stage")


def lung(shared: Path) -> tuple[Array, Observed, Array]:
    """Return columns `(N, F)` by `NAMES`, what was observed, and each patient's histology."""
    with (shared / "nsclc_radiomics" / "clinical.csv").open(newline="", encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if not {r[c] for c in _NEEDED} & {"", "NA"}]
    x = np.array(
        [
            [
                float(r["age"]),
                r["gender"] == "male",
                float(r["clinical.T.Stage"]),
                float(r["Clinical.N.Stage"]),
                *(r["Overall.Stage"] == s for s in ("II", "IIIa", "IIIb")),
            ]
            for r in rows
        ],
        np.float64,
    )
    seen = observed(
        np.array([float(r["Survival.time"]) for r in rows]),
        np.array([r["deadstatus.event"] == "1" for r in rows]),
    )
    return x, seen, np.array([r["Histology"] for r in rows])
