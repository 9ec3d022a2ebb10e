"""Columns of a table that hold reports: whole ones, sections of one, or names of text files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from vesalius.cohorts._index import TEXTS, Index
from vesalius.core.delimited import Table
from vesalius.texts.plain import cleaned, is_prose, read_text, words_in
from vesalius.texts.sections import LEAD, joined, opened, parted

_WHOLE = {
    "report": 2,
    "narrative": 4,
    "body of report": 4,
    "text": 4,
    "caption": 4,
}  # and how long at least, in words
_NO_SECTION = {*_WHOLE, "description"}  # spellings of headings that name none here
_WORDS = re.compile(r"^(?:report|text|section)s? | (?:report|text|section|txt)s?$")
_ENOUGH = 0.5  # the share of a column's first values that is words, or names files that are here
_LOOKED = 40
_MAIN = ("findings", "impression", "findings and impression")
_BESIDE = ("indication", "history", "technique", "comparison", "recommendation", "addendum")


def found_reports(table: Table, index: Index, free: Callable[[str], bool]) -> dict[str, str]:
    """Return the columns of reports and of their sections among those that are `free`, each with the reason.

    A column named like a section is one where its cells are words and no lists of labels; sections beside the findings
    and the impression are taken where there is one of these.
    """
    found: dict[str, str] = {}
    for column, cells in table.items():
        if not free(column):
            continue
        sample = _sample(cells)
        if share := _share_of_files(sample, index):
            found[column] = f"{share:.0%} of its first values name text files"
        elif (least := _WHOLE.get(_plain(column))) is not None and _is_prose(sample, least):
            found[column] = "by its name and values"
        elif section_of(column) in _MAIN and _is_prose(sample, 4):
            found[column] = f"by its name and values, the section '{section_of(column)}'"
    if not any(section_of(column) in _MAIN for column in found):
        return found
    for column, cells in table.items():
        section = section_of(column)
        if free(column) and column not in found and section in _BESIDE and _is_prose(_sample(cells), 2):
            found[column] = f"by its name and values, the section '{section}'"
    return found


def section_of(column: str) -> str | None:
    """Return the section that a column is called after: `findings`, `Impression_text`; None for another."""
    name = _plain(column)
    known = opened("english")
    for each in (name, _WORDS.sub("", name)):
        if each not in _NO_SECTION and (section := known.section_of(each)) is not None:
            return section
    return None


def _plain(column: str) -> str:
    return " ".join(re.sub(r"[_.-]+", " ", column.casefold()).split())


def report_of(cells: Mapping[str, str], index: Index) -> str | None:
    """Return the report in a case's cells by column: sections under their headings, whole texts as they are.

    A section that a whole text has, too, is not added to it. Raises DataError for a text file that is not there or
    cannot be read.
    """
    sections: dict[str, str] = {}
    whole: list[str] = []
    for column, cell in cells.items():
        text, section = text_in(cell, index), section_of(column)
        if section is None or any(name != LEAD for name in parted(text)):
            whole.append(text)
        elif text:
            sections[section] = "\n".join(t for t in (sections.get(section, ""), text) if t)
    base = "\n".join(t for t in whole if t)
    there = {name for name, text in parted(base).items() if text}
    more = joined({name: text for name, text in sections.items() if name not in there})
    return "\n".join(t for t in (base, more) if t) or None


def text_in(cell: str, index: Index) -> str:
    """Return the cleaned text of a cell, or of the text file that it names. Raises DataError."""
    return read_text(index.find_text(cell)) if _names_file(cell) else cleaned(cell)


def _names_file(cell: str) -> bool:
    return cell.strip().casefold().endswith(TEXTS) and len(cell.split("\n")) == 1 and len(cell) < 500


def _sample(cells: list[str | None]) -> list[str]:
    return list(dict.fromkeys(c for c in cells if c is not None))[:_LOOKED]


def _share_of_files(sample: list[str], index: Index) -> float:
    if not sample or not all(map(_names_file, sample)):
        return 0.0
    share = sum(index.has_text(c) for c in sample) / len(sample)
    return share if share >= _ENOUGH else 0.0


def _is_prose(sample: list[str], words: int) -> bool:
    """Return whether cells are words, and of `words` in the mean at least; lists between bars or semicolons are not."""
    if not sample or sum("|" in c or (";" in c and "." not in c) for c in sample) > _ENOUGH * len(sample):
        return False
    prose = sum(is_prose(c) for c in sample) >= _ENOUGH * len(sample)
    return prose and sum(map(words_in, sample)) >= words * len(sample)
