"""How many of each? A count a label, as the integral of a density that shows where each count comes from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np

from vesalius import losses
from vesalius.core.answers import Answer
from vesalius.core.answers.map import Map
from vesalius.core.answers.numbers import Numbers
from vesalius.core.answers.value import Value
from vesalius.core.ask import Ask
from vesalius.core.bundle import State
from vesalius.core.case import Box, Case
from vesalius.core.census import Census, census
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.errors import DataError, PlanError
from vesalius.core.histogram import Histogram
from vesalius.core.image import Array, Image
from vesalius.core.moments import Moments
from vesalius.core.options import options_of
from vesalius.core.plan import Plan
from vesalius.core.promise import OPTION
from vesalius.core.statistics import Statistics
from vesalius.core.words import counted, listed
from vesalius.plan import patches
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.prepare import mass
from vesalius.prepare.batch import UNKNOWN, Batch, Example
from vesalius.prepare.case import Prepared
from vesalius.prepare.covariates import no_value
from vesalius.prepare.geometry import Undo, inner_slices
from vesalius.tasks._things import (
    COUNT,
    KINDS,
    MASS,
    THINGS,
    WHERE,
    Grid,
    better_scale,
    cells,
    mark,
    placed,
    sides_of,
)
from vesalius.tasks.contract import Nets, Task, planned_net

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

NAMES = {"count": "How many of each label there are, and where each count comes from"}
OPTIONS = {"kernel": 0.15, "narrowest": 0.7, "count_weight": 0.1}
LIMITS = {"kernel": {"gt": 0, "le": 1}, "narrowest": {"gt": 0}, "count_weight": {"ge": 0}}

COVERAGE = 0.9
SMALLEST = 8.0  # pixels that small things have in whole pictures; below it patches are learned from
UNSEEN = 2.0  # times the most that was learned from: a count beyond that is marked


class Count(Task):
    """Densities after Lempitsky and Zisserman (2010), one a label: a count is the integral, so it is never negative.

    Boxes are drawn as Gaussians of mass 1, as wide as the box; a part that a patch's border cuts off counts for as much
    as is inside. Where only numbers are known, the integral alone is held against them.
    """

    name: ClassVar[str] = "count"
    answer: ClassVar[type[Answer]] = Numbers
    targets: ClassVar[tuple[str, ...]] = ("boxes", "measures", "number")
    roles: ClassVar[tuple[str, ...]] = ("dense",)
    run: ClassVar[str] = "density"
    primary: ClassVar[str] = "r2"
    mirrors: ClassVar[bool] = True

    def defaults(self, prints: Fingerprint, machine: Machine, target: TargetInfo | None) -> Draft:
        """Return the choices for densities: whole pictures or patches, a U-Net, and changes that keep things whole."""
        draft = Draft()
        seen = target is None or bool(target.labels)
        if target is not None:
            why = f"'{target.name}' says how many there are; where they lie, too: --task detect"
            draft.set("task.name", self.name, why)
        fits = patches.images(draft, prints, machine)
        whole = _why_whole(prints, machine, seen=seen)
        if whole is not None:
            size, why = patches.whole_size(prints, machine), f"the median shape {prints.shape_median}"
            draft.set("data.sampling", "whole", whole)
            draft.set("data.size", size, f"{why}, within what this machine can train")
            fits = True
        patches.dense_net(draft, prints, machine)
        draft.set("loss.name", "mse", "of the density at each point, as published")
        patches.augmentation(draft, prints)
        if not seen:
            why = "what leaves the image would still be counted"
            for path in ("rotate_deg", "zoom"):
                draft.set(f"augment.{path}", 0.0, why)
        patches.batches(draft, prints, machine, fits=fits)
        draft.set("train.select", "last", "what is promised stands on cases that chose no checkpoint")
        why = "the share of cases in which a count lies in its interval"
        draft.set(f"task.options.{OPTION}", COVERAGE, why)
        return draft

    def check(self, cohort: Cohort, target: TargetInfo | None) -> tuple[str, ...]:
        """Return what is missing: two cases with boxes or with numbers that may be counts, and an image for each."""
        if target is None:
            return ("boxes around what is counted, or a number for each case (--target NAME)",)
        held = [c for c in cohort.cases if target.name in c.targets]
        if len(held) < 2:
            return (f"at least two cases with '{target.name}' ({len(held)} found)",)
        bare = [c.id for c in held if not c.images]
        if bare:
            return (f"an image for each case ({listed(bare, 3)})",)
        names = names_of(target)
        if not names:
            return (f"something to count (no case has a box in '{target.name}')",)
        for info in () if target.labels else target.parts or (target,):
            if info.unit:
                return (
                    f"counts, which have no unit ('{info.name}' is in {info.unit}: without --task it is learned as a "
                    f"number; a count is called without '{info.unit}')",
                )
        for case in held:
            for name in names:
                x = census(case.targets[target.name])[name]
                if x is not None and not (math.isfinite(x) and x >= 0):
                    return (
                        f"counts that are finite and not negative in '{target.name}' (case {case.id}: {x:g})",
                    )
        for name in () if target.labels else names:
            known = [x for c in held if (x := census(c.targets[target.name])[name]) is not None]
            if (code := no_value(Histogram.of(known))) is not None:
                return (f"an empty cell where '{name}' is not known, in place of {code:g}",)
        still = [n for n in names if not _varies(held, target, n)]
        if len(still) == len(names) and not target.labels:
            return (f"a count that varies ('{target.name}' is the same in all {counted(len(held), 'case')})",)
        return ()

    def check_plan(self, plan: Plan, target: TargetInfo | None) -> None:
        """Raise PlanError where only numbers are known and a plan asks for patches, whose numbers nobody knows."""
        if target is not None and not target.labels and plan.data.sampling == "patches":
            raise PlanError(
                "patches cannot be learned from where only the number in a whole image is known",
                found=f"data.sampling=patches, and '{target.name}' says no places",
                hint="--set data.sampling=whole, or boxes around what is counted",
            )

    def summary(self, cases: Sequence[Case], target: TargetInfo | None, plan: Plan) -> Statistics:
        """Return the statistics of each label's counts."""
        if target is None:
            return Statistics()
        found = [c.targets[target.name] for c in cases if target.name in c.targets]
        counts = {
            n: Moments.of(x for t in found if (x := census(t)[n]) is not None) for n in names_of(target)
        }
        return Statistics({"counts": Statistics(dict(counts))})

    def state(self, summary: Statistics, target: TargetInfo | None, plan: Plan) -> State:
        """Return the labels, how many of each there are in training cases, and of what size their densities are."""
        if target is None:
            raise DataError("counting needs something to count", hint="--target NAME")
        names, options = names_of(target), options_of("tasks", self.name, own(plan), where="task.options")
        counts, grid, sides = summary.part("counts", Statistics), Grid.of(plan), sides_of(plan)
        made = []
        for k, name in enumerate(names):
            n = counts.part(name, Moments)
            mean = n.mean if n.n else 0.0
            size = sides[name] * grid.factor if name in sides else None
            made.append(
                {
                    "value": target.labels[k].value if target.labels else k + 1,
                    "name": name,
                    "mean": mean,
                    "high": n.high if n.n else 0.0,
                    **grid.sizes(mean, size, kernel=options["kernel"], narrowest=options["narrowest"]),
                }
            )
        if not any(one["mean"] for one in made):
            raise DataError(
                f"there is nothing to count in '{target.name}'",
                found="0 of each label in all training cases",
                hint="another target, or another split",
            )
        return State(
            {"target": target.name, "placed": bool(target.labels), "labels": made, "options": options}
        )

    def encode(self, case: Case, prepared: Prepared, reference: Image, state: State) -> Example:
        """Return where things lie on the prepared grid, and how many there are of each label.

        `where` `(1, Z, Y, X)` is -1 outside of the image and in a crowd, k + 1 in the middle of a thing of the k-th
        label, and 0 elsewhere; patches are drawn about it. A thing rides as its middle and how far it reaches along
        each axis, so that it turns and grows with the image, and is never cut.
        """
        inside = mass.inside_of(prepared.undo)
        plain = Example(case.id, {"image": prepared.array}, ragged={mass.INSIDE: inside})
        target = case.targets.get(state.values["target"])
        if target is None:
            return plain
        where = np.full(prepared.undo.shape, UNKNOWN, dtype=np.int16)
        where[inner_slices(prepared.undo)] = 0
        names = [one["name"] for one in state.values["labels"]]
        said = census(target)
        known = [said[name] for name in names]
        count = np.array([np.nan if x is None else x for x in known], dtype=np.float32)
        targets: dict[str, Array] = {WHERE: where[None], COUNT: count}
        on_grid = frozenset({WHERE})
        if not isinstance(target, tuple):
            return Example(case.id, plain.images, targets, on_grid=on_grid, ragged=plain.ragged)
        boxes = [b for b in target if isinstance(b, Box) and b.label in names]
        options = state.values["options"]
        things, kinds, shares = placed([b for b in boxes if not b.crowd], names, prepared.undo, options)
        mark(where, things, kinds)
        for box in boxes:
            if box.crowd:
                where[cells(box, prepared.undo)] = UNKNOWN
        ragged = {**plain.ragged, THINGS: things.reshape(-1, 3), KINDS: kinds, MASS: shares}
        points = frozenset({THINGS})
        return Example(case.id, plain.images, targets, on_grid=on_grid, ragged=ragged, points=points)

    def build(self, plan: Plan, state: State, nets: Nets) -> nn.Module:
        """Return the planned net with one density a label, and the planned loss of each point."""
        from vesalius.tasks._counter import Counter

        labels = state.values["labels"]
        criterion = losses.build(plan.loss.name, options=plan.loss.options)
        return Counter(
            planned_net(plan, nets),
            criterion,
            **{name: [one[name] for one in labels] for name in ("peak", "blank", "energy", "usual")},
            count_weight=float(state.values["options"]["count_weight"]),
            kernel=float(state.values["options"]["kernel"]),
            narrowest=float(state.values["options"]["narrowest"]),
        )

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the planned loss of each point's density, as a share of what a blank one has, and that of the counts.

        What is outside of an image or in a crowd counts for nothing. Where only numbers are known the counts are all.
        """
        from vesalius.tasks._counter import Counter, terms

        return terms(cast(Counter, model), batch)

    def infer(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return densities `(B, K, Z, Y, X)`: how many things of each label lie in each voxel of the prepared grid."""
        density: Tensor = model(batch.images["image"])
        return density

    def decode(
        self,
        raw: Any,
        state: State,
        calibration: Mapping[str, Any],
        reference: Image,
        *,
        undo: Undo | None = None,
    ) -> Numbers:
        """Return the count of each label, and beside them the densities on the reference's grid where `raw` has them.

        `raw` is what the run `density` gives: counts `(M, K)`, or these and the fields by name.
        """
        counts, field = (raw[mass.COUNTS], raw[mass.DENSITY]) if isinstance(raw, Mapping) else (raw, None)
        scale = _scales(state, calibration)
        labels = state.values["labels"]
        found = np.mean(np.asarray(counts, dtype=np.float64), axis=0) * scale
        parts: dict[str, Answer] = {
            one["name"]: _value(one["name"], float(x)) for one, x in zip(labels, found, strict=True)
        }
        if field is not None:
            for k, name in enumerate(map_names(state)):
                parts[name] = _map(field[k] * np.float32(scale[k]), labels[k]["name"], reference)
        return Numbers(parts=parts, outside=_beyond(labels, found))

    def scalar(self, raw: Tensor, ask: Ask) -> Tensor:
        """Return the count of one label, of the region that is asked about or of all that is seen, `(B,)`."""
        import torch

        density = raw[:, ask.place]
        if ask.where is not None:
            density = density * torch.as_tensor(ask.where).to(density)
        return density.sum(dim=(1, 2, 3))

    def score(self, raw: Any, example: Example, state: State) -> dict[str, float] | None:
        """Return the negative error of each label's count, as a share of its mean over training cases."""
        if COUNT not in example.targets:
            return None
        found = np.mean(np.asarray(raw, dtype=np.float64), axis=0)
        labels = state.values["labels"]
        return {
            one["name"]: -abs(float(x) - float(t)) / max(one["mean"], 1.0)
            for one, x, t in zip(labels, found, example.targets[COUNT], strict=True)
        }

    def calibrate(
        self, raw: Sequence[Array], truths: Sequence[Any], *, state: State, plan: Plan
    ) -> dict[str, Any]:
        """Return for each label what its counts are multiplied by, where that makes counts of unseen cases better.

        It is the sum of the truths over that of the counts. A label is left as it is where, each case being judged by
        the factor of all others, the mean error does not fall by more than its own standard error.
        """
        found = np.stack([np.mean(np.asarray(one, dtype=np.float64), axis=0) for one in raw])  # (N, K)
        scale = {}
        for k, one in enumerate(state.values["labels"]):
            said = [None if t is None else t[one["name"]] for t in truths]
            held = np.array([n for n, x in enumerate(said) if x is not None], dtype=int)
            truth = np.array([said[n] for n in held], dtype=np.float64)
            factor = better_scale(found[held, k], truth)
            if factor is not None:
                scale[one["name"]] = factor
        return {"scale": scale} if scale else {}

    def calibrated(self, raw: Tensor, state: State, calibration: Mapping[str, Any]) -> Tensor:
        """Return the counts of the members' mean densities `(B, M, K)` or `(B, K, Z, Y, X)`, `(B, K)`."""
        import torch

        counts = raw.double().mean(dim=1) if raw.ndim == 3 else raw.double().sum(dim=(2, 3, 4))
        scale = torch.as_tensor(_scales(state, calibration)).to(counts)
        return (counts * scale).to(raw.dtype)

    def trivial(self, state: State, reference: Image) -> Numbers:
        """Return the mean counts of the training cases, whatever the image shows."""
        return Numbers(parts={x["name"]: _value(x["name"], x["mean"]) for x in state.values["labels"]})

    def truth(self, case: Case, state: State) -> Census | None:
        """Return how many of each label the case has; None where nothing says."""
        target = case.targets.get(state.values["target"])
        return None if target is None else census(target)


