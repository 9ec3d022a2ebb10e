"""Grades in order: by the numbers in their names, or as a person says it; and classes that look like grades."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from vesalius.cohorts._build import class_labels
from vesalius.cohorts._files import natural
from vesalius.cohorts._units import unit_of
from vesalius.cohorts.targets import contract as kinds
from vesalius.core.cohort import Cohort, Label, Question, TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.words import counted, listed

BELOW = "<"  # between two grades of an order, the lower first
FEWEST = 3  # classes that may look like grades
_NUMBER = re.compile(
    r"(?P<before>[^\d]*?)(?P<number>\d+(?:\.\d+)?)(?P<letter>[a-d]?)(?![a-z\d])(?P<after>[^\d]*)"
)
_ROMAN = re.compile(r"(?P<before>.*?)(?<![a-z])(?P<number>viii|vii|vi|iv|ix|iii|ii|i|v|x)(?P<letter>[a-d]?)")
_MINUS = ("-", "\u2212", "\u2013")
_VALUES = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6, "vii": 7, "viii": 8, "ix": 9, "x": 10}
_CALLED = re.compile(
    r"grad|stag|scor|sever|rating|level|quality|degree|rads|isup|gleason|kellgren|\bkl\b|nyha|\basa\b", re.I
)
_LADDERS: tuple[tuple[tuple[str, ...], ...], ...] = (  # each rung in several words, the lowest first
    (
        ("none", "normal", "no", "absent", "negative", "healthy"), ("minimal", "trace", "trivial", "questionable"),
        ("mild", "slight", "low"), ("mild to moderate", "mild-moderate"), ("moderate", "medium", "intermediate"),
        ("moderate to severe", "moderate-severe"), ("severe", "marked", "high", "proliferative"),
        ("very severe", "critical", "extreme"),
    ),
    (
        ("unusable", "very poor"), ("poor", "bad", "insufficient", "inadequate"),
        ("usable", "fair", "acceptable", "adequate", "sufficient", "average", "moderate", "limited"),
        ("good",), ("very good",), ("excellent", "perfect"),
    ),
    (("very low",), ("low",), ("medium", "moderate", "intermediate"), ("high",), ("very high",)),
    (("small",), ("medium",), ("large",)),
    (("early",), ("intermediate", "middle"), ("late", "advanced")),
)  # fmt: skip


def in_order(names: Iterable[str]) -> tuple[str, ...] | None:
    """Return names in the order of the one number that each has: `BI-RADS 3`, `Stage II`, `2 moderate`, `4a`.

    None where that says no order: a name without a number, with several, or with one below 0; two with the same;
    numbers that do not follow the same words, or have several units (`1 year`, `6 months`); and a `999` among small
    numbers, which stands for an empty cell.
    """
    names = tuple(names)
    found = {name: _key(name) for name in names}
    keys = [key for key in found.values() if key is not None]
    if len(keys) < len(found) or not keys or len({key[0] for key in keys}) > 1:
        return None
    places = [key[1:] for key in keys]
    bare = {number for number, letter in places if not letter}
    if len(set(places)) < len(places) or any(letter and number in bare for number, letter in places):
        return None  # `4` and `4a`: one of them may hold the other
    units = {unit_of(f"[{name.split()[-1]}]") for name in names if name.strip()[:1].isdigit()} - {None}
    if len(units) > 1 or stand_in(names) is not None:
        return None
    return tuple(sorted(found, key=lambda name: (found[name] or ("", 0.0, ""))[1:]))


def _key(name: str) -> tuple[str, float, str] | None:
    """Return the words before a name's one number, the number, and the letter that follows it; None where not clear."""
    text = " ".join(name.casefold().split())
    if text.startswith(_MINUS):
        return None  # below 0, or a code of what is not known
    match = _NUMBER.fullmatch(text)
    if match is not None:
        return _words(match["before"]), float(match["number"]), match["letter"]
    if any(ch.isdigit() for ch in text):
        return None
    match = _ROMAN.fullmatch(text)
    return (
        None if match is None else (_words(match["before"]), float(_VALUES[match["number"]]), match["letter"])
    )


def stand_in(names: Iterable[str]) -> str | None:
    """Return the name that is 99, 999 … and lies more than twice as far from all other numbers as these lie apart."""
    numbers = {name: float(name) for name in names if re.fullmatch(r"\d+(\.\d+)?", name.strip())}
    for name in sorted(numbers, key=len, reverse=True):
        others = [n for other, n in numbers.items() if other != name]
        if re.fullmatch(r"99+", name.strip()) and len(others) > 1:
            apart = max(others) - min(others)
            if numbers[name] - max(others) > 2 * apart:
                return name
    return None


def _words(text: str) -> str:
    return " ".join(re.sub(r"[\W_]+", " ", text).split())


def in_words(names: Sequence[str]) -> tuple[str, ...] | None:
    """Return names in the order that their words usually have (`mild`, `moderate`, `severe`); None where none fits."""
    for ladder in _LADDERS:
        rung = {word: k for k, words in enumerate(ladder) for word in words}
        places = {name: rung.get(" ".join(name.casefold().replace("_", " ").split())) for name in names}
        if None not in places.values() and len(set(places.values())) == len(names):
            return tuple(sorted(names, key=lambda name: places[name] or 0))
    return None


