"""Histogram: counts of numbers on bins that are fixed ahead of the data, so that those of several places add up."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

from vesalius.core.errors import DataError

EXACT = 53  # significant binary digits of a float64: every number is a bin of its own


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often numbers fell into each bin. A bin is the number that others are rounded to.

    Bins are the numbers of `digits` significant binary digits, whatever the data are. With 53 every float64 is its own
    bin, and quantiles are those of the numbers themselves, bit by bit. With 10 a bin is at most a thousandth of its
    number wide; it then says less of single cases, and so do the quantiles. Only bins that hold something are kept, in
    rising order. Zero has no sign. `nan` counts what is not a number; with any of it no quantile is a number.
    """

    bins: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    digits: int = EXACT
    nan: int = 0

    @classmethod
    def of(cls, numbers: Iterable[float], digits: int = EXACT) -> Histogram:
        """Return the histogram of some numbers. Raises DataError where `digits` is not 1 to 53."""
        if not 1 <= digits <= EXACT:
            raise DataError("a histogram has bins of 1 to 53 binary digits", found=str(digits))
        held = Counter(float(x) + 0.0 for x in numbers)  # -0.0 + 0.0 is 0.0
        return _of_counts(held, digits)

    @property
    def n(self) -> int:
        """Return how many numbers there are, without what is not a number."""
        return sum(self.counts)

    @property
    def low(self) -> float:
        """Return the least number. Raises DataError where there is none."""
        return self.ranked(0)

    @property
    def high(self) -> float:
        """Return the greatest number. Raises DataError where there is none."""
        return self.ranked(self.n - 1)

    def count(self, number: float) -> int:
        """Return how many numbers lie in the bin of this one."""
        wanted = rounded(number, self.digits)
        return next((n for b, n in zip(self.bins, self.counts, strict=True) if b == wanted), 0)

    def without(self, number: float) -> Histogram:
        """Return the histogram without the bin of this number."""
        wanted = rounded(number, self.digits)
        left = {b: n for b, n in zip(self.bins, self.counts, strict=True) if b != wanted}
        return Histogram(tuple(left), tuple(left.values()), self.digits, self.nan)

    def ranked(self, place: int) -> float:
        """Return the number at a place, from 0, of all numbers in rising order. Raises DataError beyond the last."""
        if not 0 <= place < self.n:
            raise DataError("there is no number of that rank", found=f"rank {place} of {self.n}")
        return self.bins[bisect_right(list(accumulate(self.counts)), place)]

    def median(self) -> float:
        """Return the middle number, or the mean of both, as `numpy.median`. Raises DataError where there is none."""
        if self.nan:
            return math.nan
        n = self.n
        upper = self.ranked(n // 2)
        return upper if n % 2 else (self.ranked(n // 2 - 1) + upper) / 2

    def quantile(self, share: float) -> float:
        """Return the number that a share of all lie below, between ranks as `numpy.quantile`.

        Raises DataError where there is no number, or where `share` is not 0 to 1.
        """
        if not 0 <= share <= 1:
            raise DataError("a quantile is of a share from 0 to 1", found=str(share))
        if self.nan:
            return math.nan
        n = self.n
        rank = (n - 1) * share
        below, part = self.ranked(math.floor(rank)), rank - math.floor(rank)
        above = self.ranked(min(math.floor(rank) + 1, n - 1))
        apart = above - below
        return below + apart * part if part < 0.5 else above - apart * (1 - part)

    def mapped(self, function: Callable[[float], float]) -> Histogram:
        """Return the histogram of what a function makes of each number."""
        made: Counter[float] = Counter()
        for number, n in zip(self.bins, self.counts, strict=True):
            made[float(function(number)) + 0.0] += n
        found = _of_counts(made, self.digits)
        return Histogram(found.bins, found.counts, found.digits, found.nan + self.nan)

    def rounded(self, digits: int) -> Histogram:
        """Return the histogram on wider bins, which tell less of single numbers. Raises DataError for finer ones."""
        if not 1 <= digits <= self.digits:
            raise DataError(f"bins of {self.digits} binary digits cannot be made finer", found=str(digits))
        wider = _of_counts(dict(zip(self.bins, self.counts, strict=True)), digits)
        return Histogram(wider.bins, wider.counts, digits, self.nan)

    def merged(self, other: Histogram) -> Histogram:
        """Return the histogram of both sets of numbers. Raises DataError where their bins differ."""
        if other.digits != self.digits:
            raise DataError(
                "histograms with different bins cannot be merged",
                found=f"{self.digits} and {other.digits} binary digits",
                hint="the finer one rounded to the other's",
            )
        both = Counter(dict(zip(self.bins, self.counts, strict=True)))
        both.update(dict(zip(other.bins, other.counts, strict=True)))
        found = _of_counts(both, EXACT)  # the bins are rounded already
        return Histogram(found.bins, found.counts, self.digits, self.nan + other.nan)

    def json(self) -> dict[str, Any]:
        """Return the histogram as plain data."""
        return {
            "digits": self.digits,
            "bins": list(self.bins),
            "counts": list(self.counts),
            "nan": self.nan,
        }

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Histogram:
        """Return a histogram from its plain data. Raises DataError where it is none."""
        bins = tuple(float(x) for x in data["bins"])
        counts = tuple(int(n) for n in data["counts"])
        digits, nan = int(data["digits"]), int(data["nan"])
        rising = all(a < b for a, b in pairwise(bins))
        placed = 1 <= digits <= EXACT and all(rounded(b, digits) == b for b in bins)
        if len(bins) != len(counts) or min((*counts, 1)) < 1 or nan < 0 or not rising or not placed:
            raise DataError("this is not a histogram on fixed bins", found=f"{digits} binary digits")
        return cls(bins, counts, digits, nan)


def rounded(number: float, digits: int) -> float:
    """Return the nearest number of so many significant binary digits; of two as near the one whose last digit is 0."""
    if digits == EXACT or not math.isfinite(number):
        return number + 0.0
    fraction, exponent = math.frexp(number)
    whole = round(math.ldexp(fraction, digits))
    try:
        return math.ldexp(whole, exponent - digits) + 0.0
    except OverflowError:  # rounded up beyond the greatest float64
        return math.copysign(math.ldexp(2**digits - 1, exponent - digits), number)


def _of_counts(counts: Mapping[float, int], digits: int) -> Histogram:
    """Return the histogram of numbers that each occur so often."""
    found: Counter[float] = Counter()
    nan = 0
    for number, n in counts.items():
        if math.isnan(number):
            nan += n
        else:
            found[rounded(number, digits)] += n
    bins = tuple(sorted(found))
    return Histogram(bins, tuple(found[b] for b in bins), digits, nan)
