"""Masks with stray specks of a label far from the rest of it, where others have none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from statistics import median
from typing import Any

from vesalius.core.words import counted
from vesalius.reliability.finding import Finding
from vesalius.reliability.looks._masks import Drawn, drawn
from vesalius.reliability.looks._robust import LEAST, worst_first
from vesalius.reliability.looks.contract import Seen, Sight

ORDER = 80
RARE = 0.25  # of the masks that have a label: where more have specks, it comes in pieces
PIECES = 2  # of the median mask: a label with more comes in pieces
Kept = dict[str, dict[int, Drawn]]


def measure(sight: Sight) -> Kept | None:
    """Return what is drawn in each mask, by target and by label."""
    found = {name: drawn(mask) for name, mask in sight.decoded.masks.items()}
    return {name: one for name, one in found.items() if one} or None


def by_label(kept: dict[str, Kept]) -> dict[tuple[str, int], dict[str, Drawn]]:
    """Return what is drawn by target and label, and then by case."""
    found: dict[tuple[str, int], dict[str, Drawn]] = defaultdict(dict)
    for case, targets in kept.items():
        for name, labels in targets.items():
            for value, one in labels.items():
                found[name, value][case] = one
    return found


def called(seen: Seen, name: str, value: int) -> str:
    """Return what a label of a target is called."""
    info: Any = seen.cohort.targets.get(name)
    names = {x.value: x.name for x in info.labels} if info is not None else {}
    return f"{name}: {names.get(value, value)}"


def find(seen: Seen) -> Iterator[Finding]:
    """Yield, label by label, the masks with specks."""
    for (name, value), cases in by_label(seen.kept("islands")).items():
        stray = {c: float(one.specks) for c, one in cases.items() if one.specks}
        whole = median(one.pieces for one in cases.values()) <= PIECES
        if stray and whole and len(cases) >= LEAST and len(stray) <= max(1.0, RARE * len(cases)):
            ranked = worst_first(stray)
            masks = counted(len(stray), "mask has", "masks have")
            text = f"{called(seen, name, value)}: {masks} specks far from the rest of it"
            hint = "a click beside the organ, or a lesion of its own: look, and rub it out or keep it"
            evidence = (
                f"specks of at most 2 % of the largest piece; {len(cases) - len(stray)} other masks have none"
            )
            places = {c: p for c in ranked if (p := cases[c].place) is not None}
            yield Finding("warning", "stray islands", tuple(ranked), text, hint, evidence, ranked, places)
