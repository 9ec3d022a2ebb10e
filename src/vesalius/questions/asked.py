"""What a question asks: about which finding, of which side, and what of it. By rules over terms; nothing is guessed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from vesalius.core.finding import Side
from vesalius.texts.merging import both_numbers, merged
from vesalius.texts.reading import Reading, readings
from vesalius.texts.terms import Terms

Kind = Literal["there", "count", "size", "side", "where", "change", "number", "all", "unclear"]
KINDS: tuple[tuple[Kind, str], ...] = (
    ("change", r"\b(chang|grow|grown|grew|shr[aiu]nk|progress|regress|resolv|improv|worse)\w*\b"
               r"|\b(larger|smaller|bigger) than (before|previously|last)\b"
               r"|\b(new|before|previous|previously|earlier|prior|last)\b"),
    ("count", r"\bhow many\b|\b(what|tell)\b.*\bnumber of\b|\bcount (the|all)\b"),
    ("size", r"\bhow (large|big|wide|long|thick|tall|small)\b|\b(what|which|tell)\b.*\b(size|diameter|extent)\b"
             r"|\bhow (much|many) (mm|cm|millimet|centimet)|\bmeasures?\b.*\?"),
    ("side", r"\b(which|what) side\b|\bleft or (the |on the )?right\b|\bright or (the |on the )?left\b"
             r"|\bwhich (lung|kidney|breast|hemithorax|hemisphere|lobe of the lung)\b"),
    ("where", r"\bwhere\b|\b(which|what) (lobe|segment|part|place|organ|quadrant|region|location|zone)\b|\bin what\b"),
    ("all", r"\bwhat (do|can) you (see|find)\b|\bwhat is (seen|found|there|wrong|visible)\b|\bwhat('s| is) in\b"
            r"|\bwhat are the findings\b|\b(list|name|describe|summari[sz]e)\b"
            r"|\bany(thing)? (abnormal|finding|patholog|wrong|unusual)|\bwhat does (it|the \w+) show\b"),
    ("number", r"\bwhat is (the|his|her|its)\b|\bhow (high|low|old|much|heavy)\b|\bwhat('s| value)\b"),
    ("there", r"^(so |and |please |tell me |can you tell (me )?)?(whether |if )?"
              r"(is|are|was|were|do|does|did|can|could|has|have|any)\b|\b(evidence|signs?|presence) of\b"
              r"|\b(visible|present|seen|visualized)\b|^(the )?[\w -]+\?$"),
)  # fmt: skip
_SIZED = re.compile(
    r"\b(?P<than>larger|bigger|greater|more|longer|wider|over|above|at least"
    r"|smaller|less|shorter|under|below|at most)\b"
    r"(?: than)? (?P<n>\d+(?:[.,]\d+)?) ?(?P<unit>mm|cm|millimet\w+|centimet\w+)",
    re.IGNORECASE,
)
_COUNTED = re.compile(
    r"(\b(more|fewer|less) than|\bare there( exactly)?|\bis there( exactly)?) (\d+|one|two|three|four|five)\b"
    r"(?! ?(mm|cm|millimet|centimet))",
    re.IGNORECASE,
)
# what a question of each kind may say beside its finding; elsewhere such a word asks for more than a statement says
_OWN_WORDS: dict[str, str] = {
    "change": "than larger smaller bigger before previously last new earlier prior since time compared visit changed"
    " change grown grew growing now many was were did had",
    "count": "many count number at least most",
    "size": "large big wide long thick tall size diameter extent measure measures measured much mm cm largest biggest"
    " longest millimetre millimetres millimeter millimeters centimetre centimetres high",
    "side": "side sides left right",
    "number": "high low much value",
}
_MORE_THAN_STATED = (
    "than more less fewer larger bigger greater smaller longer wider shorter over under above below at "
    "least most before previously last new earlier prior since time compared visit now two three four "
    "five one many count number large big wide long thick tall size diameter extent measure measures "
    "measured much mm cm high low value changed change grown grew growing was were did had "
)
_OF_THE_PICTURE = re.compile(
    r"\bside of (the|this) (image|picture|scan|screen|film|figure|study)\b", re.IGNORECASE
)
_THOUSANDS = re.compile(r"\d,\d{3}\b")  # one thousand, or one and three decimals
_LEFT_OVER = re.compile(
    r"(?<!the )(?<!on )(?<!or )\bleft(\?|$| (the|in|over|behind|after|from|there)\b)", re.IGNORECASE
)
_SUPERLATIVES = frozenset({"largest", "biggest", "longest"})  # what a size is of, anyway
_MORE = {"larger", "bigger", "greater", "more", "longer", "wider", "over", "above", "at least"}
_ITSELF = {"at least", "at most"}  # a bound of which the size itself is within
_NEGATES = re.compile(r"\b(no|not|without|ruled out|free of|free from|absent)\b", re.IGNORECASE)
_DENYING = re.compile(rf"\bor not\b|\brule out\b|\bexcluded?\b|{_NEGATES.pattern}", re.IGNORECASE)
_LEADING = re.compile(  # "isn't there …", "is there not …": asked by one who expects a yes as by one who expects a no
    r"n['\u2019]t\b|\b(is|are|was|were|do|does|did|can|could|has|have)( (there|you|we|i|it|one))? not\b"
    r"|\b(no|not|without) (more|less|fewer|larger|bigger|greater|longer|wider|smaller|shorter|over|above|under|below"
    r"|at)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. `names` are the findings, as the answer calls them; `side` and `place` are where it asks about.

    `denied` are the findings whose absence is asked for ("is there no nodule", "is the heart normal"). `above_mm` and
    `below_mm` bound the size that is asked about; `itself` says that the bound is within ("at least 10 mm"). A question
    whose `kind` is "unclear" was not understood: `unread` are words in it that say something of a finding that no
    statement says (calcified, malignant), or that deny something and it is not sure what. `strange` are findings that
    it names and the answer cannot speak of.
    """

    words: str
    kind: Kind
    names: tuple[str, ...] = ()
    side: Side | None = None
    place: str = ""
    above_mm: float | None = None
    below_mm: float | None = None
    strange: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    itself: bool = False


