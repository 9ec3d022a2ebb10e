"""Sentences: 300 that were written before the rules, with what they say; how many of them the rules read wholly right."""

import csv
from collections import Counter
from pathlib import Path

from vesalius.core.finding import Finding
from vesalius.texts.reading import findings_in
from vesalius.texts.terms import Terms

CHEST = Terms.named("chest")
SENTENCES = Path(__file__).parent / "sentences.csv"


def expected(words: str) -> tuple[str, str, str, float | None]:
    """`nodule present left 12mm` as name, status, side and size; a name may be of two words."""
    parts = words.split()
    size = float(parts.pop()[:-2]) if parts[-1].endswith("mm") else None
    side = parts.pop() if parts[-1] in ("left", "right", "both") else ""
    status = parts.pop()
    return " ".join(parts), status, side, size


def right(finding: Finding, truth: tuple[str, str, str, float | None]) -> bool:
    """A finding is right with its name, its status, its side and, where the truth has one, its size."""
    name, status, side, size = truth
    said = (finding.name, finding.status, finding.side or "")
    return said == (name, status, side) and (size is None or finding.size_mm == size)


def is_right(row: dict[str, str]) -> bool:
    truths = [expected(words) for words in row["findings"].split(";") if words.strip()]
    found = findings_in(row["sentence"], CHEST)
    return all(any(right(f, t) for f in found) for t in truths) and all(
        any(right(f, t) for t in truths) for f in found
    )


def test_sentences_written_before_the_rules_are_read() -> None:
    with SENTENCES.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    counted = Counter((row["group"], is_right(row)) for row in rows)
    assert len(rows) == 300
    for group in ("negation", "uncertainty", "history", "laterality"):
        assert counted[group, True] >= LEAST[group]


LEAST = {"negation": 0, "uncertainty": 0, "history": 0, "laterality": 0}
