"""Told: what a report of an abdominal CT is made from: lesions by lobe, and what lies beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vesalius.core.finding import Change, Finding, Side
from vesalius.phantom.abdomen.anatomy import Anatomy
from vesalius.phantom.abdomen.incidental import SIDES, Incidental
from vesalius.phantom.abdomen.lesions import Lesion
from vesalius.phantom.abdomen.person import Person
from vesalius.phantom.abdomen.report import segment_of
from vesalius.phantom.abdomen.tissue import ORGANS
from vesalius.phantom.reports.content import Content

STRUCTURES = {
    {"kidney_right": "right kidney", "kidney_left": "left kidney"}.get(name, name): value
    for name, value in ORGANS.items()
}
ORDER = ("mass", "cyst", "stone", "effusion", "lymph node", "calcification", "steatosis")
PLACES = {"stone": "kidney", "renal cyst": "kidney", "lymph node": "retroperitoneum", "calcification": "aorta",
          "steatosis": "liver", "effusion": ""}  # fmt: skip
LEFT_LOBE = ("II", "III", "IV")
LIMITS = {  # of an amount: from each on it is moderate, and then marked; below the first it is subtle
    "mass": (40.0, 60.0), "cyst": (25.0, 40.0), "stone": (8.0, 11.0), "lymph node": (18.0, 25.0),
    "effusion": (38.0, 55.0), "calcification": (5.0, 8.0), "steatosis": (25.0, 40.0),
}  # fmt: skip
SIZED = ("mass", "cyst", "stone", "lymph node")
INDICATIONS = ("upper abdominal pain", "staging", "abnormal liver tests", "weight loss", "follow-up")


@dataclass(frozen=True, eq=False)
class Seen:
    """What is seen in one CT: the lesions of the liver, what lies beside them, and the anatomy that says where."""

    lesions: tuple[Lesion, ...]
    beside: tuple[Incidental, ...]
    anatomy: Anatomy


@dataclass(frozen=True)
class _Thing:
    name: str
    place: str
    side: Side | None
    amount: float
    kind: str


def content_of(
    seen: Seen,
    person: Person,
    courses: Mapping[str, Change],
    gone: tuple[Incidental, ...],
    *,
    earlier: bool,
    random: np.random.Generator,
) -> tuple[Content, tuple[int, ...]]:
    """Return what a report is made from; and of each lesion, and of all beside them, its place in the content."""
    things = [_lesion(one, seen.anatomy) for one in seen.lesions] + [_beside(one) for one in seen.beside]
    groups: dict[tuple[str, str, str], list[int]] = {}
    for k, one in enumerate(things):
        groups.setdefault((one.name, one.place, "" if one.name == "effusion" else one.side or ""), []).append(
            k
        )
    order = sorted(groups, key=lambda key: (ORDER.index(key[0]), key[1:]))
    there = [[things[k] for k in groups[key]] for key in order]
    places = {k: place for place, key in enumerate(order) for k in groups[key]}
    noun = "woman" if person.sex == "F" else "man"
    reason = INDICATIONS[int(random.integers(len(INDICATIONS)))]
    about = {
        "indication": f"{int(person.age_years)}-year-old {noun}, {reason}.",
        "technique": "CT of the abdomen in the portal venous phase.",
        "comparison": "Prior CT of the abdomen." if earlier else "None.",
    }
    content = Content(
        sort="ct",
        findings=tuple(_finding(group, courses.get(group[0].kind)) for group in there),
        degrees=tuple(max(_degree(one) for one in group) for group in there),
        gone=tuple(_finding([_beside(one)], None) for one in gone),
        about=about,
        earlier=earlier,
    )
    return content, tuple(places[k] for k in range(len(things)))


def _lesion(one: Lesion, anatomy: Anatomy) -> _Thing:
    side: Side = "left" if segment_of(one, anatomy) in LEFT_LOBE else "right"
    name = "mass" if one.kind == "malignant" else "cyst"
    return _Thing(name, "liver", side, 2 * one.radius_mm, one.kind)


def _beside(one: Incidental) -> _Thing:
    name = "cyst" if one.kind == "renal cyst" else one.kind
    side = None if one.kind == "lymph node" else SIDES.get(one.side)
    return _Thing(name, PLACES[one.kind], side, one.amount, one.kind)


def _degree(one: _Thing) -> int:
    return 1 + sum(one.amount >= limit for limit in LIMITS[one.name])


def _finding(group: list[_Thing], course: Change | None) -> Finding:
    one = max(group, key=lambda thing: thing.amount)
    both = {thing.side for thing in group} == {"left", "right"}
    sized = one.name in SIZED
    return Finding(
        one.name,
        side="both" if both else one.side,
        place=one.place,
        size_mm=round(one.amount, 1) if sized else None,
        count=len(group) if sized and len(group) > 1 else None,
        change=course,
    )
