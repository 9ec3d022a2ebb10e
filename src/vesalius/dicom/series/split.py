"""Planes of one series into stacks: by orientation and spacing, then by what tells planes at one place apart.

Echoes, b-values, phases, acquisitions and the like become stacks of their own where planes lie twice at a place, or
where the whole is uneven and its parts are even; planes of several b-values, echoes, kernels or parts of a complex
number are never one stack. Nothing is split by file name or instance number.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydicom.datadict import dictionary_description, keyword_for_tag

from vesalius.dicom import elements
from vesalius.dicom.elements import FunctionalGroups
from vesalius.dicom.series.geometry import LEAST_MM, Plane, spread

Marks = Mapping[str, Any]
_PLACES = ("StackID", "InStackPositionNumber", "ImagePositionPatient", "ImagePositionVolume")
_TIMES = {"time", "time offset", "trigger time", "frame time"}
_UNMIXED = ("echo time", "echo", "b-value", "direction", "kernel", "unit")
_COMPLEX = {"M", "P", "R", "I", "MAGNITUDE", "PHASE", "REAL", "IMAGINARY"}
_REPEATED = {*_TIMES, "echo time", "echo", "b-value", "direction", "phase", "inversion time", "flip angle"}


@dataclass(frozen=True)
class Part:
    """Some of the planes, and what is theirs alone (`echo time 2.5`, `b-value 1000`), in words; '' for all.

    `lacks` is how many places it has no plane at where the other times, echoes or b-values of the series have one.
    """

    members: tuple[int, ...]
    name: str
    marks: Marks
    lacks: int = 0


def marks_of(head: Any, group: FunctionalGroups | None) -> Marks:
    """Return what may tell planes at one place apart, in the order in which it is tried; absent ones are left out."""
    content, kind = elements.macro(group, "FrameContentSequence"), elements.words(head, "ImageType")[2:]
    echo = elements.macro(group, "MREchoSequence")
    diffusion = elements.macro(group, "MRDiffusionSequence")
    frame = elements.macro(group, "MRImageFrameTypeSequence") or elements.macro(
        group, "CTImageFrameTypeSequence"
    )
    cardiac = elements.macro(group, "CardiacSynchronizationSequence")
    timing = elements.macro(group, "TemporalPositionSequence")
    gradient = elements.macro((diffusion,), "DiffusionGradientDirectionSequence") if diffusion else head
    found = {
        "stack": content.get("StackID"),
        "echo time": echo.get("EffectiveEchoTime") or head.get("EchoTime"),
        "echo": head.get("EchoNumbers"),
        "b-value": _b_value(head, diffusion),
        "direction": _tuple(gradient.get("DiffusionGradientOrientation")),
        "time": _first(content.get("TemporalPositionIndex"), head.get("TemporalPositionIdentifier")),
        "time offset": timing.get("TemporalPositionTimeOffset"),
        "phase": _first(
            cardiac.get("NominalPercentageOfCardiacPhase"), head.get("NominalPercentageOfCardiacPhase")
        ),
        "trigger time": head.get("TriggerTime"),
        "type": "/".join(elements.words(frame, "FrameType")[2:] or kind) or None,
        "acquisition": _first(content.get("FrameAcquisitionNumber"), head.get("AcquisitionNumber")),
        "inversion time": head.get("InversionTime"),
        "flip angle": head.get("FlipAngle"),
        "tube voltage": head.get("KVP"),
        "kernel": elements.text(head, "ConvolutionKernel"),
        "unit": elements.rescale_type(head, group),
        "frame time": head.get("FrameReferenceTime"),
        **_dimensions(head, content),
    }
    return {name: value for name, value in found.items() if value not in (None, "", ())}


def _dimensions(head: Any, content: Any) -> dict[str, Any]:
    """Return a frame's index in each of its object's own dimensions (PS3.3 C.7.6.17), but for stacks and places in
    them.
    """
    pointers = [item.get("DimensionIndexPointer") for item in head.get("DimensionIndexSequence") or ()]
    values = content.get("DimensionIndexValues") or ()
    values = [values] if isinstance(values, int) else values
    if len(pointers) != len(values):
        return {}
    named = {keyword_for_tag(p): v for p, v in zip(pointers, values, strict=True) if p is not None}
    return {
        f"index of {dictionary_description(name).lower()}": value
        for name, value in named.items()
        if name and name not in _PLACES
    }


def times_of(parts: Sequence[Part], marks: Sequence[Marks]) -> tuple[float, ...] | None:
    """Seconds of each part from the first, if nothing but time tells them apart and it is said in seconds."""
    if any(set(p.marks) - _TIMES or not p.marks for p in parts):
        return None
    found = []
    for part in parts:
        mark = marks[part.members[0]]
        offset, milliseconds = (
            mark.get("time offset"),
            _first(mark.get("trigger time"), mark.get("frame time")),
        )
        if offset is None and milliseconds is None:
            return None
        found.append(float(offset) if offset is not None else float(milliseconds) / 1000)
    rising = all(a < b for a, b in itertools.pairwise(found))
    return tuple(t - found[0] for t in found) if rising else None


def _first(*values: Any) -> Any:
    return next((v for v in values if v not in (None, "")), None)


def _tuple(value: Any) -> Any:
    return None if value in (None, "") else tuple(round(float(v), 4) for v in value)


def _b_value(head: Any, diffusion: Any) -> float | None:
    """Return the b-value in s/mm²: the standard's, or Siemens's, GE's and Philips's own elements."""
    said = _first(diffusion.get("DiffusionBValue"), head.get("DiffusionBValue"))
    if said is not None:
        return float(said)
    if not hasattr(head, "private"):
        return None
    siemens = head.private("SIEMENS MR HEADER", 0x0019, 0x0C)
    ge = head.private("GEMS_PARM_01", 0x0043, 0x39)
    philips = head.private("Philips Imaging DD 001", 0x2001, 0x03)
    try:
        if siemens is not None:
            return float(siemens.strip(b" \0"))
        if ge is not None:
            return float(int(ge.split(b"\\")[0].strip(b" \0")) % 1_000_000_000)  # GE adds 10^9 to some
        if philips is not None:
            return float(struct.unpack("<f", philips[:4])[0])
    except (ValueError, struct.error):
        return None
    return None


def split(planes: Sequence[Plane], marks: Sequence[Marks]) -> list[Part]:
    """Return the stacks among planes, each with its name; a plane that is not placed is a part of its own."""
    parts: list[Part] = []
    groups: dict[Any, list[int]] = {}
    for k, (plane, mark) in enumerate(zip(planes, marks, strict=True)):
        groups.setdefault(_frame(plane, mark, k, groups), []).append(k)
    for members in groups.values():
        placed = planes[members[0]].placed
        parts += _apart(members, planes, marks) if placed else [Part(tuple(members), "", {})]
    if len(groups) > 1:
        parts = [_named_by_frame(p, planes, marks) for p in parts]
    return _numbered(parts)


def of_heads(heads: Sequence[Any]) -> tuple[list[Plane], list[Part]]:
    """Return the planes of single-frame files, by their headers, and the stacks among them."""
    groups = [elements.sole_group(head) for head in heads]
    planes = [elements.plane(head, group) for head, group in zip(heads, groups, strict=True)]
    return planes, split(planes, [marks_of(head, group) for head, group in zip(heads, groups, strict=True)])


def _numbered(parts: Sequence[Part]) -> list[Part]:
    """Parts of one name told apart by a number, since a name is what one of a file's stacks is read by."""
    seen: dict[str, int] = {}
    found = []
    for part in parts:
        seen[part.name] = seen.get(part.name, 0) + 1
        again = f"{part.name} {seen[part.name]}".strip()
        found.append(part if seen[part.name] == 1 else replace(part, name=again))
    return found


