"""What the values in masks stand for, seen over all cases: colours, two encodings of one label, blurred edges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from vesalius import formats
from vesalius.cohorts._build import some
from vesalius.cohorts._instances import looks_like_ids
from vesalius.cohorts._told import colour_name, label_of, values_of
from vesalius.core.case import IGNORED
from vesalius.core.cohort import Label, Question, TargetInfo
from vesalius.core.words import counted

MOST_COLOURS = 32
_HALF = 128  # where blurred edges are cut


@dataclass(frozen=True, slots=True)
class Held:
    """What one case's mask holds: voxels by value, whether the values are colours, 0xRRGGBB, and the colour of each
    value where its file has a palette."""

    counts: Mapping[int, int]
    colours: bool = False
    palette: Mapping[int, int] = field(default_factory=dict)

    @property
    def values(self) -> set[int]:
        """The values other than the background."""
        return set(self.counts) - {0}


@dataclass(frozen=True)
class Coding:
    """The target with its labels; for each case the pairs (value, label value) that are not the same.

    `used` are the words of what a person told that some mask holds.
    """

    info: TargetInfo
    values: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()
    used: frozenset[str] = frozenset()


def coding_of(info: TargetInfo, held: Mapping[str, Held], told: Mapping[str, str]) -> Coding:
    """Return what the masks' values stand for: as the user said, or else what is certain; the rest is a question."""
    if any(one.colours for one in held.values()) or _palettes_differ(held):
        return _colours(info, held, told)
    every = {v for one in held.values() for v in one.counts}
    pairs, labels, used = _as_told(info, every, told)
    if used:
        note = f"{info.name}: {', '.join(f'{word}={told[word]}' for word in sorted(used))} as told"
        info = replace(info, labels=tuple(labels[v] for v in sorted(labels)))
        if any(old != new or told.get(str(old)) == str(old) for old, new in pairs.items()):
            return Coding(info, _changed(dict.fromkeys(held, pairs)), (note,), used=frozenset(used))
        found = _found(info, held, every)  # only names were told
        return replace(found, notes=(note, *found.notes), used=frozenset(used))
    return _found(info, held, every)


def _found(info: TargetInfo, held: Mapping[str, Held], every: set[int]) -> Coding:
    if not info.labels and looks_like_ids([one.values for one in held.values()]):
        return Coding(info, questions=(_ids_or_labels(info, every),))
    if len(info.labels) > 1 or any(not 0 <= v <= 255 for v in every):
        return Coding(info)
    return _one_label(info, held)


def _ids_or_labels(info: TargetInfo, every: set[int]) -> Question:
    first = min(every - {0})
    return Question(
        info.name,
        f"the masks of '{info.name}' may hold ids, one a thing, or labels",
        f"{len(every - {0})} different values, of which each mask holds the first few or others than the next",
        f"--column instances={info.name} if each value is one thing, --labels {first}={first} if each is a label",
    )


def _palettes_differ(held: Mapping[str, Held]) -> bool:
    """Return whether one value has another colour in some masks' palettes than in others': then the colours are
    meant.
    """
    known: dict[int, int] = {}
    for one in held.values():
        for value in one.counts:
            if value in one.palette and known.setdefault(value, one.palette[value]) != one.palette[value]:
                return True
    return False


def _as_told(
    info: TargetInfo, every: set[int], told: Mapping[str, str]
) -> tuple[dict[int, int], dict[int, Label], set[str]]:
    pairs: dict[int, int] = {}
    labels = {x.value: x for x in info.labels}
    named = {x.name: x.value for x in info.labels} | {"background": 0}
    used: set[str] = set()
    for word, text in told.items():
        for value in values_of(word, every, named):
            used.add(word)
            label = label_of(text, value, labels)
            pairs[value] = label.value
            if label.value not in (0, IGNORED):
                labels[label.value] = label
    for value in pairs:
        if value not in pairs.values():
            labels.pop(value, None)
    return pairs, labels, used


