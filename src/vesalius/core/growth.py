"""Growth: how much something of one patient changed between two visits, within which bounds, and what can be told.

Two answers differ by what changed and by both answers' errors. The errors are known from cases of a test split whose
truth is known (Bland and Altman 1999, section 3), from a promise that a calibration made of each answer, or, as the
last resort, from how far several opinions are apart, which is not calibrated. What is smaller than they allow is no
change that could be told.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from vesalius.core.moved import Moved
from vesalius.core.scorecard import Scorecard
from vesalius.core.words import counted

DAYS = {"day": 1.0, "month": 365.25 / 12, "year": 365.25}
SHARE = 0.95  # of intervals that stand on errors, as everywhere in a scorecard
FEWEST = 5  # test cases below which their errors say nothing of a spread
Verdict = Literal[
    "grown", "shrunk", "higher", "lower", "new", "gone", "no change that could be told", "cannot be told", "absent",
    "same",
]  # fmt: skip
UNTOLD: Verdict = "no change that could be told"


@dataclass(frozen=True, slots=True)
class Errors:
    """How far measurements are off: their errors' standard deviation, `base + slope · size`, known of `n` cases.

    `split` is the split that these are of. The spread grows with the size or not at all; below `smallest`, the smallest
    size that was looked at, it stays what it is there. A bias that all measurements share is no part of it, for it
    cancels in a difference.
    """

    base: float
    n: int
    slope: float = 0.0
    smallest: float = 0.0
    split: str = "test"

    def sd(self, size: float) -> float:
        """Return the standard deviation of one measurement's error at that size."""
        return self.base + self.slope * max(size, self.smallest)


@dataclass(frozen=True, slots=True)
class Reach:
    """Within which bounds a change lies, with the share of changes that do, and by what that is known.

    `low` and `high` are in the unit of the change, None where there is no bound. `percent` are the bounds in percent of
    the earlier size. `least` is the smallest change that could be told. `by` is `test errors`, `promise` or `opinions`,
    `n` the number of cases that it stands on, `says` all of that in a sentence.
    """

    low: float | None
    high: float | None
    share: float
    by: str
    says: str
    percent: tuple[float | None, float | None] = (None, None)
    least: float | None = None
    n: int = 0

    @property
    def holds_nothing(self) -> bool:
        """Whether no change at all lies within the bounds, too."""
        return (self.low is None or self.low <= 0) and (self.high is None or self.high >= 0)


@dataclass(frozen=True, slots=True)
class Growth:
    """One thing that was measured at both visits: a label's size, a number, how many things there are.

    `name` is what it is called in the answers, `quantity` what was measured. `reach` are the bounds of the change, the
    first of all that are known in `others`; None where nothing says how far measurements are off. `fault` says why
    it must not be read as a change, such as a label that the field of view cuts off. `same` where both visits are one
    image. Of `sizes` 0 is what is not there. `ratio` says whether percents of the earlier number mean anything.
    `whole` are both sizes of all of it, where those that are compared are of what both visits show.
    """

    name: str
    quantity: str
    unit: str | None
    earlier: float
    later: float
    reach: Reach | None = None
    others: tuple[Reach, ...] = ()
    fault: str = ""
    same: bool = False
    sizes: bool = True
    ratio: bool = True
    colour: str | None = None
    whole: tuple[float, float] | None = None

    @property
    def change(self) -> float:
        """The later measurement less the earlier one."""
        return self.later - self.earlier

    @property
    def percent(self) -> float | None:
        """The change in percent of the earlier measurement; None where that is 0, or where percents mean nothing."""
        return 100 * self.change / self.earlier if self.ratio and self.earlier > 0 else None

    @property
    def verdict(self) -> Verdict:
        """What can be told of it, by its bounds."""
        if self.sizes and self.earlier == 0 and self.later == 0 and not self.fault:
            return "absent"
        if self.same:
            return "same"
        if self.fault or self.reach is None:
            return "cannot be told"
        if self.reach.holds_nothing:
            return UNTOLD
        if self.sizes and self.earlier == 0:
            return "new"
        if self.sizes and self.later == 0:
            return "gone"
        if self.sizes:
            return "grown" if self.change > 0 else "shrunk"
        return "higher" if self.change > 0 else "lower"

    def rates(self, days: float | None) -> dict[str, float]:
        """Return the change a day, a month and a year; nothing where the time between is not known or is none."""
        if not days:
            return {}
        return {name: self.change / days * length for name, length in DAYS.items()}

    def percent_rates(self, days: float | None) -> dict[str, float]:
        """Return the change in percent of the earlier size a day, a month and a year, not compounded."""
        if not days or self.percent is None:
            return {}
        return {name: self.percent / days * length for name, length in DAYS.items()}

    def doubling_days(self, days: float | None) -> float | None:
        """Return in how many days a size doubles that grows as fast as it did; None of what did not tellingly grow."""
        if not days or self.verdict != "grown" or not self.sizes or self.earlier <= 0:
            return None
        return days * math.log(2) / math.log(self.later / self.earlier)

    def json(self, days: float | None) -> dict[str, Any]:
        """Return all of it as JSON takes it."""
        return {
            "name": self.name,
            "quantity": self.quantity,
            "unit": self.unit,
            "earlier": self.earlier,
            "later": self.later,
            "change": self.change,
            "percent": self.percent,
            "verdict": self.verdict,
            "whole": None if self.whole is None else list(self.whole),
            "fault": self.fault or None,
            "interval": None if self.reach is None else interval_json(self.reach),
            "intervals": [interval_json(one) for one in self.others],
            "rate": self.rates(days),
            "percent_rate": self.percent_rates(days),
            "doubling_days": self.doubling_days(days),
        }


