"""Stems of English words, by which METEOR takes `nodules` for `nodule`: Porter's second algorithm (Porter 2001)."""

from __future__ import annotations

import re
from functools import lru_cache

_VOWELS = "aeiouy"
_DOUBLE = ("bb", "dd", "ff", "gg", "mm", "nn", "pp", "rr", "tt")
_LI = "cdeghkmnrt"  # after which a final li can go
_WHOLE = {
    "skis": "ski", "skies": "sky", "dying": "die", "lying": "lie", "tying": "tie", "idly": "idl", "gently": "gentl",
    "ugly": "ugli", "early": "earli", "only": "onli", "singly": "singl",
    **{w: w for w in ("sky", "news", "howe", "atlas", "cosmos", "bias", "andes")},
}  # fmt: skip
_KEPT = frozenset({"inning", "outing", "canning", "herring", "earring", "proceed", "exceed", "succeed"})
_SECOND = {
    "ization": "ize", "ational": "ate", "fulness": "ful", "ousness": "ous", "iveness": "ive", "tional": "tion",
    "biliti": "ble", "lessli": "less", "entli": "ent", "ation": "ate", "alism": "al", "aliti": "al", "ousli": "ous",
    "iviti": "ive", "fulli": "ful", "enci": "ence", "anci": "ance", "abli": "able", "izer": "ize", "ator": "ate",
    "alli": "al", "bli": "ble",
}  # fmt: skip
_THIRD = {
    "ational": "ate", "tional": "tion", "alize": "al", "icate": "ic", "iciti": "ic", "ical": "ic", "ful": "",
    "ness": "",
}  # fmt: skip
_FOURTH = (
    "ement", "ance", "ence", "able", "ible", "ment", "ant", "ent", "ism", "ate", "iti", "ous", "ive", "ize", "al",
    "er", "ic",
)  # fmt: skip
_REGION = re.compile(r"[aeiouy][^aeiouy]")


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """Return the stem of an English word in lower case; a word of other letters, or of two, stays as it is."""
    word = word.removeprefix("'")
    if len(word) <= 2 or not word.isascii():
        return word
    if word in _WHOLE:
        return _WHOLE[word]
    word = re.sub(r"^y|(?<=[aeiouy])y", "Y", word)
    first = _region(word, 0)
    for begun in ("gener", "commun", "arsen"):
        first = len(begun) if word.startswith(begun) else first
    second = _region(word, first)
    word = _plural(re.sub(r"('s'|'s|')$", "", word))
    if word in _KEPT:
        return word
    word = _past(word, first)
    if len(word) > 2 and word[-1] in "yY" and word[-2] not in _VOWELS:
        word = f"{word[:-1]}i"
    word = _noun(_derived(word, first), first, second)
    return _ending(_suffix(word, second), first, second).lower()


def _region(word: str, start: int) -> int:
    """Return where the region begins that follows the first consonant after a vowel."""
    found = _REGION.search(word, start)
    return found.end() if found else len(word)


def _short(word: str) -> bool:
    """Return whether a word ends in a short syllable."""
    if len(word) == 2:
        return word[0] in _VOWELS and word[1] not in _VOWELS
    if len(word) < 2:
        return False
    return word[-3] not in _VOWELS and word[-2] in _VOWELS and word[-1] not in f"{_VOWELS}wxY"


def _vowel(word: str) -> bool:
    return any(letter in _VOWELS for letter in word)


def _plural(word: str) -> str:
    """Return a word without the ending of a plural (step 1a)."""
    if word.endswith("sses"):
        return word[:-2]
    if word.endswith(("ied", "ies")):
        return word[:-2] if len(word) > 4 else word[:-1]
    if word.endswith("s") and not word.endswith(("us", "ss")) and _vowel(word[:-2]):
        return word[:-1]
    return word


def _past(word: str, first: int) -> str:
    """Return a word without the ending of a past or of a progressive form (step 1b)."""
    for ending in ("eedly", "eed"):
        if word.endswith(ending):
            return f"{word[: -len(ending)]}ee" if len(word) - len(ending) >= first else word
    for ending in ("ingly", "edly", "ing", "ed"):
        if word.endswith(ending):
            left = word[: -len(ending)]
            if not _vowel(left):
                return word
            if left.endswith(("at", "bl", "iz")):
                return f"{left}e"
            if left.endswith(_DOUBLE):
                return left[:-1]
            return f"{left}e" if first >= len(left) and _short(left) else left
    return word


def _shorter(word: str, first: int, endings: dict[str, str]) -> str:
    """Return a word whose longest ending of these is replaced where it lies in the first region."""
    for ending, other in endings.items():
        if word.endswith(ending):
            start = len(word) - len(ending)
            return f"{word[:start]}{other}" if start >= first else word
    return word


def _derived(word: str, first: int) -> str:
    """Return a word whose ending of another word made of it is shorter, without -li, and -logi as -log (step 2)."""
    if word.endswith(tuple(_SECOND)):
        return _shorter(word, first, _SECOND)
    if word.endswith("logi") and len(word) - 3 >= first:
        return word[:-1]
    if word.endswith("li") and len(word) - 2 >= first and word[-3:-2] and word[-3] in _LI:
        return word[:-2]
    return word


def _noun(word: str, first: int, second: int) -> str:
    """Return a word without endings such as -icate and -ness (step 3)."""
    if word.endswith("ative"):
        return word[:-5] if len(word) - 5 >= second else word
    return _shorter(word, first, _THIRD)


def _suffix(word: str, second: int) -> str:
    """Return a word without a suffix in the second region (step 4)."""
    for ending in _FOURTH:
        if word.endswith(ending):
            start = len(word) - len(ending)
            return word[:start] if start >= second else word
    if word.endswith(("sion", "tion")) and len(word) - 3 >= second:
        return word[:-3]
    return word


def _ending(word: str, first: int, second: int) -> str:
    """Return a word without a final e or a second l (step 5)."""
    last = len(word) - 1
    if word.endswith("e") and (last >= second or (last >= first and not _short(word[:-1]))):
        return word[:-1]
    return word[:-1] if word.endswith("ll") and last >= second else word
