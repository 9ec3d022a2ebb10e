"""A scorer of the ten kinds of action that the MIDI-B challenge asks of a de-identifier.

The kinds and their rules are those of the Medical Image De-Identification Benchmark (MICCAI 2024): Pei et al.,
"Medical Image De-Identification Benchmark Challenge", arXiv 2507.23608, and what its public validation script
(github.com/CBIIT/MIDI_validation_script, `curation_validator.py`) looks at. The score is the share of actions that
were right, all of one weight. None of the script's code is here, and nothing here looks at Vesalius.

As the challenge has it: what is lost with a missing file counts against every kind that keeps something (pixels
retained, tag retained, text notnull, text retained, both consistencies) and for every kind that takes something away;
an element that is absent has no wrong date, UID or text; numbers are compared as numbers; of text, the tokens that are
not English stop words count, in any case of letters.

Where it is silent, or a machine cannot ask the person whom the challenge asks, this was taken, always the stricter way:

- a text action is right or wrong, with no part of a point for part of the tokens;
- a token of four characters or more counts wherever it stands, a shorter one only as a word ("St" is not in "chest");
- a date that is still there has to have moved by the number of days that most dates of its patient moved by;
- two different UIDs, or patients, may not become one; the mapping that the challenge lets its participants hand in is
  what most places of the output say;
- burned-in text is hidden when no word's box correlates with the original's by 0.2 or more (the challenge runs EasyOCR
  on the box, and lets a person correct it); pixels are retained when the decoded samples are equal.
"""

from __future__ import annotations

import datetime
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset

KINDS = (
    "date shifted",
    "patient ID consistent",
    "pixels hidden",
    "pixels retained",
    "tag retained",
    "text notnull",
    "text removed",
    "text retained",
    "UID changed",
    "UID consistent",
)
TAKEN_AWAY = frozenset({"date shifted", "pixels hidden", "text removed", "UID changed"})
CONSISTENT = frozenset({"patient ID consistent", "UID consistent"})
LEGIBLE = 0.2
LONG = 4
_STOP = """
    i me my we our ours you your yours he him his she her hers it its they them their theirs what which who whom this
    that these those am is are was were be been being have has had having do does did doing a an the and but if or
    because as until while of at by for with about against between into through during before after above below to
    from up down in out on off over under again further then once here there when where why how all any both each few
    more most other some such no nor not only own same so than too very s t can will just don should now
"""
STOP_WORDS = frozenset(_STOP.split())


@dataclass(frozen=True)
class Check:
    """One action that is asked for: of which kind, in which file and element or box, on which text.

    `path` goes down from the data set: keywords joined by "/", an item's number in brackets, a private element as
    "gggg,CREATOR,ee", and "meta" first for the file meta information. `value` is the text, date or UID of the original
    that is to go or stay. `box` is (left, top, right, bottom) in pixels, the last two excluded.
    """

    file: str
    kind: str
    path: str
    value: str = ""
    patient: str = ""
    box: tuple[int, int, int, int] | None = None


@dataclass(frozen=True)
class Miss:
    """An action that was not right, and what stands there instead."""

    check: Check
    found: str


@dataclass(frozen=True)
class Score:
    """How many actions of each kind were asked for, and which were not right."""

    asked: Mapping[str, int]
    misses: Sequence[Miss]

    def share(self, kind: str | None = None) -> float:
        """The share of right actions, of one kind or of all."""
        asked = self.asked[kind] if kind else sum(self.asked.values())
        wrong = sum(1 for m in self.misses if kind in (None, m.check.kind))
        return 1.0 - wrong / asked


def score(key: Iterable[Check], originals: Path, made: Mapping[str, Path]) -> Score:
    """Hold what was `made` (by the original's relative name) against the key."""
    checks = sorted(key, key=lambda c: c.file)
    outputs = {name: pydicom.dcmread(path) for name, path in made.items()}
    found = [(c, _text(element(outputs[c.file], c.path)) if c.file in outputs else None) for c in checks]
    expected, shifts = _mapping(found), _shifts(found)
    misses, pixels = [], _Pixels(originals, outputs)
    for check, value in found:
        if check.file not in outputs:
            right, said = check.kind in TAKEN_AWAY, "no file"
        elif check.kind.startswith("pixels"):
            right, said = pixels.right(check)
        elif check.kind == "date shifted":
            right, said = _moved(check.value, value, shifts.get(check.patient)), repr(value)
        elif check.kind in CONSISTENT:
            right, said = value is None or value == expected.get((check.kind, check.value)), repr(value)
        else:
            right, said = _right(check, value), repr(value)
        if not right:
            misses.append(Miss(check, said))
    return Score(Counter(c.kind for c in checks), misses)


