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

The treatment is chosen from age and stage alone, both in the table: given these there is no hidden confounder. The bare
clinic lacks the stage, so that it is hidden there, and seen in the image alone.

A third arm, other heterogeneity, progression, causes that compete and late entry are in `further.py`; the draws above
are the same with and without them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from vesalius.core.image import Array
from vesalius.phantom.abdomen.design import CONTROL, Design
from vesalius.phantom.abdomen.further import Further, linear
from vesalius.phantom.abdomen.lesions import Lesion
from vesalius.phantom.abdomen.person import Person

DISEASE, OTHER = "disease", "other"  # what one may die of, where causes compete


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

    def time_days(self, uniform: float, log_hazard: float, after_days: float = 0.0) -> float:
        """Return the time of an event later than `after_days`, given that it had not happened then."""
        passed = (after_days / self.scale_days) ** self.shape_k
        return float(
            self.scale_days * (passed - np.log1p(-uniform) / np.exp(log_hazard)) ** (1 / self.shape_k)
        )

    def stated(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Progression:
    """The time without progression, which progression or death ends: what was seen, and what would have been.

    `log_hazards` are those of progression, by arm; `curves` the true chance to be alive without progression.
    """

    log_hazards: Mapping[str, float]
    potential_days: Mapping[str, float]
    time_days: float
    event: bool
    curves: Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What happened to a patient, and what would have under each treatment.

    `effects` and `propensities` are by arm. `curves` holds the true survival of each arm over `times_days`;
    `potential_days` the times of death, drawn from them with one and the same uniform number, so that better is never
    worse. `incidence` by arm and `cause`, of which this patient died, are there where causes compete; `entry_days`
    where one may enter late.
    """

    stage: int
    burden: float
    marker: float
    eta: float
    effects: Mapping[str, float]
    propensities: Mapping[str, float]
    arm: str
    potential_days: Mapping[str, float]
    censoring_days: float
    time_days: float
    event: bool
    times_days: Array
    curves: Mapping[str, Array]
    cause: str | None = None
    incidence: Mapping[str, Mapping[str, Array]] | None = None
    eta_other: float | None = None
    entry_days: float | None = None
    progression: Progression | None = None

    @property
    def treated(self) -> bool:
        """Whether any treatment was given."""
        return self.arm != CONTROL

    @property
    def theta(self) -> float:
        """Return the effect of the first arm that has a treatment."""
        return self.effects[list(self.effects)[1]]

    @property
    def propensity(self) -> float:
        """Return the chance of the first arm that has a treatment."""
        return self.propensities[list(self.propensities)[1]]

    @property
    def log_hazards(self) -> Mapping[str, float]:
        """Return the log of the hazard of death of any cause over that of the Weibull, by arm."""
        more = -np.inf if self.eta_other is None else self.eta_other
        return {arm: float(np.logaddexp(self.eta + effect, more)) for arm, effect in self.effects.items()}


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
    design: Design | None = None,
    further: np.random.Generator | None = None,
    formulas: Formulas | None = None,
) -> Outcome:
    """Draw a patient's outcome; what `further.py` adds is drawn from `further`, or else from `rng` after all the rest.

    The draws are the same under any `design`; only what is made of them changes.
    """
    design, f, more = design or Design(), formulas or Formulas(), Further()
    shock, treat, death, leave, end = rng.normal(), *rng.random(4)
    late, enter, otherwise, worse = (further or rng).random(4)
    burden = float(np.log1p(sum(one.nominal_ml for one in lesions if one.kind == "malignant")))
    facts = facts_of(person, stage_of(lesions), burden)
    eta = linear(f.eta, facts)
    effects = {arm: linear(more.effect(design, arm, f.theta), facts) for arm in design.names}
    chances = _chances(design, facts, f, more)
    arm = _given(chances, treat)
    entry = 0.0
    if design.entry == "late" and late < more.late_share:
        entry = round(float(more.late_days[0] + (more.late_days[1] - more.late_days[0]) * enter), 1)
    eta_other = linear(more.other, facts) if design.competes else None
    elsewhere = np.inf if eta_other is None else f.time_days(otherwise, eta_other, entry)
    of_disease = {a: f.time_days(death, eta + effect, entry) for a, effect in effects.items()}
    potential = {a: min(days, float(elsewhere)) for a, days in of_disease.items()}
    low, high = f.study_end_days
    censoring = float(min(entry - f.dropout_mean_days * np.log1p(-leave), low + (high - low) * end))
    event = potential[arm] <= censoring
    times = np.array(f.grid_days)
    found = Outcome(
        stage=int(facts["stage"]),
        burden=burden,
        marker=round(float(np.exp(1 + 0.5 * burden + 0.5 * shock)), 2),
        eta=eta,
        effects=effects,
        propensities=chances,
        arm=arm,
        potential_days=potential,
        censoring_days=censoring,
        time_days=_seen(potential[arm], censoring, entry),
        event=event,
        times_days=times,
        curves={},
        cause=(DISEASE if of_disease[arm] <= elsewhere else OTHER) if design.competes and event else None,
        eta_other=eta_other,
        entry_days=entry if design.entry == "late" else None,
    )
    found = replace(found, curves=_curves(f, times, found.log_hazards))
    if design.competes:
        found = replace(found, incidence=_incidence(found))
    if not design.progresses:
        return found
    worsens = {a: linear(more.progression, facts) + effect for a, effect in effects.items()}
    return replace(found, progression=_progression(f, found, worsens, worse))


def facts_of(person: Person, stage: int, burden: float) -> dict[str, float]:
    """Return what the formulas speak of."""
    decade = (person.age_years - 60) / 10
    return {
        "constant": 1.0,
        "age_decade": decade,
        "male": float(person.sex == "M"),
        "stage": float(stage),
        "burden": burden,
        "burden_minus_2": burden - 2,
        "stage_minus_1": float(stage - 1),
    }


def _chances(design: Design, facts: Mapping[str, float], f: Formulas, more: Further) -> dict[str, float]:
    """Return the chance of each arm."""
    if design.assignment == "randomised":
        return dict.fromkeys(design.names, 1 / len(design.names))
    logits = {design.names[1]: linear(f.propensity, facts)}
    if "surgery" in design.names:
        logits["surgery"] = linear(more.surgery_propensity, facts)
    if len(logits) == 1:
        chances = {arm: float(1 / (1 + np.exp(-logit))) for arm, logit in logits.items()}
    else:
        odds = {arm: float(np.exp(logit)) for arm, logit in logits.items()}
        chances = {arm: one / (1 + sum(odds.values())) for arm, one in odds.items()}
    return {CONTROL: 1 - sum(chances.values()), **chances}


def _given(chances: Mapping[str, float], uniform: float) -> str:
    """Return the arm that a uniform number falls into: the treatments in their order, then control."""
    upto = 0.0
    for arm in list(chances)[1:]:
        upto += chances[arm]
        if uniform < upto:
            return arm
    return CONTROL


def _seen(event_days: float, censoring_days: float, entry_days: float) -> float:
    """Return the time that is written: of the first of both, at least a day after the entry."""
    return max(round(min(event_days, censoring_days), 1), round(entry_days + 1.0, 1))


def _curves(f: Formulas, times: Array, log_hazards: Mapping[str, float]) -> dict[str, Array]:
    return {arm: np.exp(-f.cumulative_hazard(times, one)) for arm, one in log_hazards.items()}


def _incidence(outcome: Outcome) -> dict[str, dict[str, Array]]:
    """Return how likely each cause has ended a life by then: its share of the hazard, of all that died."""
    found = {}
    for arm, curve in outcome.curves.items():
        share = float(np.exp(outcome.eta + outcome.effects[arm] - outcome.log_hazards[arm]))
        found[arm] = {DISEASE: share * (1 - curve), OTHER: (1 - share) * (1 - curve)}
    return found


def _progression(
    f: Formulas, outcome: Outcome, log_hazards: Mapping[str, float], uniform: float
) -> Progression:
    """Return the time without progression, which begins with the patient's observation."""
    entry = outcome.entry_days or 0.0
    potential = {
        arm: min(f.time_days(uniform, one, entry), outcome.potential_days[arm])
        for arm, one in log_hazards.items()
    }
    both = {arm: float(np.logaddexp(one, outcome.log_hazards[arm])) for arm, one in log_hazards.items()}
    days = potential[outcome.arm]
    return Progression(
        log_hazards=log_hazards,
        potential_days=potential,
        time_days=_seen(days, outcome.censoring_days, entry),
        event=days <= outcome.censoring_days,
        curves=_curves(f, outcome.times_days, both),
    )
