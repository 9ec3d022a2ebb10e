"""Is the patient ill? From an age alone, without any image (throw-away)."""

from __future__ import annotations

import numpy as np
from torch import nn

from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, Label, TargetInfo
from vesalius.core.image import Image
from vesalius.core.moments import Moments
from vesalius.core.statistics import Statistics
from vesalius.prepare.batch import Example
from vesalius.tasks.classify import Classify

NAMES_OF = ("well", "ill")


class Line(nn.Module):
    """A line through the ages: `(B, 1)` → logits `(B, 2)`."""

    def __init__(self, criterion):
        super().__init__()
        self.line, self.criterion = nn.Linear(1, 2), criterion


class Tabular(Classify):
    """Classification of covariates; the geometry of an answer is a single point's."""

    name, targets = "tabular", ("class",)

    def summary(self, cases, target, plan):
        ages = Moments.of(c.covariates["age"] for c in cases)
        return Statistics({**super().summary(cases, target, plan).parts, "ages": ages})

    def state(self, summary, target, plan):
        ages = summary.part("ages", Moments)
        scale = {"age": {"mean": ages.mean, "sd": ages.sd}}
        return State({**super().state(summary, target, plan).values, "covariates": scale})

    def geometry(self, case, state):
        return Image(np.zeros((1, 1, 1, 1), dtype=np.uint8))

    def encode(self, case, prepared, reference, state):
        assert prepared.images == {} and prepared.undo.native == (1, 1, 1)
        scale, value = state.values["covariates"]["age"], case.targets.get(state.values["target"])
        age = np.array([(case.covariates["age"] - scale["mean"]) / scale["sd"]], dtype=np.float32)
        targets = {} if value is None else {"label": np.float32([value == n for n in NAMES_OF])}
        return Example(case.id, {}, targets, covariates=age)

    def build(self, plan, state, nets):
        return Line(super().build(plan, state, nets).criterion)

    def loss(self, model, batch, generator):
        return {"class": model.criterion(model.line(batch.covariates), batch.targets["label"])}

    def infer(self, model, batch, generator):
        return model.line(batch.covariates)


def given(made, folder):
    cases = tuple(
        Case(
            f"row-{k:03d}",
            {},
            reference=None,
            targets={"ill": NAMES_OF[k % 2]},
            covariates={"age": 40.0 + 9 * k},
        )
        for k in range(10)
    )
    target = TargetInfo("ill", "class", tuple(Label(k, n) for k, n in enumerate(NAMES_OF)))
    return {"data": Cohort(folder, "table", cases, {"ill": target})}


def judge(trial):
    answer = trial.answers[0]
    older = trial.predictor(Case("older", {}, reference=None, covariates={"age": 190.0}))
    assert np.isclose(answer.p.sum(), 1) and older.p[0] != answer.p[0], "the age counts"


TASK = Tabular()