def _frame(plane: Plane, mark: Marks, k: int, groups: Mapping[Any, Any]) -> Any:
    """Return a key that parallel planes of one size and stack share."""
    if not plane.placed or plane.orientation is None or plane.spacing_mm is None:
        return "alone", k
    here = mark.get("stack"), plane.orientation, plane.spacing_mm
    if here in groups:
        return here
    for key in groups:
        alike = key[0] == here[0] and np.allclose(key[1], plane.orientation, atol=1e-3)
        if alike and np.allclose(key[2], plane.spacing_mm, rtol=1e-3):
            return key
    return here


def _named_by_frame(part: Part, planes: Sequence[Plane], marks: Sequence[Marks]) -> Part:
    stack, direction = marks[part.members[0]].get("stack"), planes[part.members[0]].orientation
    if direction is None:
        return part
    across = int(np.abs(np.cross(direction[:3], direction[3:])).argmax())
    words = [f"stack {stack}" if stack else "", ("sagittal", "coronal", "axial")[across], part.name]
    return replace(part, name=" ".join(w for w in words if w))


def _apart(members: Sequence[int], planes: Sequence[Plane], marks: Sequence[Marks]) -> list[Part]:
    """Parallel planes into stacks with one plane a place, if something tells them apart; as they are if not."""
    whole = [Part(tuple(members), "", {})]
    along = _along(members, planes)
    state = spread(np.sort(list(along.values())))
    names = list(dict.fromkeys(name for k in members for name in marks[k]))
    telling = [n for n in names if n != "stack" and len({_key(marks[k].get(n)) for k in members}) > 1]
    if state == "even":
        mixed = [n for n in telling if _unmixed(n, members, marks)]
        return _by(mixed, members, marks) if mixed else whole
    tried: list[tuple[str, ...]] = [(n,) for n in telling]
    tried += [(a, b) for i, a in enumerate(telling) for b in telling[i + 1 :]]
    tried += [tuple(telling[:n]) for n in range(3, len(telling) + 1)]
    unequal: list[Part] | None = None
    broken: list[Part] | None = None
    for chosen in tried:
        parts = _by(chosen, members, marks)
        if any(_unmixed(n, p.members, marks) for p in parts for n in telling):
            continue
        states = [spread(np.sort([along[k] for k in p.members])) for p in parts]
        if state == "uneven" and min(len(p.members) for p in parts) < 2:
            continue
        if all(s == "even" for s in states):
            if state == "uneven" or not any(_lacking(parts, along)):
                return parts
            if unequal is None and not _torn(parts, along):
                unequal = parts
        elif state == "doubled" and "doubled" not in states and broken is None and not _torn(parts, along):
            broken = parts
    found = unequal or broken or _in_turn(members, marks, along)
    if found is None:
        return whole
    if not set(found[0].marks) <= _REPEATED:
        return found
    return [replace(p, lacks=n) for p, n in zip(found, _lacking(found, along), strict=True)]


