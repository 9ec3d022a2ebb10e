"""The tables of nsclc_radiomics: what the clinic knows of each patient, when it died, and radiomics of some."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vesalius.core.image import Array
from vesalius.survival.observed import Observed, observed

STAGES = ("II", "IIIa", "IIIb")  # beside I
HISTOLOGIES = ("squamous cell carcinoma", "adenocarcinoma", "nos", "NA")  # beside large cell
CLINIC = ("age", "age unknown", "male", "T", "N", *(f"stage {s}" for s in STAGES), *HISTOLOGIES)
STAGE = tuple(n for n in CLINIC if n.startswith("stage "))
VOLUME = "original_shape_VoxelVolume"


@dataclass(frozen=True, eq=False)
class Table:
    """Patients by id: columns `clinic` `(N, F)` by `CLINIC` (NaN where unknown), and what was observed."""

    ids: tuple[str, ...]
    clinic: Array
    seen: Observed

    def of(self, index: Array) -> Table:
        """Return some patients."""
        return Table(tuple(self.ids[i] for i in index), self.clinic[index], self.seen.where(index))


def clinical(path: Path) -> Table:
    """Read `clinical.csv`."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = [
        [
            _number(r["age"]),
            float(np.isnan(_number(r["age"]))),
            float(r["gender"] == "male"),
            _number(r["clinical.T.Stage"]),
            _number(r["Clinical.N.Stage"]),
            *(float(r["Overall.Stage"] == s) for s in STAGES),
            *(float(r["Histology"] == h) for h in HISTOLOGIES),
        ]
        for r in rows
    ]
    time = np.array([float(r["Survival.time"]) for r in rows])
    dead = np.array([r["deadstatus.event"] == "1" for r in rows])
    return Table(tuple(r["PatientID"] for r in rows), np.array(columns), observed(time, dead))


def radiomics(path: Path) -> tuple[tuple[str, ...], dict[str, Array]]:
    """Read `extracted_features.xlsx`: names of features, and those of each patient's first tumour `(F,)`."""
    import openpyxl

    sheet = openpyxl.load_workbook(path, read_only=True).worksheets[0]
    lines = sheet.iter_rows(values_only=True)
    head = [str(name) for name in next(lines)]
    wanted = [k for k, n in enumerate(head) if n.startswith(("original_", "log-", "wavelet-"))]
    found: dict[str, Array] = {}
    for line in lines:
        patient = str(line[head.index("Patient")]).partition("_")[0]
        found.setdefault(patient, np.array([float(str(line[k])) for k in wanted]))
    return tuple(head[k] for k in wanted), found


def made_up(folder: Path, patients: int = 120) -> Path:
    """Write a small table of the same shape, to try the code with."""
    rng = np.random.default_rng(0)
    path = folder / "clinical.csv"
    head = "PatientID,age,clinical.T.Stage,Clinical.N.Stage,Overall.Stage,Histology,gender"
    lines = [f"{head},Survival.time,deadstatus.event"]
    for k in range(patients):
        age, t = rng.uniform(40, 90), int(rng.integers(1, 5))
        time = int(rng.exponential(900 * np.exp(-0.3 * (t - 2)))) + 10
        shown = "NA" if k % 17 == 0 else f"{age:.2f}"
        stage, histology = ("I", *STAGES)[k % 4], ("large cell", *HISTOLOGIES)[k % 5]
        sex = ("male", "female")[k % 3 == 0]
        lines.append(
            f"P{k},{shown},{t},{k % 3},{stage},{histology},{sex},{min(time, 2500)},{int(time < 2500)}"
        )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _number(text: str) -> float:
    return float("nan") if text in ("", "NA") else float(text)
