"""Patients and pictures that stand on both sides of a split."""

from __future__ import annotations

from collections.abc import Iterator

from vesalius.reliability.finding import Finding
from vesalius.reliability.leakage import Leak
from vesalius.reliability.looks.contract import Seen

ORDER = 30


def find(seen: Seen) -> Iterator[Finding]:
    """Yield what stands on both sides of a split, and what `fit` does about it."""
    held = "test" if "test" in seen.summary.splits else "val"  # the split that `fit` scores
    for leak in seen.leaks:
        yield _near(leak) if leak.similarity < 1 else _exact(leak, held)


def _near(leak: Leak) -> Finding:
    sides, cases = " and ".join(leak.sides), ", ".join(leak.cases)
    text = f"nearly the same picture ({leak.similarity:.3f}) stands in {sides}: {cases}"
    hint = "`fit` keeps the split as it is; a score may be too good"
    return Finding("warning", "near leak", leak.cases, text, hint)


def _exact(leak: Leak, held: str) -> Finding:
    what = f"patient '{leak.name}'" if leak.kind == "patient" else f"one {leak.what}"
    text = f"{what} stands in {' and '.join(leak.sides)}: {', '.join(leak.cases)}"
    tail = "a score of whatever trains on both is too good"
    if leak.kind == "patient":
        return Finding("error", "leak", leak.cases, text, f"`fit` stops on this: mend the split; {tail}")
    kept = (
        f"`fit` does not train on those that {held} has, too"
        if held in leak.sides
        else "`fit` keeps them in one fold"
    )
    return Finding("warning", "leak", leak.cases, text, f"{kept}; {tail}")
