"""Content items (SR, acquisition context, specimen steps), one by one: PS3.15 Table E.3.4-1 and each value's type."""

from __future__ import annotations

from typing import Any

from vesalius.deidentify._table import content_items

VALUE = {
    "TEXT": "TextValue",
    "PNAME": "PersonName",
    "DATE": "Date",
    "TIME": "Time",
    "DATETIME": "DateTime",
    "UIDREF": "UID",
}
_WHEN = ("DATE", "TIME", "DATETIME")


def is_item(data: Any) -> bool:
    """Return whether a data set is a content item."""
    return "ValueType" in data and ("ConceptNameCodeSequence" in data or "ConceptCodeSequence" in data)


def value_of(item: Any) -> str | None:
    """Return the keyword of the attribute that holds an item's value, where it is one of text, name, time or UID."""
    return VALUE.get(str(item.get("ValueType", "")))


def action(item: Any, columns: frozenset[str]) -> str:
    """Return X, D, K, C or U for an item: the table's row of its concept name, else what its value type calls for."""
    kind = str(item.get("ValueType", ""))
    names = item.get("ConceptNameCodeSequence") or ()
    if names:
        concept = names[0]
        scheme, code = str(concept.get("CodingSchemeDesignator", "")), str(concept.get("CodeValue", ""))
        rule = content_items().get((scheme, code, kind))
        if rule is not None:
            found = rule.action(columns)
            if "/" in found:  # X unless the template requires it, and templates are not looked up
                found = found.split("/")[-1]
            return "U" if kind in ("UIDREF", "IMAGE", "COMPOSITE", "WAVEFORM") and found == "D" else found
    if kind == "TEXT":
        return "C"
    if kind == "PNAME":
        return "D"
    if kind in _WHEN:
        return "K" if "full-dates" in columns else "C" if "modified-dates" in columns else "D"
    return "U" if kind == "UIDREF" else "K"


def refers_by_place(data: Any) -> bool:
    """Return whether an item of the document names another by its place, so that none may be taken out."""
    return any(
        "ReferencedContentItemIdentifier" in item or refers_by_place(item)
        for item in data.get("ContentSequence") or ()
    )
