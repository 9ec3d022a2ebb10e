"""What is found in a chest: nodules, consolidation, effusion, pneumothorax and a large heart, each at a known place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.phantom.thorax.body import LARGE, MEDIAL_MM, SIDES, Person, Shape

FINDINGS = ("nodule", "consolidation", "effusion", "pneumothorax", "cardiomegaly")
OFTEN = {"nodule": 0.45, "consolidation": 0.42, "effusion": 0.38, "pneumothorax": 0.22, "cardiomegaly": 0.35}
ZONES = ("upper", "middle", "lower")
NODULE_MM = (8.0, 32.0)  # diameters, uniform in the logarithm
LIMITS = {  # of what `amount` is of each finding: from each on it is moderate, and then severe
    "nodule": (15.0, 25.0),  # the diameter in mm
    "consolidation": (0.1, 0.2),  # the share of the lung's area
    "effusion": (0.25, 0.5),  # the share of the lung's height
    "pneumothorax": (0.2, 0.4),  # the share of the lung's area
    "cardiomegaly": (0.55, 0.62),  # the cardiothoracic ratio
    "edema": (0.5, 0.75),  # how much of the air around the hila is filled
    "atelectasis": (55.0, 75.0),  # the length of the band in mm
    "tube": (0.0, 0.0),  # it is there or not
}
GRADES = ("normal", "mild", "moderate", "severe")


@dataclass(frozen=True)
class Finding:
    """One finding. `place` are its numbers in mm, `amount` is what its degree follows from.

    `side` is −1, +1, or 0 for the heart; `seed` draws its irregular border.
    """

    label: str
    side: int
    place: dict[str, float]
    amount: float
    zone: str = ""
    seed: int = 0

    @property
    def degree(self) -> int:
        """Return 1, 2 or 3: mild, moderate or severe, by LIMITS."""
        return 1 + sum(self.amount >= limit for limit in LIMITS[self.label])


def severity(degrees: Sequence[int]) -> str:
    """Return the grade of a whole film: the sum of its findings' degrees is 0, 1 to 2, 3 to 4, or more."""
    total = sum(degrees)
    return GRADES[min((total + 1) // 2, 3)]


def draw_names(random: np.random.Generator, *, healthy: float) -> tuple[str, ...]:
    """Return which findings a chest has: none in a share `healthy`, and at least one in the others."""
    lucky, drawn = random.random() < healthy, random.random(len(FINDINGS))
    if lucky:
        return ()
    found = tuple(name for name, u in zip(FINDINGS, drawn, strict=True) if u < OFTEN[name])
    return found or (FINDINGS[int(np.argmin(drawn - np.array(list(OFTEN.values()))))],)


def enlarged(random: np.random.Generator) -> float:
    """Return the cardiothoracic ratio of a large heart."""
    return round(float(random.uniform(LARGE + 0.015, 0.68)), 4)


def nodules(random: np.random.Generator, shape: Shape) -> list[Finding]:
    """Return one to three nodules in the lungs, also where ribs, vessels or a part of the heart lie over them."""
    found: list[Finding] = []
    for _ in range(1 + int(random.choice(3, p=(0.62, 0.25, 0.13)))):
        wide = float(np.exp(random.uniform(*np.log(NODULE_MM))))
        side = -1 if random.random() < 0.55 else 1
        y, x = spot(random, shape, side, 0.5 * wide + 3, [(f.place["y"], f.place["x"]) for f in found])
        found.append(
            Finding(
                "nodule", side, {"y": y, "x": x, "diameter": round(wide, 2)}, wide, zone_of(shape, side, y, x)
            )
        )
    return sorted(found, key=lambda f: -f.amount)


def consolidation(random: np.random.Generator, shape: Shape) -> Finding:
    """Return a patch of a lung whose air is replaced; its share of the lung follows from its size."""
    side = -1 if random.random() < 0.55 else 1
    tall, wide = float(random.uniform(17, 48)), float(random.uniform(17, 38))
    y, x = spot(random, shape, side, 14, [])
    place = {"y": y, "x": x, "half_height": round(tall, 2), "half_width": round(wide, 2)}
    place["filled"] = round(float(random.uniform(0.3, 0.75)), 3)
    return Finding("consolidation", side, place, 0.0, zone_of(shape, side, y, x), int(random.integers(2**31)))


def effusion(random: np.random.Generator, shape: Shape) -> Finding:
    """Return fluid at the floor of one lung, higher at the side than in the middle."""
    side = -1 if random.random() < 0.5 else 1
    share = round(float(random.uniform(0.1, 0.7)), 4)
    height = share * (shape.dome[(side + 1) // 2] - shape.apex)
    return Finding("effusion", side, {"height": round(height, 2)}, share, "lower")


def pneumothorax(random: np.random.Generator) -> Finding:
    """Return a lung that has shrunk towards its root, with air around it; its share follows from the shrinking."""
    side = -1 if random.random() < 0.55 else 1
    return Finding("pneumothorax", side, {"kept": round(float(random.uniform(0.68, 0.97)), 4)}, 0.0, "upper")


def large_heart(person: Person) -> Finding:
    """Return the heart as a finding; its degree follows from its true cardiothoracic ratio, whatever the view."""
    return Finding("cardiomegaly", 0, {"ratio": person.ratio}, person.ratio)


def zone_of(shape: Shape, side: int, y: float, x: float) -> str:
    """Return upper, middle or lower: the third of the height from the apex to the diaphragm."""
    floor = float(shape.floor(side, np.array(x)))
    return ZONES[int(np.clip(3 * (y - shape.apex) / (floor - shape.apex), 0, 2))]


def spot(
    random: np.random.Generator, shape: Shape, side: int, margin: float, others: list[tuple[float, float]]
) -> tuple[float, float]:
    """Return a point `(y, x)` of a lung that is `margin` mm from its border and clear of other points."""
    bottom = shape.dome[(side + 1) // 2]
    y = random.uniform(shape.apex + 10, bottom, 600)
    x = side * random.uniform(MEDIAL_MM, MEDIAL_MM + 2 * shape.half, 600)
    room = np.full(600, np.inf)
    for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        room = np.minimum(room, shape.lung(side, y + dy * margin, x + dx * margin))
    fits = (room > 10) & (y + margin < shape.floor(side, x))
    for oy, ox in others:
        fits &= np.hypot(y - oy, x - ox) > margin + 25
    k = int(np.argmax(fits)) if fits.any() else int(np.argmax(room))
    return round(float(y[k]), 2), round(float(x[k]), 2)


def truth_of(finding: Finding, box: list[int]) -> dict[str, Any]:
    """Return a finding as plain JSON values, with its box `(y0, x0, y1, x1)` in pixels."""
    return {
        "label": finding.label,
        "side": SIDES.get(finding.side, ""),
        "zone": finding.zone,
        "degree": GRADES[finding.degree],
        "amount": round(finding.amount, 4),
        "place_mm": finding.place,
        "box": box,
    }
