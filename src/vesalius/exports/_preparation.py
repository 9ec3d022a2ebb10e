"""Preparation: how an image becomes what a model takes, and its raw outputs an answer, as data to follow."""

from __future__ import annotations

from typing import Any

from vesalius.core.bundle import Stage
from vesalius.core.errors import PlanError
from vesalius.core.plan import DataPlan, Plan
from vesalius.core.promise import PROMISE
from vesalius.exports.contract import Source
from vesalius.infer import runs
from vesalius.prepare import harmonise
from vesalius.prepare.case import MAIN
from vesalius.prepare.harmonise.contract import Known
from vesalius.tasks import contract as tasks

FORM = 1
WORDS = {
    "orientation": "with `canonical` the axes are transposed and flipped to the nearest LPS axes, and never rotated: "
    "after that X runs to the patient's left, Y to the back, Z to the head",
    "resampling": "linear, one axis after the other (z, y, x), over the same extent: sample i lies at (i + 0.5) / n; "
    "where it shrinks the triangle widens by the factor, so that no sample is skipped; rows of weights sum to one",
    "size": "sampling `whole`: scaled with its proportions (in units of `spacing_mm` where it is given) to fit `size`; "
    "sampling `patches`: resampled to `spacing_mm`; then padded with zeros around, up to `size`, after the steps",
    "steps": "of each channel, in their order, in float32; `clip` cuts off, `linear` is (x - subtract) / divide; what "
    "begins with `own` is measured on the image itself",
    "tiles": "begin evenly spread with at least `overlap` of a tile in common; each is weighed by a product of "
    "Gaussians of sigma n/8 along each axis, never below a thousandth of its peak",
    "mirror": "the raw outputs of the image and of all its mirror images along these axes are averaged; fields are "
    "turned back first; axes of length 1 are left out",
    "members": "raw outputs of fields are averaged; of those about a whole image each member's answer is averaged",
}


def preprocessing_of(source: Source, files: tuple[str, ...]) -> dict[str, Any]:
    """Return what stands in `preprocessing.json` beside the models in `files`.

    Raises PlanError, with the reason, for a bundle whose answers a script of numpy and onnxruntime cannot give.
    """
    stage, plan = source.stage, source.stage.plan
    _assert_plain(source)
    rule = source.task.as_rule(stage.state, stage.calibration)
    run = runs.get(source.task.run)
    if rule is None or not (run.apart or run.on_grid):
        raise _no_script(f"the answers of {plan.task.name} follow from no rule that the script has")
    return {
        "form": FORM,
        "bundle_sha256": source.bundle.hash,
        "made_by": source.bundle.made_by,
        "files": list(files),
        "preparation": _images_of(plan.data),
        "running": {
            "way": "whole" if run.apart else "tiles",
            "tile": list(plan.data.size),
            "overlap": plan.infer.overlap,
            "batch": plan.infer.batch,
            "mirror": list(plan.infer.mirror),
        },
        "answer": dict(rule),
        "left_out": list(left_out(stage, scripted=True)),
        "in_words": WORDS,
    }


def left_out(stage: Stage, *, scripted: bool) -> tuple[str, ...]:
    """Return what an answer of Vesalius has that an export has not, in words.

    One that is `scripted` carries the preparation and the way from raw outputs to an answer.
    """
    found = [
        "the refusal of images of another modality, unit or number of dimensions than were learned from",
    ]
    if stage.plan.infer.novelty != "none":
        found.append("the alarm for images unlike those of training")
    if stage.calibration.get(PROMISE):
        found.append("what is promised of an answer, and answers that are withheld by that promise")
    if not scripted:
        if any(stage.calibration.get(name) for name in ("temperature", "isotonic", "thresholds")):
            found.append("the calibration of its answers, and from which probability on a label is called")
        if stage.plan.infer.mirror:
            found.append("the mean over mirror images")
        if tasks.get(stage.plan.task.name).run != "whole":
            found.append("tiles, and how they are blended")
    precision = stage.plan.train.precision
    if precision != "fp32" and runs.get(tasks.get(stage.plan.task.name).run).lowers:
        found.append(
            f"the planned precision {precision}: exports compute in single precision, so that a few points differ"
        )
    return tuple(found)


def _images_of(data: DataPlan) -> dict[str, Any]:
    """Return how images are made ready: which, in which channels, on which grid, by which steps."""
    return {
        "images": list(data.images),
        "channels": data.channels,
        "channel_names": [name for k in range(len(data.images)) for name in data.names_of(k)],
        "dims": data.dims,
        "canonical": data.canonical,
        "spacing_mm": None if data.spacing_mm is None else list(data.spacing_mm),
        "sampling": data.sampling,
        "size": list(data.size),
        "steps": [_steps_of(data, k) for k in range(data.channels)],
        "axes": "(channel, z, y, x); spacing_mm is (x, y, z)",
    }


def _steps_of(data: DataPlan, channel: int) -> list[dict[str, Any]]:
    """Return what is done to one channel's intensities. Raises PlanError for what has no plain steps."""
    found: list[dict[str, Any]] = []
    planned = data.harmonise.steps if data.harmonise is not None else ()
    each = [(step.method, harmonise.known_of(step, channel)) for step in planned]
    last = data.normalise[channel]
    numbers = {"low": last.low, "high": last.high, "mean": last.mean, "sd": last.sd}
    each.append((last.method, Known(harmonise.options_for(last.method, {}), numbers)))
    for k, (method, known) in enumerate(each):
        if k == len(each) - 1 and (last.low is not None or last.high is not None):
            found.append({"do": "clip", "low": last.low, "high": last.high})
        steps = harmonise.get(method).plain(known)
        if steps is None:
            raise _no_script(f"the preparation has the step '{method}', which is more than numpy")
        found += [step for step in steps if not found or step != found[-1]]
    return found


def _assert_plain(source: Source) -> None:
    """Raise PlanError for a bundle that is given more than images on our own grid, or whose answers go by groups."""
    stage = source.stage
    others = _ways_of_others(stage.plan)
    if others:
        raise _no_script(f"images are prepared as another tool does it: {', '.join(others)}")
    beside = [feed.name for feed in source.feeds if feed.field not in ("images", "present")]
    beside += [feed.name for feed in source.feeds if feed.field == "images" and feed.key != MAIN]
    if stage.plan.sources.timed:
        beside.append("frames or visits")
    if beside:
        raise _no_script(f"the model is given more than one image on one grid: {', '.join(beside)}")
    if stage.calibration.get("groups"):
        raise _no_script("its thresholds go by groups of patients, which no image tells")


def _ways_of_others(plan: Plan) -> list[str]:
    """Return the planned values by which an imported model prepares and cuts images as the tool did that it is of."""
    data = plan.data
    planned = {
        "data.nonzero": data.nonzero,
        "data.normalise_first": data.normalise_first,
        "data.resample": data.resample is not None,
        "data.axes": bool(data.axes),
        "data.normalise, masked": any(one.masked for one in data.normalise),
        "infer.tiling": plan.infer.tiling != "even",
    }
    return [name for name, there in planned.items() if there]


def _no_script(why: str) -> PlanError:
    return PlanError(
        "no script of numpy and onnxruntime can give the answers of this bundle",
        found=why,
        hint="--no-script, so that the models alone go out",
    )