@dataclass(frozen=True, slots=True)
class Part:
    """A connected part of a label, or a thing, followed from one visit to the other by where it lies.

    `earlier` and `later` are the sizes of what belongs together, `count` how many parts these are at each visit: one
    and one of a part that stayed, one and two of one that fell apart. `at` is a voxel `(z, y, x)` of the later image.
    """

    label: str
    unit: str
    earlier: float
    later: float
    count: tuple[int, int]
    at: tuple[int, int, int]

    @property
    def became(self) -> str:
        """What became of it, by its measured size alone."""
        one, two = self.count
        if one == 0:
            return "new"
        if two == 0:
            return "gone"
        if one != two:
            return "merged" if one > two else "fell apart"
        return "alike" if self.later == self.earlier else "larger" if self.later > self.earlier else "smaller"

    def json(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {
            "label": self.label, "unit": self.unit, "earlier": self.earlier, "later": self.later,
            "became": self.became, "count": list(self.count), "at": list(self.at),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Changed:
    """What a kind of answer says of two answers: what was measured, single parts, and what must be read with them.

    `words` are what cannot be counted, such as the class that is called: pairs of a name and both answers. `moved` is
    how far surfaces moved.
    """

    growths: tuple[Growth, ...] = ()
    parts: tuple[Part, ...] = ()
    words: tuple[tuple[str, str, str], ...] = ()
    notes: tuple[str, ...] = ()
    moved: tuple[Moved, ...] = ()


# --- bounds of a change


def by_errors(earlier: float, later: float, errors: Errors, *, unit: str = "") -> Reach | None:
    """Return the bounds of a change whose both measurements have independent normal errors; None of too few cases.

    The bounds of the difference are `d ± t √(s₁² + s₂²)`, with Student's t of n − 1 degrees of freedom; what `least`
    says, at no change, is known as the smallest detectable change (Weir 2005, `1.96 √2 s`). Those in percent are
    Fieller's (1954), which agree with them: both hold no change or neither does. Where errors of one patient are alike,
    as they often are, less could be told than these bounds allow, never more.
    """
    if errors.n < FEWEST:
        return None
    t = quantile(errors.n - 1)
    first, second = errors.sd(earlier), errors.sd(later)
    far = t * math.hypot(first, second)
    change = later - earlier
    return Reach(
        change - far,
        change + far,
        SHARE,
        "test errors",
        f"by the errors on {counted(errors.n, 'case')} of the {errors.split} split, at both visits independently",
        _fieller(earlier, later, t * first, t * second),
        t * math.sqrt(2) * errors.sd(earlier if earlier > 0 else later),
        errors.n,
    )


def by_promise(
    earlier: tuple[float | None, float | None],
    later: tuple[float | None, float | None],
    coverage: float,
    n: int,
) -> Reach:
    """Return the bounds of a change from an interval promised of each of both: they hold together (Bonferroni)."""
    low = None if later[0] is None or earlier[1] is None else later[0] - earlier[1]
    high = None if later[1] is None or earlier[0] is None else later[1] - earlier[0]
    share = max(0.0, 1 - 2 * (1 - coverage))
    percent: tuple[float | None, float | None] = (None, None)
    if earlier[0] is not None and earlier[0] > 0:
        percent = (
            None if later[0] is None or earlier[1] is None else 100 * (max(later[0], 0.0) / earlier[1] - 1),
            None if later[1] is None else 100 * (later[1] / earlier[0] - 1),
        )
    says = (
        f"by what is promised of each visit, at {100 * coverage:g} %; both hold in {100 * share:g} % at least"
    )
    least = None if low is None or high is None else (high - low) / 2
    return Reach(low, high, share, "promise", says, percent, least, n)


def by_opinions(earlier: float, later: float, sd: tuple[float, float], *, way: str, samples: int) -> Reach:
    """Return the bounds of a change as far as several opinions about each visit are apart; they are not calibrated."""
    far = 1.96 * math.hypot(*sd)
    change = later - earlier
    says = f"as {samples} opinions by {way} are apart; not calibrated, and probably too narrow"
    percent = _fieller(earlier, later, 1.96 * sd[0], 1.96 * sd[1])
    return Reach(change - far, change + far, SHARE, "opinions", says, percent, far, samples)


def quantile(freedom: int, share: float = SHARE) -> float:
    """Return Student's t beyond which a share of (1 − `share`)/2 lies on each side."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + share) / 2))


def errors_of(agreement: Mapping[str, Any] | None, card: Scorecard | None = None) -> Errors | None:
    """Return how far measurements are off by what a scorecard keeps of their agreement with the truth; None of none.

    Several cases of one patient count as one, where the card knows patients.

    `agreement` holds the limits of agreement, which lie 1.96 standard deviations on either side of the bias, and where
    it was measured how the spread grows with size (`spread`).
    """
    try:
        low, high = (dict(agreement or {})[name] for name in ("low", "high"))
        n = int(low["n"])
        n = min(n, card.n_patients) if card is not None and card.patients_known else n
        sd = (float(high["value"]) - float(low["value"])) / (2 * 1.96)
    except (KeyError, TypeError, ValueError):
        return None
    if not math.isfinite(sd) or sd < 0 or n < 2:
        return None
    split = "test" if card is None else card.split
    spread = (agreement or {}).get("spread")
    if isinstance(spread, Mapping):
        base, slope, smallest = (float(spread[k]) for k in ("base", "slope", "smallest"))
        return Errors(base, n, slope, smallest, split)
    return Errors(sd, n, split=split)


def spread_of(answers: Sequence[float], truths: Sequence[float]) -> dict[str, float] | None:
    """Return how the errors' spread grows with size: `base + slope · size` from `smallest` on; None of too few cases.

    As Bland and Altman (1999, section 3.2) do it: the sizes of the errors, less their mean, are regressed on the means
    of both measurements, and √(π/2) makes standard deviations of them. A spread that would fall with the size is taken
    for one that does not depend on it, and one that would be negative at 0 for one in proportion to the size.
    """
    import numpy as np

    a, b = (np.asarray(x, dtype=np.float64) for x in (answers, truths))
    known = np.isfinite(a) & np.isfinite(b)
    a, b = a[known], b[known]
    if len(a) < FEWEST:
        return None
    size = (a + b) / 2
    off = a - b
    far = np.abs(off - off.mean()) * math.sqrt(math.pi / 2)
    around = size - size.mean()
    spread = float(around @ around)
    slope = float(around @ far) / spread if spread > 0 else 0.0
    base = float(far.mean() - slope * size.mean())
    if slope <= 0:
        base, slope = float(off.std(ddof=1)), 0.0
    elif base < 0:
        base, slope = 0.0, float(size @ far) / float(size @ size)
    return {"base": base, "slope": slope, "smallest": float(size.min())}


def first_known(known: Sequence[Reach | None]) -> tuple[Reach | None, tuple[Reach, ...]]:
    """Return the first bounds that are known, and all of them."""
    there = tuple(one for one in known if one is not None)
    return (there[0] if there else None), there


def interval_json(found: Reach) -> dict[str, Any]:
    """Return bounds as JSON takes them."""
    return {
        "low": found.low, "high": found.high, "share": found.share, "percent": list(found.percent),
        "least": found.least, "by": found.by, "says": found.says, "n": found.n,
    }  # fmt: skip


def _fieller(earlier: float, later: float, first: float, second: float) -> tuple[float | None, float | None]:
    """Return between which percents of growth a ratio lies, `first` and `second` being t times each error's spread.

    Solves (later − θ earlier)² ≤ second² + θ² first² for the ratio θ; without bounds where the earlier measurement
    cannot be told from 0.
    """
    a = earlier**2 - first**2
    if earlier <= 0 or a <= 0:
        return None, None
    b, c = earlier * later, later**2 - second**2
    root = math.sqrt(max(b * b - a * c, 0.0))
    low, high = (b - root) / a, (b + root) / a
    return 100 * (max(low, 0.0) - 1), 100 * (high - 1)
