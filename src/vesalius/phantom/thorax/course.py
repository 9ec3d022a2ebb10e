"""Course: which findings a chest with a dictated report has, and how each was in an earlier film of the patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from vesalius.core.finding import Change
from vesalius.phantom.thorax import findings as found
from vesalius.phantom.thorax import further
from vesalius.phantom.thorax.body import LARGE, Person, Shape
from vesalius.phantom.thorax.findings import Finding, spot, zone_of

OFTEN = {  # of films that are not healthy
    "effusion": 0.40, "pneumothorax": 0.22, "consolidation": 0.35, "cardiomegaly": 0.35, "nodule": 0.40,
    "edema": 0.20, "atelectasis": 0.22, "tube": 0.20,
}  # fmt: skip
NODULE_MM = (18.0, 42.0)  # diameters, uniform in the logarithm
TWO = 0.25  # the share of nodules beside which there is one on the other side
BOTH = 0.3  # the share of effusions that are on both sides
KEPT = (0.68, 0.9)  # how far a lung with a pneumothorax has shrunk
COURSES: Mapping[Change, float] = {"new": 0.3, "unchanged": 0.35, "larger": 0.2, "smaller": 0.15}
GONE = 0.12  # the share of what is absent now that was there in the earlier film
GROWN: Mapping[Change, float] = {"larger": 0.62, "smaller": 1.3}  # the earlier size over that of now
LARGEST_RATIO = 0.68
HIGHEST = 0.8  # of the lung's height that fluid reaches, whatever it grew to


def draw_names(random: np.random.Generator, *, healthy: float) -> tuple[str, ...]:
    """Return which findings a chest has: none in a share `healthy`, and at least one in the others."""
    lucky, drawn = random.random() < healthy, random.random(len(OFTEN))
    if lucky:
        return ()
    there = tuple(name for name, u in zip(OFTEN, drawn, strict=True) if u < OFTEN[name])
    return there or (list(OFTEN)[int(np.argmin(drawn - np.array(list(OFTEN.values()))))],)


def draw_courses(random: np.random.Generator, present: Sequence[str]) -> dict[str, Change]:
    """Return how each finding went since the earlier film, by name; what was absent then and now has no course."""
    drawn = {
        name: (random.random(), str(random.choice(list(COURSES), p=list(COURSES.values())))) for name in OFTEN
    }
    went: dict[str, Change] = {}
    for name, (u, course) in drawn.items():
        if name in present:
            went[name] = next(c for c in COURSES if c == course)
        elif u < GONE and name != "tube":
            went[name] = "gone"
    if went.get("tube") in GROWN:  # a tube does not grow
        went["tube"] = "unchanged"
    return went


def draw_finding(name: str, random: np.random.Generator, shape: Shape) -> tuple[Finding, ...]:
    """Return a finding as it is in the film of now, one or two of it; a large heart has none of its numbers yet."""
    if name == "nodule":
        return _nodules(random, shape)
    if name == "consolidation":
        return (found.consolidation(random, shape),)
    if name == "effusion":
        one = found.effusion(random, shape)
        other = found.effusion(random, shape)
        return (one, replace(other, side=-one.side)) if random.random() < BOTH else (one,)
    if name == "pneumothorax":
        side = -1 if random.random() < 0.55 else 1
        kept = round(float(random.uniform(*KEPT)), 4)
        return (Finding(name, side, {"kept": kept}, 0.0, "upper"),)
    if name == "cardiomegaly":
        return (Finding(name, 0, {"ratio": found.enlarged(random)}, 0.0),)
    if name == "edema":
        return (further.edema(random),)
    return (further.atelectasis(random, shape),) if name == "atelectasis" else (further.tube(random),)


def sized(finding: Finding, factor: float) -> Finding:
    """Return a finding `factor` times as large as it is, in its place."""
    place, amount = dict(finding.place), finding.amount
    if finding.label == "effusion":
        factor = min(factor, HIGHEST / amount)
    for key in ("diameter", "half_height", "half_width", "length", "height", "filled"):
        if key in place and not (key == "filled" and finding.label == "consolidation"):
            place[key] = round(place[key] * factor, 4)
    if finding.label == "pneumothorax":
        place["kept"] = round(1 - (1 - place["kept"]) * factor, 4)
    if finding.label == "cardiomegaly":
        place["ratio"] = round(min(LARGE + (place["ratio"] - LARGE) * factor, LARGEST_RATIO), 4)
        amount = place["ratio"]
    return replace(
        finding, place=place, amount=round(amount * (factor if finding.label != "cardiomegaly" else 1), 4)
    )


def with_heart(person: Person, findings: Sequence[Finding]) -> Person:
    """Return a person whose heart is as wide as a finding says, if one does."""
    ratio = next((f.place["ratio"] for f in findings if f.label == "cardiomegaly"), person.ratio)
    return replace(person, ratio=ratio)


def _nodules(random: np.random.Generator, shape: Shape) -> tuple[Finding, ...]:
    """Return a nodule, or one in each lung."""
    first = -1 if random.random() < 0.55 else 1
    two = random.random() < TWO
    made = []
    for side in (first, -first):
        wide = round(float(np.exp(random.uniform(*np.log(NODULE_MM)))), 1)
        y, x = spot(random, shape, side, 0.5 * wide + 3, [])
        made.append(
            Finding("nodule", side, {"y": y, "x": x, "diameter": wide}, wide, zone_of(shape, side, y, x))
        )
    return tuple(made if two else made[:1])
