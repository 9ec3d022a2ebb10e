"""Who gains from a treatment, on 20 tables of 1,000 patients each with a planted effect, without one, and confounded.

The tables are those of the phantom `ct` without pixels. In each one half of the patients teaches a learner whom to
treat; the other half, which took no part, says what that ranking is worth. The truth of the same ranking is that of
20,000 further patients, whose curves under both arms are known. All parameters were fixed before the first run, and so
was that the bounds are asked of the usual learner. That
run did not show the naive difference of survival to be biased by the phantom's own confounding (its block in
docs/benchmarks.md, of 04:05, says so); "by indication", where the old and the ill alike are treated more, was then
added, and its parameters were fixed before it was run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks._figures import Figure, at_least
from benchmarks._trials import Drawn, drawn, people
from vesalius.benefit.average import effect, naive
from vesalius.benefit.estimate import Estimate, mean
from vesalius.benefit.learners import USUAL, learn
from vesalius.benefit.learners.contract import Learned
from vesalius.benefit.measure import Measure
from vesalius.benefit.pairs import c_for_benefit
from vesalius.benefit.policy import Policy, by_benefit, policy_value
from vesalius.benefit.propensity import fit_propensity
from vesalius.benefit.quintiles import calibration
from vesalius.benefit.ranked import Ranked, rank_weighted
from vesalius.benefit.robust import Scored, doubly_robust
from vesalius.benefit.trial import Trial
from vesalius.benefit.weighting import kept
from vesalius.core.image import Array
from vesalius.phantom.abdomen.design import Design

SECTION = "Prognosis and benefit"
SOAK = False
SEEDS = (0,)
TABLES, CASES, TRUTH = 20, 1000, 20_000
HORIZON = 1095.0  # three years
HOLDS, FINDS = 17, 15  # of 20 tables
LEARNERS = ("interaction", "armwise", "robust")
DESIGNS = {
    "planted": Design("randomised", heterogeneity="planted"),
    "no effect": Design("randomised", heterogeneity="no-effect"),
    "same hazard ratio": Design("randomised", heterogeneity="none"),
    "confounded": Design("confounded", heterogeneity="planted"),
    "by indication": Design("confounded", heterogeneity="planted"),
}
PROPENSITY = {  # the phantom's own treats a higher stage more and the old less, which hides most of what either does
    "by indication": {"constant": -0.3, "stage_minus_1": 0.7, "age_decade": 0.6},
}
BIASED = "by indication"  # where the arms as they are must be seen to mislead
ARMS = {"control": "control", "treated": "treated"}


@dataclass
class Tally:
    """Estimates of one figure, each with its own truth."""

    estimates: list[Estimate] = field(default_factory=list)
    truths: list[float] = field(default_factory=list)

    def add(self, estimate: Estimate, truth: float) -> None:
        """Take in another table's."""
        self.estimates.append(estimate)
        self.truths.append(truth)

    @property
    def held(self) -> int:
        """How many intervals hold their truth."""
        return sum(e.holds(t) for e, t in zip(self.estimates, self.truths, strict=True))

    @property
    def found(self) -> int:
        """How many intervals lie off 0."""
        return sum(not e.holds(0.0) for e in self.estimates)

    @property
    def bias(self) -> Estimate:
        """How far estimates lie from their truths on average, with an interval over tables."""
        return mean(np.array([e.value - t for e, t in zip(self.estimates, self.truths, strict=True)]))

    def words(self, digits: int = 3) -> str:
        """The means of truth, estimate and width."""
        truth, value = np.mean(self.truths), np.mean([e.value for e in self.estimates])
        width = np.mean([e.width for e in self.estimates])
        return f"truth {truth:.{digits}f}, found {value:.{digits}f}, width {width:.{digits}f}"

    def plain(self, what: str, seed: str, digits: int = 3) -> Figure:
        """A figure of which nothing is asked."""
        said = f"{self.held} hold the truth, {self.found} lie off 0"
        return Figure(what, said, seed=seed, note=self.words(digits))


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Every design on the same patients. Quick: two tables of 200."""
    tables, cases, truth = (2, 200, 500) if quick else (TABLES, CASES, TRUTH)
    figures = []
    for seed in seeds:
        far = people(truth, 1000 * (seed + 1))
        near = [people(cases, 1000 * (seed + 1) + 1 + k) for k in range(tables)]
        for name, design in DESIGNS.items():
            chance = PROPENSITY.get(name)
            whole, each = drawn(far, design, chance), [drawn(cohort, design, chance) for cohort in near]
            for measure in (Measure(HORIZON), Measure(HORIZON, "restricted_mean")):
                scores = [
                    doubly_robust(t.trial, measure, rng=np.random.default_rng(k)) for k, t in enumerate(each)
                ]
                figures += _effects(name, whole, each, scores, str(seed))
                if measure.kind == "survival":
                    figures += _rankings(name, whole, each, scores, str(seed))
    return figures


def _effects(
    name: str, whole: Drawn, tables: Sequence[Drawn], scores: Sequence[Scored], seed: str
) -> list[Figure]:
    """Average effects, as the arms are and doubly robust."""
    measure, plain, robust = scores[0].measure, Tally(), Tally()
    gains = _gains(whole, measure)
    for one, scored in zip(tables, scores, strict=True):
        plain.add(naive(one.trial, measure, **ARMS), float(gains.mean()))
        robust.add(effect(scored, **ARMS), float(gains[_kept(one.trial, whole)].mean()))
    days = measure.kind == "restricted_mean"
    what, digits = f"{name}: {'mean days up to' if days else 'survival at'} 3 years", 1 if days else 3
    return [
        plain.plain(f"{what}, arms as they are", seed, digits),
        _bias(f"{what}, arms as they are, bias", plain, digits, seed, asked=name == BIASED),
        at_least(
            f"{what}, doubly robust, hold the truth",
            robust.held,
            HOLDS * len(tables) / TABLES,
            digits=0,
            seed=seed,
            note=robust.words(digits),
        ),
        _bias(f"{what}, doubly robust, bias", robust, digits, seed, asked=False),
    ]


def _bias(what: str, tally: Tally, digits: int, seed: str, *, asked: bool) -> Figure:
    """The mean error over tables. Where it is `asked` for, it has to be there: its interval lies off 0."""
    b = tally.bias
    said = f"{b.value:.{digits}f} [{b.low:.{digits}f}, {b.high:.{digits}f}]"
    return Figure(what, said, "off 0" if asked else "", not b.holds(0.0) if asked else None, seed)


def _rankings(
    name: str, whole: Drawn, tables: Sequence[Drawn], scores: Sequence[Scored], seed: str
) -> list[Figure]:
    """What rankings of one half are worth on the other half, learner by learner."""
    measure, figures, share = scores[0].measure, [], len(tables) / TABLES
    gains = _gains(whole, measure)
    for learner in LEARNERS:
        autoc, qini, rule, slopes, concordances = Tally(), Tally(), Tally(), [], []
        for k, (one, scored) in enumerate(zip(tables, scores, strict=True)):
            half = _half(one.trial, scored, learner, measure, k)
            inside = _kept(one.trial, whole)
            far, true = half.learned.benefit(whole.trial.x, **ARMS)[inside], gains[inside]
            truth = _true_rank(far, true)
            autoc.add(half.ranked.autoc, truth[0])
            qini.add(half.ranked.qini, truth[1])
            rule.add(half.policy.gain["treated"], float((((far > 0) - 1.0) * true).mean()))
            slopes.append(half.slope)
            concordances += [half.concordance] if half.concordance is not None else []
        what = f"{name}: {learner}"
        if learner == USUAL:
            bound = HOLDS * share
            figures.append(
                at_least(
                    f"{what}, AUTOC, hold the truth",
                    autoc.held,
                    bound,
                    digits=0,
                    seed=seed,
                    note=autoc.words(),
                )
            )
            off = f"{what}, AUTOC, lie off 0"
            if name == "planted":
                figures.append(at_least(off, autoc.found, FINDS * share, digits=0, seed=seed))
            else:
                figures.append(Figure(off, str(autoc.found), seed=seed))
            figures.append(qini.plain(f"{what}, Qini", seed))
            figures.append(rule.plain(f"{what}, gain of its rule over treating all", seed))
        else:
            figures.append(autoc.plain(f"{what}, AUTOC", seed))
        figures.append(_others(what, slopes, concordances, seed))
    return figures


def _others(what: str, slopes: Sequence[float], concordances: Sequence[float], seed: str) -> Figure:
    low, middle, high = np.nanquantile(slopes, [0.25, 0.5, 0.75])
    note = (
        f"C-for-benefit {np.mean(concordances):.3f}" if concordances else "no C-for-benefit: not randomised"
    )
    said = f"median {middle:.2f} [{low:.2f}, {high:.2f}]"
    return Figure(f"{what}, slope of benefit (1 is right)", said, seed=seed, note=note)


@dataclass(frozen=True, eq=False)
class _Half:
    """What one half says of the other's ranking."""

    learned: Learned
    ranked: Ranked
    policy: Policy
    slope: float
    concordance: float | None


