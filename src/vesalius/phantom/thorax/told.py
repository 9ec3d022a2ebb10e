"""Told: what a report of a film is made from, and where each thing that it says is seen, from a scene."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vesalius.core.finding import Change, Side
from vesalius.core.finding import Finding as Told
from vesalius.core.image import Array
from vesalius.phantom.reports.content import Content
from vesalius.phantom.thorax.body import SIDES, Person, Shape, grid
from vesalius.phantom.thorax.course import OFTEN
from vesalius.phantom.thorax.findings import LIMITS, Finding
from vesalius.phantom.thorax.scene import SEEN, Scene

PLACES = {"upper": "upper lobe", "middle": "mid lung", "lower": "lower lobe"}  # names of the terms of a chest
PLACED = ("nodule", "consolidation", "atelectasis")  # findings whose zone is told
STRUCTURES = {"right lung": 1, "left lung": 2, "heart": 3, "trachea": 4, "aorta": 5, "spine": 6}
SUBTLE_MM = 22.0  # nodules below it are subtle
LARGE_MM = 32.0
INDICATIONS = ("cough", "shortness of breath", "fever", "chest pain", "preoperative assessment")
_SIDES: Mapping[int, Side] = {-1: "right", 1: "left"}


def content_of(
    scene: Scene,
    person: Person,
    courses: Mapping[str, Change],
    gone: tuple[Finding, ...],
    *,
    earlier: bool,
    reason: str,
) -> tuple[Content, tuple[int, ...]]:
    """Return what a report is made from, and for each of the scene's findings its place in the content."""
    groups: dict[tuple[str, int], list[int]] = {}
    for k, one in enumerate(scene.findings):
        key = (one.label, 0 if one.label == "effusion" else one.side)
        groups.setdefault(key, []).append(k)
    order = sorted(groups, key=lambda key: (list(OFTEN).index(key[0]), key[1]))
    there = [[scene.findings[k] for k in groups[key]] for key in order]
    places = {k: place for place, key in enumerate(order) for k in groups[key]}
    noun = "woman" if person.sex == "F" else "man"
    view = "Posteroanterior" if person.view == "PA" else "Anteroposterior"
    about = {
        "indication": f"{int(person.age)}-year-old {noun}, {reason}.",
        "technique": f"{view} view of the chest.",
        "comparison": "Prior chest radiograph." if earlier else "None.",
    }
    content = Content(
        sort="chest",
        findings=tuple(_told(group, courses.get(group[0].label)) for group in there),
        degrees=tuple(max(degree_of(f) for f in group) for group in there),
        gone=tuple(_told([f], None) for f in _first_of_each(gone)),
        about=about,
        earlier=earlier,
    )
    return content, tuple(places[k] for k in range(len(scene.findings)))


def degree_of(finding: Finding) -> int:
    """Return 1, 2 or 3 for how marked a finding is; 1 is subtle."""
    limits = (SUBTLE_MM, LARGE_MM) if finding.label == "nodule" else LIMITS[finding.label]
    return 1 + sum(finding.amount >= limit for limit in limits)


def structures_of(shape: Shape, scene: Scene, size: int) -> Array:
    """Return the label map `(Y, X)` uint8 of what every chest has, by STRUCTURES."""
    y, x = grid(size)
    found = np.zeros((size, size), np.uint8)
    found[(np.abs(x) < 19) & (y > shape.apex - 20)] = STRUCTURES["spine"]
    for side in SIDES:
        lung = (shape.lung(side, y, x) > SEEN) & (y < shape.floor(side, x))
        found[lung] = STRUCTURES[f"{SIDES[side]} lung"]
    found[(np.abs(x + 2) < 8) & (y < -56)] = STRUCTURES["trachea"]
    found[np.hypot(y + 62, x - 24) < shape.aorta] = STRUCTURES["aorta"]
    found[scene.heart] = STRUCTURES["heart"]
    return found


def marks_of(scene: Scene) -> Array:
    """Return `(Y, X)` uint8 with k + 1 where finding k of the scene is seen, the small ones over the large."""
    found = np.zeros(scene.water.shape, np.uint8)
    for k in sorted(range(len(scene.marked)), key=lambda k: -int(scene.marked[k].sum())):
        found[scene.marked[k]] = k + 1
    return found


def _told(group: list[Finding], course: Change | None) -> Told:
    one = max(group, key=lambda f: f.amount)
    sides = {f.side for f in group}
    side = "both" if sides == {-1, 1} else _SIDES.get(one.side)
    return Told(
        one.label,
        side=side,
        place=PLACES.get(one.zone, "") if one.label in PLACED else "",
        size_mm=round(one.place["diameter"], 1) if "diameter" in one.place else None,
        change=course,
    )


def _first_of_each(findings: tuple[Finding, ...]) -> list[Finding]:
    return list({f.label: f for f in reversed(findings)}.values())[::-1]
