"""Free text: what identifies taken out of it, or only the words of the standard's own codes left in it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

GONE = "[removed]"
_WORD = re.compile(r"[^\W_]+", re.UNICODE)
_SHORTEST = 3  # letters of a name's part that is looked for elsewhere
_SHORTEST_ID = 4
_TITLED = re.compile(
    r"\b(?:[Dd]r|DR|Doctor|Mr|Mrs|Ms|Miss|Prof|Professor|Herr|Frau|Mme|Nurse)\b[.:]?\s+[^\W\d_]+(?:[\s,^-]+[A-Z][^\W\d_]+)?"
)
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",  # e-mail
        r"\b(?:https?|ftp|dicom|hl7)://\S+|\bwww\.\S+",
        r"\b(?:19|20)\d{2}[-/.](?:0?[1-9]|1[0-2])[-/.](?:0?[1-9]|[12]\d|3[01])\b",  # a date, in several orders
        r"\b(?:0?[1-9]|[12]\d|3[01])[-/.](?:0?[1-9]|[12]\d|3[01])[-/.](?:19|20)\d{2}\b",
        r"\b(?:0?[1-9]|[12]\d|3[01])[/-](?:0?[1-9]|[12]\d|3[01])[/-]\d{2}\b|\b[0-3]\d\.[01]\d\.\d{2}\b",
        r"\b(?:19|20)\d{2}[01]\d[0-3]\d(?:\d{4,6})?\b",
        r"\b\d{1,2}[\s.-]*(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[\s,.-]*\d{2,4}\b",
        r"\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[\s.]+\d{1,2}(?:st|nd|rd|th)?,?\s+\d{4}\b",
        r"(?:\+|\b)\d{1,4}[\s()./-]*(?:\d{2,5}[\s()./-]+){1,4}\d{2,5}\b",  # a telephone number
        r"\b0\d{1,4}[\s/-]+\d{3,}\b",
        r"\b\d{3}-\d{2}-\d{4}\b",
        r"\b(?=\w*\d)\w*\d{5,}\w*\b",  # a number of five digits or more, as identifiers are
        r"\b(?:\d{1,3}\.){3}\d{1,3}\b",  # an IPv4 address
    )
)
_TECHNICAL = re.compile(
    r"""(?:[trp][12][*]?|t2star|\d{1,3}[a-z]{0,2}|[ctls]\d{1,2}|\d+[x]\d+(?:x\d+)?
        |stir|flair|dwi|adc|mprage|tse|fse|gre|epi|swi|tof|mra|mrv|cta|ctv|mip|mpr|tfe|ffe|haste|vibe|space|cube
        |bravo|spgr|fspgr|lava|dixon|spair|fatsat|bold|fmri|dti|asl|cbf|cbv|mtt|trufi|fiesta|propeller|blade
        |thk|thick|thin|axial|sagittal|coronal|oblique|ax|sag|cor|tra|obl|post|pre|contrast|gad|gd|iv|with|without
        |wo|w|of|the|and|or|in|on|for|to|no|not|ac|nac|ct|mr|mri|pet|xr|cr|dx|mg|nm|o|recon|kernel|soft|bone|lung|std|series|scout|localizer
        |localiser|topogram|survey|supine|prone|delayed|arterial|venous|portal|phase|phases|early|late|dose|low|high
        |left|right|lt|rt|bilateral|upper|lower|screening|diagnostic|routine|protocol|chest|abdomen|pelvis|abd|pel
        |head|neck|brain|spine|cspine|tspine|lspine|csp|tsp|lsp|knee|hip|wrist|ankle|foot|hand|elbow|shoulder|femur
        |tibia|breast|heart|cardiac|liver|kidney|prostate|wholebody|body|mm|cm|ml|mg|kv|kvp|ma|mas|hu|suv)""",
    re.VERBOSE,
)


class Cleaner:
    """Takes one data set's own identifiers, and whatever looks like one, out of text."""

    def __init__(self, identifiers: Iterable[str] = ()) -> None:
        self.words: set[str] = set()
        self.phrases: set[str] = set()
        for value in identifiers:
            self.add(value)

    def add(self, value: str, *, name: bool = True) -> None:
        """Look for this value from now on, and for its words: of what is no person's name, those that are uncommon."""
        phrase = _folded(value).strip(" ^=,;.")
        if len(phrase) >= _SHORTEST_ID:
            self.phrases.add(phrase)
        for word in _WORD.findall(phrase):
            if not name and word in vocabulary():
                continue
            if len(word) >= (_SHORTEST_ID if any(c.isdigit() for c in word) else _SHORTEST):
                self.words.add(word)

    def scrub(self, text: str) -> str:
        """The text without identifiers, dates, telephone numbers, addresses of machines and titled names."""
        found = text
        for pattern in (*_PATTERNS, _TITLED):
            found = pattern.sub(GONE, found)
        return self.known(found)

    def known(self, text: str) -> str:
        """The text without this data set's own identifiers; versions and the like, which look like numbers, stay."""
        found = text
        folded = _folded(found)
        if len(folded) == len(found):
            for phrase in sorted(self.phrases, key=len, reverse=True):
                if phrase in folded:
                    found = re.sub(re.escape(phrase), GONE, folded, flags=re.IGNORECASE)
                    folded = _folded(found)
        return _WORD.sub(lambda m: GONE if _folded(m[0]) in self.words else m[0], found)

    def clean(self, text: str) -> str:
        """Only words of the standard's own vocabulary, short technical terms and small numbers; the rest goes."""
        known = vocabulary()

        def keep(match: re.Match[str]) -> str:
            word = _folded(match[0])
            if word in self.words:
                return ""
            return match[0] if word in known or _TECHNICAL.fullmatch(word) else ""

        kept = _WORD.sub(keep, self.scrub(text).replace(GONE, " "))
        plain = re.sub(r"[^\w\s.,;:()+*/%-]|(?<!\w)[.,;:()+*/%_-]+(?!\w)", " ", kept)
        return " ".join(plain.split()).strip(" .,;:+*/%_-")


@cache
def vocabulary() -> frozenset[str]:
    """Words of the meanings of the codes that DICOM uses (SNOMED CT, DCM, …), as pydicom carries them, case-folded."""
    from pydicom.sr._concepts_dict import concepts

    words: set[str] = set()
    schemes: Mapping[str, Any] = concepts
    for scheme in schemes.values():
        for codes in scheme.values():
            for meaning, *_ in codes.values():
                # a capital inside a meaning is a person's name (Doppler's, Hodgkin's) more often than not
                words.update(w for n, w in enumerate(_WORD.findall(meaning)) if w.islower() or n == 0)
    return frozenset(_folded(w) for w in words if len(w) > 2 and not any(c.isdigit() for c in w))


def _folded(text: str) -> str:
    """Case and accents put aside, letter by letter, so that places stay the same."""
    plain = (unicodedata.normalize("NFKD", c)[:1] for c in text)
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in plain)
