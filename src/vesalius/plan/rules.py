"""The rules: from a fingerprint and a machine to a plan in which every value says why it is what it is."""

from __future__ import annotations

import math
from typing import Any

from vesalius.core import registry
from vesalius.core.cohort import TargetInfo
from vesalius.core.errors import PlanError, UnknownName
from vesalius.core.plan import LocatePlan, Plan, override, parse_plan
from vesalius.core.words import counted
from vesalius.nets import describe, names_for, topology
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.plan.positive import positive_of, why_positive
from vesalius.tasks.contract import Task

WHOLE_2D = (32, 48, 64, 96, 128, 160, 192, 224)
PATCH_2D_CPU, PATCH_2D_GPU = 192 * 192, 512 * 512
PATCH_3D_CPU, PATCH_3D_GPU = 60**3, 128**3


class Draft:
    """A plan in the making: values by path, and the reason of each."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = {"reasons": {}}

    def set(self, path: str, value: Any, reason: str) -> None:
        """Set one value and say why."""
        *parents, leaf = path.split(".")
        node = self.data
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = value
        self.data["reasons"][path] = reason


def draft_plan(
    task: Task, target: TargetInfo | None, prints: Fingerprint, machine: Machine, *, seed: int = 0
) -> Plan:
    """A first plan; the number of steps is still open (see `budget`) and stands at 1."""
    draft = Draft()
    draft.set("task.name", task.name, f"the target is a {target.kind}" if target else "asked for")
    draft.set(
        "task.target", target.name if target else None, target.reason if target else "no target is needed"
    )
    _images(draft, prints)
    _intensity(draft, prints)
    if registry.literals("infer.runs", task.run).get("SAMPLING") == "whole":
        _whole(draft, task, target, prints, machine)
    else:
        _patches(draft, task, prints, machine)
    _learning(draft, prints, machine, seed)
    draft.data["fingerprint"] = {**prints.json(), "machine": {"cores": machine.cores, "gpu": machine.gpu}}
    return check(parse_plan(draft.data), task)


def staged(plan: Plan) -> Plan:
    """The plan with a locating stage where its net's paper has one, the data allow it and nobody said otherwise."""
    if plan.locate is not None or any(path.startswith("locate") for path in plan.reasons):
        return plan
    if not describe(plan.net.name).get("TWO_STAGE") or plan.data.spacing_mm is None:
        return plan
    return override(
        plan, {"locate": LocatePlan().model_dump()}, reason="as in the net's paper: first where, then what"
    )


def check(plan: Plan, task: Task) -> Plan:
    """The plan, if its net has a role that its task takes and serves its dimensions. Raises PlanError."""
    about = describe(plan.net.name)
    if about.get("ROLE") not in task.roles:
        named = [n for role in task.roles for n in names_for(role, dims=plan.data.dims)]
        fits = {n.partition("-")[0]: n for n in reversed(named)}  # one of each family
        raise PlanError(
            f"net '{plan.net.name}' is of role {about.get('ROLE')}; {task.name} takes {' or '.join(task.roles)}",
            hint=", ".join(sorted(fits.values())),
        )
    if plan.data.dims not in about.get("DIMS", (2, 3)):
        raise PlanError(f"net '{plan.net.name}' does not serve {plan.data.dims}-D")
    suited = [n for n in registry.names("losses") if set(_takes(n)) & set(task.targets)]
    if suited and plan.loss.name not in suited:
        if plan.loss.name not in registry.names("losses"):
            raise UnknownName("loss", plan.loss.name, suited)
        raise PlanError(f"loss '{plan.loss.name}' is not for {task.name}", hint=", ".join(suited))
    if len(plan.data.normalise) != plan.data.channels:
        raise PlanError(
            "data.normalise must have one entry a channel",
            found=f"{len(plan.data.normalise)} for {counted(plan.data.channels, 'channel')}",
        )
    if plan.data.channel_names and len(plan.data.channel_names) != plan.data.channels:
        raise PlanError(
            "data.channel_names must have one name a channel",
            found=f"{len(plan.data.channel_names)} for {plan.data.channels} channels",
            hint='--set data.channel_names=["red","green","blue"], or [] where nobody knows',
        )
    if plan.train.members > plan.train.folds:
        raise PlanError(
            "there cannot be more members than folds",
            found=f"train.members={plan.train.members}, train.folds={plan.train.folds}",
            hint="--set train.folds=" + str(plan.train.members),
        )
    return plan


