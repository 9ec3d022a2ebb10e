"""Trials of the CT phantom's patients without a pixel, and what each arm would truly have brought them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.benefit.measure import Measure
from vesalius.benefit.trial import Trial, trial
from vesalius.core.image import Array
from vesalius.phantom.abdomen.anatomy import draw_anatomy
from vesalius.phantom.abdomen.design import Design
from vesalius.phantom.abdomen.lesions import Lesion, draw_lesions
from vesalius.phantom.abdomen.person import Person, diagnosis_of, draw_person
from vesalius.phantom.abdomen.streams import stream
from vesalius.phantom.abdomen.survival import Formulas, Outcome, draw_outcome
from vesalius.phantom.abdomen.tissue import draw_densities
from vesalius.survival.observed import observed

COLUMNS = (
    "age",
    "male",
    "stage",
    "log_marker",
)  # what the phantom's full table holds of them before treatment
GRID = 200  # steps up to the horizon, in which the true curves are summed


@dataclass(frozen=True)
class Someone:
    """A patient before treatment."""

    seed: int
    index: int
    person: Person
    lesions: tuple[Lesion, ...]


@dataclass(frozen=True, eq=False)
class Drawn:
    """A trial, with the truth: log hazards `(N, A)` under each arm."""

    trial: Trial
    log_hazards: Array

    def outcomes(self, measure: Measure) -> Array:
        """Return the true measure of each patient under each arm, `(N, A)`, from the formula of the curves."""
        f = Formulas()
        if measure.kind == "survival":
            days = np.array([measure.horizon_days])
        else:
            days = (np.arange(GRID) + 0.5) * measure.horizon_days / GRID
        mean = np.zeros(self.log_hazards.shape)
        for day in days:
            mean += np.exp(-((day / f.scale_days) ** f.shape_k) * np.exp(self.log_hazards)) / len(days)
        return mean * (1.0 if measure.kind == "survival" else measure.horizon_days)


def people(n: int, seed: int) -> list[Someone]:
    """Draw patients as the phantom `ct` does."""
    found = []
    for k in range(n):
        person = draw_person(stream(seed, k, "person"))
        shaping = stream(seed, k, "anatomy")
        anatomy = draw_anatomy(shaping, person)
        liver = draw_densities(shaping, person).liver
        lesions = draw_lesions(stream(seed, k, "lesions"), anatomy, liver, diagnosis_of(seed, k))
        found.append(Someone(seed, k, person, tuple(lesions)))
    return found


def drawn(cohort: Sequence[Someone], design: Design, propensity: Mapping[str, float] | None = None) -> Drawn:
    """Return what happens to patients under a design; the draws are those of the phantom's tables.

    `propensity` are other coefficients of the chance to be treated, where the design is confounded.
    """
    formulas = Formulas() if propensity is None else Formulas(propensity=propensity)
    outcomes = [
        draw_outcome(
            stream(p.seed, p.index, "outcome"),
            p.person,
            lesions=p.lesions,
            design=design,
            further=stream(p.seed, p.index, "fates"),
            formulas=formulas,
        )
        for p in cohort
    ]
    x = np.array([_known(p.person, o) for p, o in zip(cohort, outcomes, strict=True)])
    seen = observed(np.array([o.time_days for o in outcomes]), np.array([o.event for o in outcomes]))
    made = trial(
        x,
        [o.arm for o in outcomes],
        seen,
        names=COLUMNS,
        arms=design.names,
        randomised=design.assignment == "randomised",
    )
    return Drawn(made, np.array([[o.eta + o.effects[a] for a in design.names] for o in outcomes]))


def _known(person: Person, outcome: Outcome) -> tuple[float, ...]:
    return person.age_years, float(person.sex == "M"), float(outcome.stage), float(np.log(outcome.marker))
