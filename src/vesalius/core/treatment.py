"""Treatment: how it came about which arm a case had, and at which time a benefit is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vesalius.core.horizons import named

RANDOMISED, OBSERVED, UNKNOWN = "randomised", "observed", "unknown"
ASSIGNMENTS = (RANDOMISED, OBSERVED, UNKNOWN)
BENEFIT = "benefit"  # the part of a curve that says what another arm would change


@dataclass(frozen=True, kw_only=True)
class Treatment:
    """How arms came about in the cohort that a model learned from.

    `column` is the covariate that says which arm a case had, `known` are those that the model sees beside it, and
    `categories` those of them that are words or codes. `assignment` is one of ASSIGNMENTS, and `horizon_days` the time
    at which survival under the arms is compared.
    """

    column: str
    horizon_days: float
    known: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    assignment: str = UNKNOWN

    @property
    def randomised(self) -> bool | None:
        """Return whether chance alone decided on the arms; None where nobody says."""
        return None if self.assignment == UNKNOWN else self.assignment == RANDOMISED

    def named(self, arm: str) -> str:
        """Return what an arm is called in a sentence: one that is a bare code has its column before it."""
        return arm_named(self.column, arm)

    def json(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {
            "column": self.column,
            "horizon_days": self.horizon_days,
            "known": list(self.known),
            "categories": list(self.categories),
            "assignment": self.assignment,
        }


def arm_named(column: str, arm: str) -> str:
    """Return what an arm is called in a sentence: `chemo` as it is, the code `1` with its column, `treatment 1`."""
    return arm if any(c.isalpha() for c in arm) else f"{column} {arm}"


def gain_name(kind: str, horizon_days: float, control: str, arm: str) -> str:
    """Return what a benefit is called: `survival_3_years_chemo_less_control`, `mean_days_until_1096_…`.

    `kind` is `survival` or `restricted_mean`.
    """
    when = named(horizon_days).replace(" ", "_")
    what = f"survival_{when}" if kind == "survival" else f"mean_days_until_{horizon_days:g}"
    return f"{what}_{arm}_less_{control}"


def treatment_of(found: Mapping[str, Any]) -> Treatment:
    """Return what `Treatment.json` wrote."""
    return Treatment(
        column=str(found["column"]),
        horizon_days=float(found["horizon_days"]),
        known=tuple(found["known"]),
        categories=tuple(found["categories"]),
        assignment=str(found["assignment"]),
    )