def _colours(info: TargetInfo, held: Mapping[str, Held], told: Mapping[str, str]) -> Coding:
    """Return one label per colour, numbered from 1. Black is the background, and greys count as colours."""
    seen = {
        case: {v: one.palette.get(v, v if one.colours or v > 255 else v * 0x010101) for v in one.counts}
        for case, one in held.items()
    }
    colours = sorted({c for found in seen.values() for c in found.values()} - {0})
    names = {c: Label(c, colour_name(c), colour=colour_name(c)) for c in colours}
    used: set[str] = set()
    for word, text in told.items():
        for colour in values_of(word, set(colours), {}):
            used.add(word)
            names[colour] = replace(label_of(text, colour, names), colour=colour_name(colour))
    total: Counter[int] = Counter()
    for case, found in seen.items():
        for value, colour in found.items():
            total[colour] += held[case].counts[value] if colour else 0
    rare = [c for c in colours if total[c] < 0.02 * total.total()]
    if len(colours) > MOST_COLOURS or (not used and len(rare) > max(3, len(colours) - len(rare))):
        question = Question(
            info.name,
            f"the masks of '{info.name}' are in too many colours to be sure of its labels",
            f"{len(colours)} colours, {len(rare)} of them rare, such as {some(map(colour_name, rare or colours), 3)}",
            f"masks without blurred edges, saved as PNG; or --labels '{colour_name(colours[0])}=NAME' for each of "
            f"at most {MOST_COLOURS}",
        )
        return Coding(info, questions=(question,), used=frozenset(used))
    kept = [x for x in names.values() if x.value not in (0, IGNORED)]
    number = {name: k for k, name in enumerate(dict.fromkeys(x.name for x in kept), start=1)}
    new = {0: 0} | {c: number.get(x.name, x.value) for c, x in names.items()}
    first = {x.name: x.colour for x in reversed(kept)}
    labels = tuple(Label(k, name, colour=first[name]) for name, k in number.items())
    note = (
        f"{info.name}: colours are the labels: {', '.join(f'{x.value} is {x.name}' for x in labels)}; "
        f"--labels '{colour_name(colours[0])}=NAME' names one"
    )
    pairs = {case: {v: new[c] for v, c in found.items()} for case, found in seen.items()}
    return Coding(replace(info, labels=labels), _changed(pairs), (note,), used=frozenset(used))


def _one_label(info: TargetInfo, held: Mapping[str, Held]) -> Coding:
    """Return masks of at most one label: 0 and 1, 0 and 255, or 0 to 255 with blurred edges."""
    blurred = [case for case, one in held.items() if len(one.values) > 1]
    singles = Counter(v for one in held.values() if len(one.values) == 1 for v in one.values)
    notes: list[str] = []
    pairs: dict[str, dict[int, int]] = {}
    if blurred:
        pooled: Counter[int] = Counter()
        for one in held.values():
            if len(one.values) > 1 or one.values == {255}:
                pooled.update(one.counts)
        sure = formats.blurred(pooled)
        if sure is None:
            return Coding(info)
        found = _ends(pooled, len(blurred))
        if not sure:
            question = Question(
                info.name,
                f"the masks of '{info.name}' hold values between 0 and 255 as blurred edges or JPEG leave them",
                found,
                "--labels 1-127=0 --labels 128-255=1 if they are one label; masks saved as PNG; "
                "--labels 255=255 if each value is a label",
            )
            return Coding(info, questions=(question,))
        notes.append(
            f"{info.name}: {found}: blurred edges of one label, which is cut at half; "
            "--labels 255=255 keeps each value as a label"
        )
        cut = {v: 0 if v < _HALF else 255 for v in range(1, 255)}
        pairs = {case: dict(cut) for case in blurred}
        singles[255] += len(blurred)
    coded = _two_encodings(info, singles)
    if isinstance(coded, Question):
        return Coding(info, questions=(coded,))
    if coded is not None:
        value, note = coded
        notes.append(note)
        for case, one in held.items():
            if one.values == {255}:
                pairs[case] = {255: value}
            elif case in pairs:
                pairs[case] = {v: value if w else 0 for v, w in (*pairs[case].items(), (255, 255))}
            elif one.values == {1} and value != 1:
                pairs[case] = {1: value}
    return Coding(info, _changed(pairs), tuple(notes))


def _two_encodings(info: TargetInfo, singles: Mapping[int, int]) -> Question | tuple[int, str] | None:
    """Return the value that masks of 0/1 and 0/255 stand for, with a note, or the question to ask the user."""
    values = sorted(singles)
    named = info.labels[0].value if info.labels else None
    known = sorted({*values, *([] if named is None else [named])})
    counts = " and ".join(f"{_masks(singles[v])} 0 and {v}" for v in values)
    if known == [1, 255]:
        value = 1 if named is None else named
        meant = "one label in two encodings" if named is None else f"both are '{info.labels[0].name}'"
        return value, f"{info.name}: {counts}: {meant}, {value}; --labels 255=255 keeps 255 as it is"
    if len(values) < 2 or named is not None or values == list(range(1, len(values) + 1)):
        return None
    low, high = values[0], values[-1]
    return Question(
        info.name,
        f"each mask of '{info.name}' holds one value, and not all the same: one label or several?",
        counts,
        f"--labels {high}={low} if they are one label, --labels {high}={high} if they are several",
    )


def _masks(count: int) -> str:
    return counted(count, "mask holds", "masks hold")


def _ends(counts: Mapping[int, int], masks: int) -> str:
    between = [v for v in sorted(counts) if 0 < v < 255]
    share = sum(n for v, n in counts.items() if 0 < v < 255) / sum(counts.values())
    shown = some(map(str, between), 4)
    return f"{_masks(masks)} values between 0 and 255 ({shown}), {share:.1%} of the voxels"


def _changed(pairs: Mapping[str, Mapping[int, int]]) -> dict[str, tuple[tuple[int, int], ...]]:
    found = {case: tuple((a, b) for a, b in sorted(one.items()) if a != b) for case, one in pairs.items()}
    return {case: one for case, one in found.items() if one}
