"""What suits cases that bring more than one image: frames, visits, images apart, time courses, texts, covariates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from vesalius.core.plan import USER, Plan, override
from vesalius.core.words import counted, listed
from vesalius.plan import tables
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.plan.rules import normalised
from vesalius.plan.sizes import box
from vesalius.plan.sources import REPORT

FRAMES, FRAMES_GPU = 16, 32  # of a cine that are looked at, spread over all of it
VISITS = 8  # that are looked at, the last ones
IMAGES = 32  # that a training step sees on a processor, whatever they are frames or visits of
MASK_FRAMES, MASK_FRAMES_GPU = 8, 16  # of which each is seen at full resolution
DROP = 0.3  # how often a training case is shown without a source of several
VOLUME, VOLUME_GPU = 48**3, 96**3  # voxels of a volume that is one source of several


def brings_more(prints: Fingerprint) -> bool:
    """Return whether cases bring more than one image on a grid, and covariates beside it."""
    return bool(prints.moving or _visits(prints) > 1 or prints.apart or prints.courses or prints.texts)


def _visits(prints: Fingerprint) -> int:
    """Return how many visits are looked at; 1 where fewer than half of the cases have an earlier one."""
    seen = prints.visits
    if seen is None or not seen.most or seen.cases < prints.cases / 2:
        return 1
    return min(VISITS, seen.most + 1)


def machine_for(prints: Fingerprint, machine: Machine) -> Machine:
    """Return the machine as the choice of an encoder is to see it: without weights of others for frames of cines."""
    return replace(machine, weights=None) if prints.moving and machine.gpu is None else machine


def without_images(prints: Fingerprint) -> Draft:
    """Return the choices for cases without images: a net of a table's columns, or one over time for courses."""
    draft = tables.table(prints)
    if prints.courses:
        tree = any(course.tree for course in prints.courses.values())
        draft.set(
            "net.name", "treelstm" if tree else "gru", "what is measured again and again is read in its order"
        )
        draft.set("net.dropout", 0.2, "few cases")
        draft.set("data.sampling", "whole", "the answer is about a whole time course")
        draft.set("infer.batch", 32, "time courses are small")
        draft.set("train.batch", 16, "steps that are quick and not too noisy")
    return draft


def propose(draft: Draft, prints: Fingerprint, machine: Machine, *, joins: bool) -> None:
    """Plan which sources come together, and how, where cases bring more than one image.

    `joins` says that covariates beside one image, or alone, are to come together with it, too. The covariates, and all
    that suits one image, must be set.
    """
    named = bool(draft.values.get("task.options.covariates"))
    if not brings_more(prints) and not (joins and named):
        return
    sources = [
        *(_images(draft, prints, machine) if not prints.imageless else ()),
        *_beside(draft, prints, named),
    ]
    why = "the weight of each source follows the case, and can be shown"
    draft.set(
        "sources.fusion", "attention", why if len(sources) > 1 else "one source, whose steps are weighed"
    )
    draft.set("augment.mixup", 0.0, "cases of several sources are not mixed with one another")
    if len(sources) > 1:
        why = f"so that any subset of {listed(sources, 6)} is answered"
        draft.set("sources.drop", DROP, why)


