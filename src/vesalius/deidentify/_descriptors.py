"""Which words of a descriptor say what was examined and how, and nothing of anybody: these stay in cleaned text.

A word stays if it is a technical term (`descriptors.tsv`), has the form of one (a filter, a b-value, a size), or is of
the meanings of the standard's codes. Of the latter, those that are also frequent names of people (`names.txt`) stay
only beside a word next to which they stand in such a meaning: "white" in "white matter".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
WORD = re.compile(r"[^\W_]+", re.UNICODE)
_JOINED = re.compile(r"[\s_-]{1,3}")
_PIECES = re.compile(r"[^\W\d_]+|\d+")
_LONG = 4  # letters at least of either of two terms that are written as one word
_FORMS = re.compile(
    r"""(?:[tr][12](?:[a-z]|rho|star)?   # weightings and relaxation times: T1, T2w, R2s
        |[ctls]\d{1,2}                   # vertebrae and phases: L5, T12
        |[lr]                            # Laterality (0020,0060)
        |\d{1,3}[a-z]?                   # sizes and counts: 5, 3D, 60s
        |\d{1,3}x\d{1,3}(?:x\d{1,3})?    # 512x512
        |[a-z]\d                         # P2, X3
        |b(?!19\d0|20[1-9]0)\d{0,3}[05][a-z]?  # b-values: b0, b1000t; no years
        |[bhudcsijtv]\d{2}[a-z]          # filters of Siemens, the old names: B45f, T20s
        |[bhuqts][bcflprsv]\d{2}[a-z]?   # and the new: Br40, Hr60d
        |f[clh]\d{2}                     # of Canon: FC18
        )""",
    re.VERBOSE,
)
# letters that stand alone: with and without (contrast), chest/abdomen/pelvis, C-spine, tesla
_LETTERS = re.compile(
    r"(?<![^\W_])(?:w/o?(?: c)?(?![^\W_])|c[+-](?!\w)|(?:[chnap]/){1,3}[ap](?![^\W_])|s/p(?![^\W_]))"
    r"|(?<![^\W_])[ctls](?=[ -]spine)"
    r"|(?<=w )c\b|(?<=wo )c\b|(?<=\d )t\b|(?<=\d)t\b"
)
_ROUND = re.compile(r"(?:[1-9]\d[05]0)")  # b-values and times of four digits that stand alone
# one letter for one: katakana as hiragana, and letters that Unicode does not take apart
_ALIKE = {code: code - 0x60 for code in range(0x30A1, 0x30F7)} | str.maketrans("ςłøđðıħŧ", "σloddiht")
_YEARS = range(1890, 2060)


def folded(text: str) -> str:
    """Return the text in lower case without accents, letter by letter, so that positions stay the same."""
    plain = (unicodedata.normalize("NFKD", c)[:1] for c in text)
    small = "".join(c.lower() if len(c.lower()) == 1 else c for c in plain)
    return small.translate(_ALIKE)


def kept(text: str) -> Iterator[tuple[re.Match[str], bool]]:
    """Yield each word of a text, and whether it may stay."""
    found = list(WORD.finditer(text))
    words = [folded(m[0]) for m in found]
    beside = {
        n
        for n, (one, other) in enumerate(pairwise(found))
        if _JOINED.fullmatch(text, one.end(), other.start()) and (words[n], words[n + 1]) in phrases()
    }
    letters = {at for m in _LETTERS.finditer(text.lower()) for at in range(*m.span())}
    for n, match in enumerate(found):
        lone = len(words[n]) == 1 and match.start() in letters
        yield match, lone or n in beside or n - 1 in beside or stays(words[n])


def stays(word: str) -> bool:
    """Return whether a word, folded, may stay whatever stands beside it."""
    return is_term(word) or (_spoken(word) and word not in names())


def is_term(word: str) -> bool:
    """Return whether a word is a technical term or has the form of one."""
    if word in terms() or _FORMS.fullmatch(word):
        return True
    if _ROUND.fullmatch(word):
        return int(word) not in _YEARS
    if word in names():
        return False
    if word.isalpha():
        return _compound(word)
    pieces = _PIECES.findall(word)
    letters = [p for p in pieces if p.isalpha()]
    return (
        sum(map(len, letters)) > 1
        and all(p in terms() for p in letters)
        and all(len(p) < _LONG for p in pieces if not p.isalpha())
    )


def _compound(word: str) -> bool:
    """Two terms in one, or several of one."""
    if len(word) > _LONG and word.endswith("s") and word[:-1] in terms():
        return True
    if len(word) > 2 * _longest():
        return False
    cuts = range(_LONG, len(word) - _LONG + 1)
    return any(word[:n] in terms() and word[n:] in terms() for n in cuts)


def _spoken(word: str) -> bool:
    return word in vocabulary() or (
        len(word) > _LONG and word.endswith("s") and word[:-1] in vocabulary() and word[:-1] not in names()
    )


@cache
def terms() -> frozenset[str]:
    """Return the technical terms of one word, folded."""
    return frozenset(folded(w) for w in _listed() if "_" not in w)


@cache
def _longest() -> int:
    return max(map(len, terms()))


@cache
def names() -> frozenset[str]:
    """Return words that would stay but for being frequent names of people."""
    lines = (HERE / "names.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(w for line in lines if not line.startswith("#") for w in line.split())


@cache
def phrases() -> frozenset[tuple[str, str]]:
    """Two words that stand beside each other in the meaning of a code, neither as somebody's name, or are listed so."""
    listed = {(one, other) for one, other in (folded(w).split("_") for w in _listed() if "_" in w)}
    common = {w for meaning in _meanings() for w in WORD.findall(meaning) if w.islower()}
    meant = {
        (folded(one), folded(other))
        for meaning in _meanings()
        for one, other in pairwise(WORD.findall(meaning))
        if other.islower()
        and {one.lower(), other} <= common
        and min(len(one), len(other)) >= _LONG
        and (folded(one) in names() or folded(other) in names())
    }
    return frozenset(listed | meant)


@cache
def vocabulary() -> frozenset[str]:
    """Return words of the meanings of the codes that DICOM uses (SNOMED CT, DCM, …), as pydicom carries them,
    folded.
    """
    words: set[str] = set()
    for meaning in _meanings():
        # a capital inside a meaning is a person's name (Doppler's, Hodgkin's) more often than not
        words.update(w for n, w in enumerate(WORD.findall(meaning)) if w.islower() or n == 0)
    return frozenset(folded(w) for w in words if len(w) > 2 and not any(c.isdigit() for c in w))


def _meanings() -> Iterator[str]:
    from pydicom.sr._concepts_dict import concepts

    schemes: Mapping[str, Any] = concepts
    for scheme in schemes.values():
        for codes in scheme.values():
            for meaning, *_ in codes.values():
                yield meaning


@cache
def _listed() -> tuple[str, ...]:
    lines = (HERE / "descriptors.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")][1:]
    return tuple(word for _, words in rows for word in words.split())