def names_of(target: TargetInfo) -> tuple[str, ...]:
    """Return the names of what is counted: a target's labels, the numbers that it is made of, or its own name."""
    if target.labels:
        return tuple(label.name for label in target.labels)
    return tuple(part.name for part in target.parts) or (target.name,)


def map_names(state: State) -> tuple[str, ...]:
    """Return what the part that shows a label's density is called, a label each."""
    names = [one["name"] for one in state.values["labels"]]
    if len(names) == 1 and names[0] != mass.DENSITY:
        return (mass.DENSITY,)
    return tuple(f"{name}_{mass.DENSITY}" for name in names)


def own(plan: Plan) -> dict[str, Any]:
    """Return the planned options that this file states; others are everybody's."""
    return {name: value for name, value in plan.task.options.items() if name in OPTIONS}


def _why_whole(prints: Fingerprint, machine: Machine, *, seen: bool) -> str | None:
    """Return why images are learned from whole; None where patches of them are."""
    if not seen:
        return "only the number in a whole image is known"
    size = patches.whole_size(prints, machine)
    if not prints.flat or prints.things is None or max(size) >= max(prints.shape_median):
        return None
    smallest = prints.things.smallest * max(size) / max(prints.shape_median)
    if smallest < SMALLEST:
        return None
    return f"small things are still {smallest:.0f} pixels wide in whole pictures of {max(size)} pixels"


