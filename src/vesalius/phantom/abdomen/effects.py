"""What the README of a cohort says of its columns, and of how much each treatment does to its own patients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from vesalius.phantom.abdomen.design import CONTROL, Design
from vesalius.phantom.abdomen.survival import Formulas
from vesalius.phantom.contract import Row

HORIZON_DAYS = 1095.0  # three years, on the grid of the curves
COLUMNS: Mapping[str, str] = {
    "class": "normal, cyst or malignant",
    "age": "in years",
    "sex": "F or M",
    "bmi": "in kg/m²",
    "tumour_stage": "0 benign, 1 to 3 malignant",
    "marker": "a tumour marker in the blood",
    "treatment": "1 treated, 0 not",
    "arm": "what was given",
    "time_days": "until death, or until the last look",
    "event": "1 death, 0 alive at the last look",
    "entry_days": "since when the patient was under observation: who died or progressed before is not in the table",
    "dfs_days": "until progression or death, or until the last look",
    "dfs_event": "1 progression or death, 0 neither",
    "report": "what a radiologist would dictate",
}
CAUSES = "death of the disease or of other causes, or alive at the last look"


def described(row: Row, design: Design) -> str:
    """Return what the columns of the table are, those of files aside."""
    told = {**COLUMNS, **({"event": CAUSES} if design.competes else {})}
    words = "; ".join(f"`{name}` {told[name]}" for name in row if name in told)
    return f"Columns: {words}. Curves of every arm are known, and so is what would have happened.\n"


def effects(truths: Sequence[Row], design: Design) -> str:
    """Return a table of what each treatment does to these patients, against control.

    The effect is the log hazard ratio θ of death of the disease; the benefit is the true difference of survival at
    three years.
    """
    place = Formulas().grid_days.index(HORIZON_DAYS)
    head = (
        f"Heterogeneity: {design.heterogeneity}. Over these {len(truths)} patients, by the truth:\n\n"
        "| arm | log hazard ratio: mean (SD) | survival at 3 years less control: mean (SD) | 5 % to 95 % "
        "| share it harms |\n|---|---|---|---|---|\n"
    )
    rows = []
    for arm in design.names[1:]:
        theta = [one["outcome"]["theta"] for one in truths]
        log_ratio = np.array([t[arm] if isinstance(t, dict) else t for t in theta])
        gain = np.array([_at(one, arm, place) - _at(one, CONTROL, place) for one in truths])
        low, high = np.quantile(gain, (0.05, 0.95))
        cells = (_mean(log_ratio), _mean(gain), f"{low:.3f} to {high:.3f}", f"{(gain < 0).mean():.2f}")
        rows.append(f"| {arm} | " + " | ".join(cells) + " |\n")
    return f"\n{head}{''.join(rows)}"


def _at(truth: Row, arm: str, place: int) -> float:
    return float(truth["outcome"]["survival"][arm][place])


def _mean(values: Iterable[float]) -> str:
    found = np.asarray(values)
    return f"{found.mean():.3f} ({found.std():.3f})"
