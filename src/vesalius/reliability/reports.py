"""What the reports of a cohort are: how many, how long, of which sections, how many empty, equal or with blanks."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.core.shown import some
from vesalius.core.words import counted
from vesalius.reliability.spread import Spread, spread
from vesalius.texts.plain import blanks, content_key, is_empty, words_in
from vesalius.texts.sections import parted, unknown_headings

REPORT = "report"  # what two cases have in common that have neither pictures nor time courses
NO_HEADING = "(before any heading)"


@dataclass(frozen=True, slots=True)
class ReportRecord:
    """What is kept of one report: never its words, but for what looks like a heading. `key` is what it says, hashed."""

    words: int
    sections: tuple[tuple[str, int], ...]  # each with its words
    empty: bool
    blanks: int
    unknown: tuple[str, ...]
    key: str


@dataclass(frozen=True, slots=True)
class SectionSummary:
    """One section: how many reports have it, how many of these have nothing in it, and its lengths in words."""

    name: str
    reports: int
    empty: int
    words: Spread


@dataclass(frozen=True, slots=True)
class ReportSummary:
    """All reports: their lengths in words, sections, those that say nothing, and those that say what another says.

    `equal` is how many share their findings and impression with another, `texts` how many different ones there are,
    and `most` how often the most frequent of them is there. `blanks` are those of de-identification. `unknown` says of
    what looks like a heading, and is none that is known, in how many reports it is.
    """

    reports: int
    empty: int
    words: Spread
    sections: tuple[SectionSummary, ...]
    equal: int
    texts: int
    most: int
    blanks: int
    unknown: tuple[tuple[str, int], ...]

    def told(self, cases: int) -> list[tuple[str, str]]:
        """Return what there is as names and words; `cases` is how many there are in all."""
        w = self.words
        lengths = f"{w.low:.0f} – {w.median:.0f} – {w.high:.0f} words"
        empty = f", {self.empty} say nothing" if self.empty else ""
        rows = [("reports", f"in {self.reports} of {counted(cases, 'case')}, {lengths}{empty}")]
        for one in self.sections:
            bare = f", {one.empty} with nothing in it" if one.empty else ""
            rows.append(
                (f"section {one.name}", f"in {one.reports}, {one.words.median:.0f} words in the middle{bare}")
            )
        if self.equal:
            often = f"the most frequent stands {self.most} times"
            rows.append(
                ("equal reports", f"{self.texts} different, {self.equal} say what another says; {often}")
            )
        if self.blanks:
            rows.append(("blanks", f"{self.blanks} of de-identification"))
        if self.unknown:
            names = some((f"{name} {n}" for name, n in self.unknown), len(self.unknown), 6)
            rows.append(("no headings", f"what looks like one and stays in the text: {names}"))
        return rows


def report_record(report: str) -> ReportRecord:
    """Return what is kept of a report."""
    sections = parted(report)
    return ReportRecord(
        words=sum(map(words_in, sections.values())),
        sections=tuple((name, words_in(text)) for name, text in sections.items()),
        empty=is_empty(report),
        blanks=blanks(report),
        unknown=unknown_headings(report),
        key=text_hash(report),
    )


def text_hash(report: str) -> str:
    """Return hex SHA-256 over what a report says (see `content_key`); "" where it says nothing."""
    key = content_key(report)
    return hashlib.sha256(f"report {key}".encode()).hexdigest() if key else ""


def summary_of_reports(found: Sequence[ReportRecord]) -> ReportSummary | None:
    """Return what all reports are; None where there is none."""
    if not found:
        return None
    keys = Counter(r.key for r in found if r.key)
    unknown = Counter(name for r in found for name in r.unknown)
    lengths: dict[str, list[int]] = {}
    for name, words in (pair for r in found for pair in r.sections):
        lengths.setdefault(name or NO_HEADING, []).append(words)
    if set(lengths) == {NO_HEADING}:
        lengths = {}
    return ReportSummary(
        reports=len(found),
        empty=sum(r.empty for r in found),
        words=_spread([r.words for r in found]),
        sections=tuple(SectionSummary(n, len(w), w.count(0), _spread(w)) for n, w in lengths.items()),
        equal=sum(n for n in keys.values() if n > 1),
        texts=len(keys),
        most=max(keys.values(), default=0),
        blanks=sum(r.blanks for r in found),
        unknown=tuple(unknown.most_common()),
    )


def _spread(values: Sequence[int]) -> Spread:
    return spread(np.array(values, np.float64))