def orders_of(labels: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return the orders among what a person said of labels, `{"severity": "none<mild<severe"}`, by what they may be of.

    What is not the name of a target with labels stays what it is: the new name of a class.
    """
    found = {
        name: tuple(part.strip() for part in text.split(BELOW))
        for name, text in labels.items()
        if BELOW in text
    }
    return {name: parts for name, parts in found.items() if all(parts)}


def graded(cohort: Cohort, orders: Mapping[str, Sequence[str]]) -> Cohort:
    """Return the cohort with its grades in order: as told, or by the numbers in the names that they were given.

    What nobody says and no name tells stays a question; classes that look like grades are a doubt. Raises DataError
    where an order does not fit its target.
    """
    targets, notes = dict(cohort.targets), list[str]()
    known = set[str]()
    for name, order in orders.items():
        targets[name], said = _told(targets[name], order)
        notes += said
        known.add(name)
    asked = {q.target for q in cohort.questions if q.what == _unknown(q.target)}
    for name in asked - known:
        found = in_order(x.name for x in targets[name].labels)
        if found is not None:
            targets[name] = replace(targets[name], labels=labels_in(found))
            known.add(name)
    questions = tuple(q for q in cohort.questions if q.target not in known or q.what != _unknown(q.target))
    doubts = (
        d for name, info in targets.items() if name not in known and (d := _looks_graded(info)) is not None
    )
    return replace(
        cohort,
        targets=targets,
        questions=questions,
        doubts=(*cohort.doubts, *doubts),
        notes=(*cohort.notes, *notes),
        label_notes=(*cohort.label_notes, *notes),
    )


def labels_in(order: Sequence[str]) -> tuple[Label, ...]:
    """Return labels in this order: numbered from 0, or by their own value where all are whole numbers that rise."""
    made = class_labels(order)
    return made if [x.name for x in made] == list(order) else tuple(Label(k, n) for k, n in enumerate(order))


def question(target: str, names: Sequence[str]) -> Question:
    """Return the question in which order a target's grades stand."""
    alike = {_plain(name): name for name in reversed(names)}  # `Mild` and `mild` are one grade
    names = [name for name in names if alike[_plain(name)] == name]
    known = in_words(names)
    numbers = all(re.fullmatch(r"[+-]?\d+(\.\d+)?", name.strip()) for name in names)
    likely = known or tuple(sorted(names, key=float if numbers else natural))
    hint = f"--labels '{target}={BELOW.join(likely)}', the lowest grade first"
    if (code := stand_in(names)) is not None:
        hint = f"--labels {code}= where it stands for an empty cell, or {hint}"
    elif known is None:
        hint += ", in your order"
    return Question(target, _unknown(target), listed(likely, 8), hint)


def _unknown(target: str) -> str:
    return f"the order of the grades of '{target}' is not known"


def _told(info: TargetInfo, order: Sequence[str]) -> tuple[TargetInfo, list[str]]:
    """Return a target whose labels stand in the order that a person told, with those that no case has."""
    kind = kinds.of(info.kind)
    if not kind.named or kind.several:
        raise DataError(f"'{info.name}' has no grades to put in an order", found=f"a {info.kind}")
    if len({_plain(name) for name in order}) < len(order):
        raise DataError(f"the order of '{info.name}' names a grade twice", found=BELOW.join(order))
    known = {_plain(x.name): x.name for x in info.labels}
    lost = [x.name for x in info.labels if _plain(x.name) not in set(map(_plain, order))]
    if lost:
        raise DataError(
            f"the order of '{info.name}' does not name every grade",
            found=f"{BELOW.join(order)}, without {listed(lost, 4)}",
            hint=f"--labels '{info.name}=' with all of them, or --labels '{lost[0]}=' where it is not known",
        )
    names = [known.get(_plain(name), name) for name in order]
    empty = [name for name in names if name not in known.values()]
    notes = [f"{info.name}: grades in the order told, {f' {BELOW} '.join(names)}"]
    if empty:
        notes.append(f"{info.name}: no case has {listed(empty, 5)}; it may be called all the same")
    return replace(info, kind=kinds.in_order().name, labels=labels_in(names)), notes


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())


def _looks_graded(info: TargetInfo) -> Question | None:
    """Return the doubt whether classes are grades, where their names look so and nobody said what they are."""
    kind, names = kinds.of(info.kind), [x.name for x in info.labels]
    if not kind.nominal or len(names) < FEWEST or info.reason.endswith("as told"):
        return None
    order = in_order(names)
    if order is not None and not _CALLED.search(f"{info.name} {names[0]}"):
        order = None  # numbers alone may be codes of anything
    order = order or in_words(names)
    if order is None:
        return None
    return Question(
        info.name,
        f"{info.name}: its classes look like grades, and are learned without their order",
        f"{counted(len(order), 'class', 'classes')}: {f' {BELOW} '.join(order)}",
        f"--labels '{info.name}={BELOW.join(order)}' if they are grades, --column label={info.name} if they are not",
    )