def _takes(loss: str) -> tuple[str, ...]:
    """The kinds of target that a loss is for."""
    kinds: tuple[str, ...] = registry.literals("losses", loss.partition("-")[0]).get("TARGETS", ())
    return kinds


def _images(draft: Draft, p: Fingerprint) -> None:
    each = 1 if p.grey else p.channels
    draft.set(
        "data.dims", 2 if p.flat else 3, "every image is a single plane" if p.flat else "images are volumes"
    )
    draft.set("data.images", list(p.images), "every case has them")
    why = "one a grey image" if p.grey and p.channels > 1 else "as the images have them"
    if p.grey and p.channels > 1:
        why = "the colour channels are all equal"
    draft.set("data.channels", each * len(p.images), why)
    names = () if p.grey and p.channels > 1 else p.channel_names
    if names:
        why = "what the images' channels are called" if p.channels > 1 else "what the images are called"
    draft.set("data.channel_names", list(names), why if names else "nothing says what they are")


def _intensity(draft: Draft, p: Fingerprint) -> None:
    n = draft.data["data"]["channels"]
    if p.unit == "HU":
        entry = {"method": "fixed", "low": p.low, "high": p.high, "mean": p.mean, "sd": p.sd}
        where = "inside the labels" if p.inside else "over the images"
        draft.set("data.normalise", [entry] * n, f"Hounsfield units are absolute: 0.5 to 99.5 % {where}")
    elif p.bits == 8:
        entry = {"method": "fixed", "low": 0.0, "high": 255.0, "mean": p.mean, "sd": p.sd}
        draft.set(
            "data.normalise", [entry] * n, "8-bit pictures share one scale: the cohort's mean and deviation"
        )
    else:
        draft.set(
            "data.normalise", [{"method": "zscore"}] * n, "intensities have no unit: each image by itself"
        )


def _whole(draft: Draft, task: Task, target: TargetInfo | None, p: Fingerprint, machine: Machine) -> None:
    draft.set("data.sampling", "whole", "the answer is about the whole image")
    if p.flat:
        limit = 224 if machine.gpu else 128
        side = max(p.shape_median[1:])
        longest = min((s for s in WHOLE_2D if s >= min(side, limit)), default=limit)
        longest = max(longest, 64)
        ratio = min(p.shape_median[1:]) / side
        short = longest if ratio > 0.8 else max(32, round(longest * ratio / 16) * 16)
        y, x = (longest, short) if p.shape_median[1] >= p.shape_median[2] else (short, longest)
        draft.set(
            "data.size",
            [1, y, x],
            f"median {p.shape_median[1]}×{p.shape_median[2]}, within {limit} on this machine",
        )
    else:
        budget = 64**3 if not machine.gpu else 128**3
        draft.set(
            "data.size",
            _box(p.shape_median, budget, 8),
            "the median shape, within what this machine can train",
        )
    draft.set("data.spacing_mm", None, "images are scaled to one size")
    net, scale = ("resnet-18", 1.0) if machine.gpu else ("resnet-10", 0.375)
    options: dict[str, str] = {}
    if max(draft.data["data"]["size"]) <= 96:
        options = {"stem": "small" if machine.gpu else "half"}
    draft.set("net.name", net, "residual nets learn well from few images; this size suits the machine")
    draft.set("net.scale", scale, "width that a CPU can train" if not machine.gpu else "the published width")
    draft.set(
        "net.options",
        options,
        "small images keep their resolution in the first layer" if options else "as published",
    )
    draft.set("net.dropout", 0.2, "few images")
    draft.set("loss.name", "cross_entropy", "probabilities are wanted")
    draft.set("loss.smoothing", 0.0, "probabilities are calibrated on validation cases instead")
    shares = list(p.classes.values())
    uneven = bool(shares) and max(shares) > 5 * max(1, min(shares))
    draft.set(
        "loss.class_weights",
        "balanced" if uneven else "none",
        "the rarest class is more than five times rarer" if uneven else "classes are not far from even",
    )
    if target is not None and len(target.labels) == 2 and target.kind == "class":
        counts = {x.name: p.classes.get(x.name, 0) for x in target.labels}
        positive = positive_of(counts)
        why = "calibrated probabilities: the likelier class is called; balanced_accuracy, accuracy, f1 tune it on folds"
        draft.set("task.options", {"threshold": "half"}, why)
        draft.set("task.positive", positive, why_positive(positive, counts))
    _augment_whole(draft, p)
    draft.set("infer.mirror", ["x"] if "x" in draft.data["augment"]["flip_axes"] else [], "as in training")
    draft.set("infer.batch", 32 if p.flat else 4, "whole images at a time")
    draft.set("train.batch", 32 if p.flat else 4, "steps that are quick and not too noisy")
    draft.set(
        "train.members",
        5,
        "an ensemble over the folds: every case is validated once, by a model that never saw it",
    )


