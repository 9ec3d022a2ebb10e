"""Boxes from masks: each connected part of a label is one thing, and its box is as tight as can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vesalius import formats
from vesalius.cohorts._box_settle import KIND, numbered
from vesalius.cohorts._box_ways import ROLE, WORDS, of_words
from vesalius.cohorts._coding import Coding, Held, coding_of
from vesalius.cohorts._masked import count
from vesalius.cohorts.targets import contract as kinds
from vesalius.core import grids
from vesalius.core.case import IGNORED, Box, Case, Ref, Target
from vesalius.core.cohort import Cohort, Question, SetAside, TargetInfo
from vesalius.core.errors import DataError, UnknownName, VesaliusError
from vesalius.core.image import Array, Image
from vesalius.core.words import counted, listed

TARGET = "boxes"
MASK = "mask"  # stands for the only mask, whatever it is called
MOST = 10_000  # parts of one mask: more are noise


def parts_of(cohort: Cohort, text: str) -> Cohort:
    """Return the cohort with boxes around the connected parts of its masks, in place of these, where `text` names them.

    Parts touch along faces, edges and corners: 8 neighbours in a picture, 26 in a volume. Every mask is decoded here.
    Raises UnknownName for what is no mask, DataError where there are no boxes that the text could speak of.
    """
    if any(t.kind == KIND for t in cohort.targets.values()):
        return cohort  # the layout heeded the option
    _, names = of_words(text)
    masks = [t.name for t in cohort.targets.values() if kinds.of(t.kind).drawn]
    if not names:
        raise DataError(
            f"--column {ROLE}={text} says how boxes are written, and none are here",
            found=listed(f"{t.name} ({t.kind})" for t in cohort.targets.values()) or "no targets",
            hint=f"--column {ROLE}={masks[0]} for boxes around a mask's parts" if masks else None,
        )
    name = masks[0] if names == (MASK,) and len(masks) == 1 else names[0]
    if name not in masks or len(names) > 1:
        raise UnknownName("mask or word for --column boxes", names[-1], [*masks, *WORDS])
    return _replaced(cohort, cohort.targets[name])


@dataclass(frozen=True, slots=True)
class _Parts:
    """What one mask holds, and the corners of its connected parts by its own values, `(low, high)` in `(z, y, x)`."""

    held: Held
    boxes: Mapping[int, Sequence[tuple[Array, Array]]]


def _replaced(cohort: Cohort, info: TargetInfo) -> Cohort:
    """Return the cohort with a target of boxes in the place of a mask."""
    found: dict[str, _Parts] = {}
    aside: list[SetAside] = []
    for case in cohort.cases:
        if info.name in case.targets:
            try:
                found[case.id] = _looked(case, info)
            except (VesaliusError, OSError) as error:
                aside.append(SetAside(case.id, str(error)))
    coding = coding_of(info, {name: one.held for name, one in found.items()}, cohort.told)
    names = _names(coding, found)
    out = {a.case for a in aside}
    cases, specks, many = [], 0, 0
    for case in cohort.cases:
        if case.id in out:
            continue
        targets: dict[str, Target] = {n: v for n, v in case.targets.items() if n != info.name}
        if case.id in found:
            pairs = dict(coding.values.get(case.id, ()))
            parts = found[case.id] if _is_renaming(found[case.id], pairs) else _looked(case, info, pairs)
            values = pairs if parts is found[case.id] else {}
            held = _boxes(parts, values, names)
            many += len(held)
            specks += sum(bool(np.subtract(b.high, b.low).max() <= 1) for b in held)
            targets[TARGET] = held
        cases.append(replace(case, targets=targets))
    left = {word: text for word, text in cohort.told.items() if word not in coding.used}
    notes = (*coding.notes, f"{TARGET}: {counted(many, 'connected part')} of '{info.name}', a box each")
    target = TargetInfo(
        TARGET, KIND, numbered(list(dict.fromkeys(names.values()))), f"the parts of '{info.name}'"
    )
    others = {n: t for n, t in cohort.targets.items() if n != info.name}
    return replace(
        cohort,
        cases=tuple(cases),
        targets={**others, TARGET: target},
        set_aside=(*cohort.set_aside, *aside),
        notes=(*cohort.notes, *notes),
        label_notes=(*cohort.label_notes, *notes),
        questions=(*cohort.questions, *(replace(q, target=TARGET) for q in coding.questions)),
        doubts=(*cohort.doubts, *_specks(specks, many)),
        told=left,
    )


def _specks(specks: int, many: int) -> tuple[Question, ...]:
    if not specks:
        return ()
    what = f"{TARGET}: {counted(specks, 'part is', 'parts are')} of a single voxel"
    return (Question(TARGET, what, f"of {many}", "look whether they are things, or specks of a brush"),)


def _looked(case: Case, info: TargetInfo, pairs: Mapping[int, int] | None = None) -> _Parts:
    """Return the parts of a case's mask, after `pairs` of values were given other ones. Raises DataError."""
    item = case.targets[info.name]
    mask = formats.read_mask(item) if isinstance(item, Ref) else item
    assert isinstance(mask, Image)
    if isinstance(case.image, Image) and (fault := grids.mask_fault(case.image, mask)):
        raise DataError(f"'{info.name}' has {fault}")
    if isinstance(case.image, Ref) and (fault := grids.mask_fault(formats.header(case.image), mask)):
        raise DataError(f"'{info.name}' has {fault}")
    held = Held(count(mask.array), mask.channels == (formats.COLOURS,), mask.display.get("palette", {}))
    if pairs:
        mask = formats.recoded(mask, tuple(pairs.items()))
    ignored = {*info.ignore, 0, IGNORED}
    array = mask.array[0]
    values = [int(v) for v in np.unique(array) if int(v) not in ignored]
    if len(values) > 256:
        return _Parts(held, {})  # colours or greys: what they mean is known once all masks are seen
    return _Parts(held, {v: _connected(array == v, f"'{info.name}'") for v in values})