def element(dataset: Dataset, path: str) -> Any:
    """The element at a check's path, or None."""
    here: Any = dataset
    for step in path.split("/"):
        if step == "meta":
            here = dataset.file_meta
            continue
        name, _, number = step.partition("[")
        if "," in name:
            group, creator, offset = name.split(",")
            try:
                item = here.private_block(int(group, 16), creator)[int(offset, 16)]
            except KeyError:
                return None
        elif name in here:
            item = here[name]
        else:
            return None
        if not number:
            return item
        items, index = item.value or [], int(number.rstrip("]"))
        if index >= len(items):
            return None
        here = items[index]
    return here


def _text(item: Any) -> str | None:
    """An element's value as text: None where there is no element, "" where it is empty."""
    if item is None:
        return None
    if item.value is None:
        return ""
    if item.VR == "SQ":
        return f"{len(item.value)} items" if item.value else ""
    if isinstance(item.value, bytes):
        return item.value.decode("latin-1").rstrip("\0 ")
    if isinstance(item.value, (str, int, float)):
        return str(item.value)
    if hasattr(item.value, "family_name"):
        return str(item.value)
    try:
        return "\\".join(str(v) for v in item.value)
    except TypeError:
        return str(item.value)


def tokens(text: str) -> list[str]:
    """The tokens of a text that count, in small letters."""
    parts = (p.strip(".'\"-") for p in re.split(r"[\s,;:()\[\]^\\<>=|]+", text.lower()))
    return [p for p in parts if p and p not in STOP_WORDS]


def stands(token: str, text: str) -> bool:
    """Whether a token is in a text."""
    low = text.lower()
    if len(token) >= LONG:
        return token in low
    return re.search(rf"(?<![a-z0-9]){re.escape(token)}(?![a-z0-9])", low) is not None


def _right(check: Check, value: str | None) -> bool:
    if check.kind == "tag retained":
        return value is not None
    if check.kind == "text notnull":
        return bool(value)
    if check.kind == "UID changed":
        return not value or check.value not in value
    if not value:
        return check.kind == "text removed"
    one, other = _number(value), _number(check.value)
    if one is not None and other is not None:
        return (one == other) == (check.kind == "text retained")
    there = [stands(t, value) for t in tokens(check.value)]
    return all(there) if check.kind == "text retained" else not any(there)


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", text.strip()) else None


def _mapping(found: Iterable[tuple[Check, str | None]]) -> dict[tuple[str, str], str]:
    """What each old UID and patient ID became in most places, where no other became the same."""
    seen: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for check, value in found:
        if check.kind in CONSISTENT and value is not None:
            seen[check.kind, check.value][value] += 1
    most = {old: values.most_common(1)[0][0] for old, values in seen.items()}
    shared = Counter((kind, new) for (kind, _), new in most.items())
    return {(kind, old): new for (kind, old), new in most.items() if shared[kind, new] == 1}


def _day(text: str | None) -> datetime.date | None:
    try:
        return datetime.datetime.strptime((text or "")[:8], "%Y%m%d").date()
    except ValueError:
        return None


def _shifts(found: Iterable[tuple[Check, str | None]]) -> dict[str, int]:
    """By how many days most dates of a patient moved."""
    seen: dict[str, Counter[int]] = defaultdict(Counter)
    for check, value in found:
        old, new = _day(check.value), _day(value)
        if check.kind == "date shifted" and old and new and old != new:
            seen[check.patient][(new - old).days] += 1
    return {patient: days.most_common(1)[0][0] for patient, days in seen.items()}


def _moved(old: str, value: str | None, shift: int | None) -> bool:
    if not value:
        return True
    before, after = _day(old), _day(value)
    if old[:8] in value or before is None or after is None:
        return False
    return (after - before).days == shift


class _Pixels:
    """Pixels of originals and outputs, the last file's at hand: checks come sorted by file."""

    def __init__(self, originals: Path, outputs: Mapping[str, Dataset]) -> None:
        self._originals, self._outputs = originals, outputs
        self._name, self._pair = "", (np.zeros(0), np.zeros(0))

    def right(self, check: Check) -> tuple[bool, str]:
        """Whether pixels were retained or a box hidden, and what was found."""
        if self._name != check.file:
            self._name = check.file
            before = pydicom.dcmread(self._originals / check.file).pixel_array
            self._pair = before, self._outputs[check.file].pixel_array
        before, after = self._pair
        if before.shape != after.shape:
            return False, f"shape {after.shape} for {before.shape}"
        if check.kind == "pixels retained":
            wrong = int((before != after).sum())
            return wrong == 0, f"{wrong} samples differ"
        assert check.box is not None
        left, top, right, bottom = check.box
        alike = _correlation(before[top:bottom, left:right], after[top:bottom, left:right])
        return alike < LEGIBLE, f"correlation {alike:.2f}"


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """The absolute Pearson correlation; 0 for a constant."""
    a, b = one.astype(float).ravel(), other.astype(float).ravel()
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return abs(float(a @ b)) / size if size else 0.0
