"""Operating points: from which probability on a case is called, by a rule in words, and what it came to.

`half` is one half; `balanced_accuracy`, `accuracy` and `f1` are the best there is of these. `sensitivity:0.95` keeps a
sensitivity and `specificity:0.9` a specificity. `cost:5` has the lowest expected cost where a missed case costs as much
as 5 false calls, as often as the label is among the validation cases, or `cost:5@0.02` where 2 of 100 people have it.
`net_benefit:0.1` calls from the probability on at which a person would act (Vickers and Elkin 2006).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.core.errors import PlanError
from vesalius.core.image import Array

PLAIN = ("half", "balanced_accuracy", "accuracy", "f1")
VALUED = ("sensitivity", "specificity", "cost", "net_benefit")
WORDS = "half, balanced_accuracy, accuracy, f1, sensitivity:0.95, specificity:0.9, cost:5, cost:5@0.02, net_benefit:0.1"
_NUMBER = r"[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?"
_RULE = re.compile(rf"({'|'.join(VALUED)}):({_NUMBER})(?:@({_NUMBER}))?")


@dataclass(frozen=True)
class Rule:
    """A rule for a threshold: its `name`, its number where it has one, and the prevalence that a cost is meant at."""

    name: str
    at: float | None = None
    prevalence: float | None = None

    @property
    def valued(self) -> bool:
        """Whether the rule has a number, and what it reaches is therefore kept."""
        return self.name in VALUED

    def __str__(self) -> str:
        number = "" if self.at is None else f":{self.at:g}"
        return f"{self.name}{number}" + ("" if self.prevalence is None else f"@{self.prevalence:g}")


def parse(word: Any, *, where: str = "task.options.threshold") -> Rule | None:
    """Return the rule that a plan's word means; None where it has none. Raises PlanError for what is no rule."""
    if word is None or word == "":
        return None
    text = str(word).strip()
    if text in PLAIN:
        return Rule(text)
    match = _RULE.fullmatch(text)
    if match is None:
        raise PlanError(f"{where} is no rule for a threshold", found=repr(word), hint=WORDS)
    name, at = match[1], float(match[2])
    prevalence = None if match[3] is None else float(match[3])
    if prevalence is not None and name != "cost":
        raise PlanError(f"{where}: only a cost is meant at a prevalence", found=text, hint=f"{name}:{at:g}")
    if name == "cost" and not 0 < at < float("inf"):
        raise PlanError(f"{where}: a missed case must cost more than nothing", found=text, hint="cost:5")
    if name != "cost" and not 0 < at < 1:
        low = f"{where}: a {name.replace('_', ' ')} here lies between 0 and 1, both left out"
        raise PlanError(low, found=text, hint=f"{name}:0.95" if name != "net_benefit" else "net_benefit:0.1")
    if prevalence is not None and not 0 < prevalence < 1:
        raise PlanError(f"{where}: a prevalence lies between 0 and 1", found=text, hint=f"cost:{at:g}@0.02")
    return Rule(name, at, prevalence)


def threshold(p: Array, truth: Array, rule: Rule) -> float:
    """Return the probability from which to call by a rule with a number; one half where only one kind of case is there.

    `p` `(N,)` are calibrated probabilities of validation cases, `truth` `(N,)` is True where the label is so. Midpoints
    between neighbouring probabilities are tried, and calling all or none. Of those that keep a sensitivity it is the
    highest, of those that keep a specificity the lowest, of equal costs the nearest to one half. For a net benefit it
    is the threshold probability itself, whatever the cases are.
    """
    p, truth = np.asarray(p, dtype=np.float64), np.asarray(truth, dtype=bool)
    if rule.name == "net_benefit":
        return float(rule.at or 0.5)
    if truth.all() or not truth.any():
        return 0.5
    at = float(rule.at or 0.0)
    cuts = _cuts(p)
    missed = np.searchsorted(np.sort(p[truth]), cuts, side="left") / truth.sum()
    spared = np.searchsorted(np.sort(p[~truth]), cuts, side="left") / (~truth).sum()
    if rule.name == "sensitivity":
        return float(cuts[1 - missed >= at - 1e-12].max())
    if rule.name == "specificity":
        kept = cuts[spared >= at - 1e-12]
        return float(kept.min() if len(kept) else cuts.max())
    prevalence = float(truth.mean()) if rule.prevalence is None else rule.prevalence
    cost = at * prevalence * missed + (1 - prevalence) * (1 - spared)
    best = cuts[cost <= cost.min() + 1e-12]
    return float(best[np.abs(best - 0.5).argmin()])


