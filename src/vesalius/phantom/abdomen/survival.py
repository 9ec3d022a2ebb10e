"""Survival: covariates, treatment, both potential curves and the observed time, from formulas that are stated.

    stage     0 benign; 1 one malignant lesion ≤ 40 mm; 2 one larger, or several all ≤ 40 mm; 3 several, one larger
    burden    ln(1 + total nominal volume of the malignant lesions in ml)
    marker    exp(1 + 0.5 · burden + N(0, 0.5))
    hazard    h(t | x, a) = (k / λ) · (t / λ)^(k − 1) · exp(η(x) + a · θ(x))          Weibull, a = treated
    η(x)      0.35 · (age − 60)/10 + 0.20 · male + 0.40 · stage + 0.25 · burden
    θ(x)      −0.50 + 0.45 · (age − 60)/10 − 0.30 · (burden − 2)                      the treatment's interaction
    curve     S(t | x, a) = exp(−(t / λ)^k · exp(η + a · θ))
    treated   with probability ½, or where confounded 1 / (1 + exp(−(−0.3 + 0.7 · (stage − 1) − 0.6 · (age − 60)/10)))
    censored  at the smaller of an exponential time (drop-out) and a uniform one (end of the study)

The treatment is chosen from age and stage alone, both in the table: given these there is no hidden confounder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from vesalius.core.image import Array
from vesalius.phantom.abdomen.lesions import Lesion
from vesalius.phantom.abdomen.person import Person

Assignment = Literal["randomised", "confounded"]
ASSIGNMENTS: tuple[Assignment, ...] = ("randomised", "confounded")


@dataclass(frozen=True)
class Formulas:
    """The parameters of the formulas above, as `truth.json` states them."""

    shape_k: float = 1.3
    scale_days: float = 2400.0
    eta: Mapping[str, float] = field(
        default_factory=lambda: {"age_decade": 0.35, "male": 0.20, "stage": 0.40, "burden": 0.25}
    )
    theta: Mapping[str, float] = field(
        default_factory=lambda: {"constant": -0.50, "age_decade": 0.45, "burden_minus_2": -0.30}
    )
    propensity: Mapping[str, float] = field(
        default_factory=lambda: {"constant": -0.3, "stage_minus_1": 0.7, "age_decade": -0.6}
    )
    dropout_mean_days: float = 6000.0
    study_end_days: tuple[float, float] = (1095.0, 3650.0)
    grid_days: tuple[float, ...] = tuple(float(t) for t in range(0, 3651, 73))

    def cumulative_hazard(self, times_days: Array, log_hazard: float) -> Array:
        """Return the cumulative hazard H(t) = (t / λ)^k · exp(log_hazard); S(t) = exp(−H(t))."""
        return np.asarray((times_days / self.scale_days) ** self.shape_k * np.exp(log_hazard))

    def stated(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What happened to a patient, and what would have under either treatment.

    `curves` holds the two true survival curves over `times_days`, `control` and `treated`; `potential_days`
    the two event times, drawn from them with one and the same uniform number, so that better is never worse.
    """

    stage: int
    burden: float
    marker: float
    eta: float
    theta: float
    propensity: float
    treated: bool
    potential_days: Mapping[str, float]
    censoring_days: float
    time_days: float
    event: bool
    times_days: Array
    curves: Mapping[str, Array]


def stage_of(lesions: tuple[Lesion, ...]) -> int:
    """Return 0 for benign; 1 to 3 by the number and the largest nominal diameter of the malignant lesions."""
    diameters = [2 * one.radius_mm for one in lesions if one.kind == "malignant"]
    if not diameters:
        return 0
    large = max(diameters) > 40
    return {(False, False): 1, (False, True): 2, (True, False): 2, (True, True): 3}[len(diameters) > 1, large]


def draw_outcome(
    rng: np.random.Generator,
    person: Person,
    *,
    lesions: tuple[Lesion, ...],
    assignment: Assignment,
    formulas: Formulas | None = None,
) -> Outcome:
    """Draw a patient's outcome. The draws are the same under either `assignment`; only who is treated changes."""
    f = formulas or Formulas()
    shock, treat, death, leave, end = rng.normal(), *rng.random(4)
    stage = stage_of(lesions)
    burden = float(np.log1p(sum(one.nominal_ml for one in lesions if one.kind == "malignant")))
    decade = (person.age_years - 60) / 10
    eta = (
        f.eta["age_decade"] * decade
        + f.eta["male"] * (person.sex == "M")
        + f.eta["stage"] * stage
        + f.eta["burden"] * burden
    )
    theta = f.theta["constant"] + f.theta["age_decade"] * decade + f.theta["burden_minus_2"] * (burden - 2)
    if assignment == "randomised":
        propensity = 0.5
    else:
        g = f.propensity
        logit = g["constant"] + g["stage_minus_1"] * (stage - 1) + g["age_decade"] * decade
        propensity = float(1 / (1 + np.exp(-logit)))
    treated = bool(treat < propensity)
    times = np.array(f.grid_days)
    arms = {"control": eta, "treated": eta + theta}
    curves = {arm: np.exp(-f.cumulative_hazard(times, log_hazard)) for arm, log_hazard in arms.items()}
    potential = {
        arm: float(f.scale_days * (-np.log1p(-death) / np.exp(log_hazard)) ** (1 / f.shape_k))
        for arm, log_hazard in arms.items()
    }
    low, high = f.study_end_days
    censoring = float(min(-f.dropout_mean_days * np.log1p(-leave), low + (high - low) * end))
    event_time = potential["treated" if treated else "control"]
    return Outcome(
        stage=stage,
        burden=burden,
        marker=round(float(np.exp(1 + 0.5 * burden + 0.5 * shock)), 2),
        eta=float(eta),
        theta=float(theta),
        propensity=propensity,
        treated=treated,
        potential_days=potential,
        censoring_days=censoring,
        time_days=max(round(min(event_time, censoring), 1), 1.0),
        event=event_time <= censoring,
        times_days=times,
        curves=curves,
    )