def _varies(cases: Sequence[Case], target: TargetInfo, name: str) -> bool:
    return len({census(c.targets[target.name])[name] for c in cases}) > 1


def _value(name: str, x: float) -> Value:
    return Value(x=x, unit="1", quantity=f"{name} count", least=0.0)


def _map(field: Array, name: str, reference: Image) -> Map:
    """Return a density on the reference's grid, whose sum is the count."""
    image = Image(
        np.asarray(field, dtype=np.float32)[None],
        affine=reference.affine,
        spacing_mm=reference.spacing_mm,
        spacing_at=reference.spacing_at,
        modality=reference.modality,
        source=reference.source,
    )
    one = "pixel" if reference.shape[0] == 1 else "voxel"
    return Map(image=image, quantity=f"{name} density", unit=f"1/{one}")


def _scales(state: State, calibration: Mapping[str, Any]) -> Array:
    held = calibration.get("scale") or {}
    return np.array([float(held.get(one["name"], 1.0)) for one in state.values["labels"]])


def _beyond(labels: Sequence[Mapping[str, Any]], found: Array) -> tuple[str, ...] | None:
    """Return which counts are far beyond all that was learned from, a sentence each."""
    said = tuple(
        f"{one['name']} count {x:.4g}, learned from at most {one['high']:.4g}"
        for one, x in zip(labels, found, strict=True)
        if one["high"] and x > UNSEEN * one["high"]
    )
    return said or None


TASK = Count()