def _in_turn(members: Sequence[int], marks: Sequence[Marks], along: Mapping[int, float]) -> list[Part] | None:
    """Phases of a heart whose beats differ from slice to slice: at each place as many, in the order of their times."""
    listed = sorted(members, key=lambda k: along[k])
    places: list[list[int]] = []
    for k in listed:
        if places and along[k] - along[places[-1][-1]] < LEAST_MM:
            places[-1].append(k)
        else:
            places.append([k])
    count = len(places[0])
    for name in ("trigger time", "time offset"):
        times = [[_number(marks[k].get(name)) for k in place] for place in places]
        if count < 2 or any(len(set(said)) != count or None in said for said in times):
            continue
        ordered = [sorted(place, key=lambda k: float(marks[k][name])) for place in places]
        turns = [tuple(place[n] for place in ordered) for n in range(count)]
        even = all(spread(np.sort([along[k] for k in turn])) == "even" for turn in turns)
        if even and not any(_unmixed(n, turn, marks) for turn in turns for n in (*_UNMIXED, "type")):
            return [Part(turn, f"phase {n} of {count}", {"turn": n}) for n, turn in enumerate(turns, start=1)]
    return None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _unmixed(name: str, members: Sequence[int], marks: Sequence[Marks]) -> bool:
    """Return whether planes that each say this, and differently, are never one stack, however evenly they lie."""
    said = [marks[k].get(name) for k in members]
    if None in said or len(set(said)) < 2 or 2 < len(said) == len(set(said)):
        return False
    if name == "type":
        return len({str(v).split("/")[0] for v in said} & _COMPLEX) > 1
    return name in _UNMIXED


def _lacking(parts: Sequence[Part], along: Mapping[int, float]) -> list[int]:
    """Return how many of the places of all parts each has no plane at."""
    places = [{round(along[k], 1) for k in p.members} for p in parts]
    every = set().union(*places)
    return [sum(not here & {v, round(v - 0.1, 1), round(v + 0.1, 1)} for v in every) for here in places]


def _torn(parts: Sequence[Part], along: Mapping[int, float]) -> bool:
    """Return whether parts are shreds of volumes: single planes at several places, as of a mark that is each plane's
    own.
    """
    alone = {round(along[p.members[0]], 1) for p in parts if len(p.members) == 1}
    return len(alone) > 1


def _by(names: Sequence[str], members: Sequence[int], marks: Sequence[Marks]) -> list[Part]:
    groups: dict[Any, list[int]] = {}
    for k in members:
        groups.setdefault(tuple(_key(marks[k].get(n)) for n in names), []).append(k)
    found = []
    for key in sorted(groups, key=lambda key: [(v is not None, str(type(v)), v) for v in key]):
        said = dict(zip(names, key, strict=True))
        words = ", ".join(f"{n} {v:g}" if isinstance(v, float) else f"{n} {v}" for n, v in said.items())
        found.append(Part(tuple(groups[key]), words, said))
    return found


def _key(value: Any) -> Any:
    if isinstance(value, (int, float)):
        return float(value)
    return str(value) if value is not None and not isinstance(value, tuple) else value


def _along(members: Sequence[int], planes: Sequence[Plane]) -> dict[int, float]:
    """Return where each plane lies along the normal of the first, in mm."""
    first = planes[members[0]].orientation or ()
    normal = np.cross(first[:3], first[3:])
    return {k: float(np.array(planes[k].position, float) @ normal) for k in members}