def _augment_whole(draft: Draft, p: Fingerprint) -> None:
    sided = p.sided
    draft.set(
        "augment.flip_axes",
        [] if sided else ["x"],
        "a label names a side" if sided else "no label names a side",
    )
    draft.set("augment.probability", 0.8, "most samples are changed; a tenth or so stay as they are")
    draft.set("augment.rotate_deg", 15.0, "how a patient may lie or a probe be held")
    draft.set("augment.translate", 0.08, "structures are not centred alike")
    draft.set("augment.zoom", 0.15, "patients differ in size")
    draft.set("augment.shear", 0.08, "small changes of shape")
    draft.set("augment.brightness", 0.2, "gain differs from device to device")
    draft.set("augment.contrast", 0.2, "contrast differs from device to device")
    draft.set("augment.mixup", 0.4, "probabilities of new patients are better for it")


def _patches(draft: Draft, task: Task, p: Fingerprint, machine: Machine) -> None:
    draft.set("data.sampling", "patches", "the answer is about each point")
    if p.spacing_known and p.spacing_median is not None and not p.flat:
        draft.set(
            "data.spacing_mm", list(p.spacing_median), "the median spacing: most images stay as they are"
        )
    else:
        draft.set("data.spacing_mm", None, "pictures without spacing are left on their grid")
    fits = _patch_size(draft, p, machine)
    _dense_net(draft, p, machine)
    draft.set("loss.name", "dice-ce", "overlap is the goal and cross-entropy steadies it")
    present = [share for share in p.voxels.values() if share > 0]
    uneven = bool(present) and max(present) > 5 * min(present)
    why = "the rarest label is more than five times rarer" if uneven else "labels are not far from even"
    draft.set("loss.class_weights", "root" if uneven else "none", why)
    _augment_patches(draft, p)
    mirror = ["x"] if fits and "x" in draft.data["augment"]["flip_axes"] else []
    draft.set("infer.mirror", mirror, "as in training" if mirror else "an axis would double the time")
    draft.set("infer.overlap", 0.5, "half a tile, blended by a Gaussian")
    batch = (12 if p.flat else 2) if machine.gpu else (4 if p.flat else 2)
    draft.set("train.batch", batch, "as many patches as a step can afford")
    share = 0.0 if fits else 0.5
    draft.set(
        "train.foreground",
        share,
        "a patch is most of an image" if fits else "half of the patches hold a label",
    )
    draft.set("train.members", 3, "an ensemble, each on other folds: together they learn from every case")


def _patch_size(draft: Draft, p: Fingerprint, machine: Machine) -> bool:
    """Set the patch; returns whether it holds a typical image whole."""
    if p.flat:
        budget = PATCH_2D_GPU if machine.gpu else PATCH_2D_CPU
    else:
        budget = PATCH_3D_GPU if machine.gpu else PATCH_3D_CPU
    size = _box(p.shape_median, budget, 16 if p.flat else 4)
    whole = tuple(_up(n, 16 if p.flat else 4) if n > 1 else 1 for n in p.shape_median)
    fits = tuple(size) == whole
    why = f"the median shape {p.shape_median}"
    draft.set("data.size", size, why if fits else f"{why}, within what this machine can train")
    return fits


