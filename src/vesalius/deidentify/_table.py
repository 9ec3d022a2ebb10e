"""Tables E.1-1 and E.3.4-1 of DICOM PS3.15 (2026d): what is done to an attribute, by profile and options."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydicom.datadict import keyword_for_tag
from pydicom.tag import BaseTag

from vesalius.core.errors import DataError

EDITION = "2026d"
HERE = Path(__file__).parent
PRIVATE = "private"


@dataclass(frozen=True)
class Rule:
    """One row: the Basic Profile's action, and the action under each option that names the row.

    Actions: X remove, Z empty, D dummy, U another UID, K keep, C clean; `X/Z`, `X/D`, `Z/D`, `X/Z/D` and `X/Z/U*`
    depend on the attribute's Type in its IOD.
    """

    name: str
    basic: str
    options: Mapping[str, str]

    def action(self, columns: Collection[str]) -> str:
        """Return the action under the options chosen; where two differ, cleaning goes before keeping."""
        chosen = {act for option, act in self.options.items() if option in columns}
        return "C" if "C" in chosen else "K" if "K" in chosen else self.basic


@cache
def attributes() -> Mapping[str, Rule]:
    """Return every row of Table E.1-1 by tag: eight hex digits, `60xx3000` for repeating groups, or `private`."""
    return {row[0]: Rule(row[1], row[3], _options(row[4])) for row in _rows("annex_e.tsv", 5)}


@cache
def content_items() -> Mapping[tuple[str, str, str], Rule]:
    """Return every row of Table E.3.4-1 by coding scheme and code of the content item's concept name, and its value
    type.
    """
    rows = _rows("content_items.tsv", 6)
    return {(row[0], row[1], row[3]): Rule(row[2], row[4], _options(row[5])) for row in rows}


def rule_of(tag: BaseTag) -> Rule | None:
    """Return the row of an attribute that stands alone or in a repeating group; None if the table has none."""
    table = attributes()
    if tag.is_private:
        return table[PRIVATE]
    found = table.get(f"{tag:08X}")
    if found is not None:
        return found
    group = tag.group & 0xFF00
    if group == 0x5000:
        return table["50xxxxxx"]
    return table.get(f"60xx{tag.elem:04X}") if group == 0x6000 else None


def name_of(tag: BaseTag) -> str:
    """Return how the report calls an attribute: by the standard's words, never by a value."""
    if tag.is_private:
        return "private attributes"
    if tag.group & 0xFF00 in (0x5000, 0x6000):
        return "curves" if tag.group & 0xFF00 == 0x5000 else "overlays"
    rule = rule_of(tag)
    return rule.name if rule is not None else keyword_for_tag(tag) or f"unknown attribute {tag.group:04X}"


def _rows(name: str, columns: int) -> list[list[str]]:
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")][1:]
    if any(len(row) != columns for row in rows):
        raise DataError(f"the table {name} is damaged", hint="install vesalius again")
    return rows


def _options(text: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in text.split())
