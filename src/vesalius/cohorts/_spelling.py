"""Classes that are spelled in several ways: what a person told, what is surely one class, and what must be asked."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from vesalius.cohorts._build import class_labels
from vesalius.cohorts._doubtful import doubted
from vesalius.cohorts.targets import contract as kinds
from vesalius.core.case import Case, Target
from vesalius.core.cohort import Cohort, Question, TargetInfo
from vesalius.core.errors import UnknownName
from vesalius.core.words import counted

_YES = {"1", "1.0", "true", "yes", "y", "t", "positive", "pos", "+"}
_NO = {"0", "0.0", "false", "no", "n", "f", "negative", "neg", "-"}
_HYPHEN = re.compile(r"(?<=[^\W\d])[-\u2010\u2011](?=[^\W\d])")  # a sign before a number stays
_LONG = 4  # letters from which a word in other case is surely the same word; "AA" and "aa" may be genotypes


def one_spelling(cohort: Cohort, told: Mapping[str, str]) -> Cohort:
    """Return the cohort with one spelling a class, notes of what was joined, questions where that is not certain, and
    doubts about classes that are called as if nothing were known.

    Words of `told` that no class has are left to the masks, in `cohort.told`. Raises UnknownName where there are
    none.
    """
    left = dict(told)
    for info in [t for t in cohort.targets.values() if _spelled(t)]:
        counts = _counted(cohort.cases, info)
        found = {n: told[w] for n in counts for w in (n, n.strip()) if w in told}
        left = {
            word: text for word, text in left.items() if word not in {*found, *(n.strip() for n in found)}
        }
        new = {name: text for name, text in found.items() if name.strip() != text}
        if new:
            note = f"{info.name}: {', '.join(f'{a}={b}' for a, b in new.items())} as told"
            cohort = noted(cohort, [note])
            cohort = _renamed(cohort, info.name, new)
        decided = {*found, *told, *told.values()}
        cohort = _joined(cohort, info.name, decided)
        cohort = doubted(cohort, info.name, _counted(cohort.cases, cohort.targets[info.name]), decided)
    if left and not any(kinds.of(t.kind).drawn for t in cohort.targets.values()):
        names = [x.name for t in cohort.targets.values() for x in t.labels]
        raise UnknownName("label", next(iter(left)), names)
    return replace(cohort, told=left)


def _joined(cohort: Cohort, target: str, decided: set[str]) -> Cohort:
    """Return the classes of one target that differ only in how they are written, joined; those in `decided` are
    left.
    """
    info = cohort.targets[target]
    counts = _counted(cohort.cases, info)
    free = [n for n in counts if n not in decided]
    groups = _groups(free)
    new: dict[str, str] = {}
    notes, questions = list[str](), list(cohort.questions)
    for group in groups:
        shown = ", ".join(f"'{n}' ({counted(counts[n], 'case')})" for n in group)
        kept = max(group, key=lambda n: counts[n])
        others = [n for n in group if n != kept]
        if _certain(group):
            new |= dict.fromkeys(others, kept)
            notes.append(
                f"{target}: {shown} are taken as one class, '{kept}'; --labels {_quoted(others[0])} keeps it apart"
            )
        else:
            what = f"classes of '{target}' differ only in how they are written"
            merge, apart = _quoted(others[0], kept), _quoted(others[0])
            hint = f"--labels {merge} if they are one class, --labels {apart} if they are not"
            questions.append(Question(target, what, shown, hint))
    cohort = noted(replace(cohort, questions=tuple(questions)), notes)
    return _renamed(cohort, target, new) if new else cohort


def noted(cohort: Cohort, notes: Sequence[str]) -> Cohort:
    """Return the cohort with further notes of what was decided of its labels."""
    return replace(cohort, notes=(*cohort.notes, *notes), label_notes=(*cohort.label_notes, *notes))


def _groups(names: Sequence[str]) -> list[list[str]]:
    """Return names that differ only in case and blanks; or all that say yes and all that say no, where they are
    mixed.
    """
    words = [n.strip().casefold() for n in names]
    if words and set(words) <= _YES | _NO and len(set(words)) > 2:
        sides = [[n for n, w in zip(names, words, strict=True) if w in side] for side in (_YES, _NO)]
        return [side for side in sides if len(side) > 1]
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(_plain(name), []).append(name)
    return [group for group in found.values() if len(group) > 1]


def _plain(name: str) -> str:
    """Return a name without what spelling may change: letter case, blanks, hyphens in words, full stops, zeros in
    front.
    """
    plain = unicodedata.normalize("NFKC", name).casefold().replace("_", " ")
    plain = " ".join(_HYPHEN.sub(" ", plain).split()).rstrip(" .:;,") or plain
    return plain.lstrip("0") or "0" if plain.isdecimal() else plain


def _certain(group: Sequence[str]) -> bool:
    words = {n.strip().casefold() for n in group}
    if words <= _YES or words <= _NO:
        return True
    if len({" ".join(unicodedata.normalize("NFC", n).split()) for n in group}) == 1:
        return True
    return sum(ch.isalpha() for ch in group[0]) >= _LONG


def _quoted(word: str, text: str | None = None) -> str:
    pair = f"{word}={word if text is None else text}"
    return f"'{pair}'" if " " in pair else pair


def _counted(cases: Sequence[Case], info: TargetInfo) -> Counter[str]:
    """Return how many cases have each class, in order of appearance."""
    kind = kinds.of(info.kind)
    held = (case.targets[info.name] for case in cases if info.name in case.targets)
    return Counter(name for value in held for name in kind.names_in(value))


def _spelled(info: TargetInfo) -> bool:
    """Return whether a target's labels are words as people spell them."""
    kind = kinds.of(info.kind)
    return kind.named or kind.spelled


def _renamed(cohort: Cohort, target: str, new: Mapping[str, str]) -> Cohort:
    """Return other names for some classes of a target; one that becomes nothing is not known any more."""
    info = cohort.targets[target]
    kind, cases = kinds.of(info.kind), []
    for case in cohort.cases:
        targets: dict[str, Target] = {}
        for name, value in case.targets.items():
            kept = kind.renamed(value, new) if name == target else value
            if kept is not None:
                targets[name] = kept
        cases.append(replace(case, targets=targets))
    labels = tuple(x for x in info.labels if x.name not in new)
    known = {x.name for x in labels}
    fresh = [n for n in dict.fromkeys(new.values()) if n and n not in known]
    if fresh:
        labels = class_labels([*known, *fresh])
    elif len(labels) < len(info.labels) and not kinds.of(info.kind).ordered:
        labels = class_labels(known)
    changed = replace(info, labels=labels)
    return replace(cohort, cases=tuple(cases), targets={**cohort.targets, target: changed})
