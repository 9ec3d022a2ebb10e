"""What leaves for a language model: findings as data, word for word as listed here, and nothing else.

A statement of an answer becomes at most the fields of FIELDS. Pixels, maps, ids, names, dates, file names, reports and
covariates of a case have no field here, so they cannot leave, whatever an answer carries. Words of a field are those of
labels and terms; one that holds a digit run of an identifier's length, or a sign that no label needs, is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from vesalius.core.errors import UnsafeError
from vesalius.core.stated import Statement

FIELDS = ("finding", "status", "side", "place", "size_mm", "count", "change", "probability", "number", "unit")
_WORDS = re.compile(r"[^\W\d_][\w µ²³%/(),.+\-]{0,63}")
_IDENTIFIER = re.compile(r"\d{4,}|\d+(\.\d+){3,}")  # a year, a number of a patient, a UID


def outgoing(statements: Sequence[Statement]) -> list[dict[str, Any]]:
    """Return statements as plain data, each with the fields of FIELDS that it has. Doubted ones are "uncertain".

    Raises UnsafeError for a word that may identify somebody.
    """
    return [_fields(one) for one in statements]


def as_json(statements: Sequence[Statement]) -> str:
    """Return what `outgoing` gives as the text that is sent."""
    return json.dumps(outgoing(statements), ensure_ascii=False, separators=(",", ":"))


def _fields(one: Statement) -> dict[str, Any]:
    finding = one.finding
    found: dict[str, Any] = {
        "finding": _word(finding.name),
        "status": "uncertain" if one.doubted else finding.status,
        "side": finding.side,
        "place": _word(finding.place) if finding.place else None,
        "size_mm": None if finding.size_mm is None else round(finding.size_mm, 1),
        "count": finding.count,
        "change": finding.change,
        "probability": None if one.p is None else round(one.p, 3),
        "number": None if one.number is None else float(f"{one.number:.4g}"),
        "unit": _word(one.unit) if one.unit and one.unit != "1" else None,
    }
    if one.number is not None:
        del found["status"]  # a measured quantity is neither there nor absent
    return {name: value for name, value in found.items() if value is not None}


def _word(text: str) -> str:
    if text in ("%", "°") or (_WORDS.fullmatch(text) and not _IDENTIFIER.search(text)):
        return text
    raise UnsafeError(
        "a label that may identify somebody is not sent to a language model",
        found=repr(text[:40]),
        hint="labels of words, of at most 64 letters, without long numbers",
    )
