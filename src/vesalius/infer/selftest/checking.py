"""The self-test: made-up inputs are made again, answered in the ordinary way, and held against the record."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from vesalius.core.bundle import Bundle
from vesalius.core.errors import VesaliusError
from vesalius.core.marks import Mark, difference, widest
from vesalius.core.shown import Shown
from vesalius.core.words import counted, listed
from vesalius.infer.predictor import Predictor
from vesalius.infer.selftest import inputs, machine, record
from vesalius.infer.selftest.observing import RAW, observe
from vesalius.infer.selftest.record import Expected, Record

Outcome = Literal["passed", "failed", "stale", "none", "absent", "skipped"]


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was compared. Of a list `expected` and `found` are the two numbers that lie farthest apart.

    `difference` and `limit` are in the unit of what is compared: 1 for probabilities, the training spread for numbers,
    all voxels for counts. The difference of words that are not the same is infinite.
    """

    input: int
    what: str
    expected: str | float
    found: str | float
    difference: float
    limit: float

    @property
    def passed(self) -> bool:
        """Whether the difference is within the limit."""
        return self.difference <= self.limit


@dataclass(frozen=True)
class SelfTest(Shown):
    """How a bundle's self-test went.

    `outcome` is `passed`; `failed`, where something lies farther from what was recorded than allowed; `stale`, where
    the record was made for other weights, another calibration or another plan; `none`, where the bundle cannot be
    tested on made-up input; `absent`, where it has no record; or `skipped`. `why` says it in words. `largest` is the
    largest difference as a share of its limit. `here` and `there` are the machines of the test and of the record.
    """

    bundle: str
    hash: str
    outcome: Outcome
    why: str
    rows: tuple[Row, ...] = ()
    seconds: float = 0.0
    here: str = ""
    there: str = ""
    arithmetic: str = ""
    inputs: int = 0

    @property
    def passed(self) -> bool:
        """Whether the bundle has proven that it answers here as it did where it was recorded."""
        return self.outcome == "passed"

    @property
    def refused(self) -> bool:
        """Whether it has proven the opposite, so that it should not be answered with."""
        return self.outcome in ("failed", "stale")

    @property
    def largest(self) -> float | None:
        """The largest difference as a share of its limit; None where nothing was compared."""
        return max((row.difference / row.limit for row in self.rows), default=None)

    def _words(self) -> Iterable[str]:
        yield repr(self.bundle)
        yield self.outcome
        yield self.why
        yield f"{self.seconds:.2f} s" if self.rows else ""


def selftested(bundle: Bundle, predictor: Predictor, *, most_s: float = math.inf) -> SelfTest:
    """Return how the self-test of a bundle goes with these loaded models. Raises BundleError for a damaged record.

    No further input is answered once `most_s` seconds have passed; the first always is.
    """
    found = record.of(bundle)
    if found is None:
        why = "the bundle has no self-test: it was made before there were any, or by another tool"
        return SelfTest(bundle.name, bundle.hash, "absent", why)
    if found.none is not None:
        return SelfTest(
            bundle.name, bundle.hash, "none", f"it cannot be tested on made-up input: {found.none}"
        )
    began, rows = time.monotonic(), list[Row]()
    parts = record.stale(bundle, found)
    fault, done = "", 0
    for number, expected in enumerate(found.inputs, start=1):
        if done and time.monotonic() - began > most_s:
            break
        try:
            rows += _compared(predictor.accepting, found, expected, number)
        except VesaliusError as error:
            fault = str(error)
            rows.append(Row(number, "answer", "an answer", fault, math.inf, found.tolerance))
        done += 1
    outcome, why = _verdict(found, parts, rows, fault, done)
    return SelfTest(
        bundle=bundle.name,
        hash=bundle.hash,
        outcome=outcome,
        why=why,
        rows=tuple(rows),
        seconds=time.monotonic() - began,
        here=machine.in_words(machine.facts(predictor.device)),
        there=machine.in_words(found.machine),
        arithmetic=found.arithmetic,
        inputs=done,
    )


def _verdict(found: Record, parts: list[str], rows: list[Row], fault: str, done: int) -> tuple[Outcome, str]:
    failed = [row for row in rows if not row.passed]
    if parts:
        what = f"it was recorded for another bundle: {listed(parts, 4)} changed since"
        apart = f", and {counted(len(failed), 'answer')} of {len(rows)} are others" if failed else ""
        return "stale", what + apart
    if failed:
        first = failed[0]
        if fault:
            return "failed", fault
        far = (
            ""
            if math.isinf(first.difference)
            else f", off by {first.difference:.3g} (limit {first.limit:.3g})"
        )
        more = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
        return "failed", f"{first.what} is {said(first.found)}, not {said(first.expected)}{far}{more}"
    part = "" if done == len(found.inputs) else f", the first {done} of {len(found.inputs)} alone"
    return "passed", f"it answers {counted(done, 'made-up input')} as it did where it was recorded{part}"


def said(value: str | float) -> str:
    """Return a word as it is, and a number in a few digits."""
    return value if isinstance(value, str) else f"{value:.6g}"


def _compared(predictor: Predictor, found: Record, expected: Expected, number: int) -> list[Row]:
    """Return what is compared of one made-up input: that it is the same one, then each mark of its answer."""
    case = inputs.again(found.recipe, expected.made)
    pixels = inputs.pixels_of(case.images)
    seen = observe(predictor, case).marks
    pairs = [(Mark("pixels of the made-up input", expected.made.pixels), Mark("", pixels))]
    for name, mark in expected.marks.items():  # a later version may see more, which is nothing to fail for
        pairs.append((mark, seen.get(name, Mark(name, "nothing of that name"))))
    rows = []
    for one, other in pairs:
        wanted, got = widest(one, other)
        limit = found.tolerance
        rows.append(Row(number, one.name, wanted, got, difference(one, other), limit))
    return sorted(rows, key=lambda row: row.what.startswith(RAW))