def reached(p: Array, truth: Array, at: float, rule: Rule) -> dict[str, Any]:
    """Return what a threshold comes to on cases: `rule`, `threshold`, `sensitivity` and `specificity`.

    These have Clopper and Pearson's intervals (1934), `{"value", "low", "high", "n"}`, each case by itself; a rate of
    no case is absent. Of a cost, `cost` is the expected one a case, in false calls, at the rule's `prevalence`, beside
    `cost_all` and `cost_none` of calling everybody and nobody; of a net benefit, `net_benefit` beside that of calling
    everybody, `net_benefit_all`, in true positives a case (nobody: 0).
    """
    p, truth = np.asarray(p, dtype=np.float64), np.asarray(truth, dtype=bool)
    called = p >= at
    found: dict[str, Any] = {"rule": str(rule), "threshold": float(at)}
    hits, spared = int((called & truth).sum()), int((~called & ~truth).sum())
    having, lacking = int(truth.sum()), int((~truth).sum())
    for name, right, n in (("sensitivity", hits, having), ("specificity", spared, lacking)):
        if n:
            low, high = clopper_pearson(right, n)
            found[name] = {"value": right / n, "low": low, "high": high, "n": n}
    if not len(p):
        return found
    share = having / len(p)
    if rule.name == "cost":
        prevalence = share if rule.prevalence is None else rule.prevalence
        miss = (having - hits) / having if having else 0.0
        false = (lacking - spared) / lacking if lacking else 0.0
        each = float(rule.at or 0.0)
        found |= {
            "prevalence": prevalence,
            "cost": each * prevalence * miss + (1 - prevalence) * false,
            "cost_all": 1 - prevalence,
            "cost_none": each * prevalence,
        }
    if rule.name == "net_benefit":
        odds = at / (1 - at)
        found["net_benefit"] = (hits - (lacking - spared) * odds) / len(p)
        found["net_benefit_all"] = share - (1 - share) * odds
    return found


def in_words(found: Mapping[str, Any]) -> str:
    """Return what `reached` found as a sentence for a report."""
    rates = [
        f"{name} {one['value']:.3f} ({one['low']:.3f} to {one['high']:.3f}, n {one['n']})"
        for name in ("sensitivity", "specificity")
        if (one := found.get(name))
    ]
    said = [
        f"chosen by {found['rule']}; on the validation cases that chose it {', '.join(rates) or 'no rate'}"
    ]
    if "cost" in found:
        said.append(
            f"expected cost {found['cost']:.3g} false calls a case at a prevalence of {found['prevalence']:.3g} "
            f"(calling all {found['cost_all']:.3g}, none {found['cost_none']:.3g})"
        )
    if "net_benefit" in found:
        said.append(
            f"net benefit {found['net_benefit']:.3g} (calling all {found['net_benefit_all']:.3g}, none 0)"
        )
    return "; ".join(said)


def clopper_pearson(right: int, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of a share of `right` of `n` independent cases (Clopper and Pearson 1934)."""
    from scipy.special import betaincinv

    if not n:
        return 0.0, 1.0
    tail = (1 - level) / 2
    low = 0.0 if right == 0 else float(betaincinv(right, n - right + 1, tail))
    high = 1.0 if right == n else float(betaincinv(right + 1, n - right, 1 - tail))
    return low, high


def _cuts(p: Array) -> Array:
    """Return what is tried: calling all, each midpoint between neighbouring probabilities, and calling none."""
    levels = np.unique(p)
    none = min(1.0, (levels[-1] + 1) / 2)
    if none <= levels[-1]:  # a probability of one is called at any threshold up to one
        none = float(np.nextafter(levels[-1], np.inf))
    return np.concatenate([[0.0], (levels[1:] + levels[:-1]) / 2, [none]])
