"""Reports that say nothing, headings that nobody knows, and equal reports on both sides of a split."""

from __future__ import annotations

from collections.abc import Iterator

from vesalius.core.words import counted, quoted
from vesalius.reliability.finding import Finding
from vesalius.reliability.looks.contract import Seen

ORDER = 65
_OFTEN = 0.05  # of the reports: what looks like a heading in so many of them may be one
_FEWEST = 3
_SHOWN = 4


def find(seen: Seen) -> Iterator[Finding]:
    """Yield what is wrong with the reports of cases."""
    held = {f.case: f.brought.report for f in seen.good if f.brought.report is not None}
    if empty := tuple(case for case, report in held.items() if report.empty):
        text = f"{counted(len(empty), 'report says', 'reports say')} nothing beside headings"
        yield Finding("warning", "empty reports", empty, text, "nothing can be learned from them")
    summary = seen.summary.reports
    if summary is not None:
        many = [(name, n) for name, n in summary.unknown if n >= max(_FEWEST, _OFTEN * summary.reports)]
        if many:
            names = ", ".join(f"{quoted(name)} in {n}" for name, n in many[:_SHOWN])
            text = f"what looks like a heading stays in the text of the section before it: {names}"
            yield Finding(
                "note", "unknown headings", (), text, "--column headings=FILE says which sections they begin"
            )
    yield from _on_both_sides(seen)


def _on_both_sides(seen: Seen) -> Iterator[Finding]:
    """Yield how many reports of the part that is tested on say the same as one to learn from, of cases with images.

    Of cases without, equal reports are the same case, and leaks.
    """
    held = "test" if "test" in seen.summary.splits else "val"
    pictured = [
        f for f in seen.good if f.brought.images and f.brought.report is not None and f.split is not None
    ]
    learned = {f.brought.report.key for f in pictured if f.split != held and f.brought.report is not None}
    tested = [f for f in pictured if f.split == held]
    same = [f.case for f in tested if f.brought.report is not None and f.brought.report.key in learned - {""}]
    if same and len(tested) < len(pictured):
        share = f"{len(same)} of {counted(len(tested), 'report')} of {held}"
        text = f"{share} say the same as one to learn from"
        hint = "a report that was learned by heart scores well there: see the nearest report's figures beside a model's"
        yield Finding("note", "equal reports", tuple(same), text, hint)
