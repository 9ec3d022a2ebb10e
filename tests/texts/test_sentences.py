"""Sentences: 300 written before the rules, and 97 after them, before the first's faults were seen."""

import csv
from pathlib import Path

import pytest

from vesalius.core.finding import Finding
from vesalius.texts.reading import findings_in
from vesalius.texts.terms import Terms

CHEST = Terms.named("chest")
HERE = Path(__file__).parent


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


@pytest.mark.parametrize(("name", "many", "least"), [("first", 300, 293), ("second", 97, 91)])
def test_sentences_are_read(name: str, many: int, least: int) -> None:
    """Read at first: 279 of 300, and 80 of 97 (half of them hard). Their faults were mended afterwards."""
    with (HERE / f"sentences_{name}.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == many
    wrong = [row["sentence"] for row in rows if not is_right(row)]
    assert many - len(wrong) >= least, wrong
