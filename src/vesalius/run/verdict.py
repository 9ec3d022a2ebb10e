"""Verdict: which of several plans is better than the plain one beyond its interval, from what each of them came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vesalius.core.words import counted
from vesalius.evaluate.gain import Gain, gain

PLAIN = "plain"
LEVEL = 0.95  # of the interval that must exclude no gain, all candidates together


@dataclass(frozen=True)
class Candidate:
    """A plan to try: its name, and what is other for it than in the plain plan, by path."""

    name: str
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Measured:
    """What one plan came to: the score of each held-out case, their common score, and its steps and seconds."""

    cases: Mapping[str, float]
    score: float
    steps: int
    seconds: float


@dataclass(frozen=True)
class Verdict:
    """What is done, and why in a sentence: `chosen` is a candidate, or None for the plain plan.

    `gains` are those of each candidate over the plain plan. `spent` says that time was: it was tried.
    """

    chosen: Candidate | None
    why: str
    gains: Mapping[str, Gain] = field(default_factory=dict)
    spent: bool = True


def best(
    candidates: Sequence[Candidate],
    found: Mapping[str, Measured],
    failed: Mapping[str, str],
    *,
    patients: Mapping[str, str],
    primary: str,
    seed: int,
) -> Verdict:
    """Return which plan is best beyond its interval, from what each of them came to, or why it could not be trained.

    A candidate is chosen where its gain over the plain plan, case by case, is sure, at a level that holds for all of
    them together (Bonferroni), and where its common score, that of the `primary` figure, is not lower. `patients` say
    whose each case is.
    """
    level = 1 - (1 - LEVEL) / len(candidates)
    plain = found[PLAIN]
    gains = {
        c.name: gain(plain.cases, found[c.name].cases, patients, level=level, seed=seed)
        for c in candidates
        if c.name in found
    }
    trained = [c for c in candidates if c.name in found]
    better = [c for c in trained if gains[c.name].sure and not found[c.name].score < plain.score]
    chosen = max(better, key=lambda c: gains[c.name].mean, default=None)
    said = _said(found, gains, chosen, many=len(set(patients.values())), primary=primary) if gains else ""
    also = [f"{name} could not be trained: {why}" for name, why in failed.items()]
    return Verdict(chosen, "; ".join(filter(None, (said, *also))), gains)


def _said(
    found: Mapping[str, Measured],
    gains: Mapping[str, Gain],
    chosen: Candidate | None,
    *,
    many: int,
    primary: str,
) -> str:
    """Return in a sentence what was tried, at what cost, and what came of it."""
    cost = sum(m.seconds for m in found.values())
    each = ", ".join(f"{name} {g}" for name, g in gains.items())
    where = f"{counted(len(found[PLAIN].cases), 'held-out case')} of {counted(many, 'patient')}"
    lower = [name for name, g in gains.items() if g.sure and found[name].score < found[PLAIN].score]
    if chosen is not None:
        end = f"{chosen.name} is better beyond its interval"
    elif lower:
        end = f"{lower[0]} is better case by case, but not by {primary}"
    else:
        end = "none is better beyond its interval"
    return f"tried on {where} ({cost:.0f} s in all): a case's score changes by {each}; {end}"
