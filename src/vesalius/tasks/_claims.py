"""Claims: what a case's report says of findings, sentence by sentence, and what is truly in its images, as numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from vesalius.core.case import Case
from vesalius.core.finding import Finding
from vesalius.core.image import Array
from vesalius.core.sentences import all_sentences
from vesalius.texts.reading import findings_in
from vesalius.texts.reference import named
from vesalius.texts.sections import parted
from vesalius.texts.terms import Terms

NOTHING, ABSENT, THERE, LEFT, RIGHT, BOTH = 0, -1, 1, 2, 3, 4
_SIDES = {None: THERE, "left": LEFT, "right": RIGHT, "both": BOTH}
ASIDE = frozenset(  # sections that say nothing of what this image shows
    {
        "indication",
        "history",
        "clinical history",
        "comparison",
        "technique",
        "procedure",
        "examination",
        "exam",
    }
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of a report, and what it says."""

    text: str
    findings: tuple[Finding, ...] = ()


@cache
def terms_of(name: str) -> Terms:
    """Return the terms of that name, read once. Raises UnknownName."""
    return Terms.named(name)


def sentences_of(report: str | None, terms: Terms) -> tuple[Sentence, ...]:
    """Return the sentences of a report that speak of its images, with what each says; none without a report."""
    if not report or not report.strip():
        return ()
    sections = {name: text for name, text in parted(report).items() if name not in ASIDE}
    found: dict[int, list[Finding]] = {}
    for finding in findings_in(sections, terms):
        found.setdefault(finding.sentence or 0, []).append(finding)
    texts = [text for _, _, text in all_sentences(sections)]
    return tuple(Sentence(text, tuple(found.get(k, ()))) for k, text in enumerate(texts))


def said(findings: Iterable[Finding], labels: Sequence[str]) -> Array:
    """Return what findings say of each label, `(K,)` int8: NOTHING, ABSENT, THERE, or where: LEFT, RIGHT, BOTH.

    What is uncertain, or was there once, says nothing. A label that is both there and absent is there.
    """
    place = {name: k for k, name in enumerate(labels)}
    codes = np.zeros(len(labels), np.int8)
    for one in findings:
        k = place.get(one.name)
        if k is None or one.status not in ("present", "absent"):
            continue
        if one.status == "absent":
            codes[k] = ABSENT if codes[k] == NOTHING else codes[k]
        else:
            codes[k] = _together(int(codes[k]), _SIDES[one.side])
    return codes


def _together(one: int, other: int) -> int:
    if one in (NOTHING, ABSENT, THERE):
        return other
    if other == THERE or one == other:
        return one
    return BOTH


def held(
    case: Case, sentences: Sequence[Sentence], labels: Sequence[str], target: str | None, *, terms: Terms
) -> Array | None:
    """Return what is truly in a case's images, `(K,)` int8 as `said` has it; None where nothing says it.

    First what is known of the images themselves (`findings`), where everything that is not named is absent; then the
    labels of `target`, likewise; then what the report tells (`told`). A known finding whose name is no label goes by
    the name that `terms` have for it, as sentences do.
    """
    if case.findings is not None:
        known = (f for one in case.findings for f in ((one,) if one.name in labels else named((one,), terms)))
        codes = said(known, labels)
        return np.where(codes == NOTHING, ABSENT, codes).astype(np.int8)
    value = case.targets.get(target) if target else None
    if isinstance(value, str | tuple):
        names = {str(n) for n in (value if isinstance(value, tuple) else (value,))}
        return np.array([THERE if n in names else ABSENT for n in labels], np.int8)
    return told(sentences, labels) if sentences else None


def told(sentences: Sequence[Sentence], labels: Sequence[str]) -> Array:
    """Return what a report tells of its images, `(K,)` int8; what none of its sentences names is NOTHING."""
    return said((f for s in sentences for f in s.findings), labels)


def there(codes: Array, labels: Sequence[str]) -> tuple[str, ...]:
    """Return the labels that are there."""
    return tuple(name for name, code in zip(labels, codes.tolist(), strict=True) if code > 0)


def key_of(text: str) -> int:
    """Return a number that equal sentences share, whatever their case and blanks; never 0."""
    plain = " ".join(text.casefold().split()).rstrip(".")
    return int.from_bytes(hashlib.sha256(plain.encode()).digest()[:7], "big") + 1


def shares(counts: Mapping[str, int], n: int) -> list[float]:
    """Return how often each label is there, as a share of `n` cases, rounded so that merged counts give the same."""
    return [round(many / max(n, 1), 9) for many in counts.values()]
