"""Candidate boxes held against true ones: which are right, average precision, probabilities, and from where to call."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.core.errors import PlanError
from vesalius.core.image import Array
from vesalius.tasks._fusing import P, overlaps

FLAT, DEEP = 0.5, 0.1  # overlap from which a box of an image, and of a volume, is right
FEW = 10  # right and wrong candidates from which a label's probabilities are fitted by themselves
STILL = 4.0  # how many candidates of each kind the identity counts as, when probabilities are fitted
RULES = "as_many, f1, half, sensitivity:0.9, false_positives:1"
_RULE = re.compile(r"(f1|as_many|half)|(sensitivity|false_positives):([0-9]*\.?[0-9]+)")


@dataclass(frozen=True, eq=False)
class Checked:
    """The candidates of one label in one case, or in several: how sure they are, which are right, and of how many.

    `p` and `hit` `(N,)` leave out candidates that lie in a crowd; `n` counts true boxes, `cases` the cases.
    """

    p: Array
    hit: Array
    n: int
    cases: int = 1


def checked(
    rows: Array, truth: Array, labels: Array, crowd: Array, *, many: int, flat: bool
) -> tuple[Checked, ...]:
    """Return the candidates `(N, 8)` of each of `many` labels, held against true boxes `(M, 2, 3)`.

    Each candidate, the surest first, takes the true box of its label that it overlaps most of those that are left, by
    `FLAT` of images or `DEEP` of volumes. One that takes none and lies in a crowd is neither right nor wrong.
    """
    at = FLAT if flat else DEEP
    made = []
    for k in range(many):
        own = rows[rows[:, P + 1] == k]
        own = own[np.argsort(-own[:, P], kind="stable")]
        true = truth[(labels == k) & ~crowd].reshape(-1, 6)
        fuzzy = truth[(labels == k) & crowd].reshape(-1, 6)
        taken = np.zeros(len(true), dtype=bool)
        hit, counts = np.zeros(len(own), dtype=bool), np.ones(len(own), dtype=bool)
        for i, row in enumerate(own):
            fit = np.where(taken, 0.0, overlaps(row[:6], true)) if len(true) else np.zeros(0)
            if len(fit) and fit.max() >= at:
                taken[int(fit.argmax())] = hit[i] = True
            elif len(fuzzy):
                counts[i] = _share_in(row[:6], fuzzy) < at
        made.append(Checked(own[counts, P], hit[counts], len(true)))
    return tuple(made)


def together(several: Sequence[Checked]) -> Checked:
    """Return the candidates of several cases as those of one."""
    if not several:
        return Checked(np.zeros(0), np.zeros(0, dtype=bool), 0, 0)
    p = np.concatenate([one.p for one in several])
    hit = np.concatenate([one.hit for one in several])
    return Checked(p, hit, sum(one.n for one in several), sum(one.cases for one in several))


def average_precision(found: Checked) -> float:
    """Return the area under precision over recall, precision made to fall; NaN where there is no true box.

    It stands for `ap50` while a model is trained; what is reported is computed by `metrics/boxes.py`.
    """
    if not found.n:
        return float("nan")
    hit = found.hit[np.argsort(-found.p, kind="stable")]
    right = np.cumsum(hit)
    precision = right / np.arange(1, len(hit) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    return float((falling * hit).sum() / found.n)


def fitted(found: Mapping[str, Checked]) -> dict[str, list[float]]:
    """Return by label a slope and an offset of log-odds, so that candidates are as often right as they say.

    (Platt 1999; the slope is positive, so that no candidate overtakes another.) A label of which too few are right or
    wrong has those of all labels together; where these are too few, too, probabilities stay as they are.
    """
    every = together(list(found.values()))
    shared = _platt(every.p, every.hit) if _enough(every) else [1.0, 0.0]
    return {name: _platt(one.p, one.hit) if _enough(one) else shared for name, one in found.items()}


def mapped(p: Array, line: Sequence[float] | None) -> Array:
    """Return probabilities after a line of their log-odds; without one they stay as they are."""
    if line is None:
        return p
    odds = _log_odds(p)
    found: Array = 1 / (1 + np.exp(-(line[0] * odds + line[1])))
    return found


@dataclass(frozen=True)
class Rule:
    """How a threshold is chosen: by a name, and a number where it needs one."""

    name: str
    at: float = 0.0


def rule_of(word: Any) -> Rule:
    """Return the rule that a plan's word means, by default `as_many`. Raises PlanError for what is no rule."""
    text = str(word or "as_many").strip()
    match = _RULE.fullmatch(text)
    if match is None:
        raise PlanError(
            "task.options.threshold is no rule from where boxes are called", found=repr(word), hint=RULES
        )
    if match[1]:
        return Rule(match[1])
    at = float(match[3])
    if at <= 0 or (match[2] == "sensitivity" and at > 1):
        limit = "above 0 and at most 1" if match[2] == "sensitivity" else "above 0"
        raise PlanError(f"task.options.threshold: {match[2]} is {limit}", found=text, hint=RULES)
    return Rule(match[2], at)


