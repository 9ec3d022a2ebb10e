"""A model whose answers are known by formula, in the place of a predictor."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from tests.benefit._treated import cases, state

from vesalius.benefit import given
from vesalius.core.answers import Answer
from vesalius.core.answers.curve import Curve
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.infer.predictor import Predictor
from vesalius.run.advice.advising import advised
from vesalius.tasks import _gaining, _treated

DAYS = np.arange(1.0, 2001.0, 5)


@dataclass
class Stage:
    state: State


@dataclass
class Loaded:
    stage: Stage


@dataclass
class Bundled:
    path: Path
    hash: str = "0123456789abcdef0123"


@dataclass
class Known:
    """Stands for a predictor: log hazards are .03 a year of age and .4 of men, and the drug takes .02 a year off."""

    stages: list[Loaded]
    bundle: Bundled
    members: int = 3
    asked: list[Case] = field(default_factory=list)
    withheld: str | None = None

    def __call__(self, case: Case) -> Answer:
        self.asked.append(case)
        age, male = float(cast(float, case.covariates["age"])), case.covariates["sex"] == "M"
        risk = 0.03 * (age - 64.5) + 0.4 * male
        gone = {"control": risk, "drug": risk - 0.02 * (age - 50)}
        curves = {arm: np.exp(-DAYS / 1500 * math.exp(r)) for arm, r in gone.items()}
        answer = Curve(
            case_id=case.id,
            times_days=DAYS,
            survival=curves,
            low={a: c**1.2 for a, c in curves.items()},
            high={a: c**0.8 for a, c in curves.items()},
            share=0.95,
            risk=risk,
            rank=0.6,
            event="survival",
            treatment=given.treatment(self.stages[0].stage.state),
            withheld=self.withheld,
        )
        return replace(answer, parts={"benefit": _gaining.numbers(answer, [answer] * self.members)})


def predictor(tmp_path: Path, assignment: str = "observed", **how: Any) -> Known:
    learned = _treated.remembered(cases(old_untreated=how.pop("old_untreated", False)), state(assignment))
    return Known([Loaded(Stage(learned))], Bundled(tmp_path), **how)


def about(known: Known, case: Case) -> Any:
    return advised(cast(Predictor, known), case)
