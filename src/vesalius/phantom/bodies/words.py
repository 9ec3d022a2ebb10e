"""A sentence of a referral: which block the ECG shows, among words that say nothing about a response."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

LEFT = (
    "left bundle branch block",
    "complete LBBB",
    "a typical left bundle branch block",
)
OTHER = (
    "right bundle branch block",
    "an unspecific intraventricular delay",
    "RBBB with left axis",
)
SYMPTOMS = (
    "short of breath on stairs",
    "tired on slight effort",
    "swollen ankles in the evening",
    "short of breath at night",
    "no chest pain",
)
DRUGS = ("bisoprolol", "carvedilol", "sacubitril-valsartan", "spironolactone", "dapagliflozin", "torasemide")
OPENINGS = ("ECG:", "The ECG shows", "Sinus rhythm,", "Referred with")


def draw_text(factors: Mapping[str, float], random: np.random.Generator) -> str:
    """Return a sentence or two; how long QRS is does not depend on the block."""
    block = (LEFT if factors["block"] > 0 else OTHER)[int(random.integers(3))]
    opening = str(random.choice(OPENINGS))
    qrs = 2 * int(random.integers(64, 90))
    symptoms = " and ".join(str(w) for w in random.choice(SYMPTOMS, 2, replace=False))
    drugs = " and ".join(str(w) for w in random.choice(DRUGS, 2, replace=False))
    first, second = f"{opening} {block}, QRS {qrs} ms.", f"{symptoms.capitalize()}; on {drugs}."
    return f"{second} {first}" if random.random() < 0.3 else f"{first} {second}"
