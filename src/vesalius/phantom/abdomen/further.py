"""Further: the stated formulas of a third arm, of other heterogeneity, of progression, other causes and late entry.

They stand beside those of `survival.py`, whose k, λ, η and θ they use; decade = (age − 60)/10. Every hazard of an event
e is Weibull with the same k and λ, (k / λ) · (t / λ)^(k − 1) · exp(η_e + effect), so that sums of hazards are
proportional as well and all curves are closed forms.

    effect      of chemo as θ of `treated`; of surgery −0.45 + 0.30 · decade + 0.40 · (stage − 1)
      strong    the same with every coefficient but the constant times 1.5
      none      treated and chemo −0.30, surgery −0.50, whoever the patient
      no-effect 0
    given       randomised: all arms alike; confounded: chemo and surgery have the odds exp(g) against control, with g
                of chemo as of `treated`, of surgery −0.2 − 0.5 · (stage − 1) − 0.5 · decade
    other       η_o = −1.6 + 0.90 · decade + 0.30 · male: death of other causes, which no treatment changes
    progression η_p = 0.2 + 0.10 · decade + 0.45 · stage + 0.30 · burden, with the treatment's effect on death
    death       the first of death of the disease and of other causes; S = exp(−(t / λ)^k · Σ exp(η_e + effect_e))
    incidence   of cause e by t: exp(η_e + effect_e) / Σ · (1 − S(t))
    without     progression, or disease-free: the first of progression and death, independent given x and the arm;
                S = exp(−(t / λ)^k · (exp(η_p + effect) + Σ))
    late entry  half of the patients at time 0, the others uniform on 30 … 730 days. Who died or progressed before is
                never seen: all times are drawn given that nothing had happened at entry,
                (T / λ)^k = (E / λ)^k − ln(U) / exp(η), and so is censoring, whose exponential part has no memory
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from vesalius.phantom.abdomen.design import CONTROL, Design

Weights = Mapping[str, float]  # fact of a patient → its coefficient


@dataclass(frozen=True)
class Further:
    """The parameters of the formulas above, as `truth.json` states them where they count."""

    surgery: Weights = field(
        default_factory=lambda: {"constant": -0.45, "age_decade": 0.30, "stage_minus_1": 0.40}
    )
    alike: Weights = field(default_factory=lambda: {"treated": -0.30, "chemo": -0.30, "surgery": -0.50})
    strong: float = 1.5
    surgery_propensity: Weights = field(
        default_factory=lambda: {"constant": -0.2, "stage_minus_1": -0.5, "age_decade": -0.5}
    )
    other: Weights = field(default_factory=lambda: {"constant": -1.6, "age_decade": 0.90, "male": 0.30})
    progression: Weights = field(
        default_factory=lambda: {"constant": 0.2, "age_decade": 0.10, "stage": 0.45, "burden": 0.30}
    )
    late_share: float = 0.5
    late_days: tuple[float, float] = (30.0, 730.0)

    def effect(self, design: Design, arm: str, theta: Weights) -> Weights:
        """Return the coefficients of an arm's effect on the log hazard; `theta` are those of chemo and `treated`."""
        if arm == CONTROL or design.heterogeneity == "no-effect":
            return {}
        if design.heterogeneity == "none":
            return {"constant": self.alike[arm]}
        planted = self.surgery if arm == "surgery" else theta
        if design.heterogeneity == "planted":
            return planted
        return {name: value * (1 if name == "constant" else self.strong) for name, value in planted.items()}

    def stated(self) -> dict[str, Any]:
        """Return them as plain JSON values."""
        return asdict(self)


def linear(weights: Weights, facts: Mapping[str, float]) -> float:
    """Return the sum of facts times their coefficients, in the order of the coefficients."""
    total = 0.0
    for name, weight in weights.items():  # `sum` of floats differs between versions of Python in the last bit
        total += weight * facts[name]
    return float(total)