def _connected(bits: Array, what: str) -> list[tuple[Array, Array]]:
    """Return the low and high corner `(z, y, x)` of each connected part of `(Z, Y, X)`. Raises DataError."""
    from scipy import ndimage

    inside = ndimage.find_objects(bits.astype(np.uint8))[0]
    start = np.array([s.start for s in inside])
    labelled, many = ndimage.label(bits[inside], structure=np.ones((3, 3, 3), dtype=bool))
    if many > MOST:
        raise DataError(
            f"{what} falls into more than {MOST:,} parts", found=f"{many:,}", hint="masks of whole things"
        )
    places = [tuple(part) for part in ndimage.find_objects(labelled)]
    return [(start + [s.start for s in place], start + [s.stop for s in place]) for place in places]


def _is_renaming(parts: _Parts, pairs: Mapping[int, int]) -> bool:
    """Return whether other values leave the parts of a mask as they are: no two become one, and none the background."""
    new = [pairs.get(v, v) for v in parts.held.counts if v != 0]
    kept = [v for v in new if v not in (0, IGNORED)]
    return len(set(kept)) == len(kept) and set(parts.boxes) >= {
        v for v in parts.held.counts if v not in (0, IGNORED)
    }


def _names(coding: Coding, found: Mapping[str, _Parts]) -> dict[int, str]:
    """Return what each label value that some mask holds is called; one that nothing names is called by its number."""
    named = {x.value: x.name for x in coding.info.labels}
    held: set[int] = set()
    for case, one in found.items():
        pairs = dict(coding.values.get(case, ()))
        held |= {pairs.get(v, v) for v in one.held.counts}
    ignored = {0, IGNORED, *coding.info.ignore}
    return {v: named.get(v, str(v)) for v in sorted(held - ignored)}


def _boxes(parts: _Parts, pairs: Mapping[int, int], names: Mapping[int, str]) -> tuple[Box, ...]:
    found = []
    for value, corners in parts.boxes.items():
        name = names.get(pairs.get(value, value))
        if name is not None:
            found += [Box(_triple(low), _triple(high), name) for low, high in corners]
    return tuple(found)


def _triple(corner: Array) -> tuple[float, float, float]:
    return (float(corner[0]), float(corner[1]), float(corner[2]))
