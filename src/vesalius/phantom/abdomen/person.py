"""The person: age, sex and build, from which the anatomy and the prognosis follow in part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Diagnosis = Literal["normal", "cyst", "malignant"]
DIAGNOSES: tuple[Diagnosis, ...] = ("normal", "cyst", "malignant")


@dataclass(frozen=True, slots=True)
class Person:
    """Who the patient is. `scale` is the size of the inner organs relative to the average."""

    age_years: float
    sex: Literal["F", "M"]
    bmi: float
    scale: float


def draw_person(rng: np.random.Generator) -> Person:
    """Age 30 to 88, either sex, BMI 17 to 40; men are 5 % larger on average."""
    male = bool(rng.random() < 0.5)
    age = float(np.clip(rng.normal(61, 12), 30, 88))
    bmi = float(np.clip(rng.normal(26.5, 4.5), 17, 40))
    scale = float(np.clip(rng.normal(1.025 if male else 0.975, 0.03), 0.88, 1.12))
    return Person(round(age, 1), "M" if male else "F", round(bmi, 1), round(scale, 4))


def diagnosis_of(seed: int, index: int) -> Diagnosis:
    """Return the class of patient `index`: each block of three patients holds every class once, in random order."""
    block = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index // 3, 1000)))
    return DIAGNOSES[int(block.permutation(3)[index % 3])]