def _dense_net(draft: Draft, p: Fingerprint, machine: Machine) -> None:
    draft.set("net.name", "unet", "the strongest baseline wherever it was measured")
    draft.set("net.scale", 1.0, "the usual width")
    options: dict[str, object] = {}
    why = "as published"
    dims, stages = (2, 4) if p.flat else (3, 3)
    inside = [n // 2 for n in draft.data["data"]["size"][-dims:]]
    if not machine.gpu and len(topology(dims, inside, stages=stages).strides) == stages:
        options = {"norm": "batch", "fold": True, "stages": stages}
        why = "works at half resolution inside, for a third of the cost"
    elif not machine.gpu:
        options = {"norm": "batch"}
        why = "too small to work at half resolution; this normalisation is the cheapest"
    draft.set("net.options", options, why)


def _augment_patches(draft: Draft, p: Fingerprint) -> None:
    draft.set("augment.flip_axes", _flips(p), "a label names a side" if p.sided else "no label names a side")
    draft.set("augment.probability", 0.7, "some samples keep their place")
    draft.set("augment.rotate_deg", 15.0, "how a patient may lie")
    thick = not p.flat and p.spacing_median is not None and max(p.spacing_median) > 3 * min(p.spacing_median)
    draft.set("augment.rotate_in_plane_only", thick, "slices are thick" if thick else "voxels are near cubes")
    draft.set("augment.zoom", 0.15, "patients differ in size")
    draft.set("augment.noise", 0.1, "scanners differ")
    draft.set("augment.brightness", 0.1, "scanners differ")
    draft.set("augment.contrast", 0.15, "scanners differ")


def _flips(p: Fingerprint) -> list[str]:
    if p.flat:
        return [] if p.sided else ["y", "x"]
    return [] if p.sided else ["x"]


def _learning(draft: Draft, p: Fingerprint, machine: Machine, seed: int) -> None:
    whole = draft.data["data"]["sampling"] == "whole"
    few = whole and p.cases < 2000
    why = (
        "too few validation cases to tell checkpoints apart"
        if few
        else "by the task's own metric on validation"
    )
    draft.set("train.select", "last" if few else "best", why)
    draft.set("train.optimizer", "adamw", "little tuning is needed")
    draft.set("train.lr", 3e-3, "found by folds on training data of several cohorts")
    draft.set("train.weight_decay", 0.05 if whole else 0.01, "L2 against over-fitting")
    draft.set("train.schedule", "cosine", "the last steps are small, so the last weights are good ones")
    draft.set("train.warmup", 0.1 if whole else 0.05, "steps grow from nothing")
    draft.set("train.ema", 0.99, "an average of late weights is steadier")
    draft.set("train.clip_norm", 5.0, "one odd batch must not undo the rest")
    draft.set("train.folds", 5, "four fifths to learn from, one fifth to validate on")
    draft.set(
        "train.precision",
        "bf16" if machine.bf16 else "fp32",
        "the hardware multiplies in bf16" if machine.bf16 else "no fast bf16 here",
    )
    draft.set("train.threads", None, f"all {machine.cores} cores")
    draft.set("train.seed", seed, "asked for" if seed else "the default")
    draft.set("train.steps", 1, "not yet budgeted")


def _up(n: int, unit: int) -> int:
    return max(unit, -(-n // unit) * unit)


def _box(shape: tuple[int, int, int], budget: int, unit: int) -> list[int]:
    """The shape, shrunk along its longest axis until its volume is within `budget`; multiples of `unit`."""
    size = [_up(n, unit) if n > 1 else 1 for n in shape]
    while math.prod(size) > budget:
        k = max(range(3), key=lambda a: size[a])
        if size[k] <= unit:
            break
        size[k] -= unit
    return size