def steadied(plan: Plan, settings: Mapping[str, Any]) -> Plan:
    """Return the plan with fixed normalisations where it is causal and normalises each image by itself.

    An image's own mean is that of its later frames, too, of which a causal model knows nothing. What a user has set is
    kept, so that it can be refused.
    """
    if not plan.sources.causal:
        return plan
    if "sources.frames" not in settings and plan.reasons.get("sources.frames") not in (None, USER):
        why = "that follow one another, a training case: a window anywhere in it; an answer stands on all frames so far"
        plan = plan.model_copy(update={"reasons": {**plan.reasons, "sources.frames": why}})
    alone = [n.method == "zscore" for n in plan.data.normalise]
    if not any(alone) or "data.normalise" in settings:
        return plan
    each = max(1, plan.data.channels // max(1, len(plan.data.images)))
    entries = [
        _fixed(plan, plan.data.images[k // each], k) if by_itself else now.model_dump()
        for k, (now, by_itself) in enumerate(zip(plan.data.normalise, alone, strict=True))
    ]
    why = "causal: no mean of frames that are still to come, but that of the training images, from 0.5 to 99.5 %"
    return override(plan, {"data.normalise": entries}, reason=why)


def _fixed(plan: Plan, image: str, place: int) -> dict[str, Any]:
    """Return a fixed normalisation by what the fingerprint says of an image's intensities, else of all images'."""
    prints = plan.fingerprint
    channels = prints.get("each") or ()
    named = (prints.get("intensities") or {}).get(image)
    about = named or (channels[place] if len(channels) == plan.data.channels else prints)
    return {"method": "fixed", **{what: about[what] for what in ("low", "high", "mean", "sd")}}


def propose_frames(draft: Draft, prints: Fingerprint, machine: Machine) -> None:
    """Plan that masks are found in the frames of images that have time; all that suits one image must be set."""
    if (times := prints.moving) is None:
        return
    frames = min(MASK_FRAMES_GPU if machine.gpu else MASK_FRAMES, times.frames_max)
    draft.set("sources.frames", frames, f"of {times.frames} in a case, spread over all of it")
    draft.set("nets.time.name", "convlstm", "each point is followed over the frames")
    draft.set("nets.time.scale", 0.5, "as wide as the maps that it joins")
    draft.set("nets.time.options", {"kernel": 1}, "what is around a point was seen in each frame")
    draft.set("loss.deep_supervision", False, "maps over time have no coarser ones")
    if not machine.gpu:
        draft.set("train.batch", 2, f"a case is {counted(frames, 'image')} to a net")


def _beside(draft: Draft, prints: Fingerprint, named: bool) -> list[str]:
    """Plan time courses and texts; return the names of all sources that are no images."""
    if prints.courses:
        draft.set("sources.courses", list(prints.courses), "the cases' time courses")
    if prints.texts:
        alone = prints.imageless and list(prints.texts) == [REPORT]
        why = "all that the cases have" if alone else "the texts that were named"
        why += "; one that was written when the answer was known says it"
        draft.set("sources.texts", list(prints.texts), why)
    return [*prints.courses, *prints.texts, *(["covariates"] if named else [])]


def _images(draft: Draft, prints: Fingerprint, machine: Machine) -> list[str]:
    """Plan frames, visits and images apart; return the names of the sources that are images."""
    names = ["image"]
    if prints.apart:
        names = _apart(draft, prints, machine)
    steps = 1
    if (times := prints.moving) is not None:
        most = FRAMES_GPU if machine.gpu else FRAMES
        steps = min(most, times.frames_max)
        draft.set("sources.frames", steps, f"of {times.frames} in a case, spread over all of it")
        for path in ("brightness", "contrast"):
            why = "what changes from frame to frame is small beside such changes: less was learned with them"
            draft.set(f"augment.{path}", 0.0, why)
        if machine.gpu is None:
            draft.set("train.members", 2, "each case is many frames: fewer members learn for longer")
            _light_eye(draft)
    if prints.visits is not None and (visits := _visits(prints)) > 1:
        draft.set(
            "sources.visits", visits, f"the last ones; a case has {prints.visits.median:g} before its own"
        )
        steps *= visits
    if steps > 1 or prints.courses:
        draft.set("nets.time.name", "gru", "what is seen of each step is read in its order")
    many = steps * len(names)
    if many > 1 and machine.gpu is None:
        batch = max(4, min(int(draft.values["train.batch"]), 4 * IMAGES // many))
        draft.set("train.batch", batch, f"a case is {counted(many, 'image')} to a net")
        draft.set("infer.batch", batch, f"a case is {counted(many, 'image')} to a net")
    return names


def _light_eye(draft: Draft) -> None:
    """Plan a narrow residual net that soon makes its maps small: a fifth of the work for each of many frames."""
    if str(draft.values["net.name"]).startswith("resnet"):
        why = "each case is many frames: a lighter net learns from more of them in the time"
        draft.set("net.scale", 0.25, why)
        draft.set("net.options", {"stem": "paper"}, why)


def _apart(draft: Draft, prints: Fingerprint, machine: Machine) -> list[str]:
    """Plan each image by itself, at a size and with a normalisation of its own; return their names."""
    names = list(dict.fromkeys([*prints.images, *prints.apart]))
    colour = max((about.channels if not about.grey else 1) for about in prints.apart.values())
    each = max(colour, 1 if prints.grey else prints.channels)
    sizes: dict[str, Any] = {}
    for name in names:
        shape = prints.apart[name].shape if name in prints.apart else prints.shape_median
        sizes[name] = _size(shape, machine)
    draft.set("data.images", names, "what the cases bring")
    draft.set("data.channels", each * len(names), "as the images have them")
    draft.set("data.channel_names", names if each == 1 else [], "what the images are called")
    entries = [
        normalised(prints.intensities[name]) if name in prints.intensities else {"method": "zscore"}
        for name in names
        for _ in range(each)
    ]
    draft.set("data.normalise", entries, "each image by its own values")
    draft.set("data.dims", 3 if any(s[0] > 1 for s in sizes.values()) else 2, "as the largest of the images")
    draft.set("data.size", sizes[names[0]], "of the first image; the others have sizes of their own")
    draft.set("sources.apart", sizes, "their grids are their own, or not every case has them")
    return names


def _size(shape: Sequence[int], machine: Machine) -> list[int]:
    """Return the size at which an image apart is looked at: a picture's longer side within 128, a volume's voxels."""
    if shape[0] == 1:
        most = 224 if machine.gpu else 128
        share = min(1.0, most / max(shape))
        return [1, *(max(16, round(n * share / 16) * 16) for n in shape[1:])]
    return list(box((shape[0], shape[1], shape[2]), VOLUME_GPU if machine.gpu else VOLUME, 8))