def threshold(found: Checked, rule: Rule) -> float:
    """Return the probability from which candidates are called, by their calibrated `p`.

    `f1` is the best of these; `as_many` calls as many as there are true boxes; `sensitivity` is the highest that finds
    such a share of these, or the lowest of all candidates where none does; `false_positives` the lowest with so many a
    case on average. Of equal ones the highest is taken. It is one half where there is no candidate, and no true box.
    """
    if rule.name == "half" or not len(found.p) or not found.n:
        return 0.5
    order = np.argsort(-found.p, kind="stable")
    p, hit = found.p[order], found.hit[order]
    last = np.append(p[1:] < p[:-1], True)  # equal ones are called together
    right, called = np.cumsum(hit)[last], np.arange(1, len(p) + 1)[last]
    cuts = p[last]
    between = np.append(
        (cuts[:-1] + cuts[1:]) / 2, cuts[-1]
    )  # midway to the next candidate, which is not called
    if rule.name == "f1":
        return float(between[(2 * right / (called + found.n)).argmax()])
    if rule.name == "as_many":
        return float(between[np.abs(called - found.n).argmin()])
    if rule.name == "sensitivity":
        enough = np.flatnonzero(right / found.n >= rule.at - 1e-12)
        return float(between[enough[0]] if len(enough) else between[-1])
    fine = np.flatnonzero((called - right) / max(found.cases, 1) <= rule.at + 1e-12)
    return float(between[fine[-1]] if len(fine) else np.nextafter(cuts[0], 1.0))


def _share_in(box: Array, crowds: Array) -> float:
    """Return the largest share of a box that lies in one of the crowds."""
    low = np.maximum(box[:3], crowds[:, :3])
    high = np.minimum(box[3:6], crowds[:, 3:6])
    both = np.clip(high - low, 0, None).prod(axis=1)
    return float(both.max() / max(float((box[3:6] - box[:3]).prod()), 1e-9))


def _enough(found: Checked) -> bool:
    return min(int(found.hit.sum()), int((~found.hit).sum())) >= FEW


def _log_odds(p: Array) -> Array:
    p = np.clip(p, 1e-7, 1 - 1e-7)
    found: Array = np.log(p / (1 - p))
    return found


def _platt(p: Array, hit: Array) -> list[float]:
    """Return the slope and the offset of highest likelihood, drawn a little towards no change."""
    from scipy.optimize import minimize

    odds, y = _log_odds(p), hit.astype(float)

    def cost(x: Array) -> tuple[float, Array]:
        slope = np.exp(x[0])
        z = slope * odds + x[1]
        off = 1 / (1 + np.exp(-z)) - y
        value = np.logaddexp(0, z).sum() - (y * z).sum() + STILL / 2 * (x[0] ** 2 + x[1] ** 2)
        return float(value), np.array([(off * odds).sum() * slope + STILL * x[0], off.sum() + STILL * x[1]])

    found = minimize(cost, np.zeros(2), jac=True, method="L-BFGS-B")
    return [float(np.exp(found.x[0])), float(found.x[1])]