def _half(trial: Trial, scored: Scored, learner: str, measure: Measure, seed: int) -> _Half:
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(trial))
    train, rest = order[: len(trial) // 2], order[len(trial) // 2 :]
    learned = learn(trial.where(train), measure, name=learner, rng=rng)
    held = rest[scored.kept[rest]]
    predicted = learned.benefit(trial.x[held], **ARMS)
    contrast = scored.contrast(**ARMS)[held]
    slope = calibration(predicted, contrast).slope
    pairs = (
        c_for_benefit(predicted, trial.where(held), measure, rng=rng, **ARMS).value
        if trial.randomised
        else None
    )
    return _Half(
        learned,
        rank_weighted(predicted, contrast, rng=rng, left_out=len(rest) - len(held)),
        policy_value(scored.where(held), by_benefit(predicted, control=0, treated=1)),
        float("nan") if slope is None else slope.value,
        pairs,
    )


def _gains(whole: Drawn, measure: Measure) -> Array:
    true = whole.outcomes(measure)
    return np.asarray(true[:, 1] - true[:, 0])


def _kept(trial: Trial, whole: Drawn) -> Array:
    """Return of which patients of the large table the small one tells: for whom both arms were likely."""
    if trial.randomised:
        return np.ones(len(whole.trial), bool)
    return kept(fit_propensity(trial).of(whole.trial.x))


def _true_rank(priority: Array, gains: Array) -> tuple[float, float]:
    """Return AUTOC and Qini of known gains, from the definition."""
    ranked = gains[np.argsort(-priority, kind="stable")]
    share = np.arange(1, len(ranked) + 1)
    toc = np.cumsum(ranked) / share - ranked.mean()
    return float(toc.mean()), float((toc * share / len(ranked)).mean())