def understood(words: str, names: Sequence[str], terms: Terms | None = None) -> Question:
    """Return what a question asks of an answer that states findings of these names.

    Synonyms are those of `terms`, by default of every list of terms that comes with Vesalius, so that a question about
    a finding that the answer cannot name is known to be one.
    """
    plain = re.sub(r"\s+", " ", words).strip()
    own = merged(names, terms)
    told = _told(plain)
    said = readings(told, own)
    read = [one.finding for one in said]
    denied = _denied(plain, told, said, own)
    known = {name.casefold(): name for name in names}
    asked = tuple(dict.fromkeys(known[f.name.casefold()] for f in read if f.name.casefold() in known))
    strange = tuple(dict.fromkeys(f.name for f in read if f.name.casefold() not in known))
    side, place = _sided(plain), next((f.place for f in read if f.place), "")
    more, less, itself = _bounds(plain)
    unread = _unread(plain, own, {f.name for f in read}, place, sure=denied is not None)
    kind = _kind(
        plain,
        bool(asked or strange),
        len(asked) + len(strange) > 1,
        unread,
        (more, less),
        _shown(own, {f.name for f in read}),
    )
    if denied is None or (denied and (kind != "there" or side == "both")):
        kind, denied = "unclear", ()
    return Question(
        plain,
        kind,
        asked,
        side,
        place,
        more,
        less,
        strange,
        unread,
        tuple(known[name.casefold()] for name in denied if name.casefold() in known),
        itself,
    )


def _denied(question: str, told: str, said: Sequence[Reading], terms: Terms) -> tuple[str, ...] | None:
    """Return the findings whose absence is asked for; None where it is not sure whether it is asked for.

    What denies has to deny a finding, once: two denials, one of nothing, one that leads, and one of what a thing is
    without a disease ("is the heart not normal") are none that a yes or a no would be sure to answer.
    """
    negations = [found[0].casefold() for found in _NEGATES.finditer(told)]
    if _LEADING.search(question) or len(negations) > 1:
        return None
    by_status: dict[str, set[str]] = {}
    for one in said:
        by_status.setdefault(one.finding.status, set()).add(one.finding.name)
        shown = one.rule == "shown"
        if one.finding.status == "past" or (shown and one.finding.status == "uncertain"):
            return None  # "is the heart borderline"
        if one.finding.status == "absent" and shown != (not negations):
            denying = (s for t in terms.shown if one.finding.name in t.names for s in t.says)
            if not any(_NEGATES.search(s) and s in told.casefold() for s in denying):
                return None
    denied = by_status.get("absent", set())
    if denied & by_status.get("present", set()) or (negations and not denied):
        return None
    return tuple(dict.fromkeys(one.finding.name for one in said if one.finding.name in denied))


