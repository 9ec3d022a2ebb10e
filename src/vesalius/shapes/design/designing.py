"""From a defect to a part that keeps every rule: mended rule by rule, made, measured again, refused or returned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.shapes import rules
from vesalius.shapes.design.axis import insertion_axis
from vesalius.shapes.design.frame import bone_from, filled, framed
from vesalius.shapes.design.holes import Hole, one_hole
from vesalius.shapes.design.part import Bone, Made, Part
from vesalius.shapes.extract import surface_of
from vesalius.shapes.rules import Finding

BENEATH_MM, RESTS = 12.0, 0.5  # so near below lies bone, for so large a share of the part
ROUNDS = 4  # in which a part that came out too tight is mended by stricter values


@dataclass(frozen=True, eq=False)
class Design:
    """A part that keeps every rule, with what each rule found, and the bone and the defect that it is for."""

    made: Made
    findings: tuple[Finding, ...]
    hole: Hole
    values: Mapping[str, Mapping[str, Any]]
    notes: tuple[str, ...] = ()

    def figures(self, rule: str) -> Mapping[str, float]:
        """Return what a rule measured, by name."""
        return next(f.figures for f in self.findings if f.rule == rule)


def design(
    bone_mask: Array,
    missing: Array,
    affine: Array,
    *,
    values: Mapping[str, Any] | None = None,
    axis: Array | None = None,
    number: int | None = None,
    step_mm: float | None = None,
) -> Design:
    """Return the part that fills what is missing of a bone, both `(Z, Y, X)` bool on the grid of `affine` (LPS mm).

    `values` are those of the rules by `rule.value`, such as `{"clearance": 0.5}`; `axis` is the direction in LPS in
    which the part is drawn out, by default found; `number` chooses among several defects; `step_mm` is the side of
    the cubes that it is designed on.

    Raises DataError where there is no defect that a part can be designed for, and where the part breaks a rule that
    could not be mended: the rule is named, with what was found and what to try.
    """
    chosen = rules.values_of(values or {})
    bone = bone_from(bone_mask, affine)
    hole = one_hole(bone, missing, number=number)
    direction = (
        np.asarray(axis, dtype=np.float64) if axis is not None else insertion_axis(bone, hole.missing)[0]
    )
    part = mended(framed(bone, hole.missing, direction, step_mm=step_mm), chosen)
    made, findings = _checked(part, bone, chosen)
    tight: dict[str, Mapping[str, Any]] = {**chosen}
    for _ in range(ROUNDS):
        again = [f for f in findings if not f.kept and rules.get(f.rule).stricter(tight[f.rule], f)]
        if not again:
            break
        for finding in again:
            rule = rules.get(finding.rule)
            tight[finding.rule] = rule.stricter(tight[finding.rule], finding)
            part = rule.mend(part, tight[finding.rule])
        part = finished(part, chosen)
        made, findings = _checked(part, bone, chosen)
    broken = [f for f in findings if not f.kept]
    if broken:
        first, more = broken[0], [f.rule for f in broken[1:]]
        raise DataError(
            f"the design breaks the rule '{first.rule}'" + (f", and {', '.join(more)}" if more else ""),
            found=first.found,
            hint=first.hint,
        )
    return Design(made, findings, hole, chosen, (*hole.notes, *_resting(part)))


def _resting(part: Part) -> tuple[str, ...]:
    """Return a doubt where most of a part rests on bone: what was found may be a bump, and no hole."""
    steps = max(1, round(BENEATH_MM / part.step_mm))
    beneath: Array = np.cumsum((part.bone_mm < 0).astype(np.int32), axis=0)
    beneath[steps:] -= beneath[:-steps].copy()
    share = float((beneath > 0)[part.inside].mean())
    if share <= RESTS:
        return ()
    return (
        f"{share:.0%} of the part rests on bone: it may lie on the bone's outside, and fill no hole through it",
    )


def mended(part: Part, values: Mapping[str, Mapping[str, Any]]) -> Part:
    """Return a part after each rule has mended it, in their order, and after each has finished."""
    for name in rules.ordered():
        part = rules.get(name).mend(part, values[name])
    return finished(part, values)


def finished(part: Part, values: Mapping[str, Mapping[str, Any]]) -> Part:
    """Return a part after each rule has taken away what the others left. Raises DataError where nothing is left."""
    for name in rules.ordered():
        part = rules.get(name).finish(part, values[name])
    if not part.inside.any():
        raise DataError(
            "the design breaks the rule 'closes'",
            found="the other rules leave nothing of the part",
            hint="a smaller --rule clearance, or an image of finer voxels",
        )
    return part


def made_of(part: Part, bone: Bone) -> Made:
    """Return a part as it would be made: its mesh, and the voxels of the image that it fills."""
    field = Image(-part.distance_mm[None], affine=part.affine)
    return Made(
        part, surface_of(field, level=0.0, smooth=0.0), filled(part, bone.affine, bone.mask.shape), bone
    )


def _checked(
    part: Part, bone: Bone, values: Mapping[str, Mapping[str, Any]]
) -> tuple[Made, tuple[Finding, ...]]:
    made = made_of(part, bone)
    return made, tuple(rules.get(name).check(made, values[name]) for name in rules.ordered())
