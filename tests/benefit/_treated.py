"""Patients whose treatment is known, and the state that is learned of them."""

from __future__ import annotations

import json

import numpy as np

from vesalius.core.bundle import State
from vesalius.core.case import Case, Event
from vesalius.tasks import _treated


def cases(n: int = 240, *, old_untreated: bool = False) -> list[Case]:
    """Patients of 40 to 89 years; where `old_untreated`, those of 70 years and more were never given the drug."""
    rng = np.random.default_rng(3)
    made = []
    for k in range(n):
        age = float(40 + k % 50)
        drug = bool(rng.random() < 0.5) and not (old_untreated and age >= 70)
        event = Event(float(rng.exponential(1500) + 1), bool(rng.random() < 0.7))
        covariates: dict[str, float | str | None] = {
            "age": age,
            "sex": "FM"[k % 2],
            "arm": "drug" if drug else "control",
        }
        made.append(Case(f"c{k}", {}, None, targets={"survival": event}, covariates=covariates))
    return made


def state(assignment: str = "observed") -> State:
    learned = {
        "age": {"mean": 64.5, "sd": 14.0, "missing": 0},
        "sex": {"values": ["F", "M"], "missing": 0},
        "arm": {"values": ["control", "drug"], "missing": 1},
    }
    values = {
        "target": "survival",
        "arms": ["control", "drug"],
        "covariates": learned,
        "assignment": assignment,
        "horizon": 0.0,
        "events": [{"name": "survival", "causes": [], "shares": [1.0], "n": 240, "happened": 168}],
    }
    return State(values, {})


def remembered(**how: bool) -> State:
    found = _treated.remembered(cases(**how), state())
    return State(json.loads(json.dumps(found.values)), found.arrays)  # as a bundle holds it


def person(age: float, sex: str = "F") -> Case:
    return Case("new", {}, None, covariates={"age": age, "sex": sex})