def _kind(
    question: str,
    named: bool,
    several: bool,
    unread: tuple[str, ...],
    bounds: tuple[float | None, float | None],
    shown: frozenset[str],
) -> Kind:
    """Return what is asked; "unclear" where a word of the question is not understood, or no finding is named."""
    found: Kind = next((kind for kind, form in KINDS if re.search(form, question, re.IGNORECASE)), "unclear")
    if found == "all" and not named:
        return "unclear" if re.search(r"\b(left|right)\b", question, re.IGNORECASE) else found
    if several and not re.search(r"\b(and|or)\b|,", question, re.IGNORECASE):
        return "unclear"  # "is the nodule calcified" asks about neither alone
    rest = [word for word in unread if not (found == "size" and word in _SUPERLATIVES)]
    if not named or rest or _OF_THE_PICTURE.search(question) or _beyond(question, found, shown):
        return "unclear"
    if any(b is not None for b in bounds):
        return "there" if found in ("size", "number", "unclear", "there") else "unclear"
    if _COUNTED.search(question):
        return "count"
    return (
        "there"
        if found in ("number", "all") and re.search(r"chance|probability|likelihood", question)
        else found
    )


def _shown(terms: Terms, names: set[str]) -> frozenset[str]:
    """Return the words by which things show these findings: a large heart is one."""
    says = (s for one in terms.shown if names & set(one.names) for s in one.says)
    return frozenset(word for phrase in says for word in re.findall(r"[^\W_]+", phrase.casefold()))


def _beyond(question: str, kind: Kind, shown: frozenset[str]) -> bool:
    """Return whether a question says more than its kind answers: a comparison, a number, another time, two sides."""
    text = _COUNTED.sub(" ", _SIZED.sub(" ", question)).casefold()
    own = frozenset(_OWN_WORDS.get(kind, "").split())
    words = set(re.findall(r"[^\W_]+", text))
    both = {"left", "right"} <= words and kind != "side"
    if len(_SIZED.findall(question)) > 1 or _THOUSANDS.search(question) or _LEFT_OVER.search(question):
        return True
    return (
        both
        or bool(words & set(_MORE_THAN_STATED.split()) - own - shown)
        or bool(re.search(r"[<>\u2264\u2265=]", text))
    )


def _unread(question: str, terms: Terms, names: set[str], place: str, *, sure: bool) -> tuple[str, ...]:
    """Return the words of a question that neither ask nor name a finding, a side, a place or a size.

    Words that deny are read where it is `sure` what they deny.
    """
    known = set(_filling())
    said = [s for t in terms.terms if t.name in names for s in (t.name, *t.says)]
    said += [s for p in terms.places if p.name == place for s in (p.name, *p.says)]
    said += [s for one in terms.shown if names & set(one.names) for s in (*one.of, *one.says)]
    for phrase in said:
        known |= {form for word in re.findall(r"[^\W_]+", phrase.casefold()) for form in both_numbers(word)}
    text = _COUNTED.sub(" ", _SIZED.sub(" ", _DENYING.sub(" ", question) if sure else question))
    return tuple(dict.fromkeys(w for w in re.findall(r"[^\W_]+", text.casefold()) if w not in known))


@cache
def _filling() -> frozenset[str]:
    """Return words that ask nothing of what is found: articles, verbs, and what every question is made of."""
    return frozenset((Path(__file__).parent / "filling.txt").read_text(encoding="utf-8").split())


def _told(question: str) -> str:
    """Return a question as a sentence that says what it asks, so that the rules for reports find its terms."""
    text = re.sub(
        r"\b(is|are|was|were|do|does|did|can|could) (there|you see|you find|it show)\b",
        "there is",
        question,
        flags=re.I,
    )
    text = re.sub(r"\bor not\b|\b(any|signs? of|evidence of)\b", " ", text, flags=re.I)
    text = re.sub(r"\b(be |is |are )?(ruled out|excluded)\b", "is ruled out", text, flags=re.I)
    text = re.sub(r"\b(rule out|exclude)\b", "there is no", text, flags=re.I)
    return text.replace("?", ".")


def _sided(question: str) -> Side | None:
    sides = {s.lower() for s in re.findall(r"\b(left|right|both|bilateral)\b", question, flags=re.I)}
    if "both" in sides or "bilateral" in sides:
        return "both"
    return None if len(sides) != 1 else ("left" if "left" in sides else "right")


def _bounds(question: str) -> tuple[float | None, float | None, bool]:
    """Return the size above or below which it is asked for, in millimetres, and whether the size itself is within."""
    found = _SIZED.search(question)
    if found is None:
        return None, None, False
    size = float(found["n"].replace(",", ".")) * (10 if found["unit"].lower().startswith("c") else 1)
    than = found["than"].lower()
    return (size, None, than in _ITSELF) if than in _MORE else (None, size, than in _ITSELF)
