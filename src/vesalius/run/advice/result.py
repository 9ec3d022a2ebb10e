"""What a bundle says of one patient under each treatment, with all that argues against believing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from vesalius.benefit.given import Armed
from vesalius.core.arms import Expected, Gained, UnderArms
from vesalius.core.horizons import named
from vesalius.core.numbers import finite

RESEARCH = "For research. It recommends nothing: no treatment follows from it."


@dataclass(frozen=True)
class Contribution:
    """What one thing that is known counts for, beside the average training case.

    `risk` adds to the log hazard under the control, `gains` to what each arm changes of survival at the horizon.
    """

    name: str
    value: str
    risk: float | None
    gains: Mapping[str, float]


@dataclass(frozen=True)
class Like:
    """Training cases that a patient is like: a group in words, and what became of it by arm.

    `nearest` says what the targets of the nearest training cases were, where an index of them is at hand.
    """

    group: str
    arms: Mapping[str, Armed]
    nearest: str = ""


@dataclass(frozen=True)
class Evidence:
    """What patients who took no part say of an arm; `fifth` those to whom a like benefit was foretold.

    `fifth` is which one, from 1, of how many, and what was foretold and found in it with its interval.
    """

    arm: str
    verdict: str
    figures: Mapping[str, Any]
    fifth: tuple[int, int, float, Mapping[str, float]] | None = None


@dataclass(frozen=True, eq=False)
class Further:
    """What is expected of a further event, such as relapse, and what patients who took no part say of each arm."""

    told: UnderArms
    evidence: tuple[Evidence, ...]

    def json(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {
            "event": self.told.called,
            "horizon_days": self.told.treatment.horizon_days,
            "expected": [expected_json(e) for e in self.told.expected],
            "gains": [gain_json(g) for g in self.told.gains],
            "evidence": [asdict(e) for e in self.evidence],
        }


@dataclass(frozen=True, eq=False)
class Advice:
    """What is expected of one patient under each arm. `against` must be read before any figure.

    All of it is of the first event but `further`, which holds each other one.
    """

    case: str
    bundle: str
    by: str
    told: UnderArms
    like: Like
    contributions: tuple[Contribution, ...]
    whole: bool
    evidence: tuple[Evidence, ...]
    against: tuple[str, ...]
    further: tuple[Further, ...] = ()

    @property
    def when(self) -> str:
        """Return the horizon in words."""
        return named(self.told.treatment.horizon_days)

    @property
    def verdict(self) -> str:
        """Return what is expected in a sentence an arm, and whether it was shown that it can be told."""
        first = self.told.expected[0]
        named = self.told.treatment.named
        parts = [
            f"{self.told.called} at {self.when} is foretold as {first.at[0]:.0%} under {named(first.arm)}"
        ]
        for gain, other in zip(self.told.gains, self.told.expected[1:], strict=True):
            parts.append(f"{other.at[0]:.0%} under {named(other.arm)}: {gain_in_words(gain)}")
        lead = "; ".join(parts)
        return " ".join([f"{lead[:1].upper()}{lead[1:]}.", *(e.verdict for e in self.evidence)])

    def json(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        found = {
            "case": self.case,
            "bundle": self.bundle,
            "for_research": RESEARCH,
            "verdict": self.verdict,
            "treatment": self.told.treatment.json(),
            "risk": self.told.risk,
            "rank": self.told.rank,
            "share": self.told.share,
            "expected": [expected_json(e) for e in self.told.expected],
            "gains": [gain_json(g) for g in self.told.gains],
            "like": {
                "group": self.like.group,
                "arms": {a: asdict(one) for a, one in self.like.arms.items()},
                "nearest": self.like.nearest,
            },
            "contributions": [asdict(c) for c in self.contributions],
            "add_up": self.whole,
            "evidence": [asdict(e) for e in self.evidence],
            "against": list(self.against),
            "further": [one.json() for one in self.further],
        }
        return dict(finite(found))


def expected_json(one: Expected) -> dict[str, Any]:
    """Return what is expected under an arm as JSON takes it."""
    return {
        "arm": one.arm,
        "survival": _bounded(one.at),
        "mean_days": one.mean_days,
        "median_days": one.median_days,
        "days": [float(d) for d in one.days],
        "curve": [float(v) for v in one.survival],
        "low": None if one.low is None else [float(v) for v in one.low],
        "high": None if one.high is None else [float(v) for v in one.high],
    }


def gain_json(one: Gained) -> dict[str, Any]:
    """Return what an arm changes as JSON takes it."""
    return {
        "arm": one.arm,
        "control": one.control,
        "survival": _bounded(one.survival),
        "days": _bounded(one.days),
    }


def gain_in_words(one: Gained) -> str:
    """Return what an arm changes: `+8.1 percentage points (members −2.0 to +18.2)`."""
    _, low, high = one.survival
    said = "no bounds" if low is None or high is None else f"members {points(low)} to {points(high)}"
    return f"{points(one.survival[0])} percentage points ({said})"


def points(share: float) -> str:
    """Return a difference of shares in percentage points, with its sign."""
    return f"{100 * share:+.1f}".replace("-", "−")


def _bounded(told: tuple[float, float | None, float | None]) -> dict[str, float | None]:
    return dict(zip(("value", "low", "high"), told, strict=True))
