"""The rules that all tasks share: from a fingerprint and a task's choices to a plan that gives its reasons."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from vesalius.core import registry
from vesalius.core.cohort import TargetInfo
from vesalius.core.errors import PlanError, UnknownName
from vesalius.core.options import options_of
from vesalius.core.plan import USER, LocatePlan, Plan, override, parse_plan
from vesalius.core.promise import OPTION
from vesalius.core.words import counted, one_of_kind
from vesalius.losses import OWN, default_for
from vesalius.nets import describe, names_for
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import ChannelPrint, Fingerprint
from vesalius.plan.machine import Machine
from vesalius.plan.mirroring import why_unmirrored
from vesalius.prepare import harmonise

NONE = "none"
ALIKE = 0.5  # of the widest channel's deviation: colours of a photograph have more
FEWEST_HELD_OUT = (
    19  # cases that were not learned from: with fewer, one ordinary case in twenty would raise the alarm
)


class Planned(Protocol):
    """What the rules must know of a task; every `tasks.contract.Task` has it."""

    name: ClassVar[str]
    targets: ClassVar[tuple[str, ...]]
    roles: ClassVar[tuple[str, ...]]
    run: ClassVar[str]
    nets: ClassVar[Mapping[str, tuple[str, ...]]]
    mirrors: ClassVar[bool]
    turns_back: ClassVar[bool]

    def defaults(self, prints: Fingerprint, machine: Machine, target: TargetInfo | None) -> Draft:
        """Return the task's own choices."""


def draft_plan(
    task: Planned,
    target: TargetInfo | None,
    prints: Fingerprint,
    machine: Machine,
    *,
    seed: int = 0,
    asked: bool = False,
    also: Callable[[Draft, Fingerprint, Machine], None] | None = None,
) -> Plan:
    """Return a first plan: what is common to all tasks, and the task's own choices.

    It is not checked yet (see `check`), so that a user's settings can mend it. The number of steps is still open (see
    `budget`) and stands at 1. `asked` says that somebody named the task. `also` changes the
    task's choices, as a recipe does that wants other ones.
    """
    draft = Draft()
    why = "asked for" if asked or target is None else f"the target is {one_of_kind(target.kind)}"
    draft.set("task.name", task.name, why)
    name, why = (target.full_name, target.reason) if target else (None, "no target is needed")
    why = why or "as the cohort names it"
    draft.set("task.target", name, why)
    _images(draft, prints)
    _intensity(draft, prints)
    draft.add(task.defaults(prints, machine, target))
    if also is not None:
        also(draft, prints, machine)
    alone = why_unmirrored(task) if draft.values.get("infer.mirror") else None
    if alone is not None:
        draft.set("infer.mirror", [], f"answers about mirror images cannot be joined: {alone}")
    _learning(draft, prints, machine, seed)
    _strange(draft, prints)
    data = draft.json()
    data["fingerprint"] = {**prints.json(), "machine": {"cores": machine.cores, "gpu": machine.gpu}}
    return parse_plan(data)


def staged(plan: Plan) -> Plan:
    """Return the plan, with a locating stage where its net's paper has one, the data allow it and no user decided."""
    if plan.locate is not None or plan.earlier or any(path.startswith("locate") for path in plan.reasons):
        return plan
    if not describe(plan.net.name).get("TWO_STAGE") or plan.data.spacing_mm is None:
        return plan
    return override(
        plan, {"locate": LocatePlan().model_dump()}, reason="as in the net's paper: first where, then what"
    )


def for_net(plan: Plan, settings: Mapping[str, Any]) -> Plan:
    """Return the plan without the options of its net, where settings name one of another family.

    For a net that sees all frames at once it is also without what the rules had planned to read them in their order.
    """
    named = str(settings.get("net.name", plan.net.name))
    if named.partition("-")[0] == plan.net.name.partition("-")[0]:
        return plan
    smallest = describe(named).get("SMALLEST", 0.0)
    changed = {"net.options": {}, "net.scale": max(plan.net.scale, smallest)}
    plan = override(plan, changed, reason=f"what {named} takes; the rules had planned {plan.net.name}")
    return _without_time(plan) if describe(named).get("ROLE") == "cine" else plan


def _without_time(plan: Plan) -> Plan:
    """Return the plan without the nets over time that the rules, and no user, had planned."""
    over = [
        name
        for name, about in plan.nets.items()
        if describe(about.name).get("ROLE") == "sequence" and plan.reasons.get(f"nets.{name}.name") != USER
    ]
    kept = {name: about for name, about in plan.nets.items() if name not in over}
    paths = tuple(f"nets.{name}." for name in over)
    reasons = {path: why for path, why in plan.reasons.items() if not path.startswith(paths)}
    return plan.model_copy(update={"nets": kept, "reasons": reasons}) if over else plan


def check(plan: Plan, task: Planned) -> Plan:
    """Return the plan, if its nets have roles that its task takes and serve its dimensions. Raises PlanError."""
    _check_net(plan.net.name, plan.data.dims, task.name, task.roles)
    may = dict(getattr(task, "may_nets", {}))
    reads = dict.fromkeys(plan.sources.texts, ("text",))
    may = {**dict.fromkeys(plan.data.images, task.roles), **reads, **may} if may else {}
    if not set(task.nets) <= set(plan.nets) <= {*task.nets, *may}:
        raise PlanError(
            f"the further nets of {task.name} are {', '.join(task.nets) or 'none'}",
            found=", ".join(plan.nets) or "none planned",
            hint=" ".join(f"--set nets.{name}.name=NET" for name in task.nets if name not in plan.nets)
            or (f"no other entries in nets but {', '.join(may)}" if may else "no other entry in nets"),
        )
    for name, about in plan.nets.items():
        roles = task.nets.get(name) or may[name]
        dims = 2 if plan.sources.apart.get(name, (0,))[0] == 1 else plan.data.dims
        _check_net(about.name, dims, f"{task.name}'s '{name}'", roles)
    suited = [n for n in registry.names("losses") if set(_takes(n)) & set(task.targets)]
    own = plan.loss.name == OWN and any(default_for(kind) == OWN for kind in task.targets)
    if suited and plan.loss.name not in suited and not own:
        if plan.loss.name not in registry.names("losses"):
            raise UnknownName("loss", plan.loss.name, suited)
        raise PlanError(f"loss '{plan.loss.name}' is not for {task.name}", hint=", ".join(suited))
    _check_options(plan)
    _check_novelty(plan.infer.novelty)
    if len(plan.data.normalise) != plan.data.channels:
        raise PlanError(
            "data.normalise must have one entry a channel",
            found=f"{len(plan.data.normalise)} for {counted(plan.data.channels, 'channel')}",
        )
    _check_harmonise(plan)
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


def _check_net(name: str, dims: int, user: str, roles: Sequence[str]) -> None:
    """Raise PlanError where a net's role or dimensions do not suit the task that uses it."""
    about = describe(name)
    if about.get("ROLE") not in roles:
        named = [n for role in roles for n in names_for(role, dims=dims)]
        fits = {n.partition("-")[0]: n for n in reversed(named)}  # one of each family
        raise PlanError(
            f"net '{name}' does not suit {user}",
            found=f"a net of role {about.get('ROLE')}, where {' or '.join(roles)} is needed",
            hint=", ".join(sorted(fits.values())),
        )
    if dims not in about.get("DIMS", (2, 3)):
        raise PlanError(f"net '{name}' does not serve {dims}-D")


def _check_novelty(name: str) -> None:
    """Raise UnknownName where no detector is called so."""
    known = registry.names("infer.novelty")
    if name != NONE and name not in known:
        raise UnknownName("detector", name, [*known, NONE])


def _check_harmonise(plan: Plan) -> None:
    """Raise UnknownName or PlanError for a way of normalising or harmonising that does not exist or fit."""
    for one in plan.data.normalise:
        harmonise.check_last(one.method, plan.fingerprint.get("unit"))
    if plan.data.harmonise is not None:
        harmonise.check_steps(plan.data.harmonise, unit=plan.fingerprint.get("unit"))


def _check_options(plan: Plan) -> None:
    """Raise UnknownName or PlanError for a name or an option of what is registered that does not exist or fit."""
    train, task = plan.train, plan.task
    if task.name in registry.names("tasks") and _states_options(task.name):
        own = {name: value for name, value in task.options.items() if name != OPTION}
        options_of("tasks", task.name, own, where="task.options")
    if plan.loss.name != OWN:
        options_of("losses", plan.loss.name, plan.loss.options, where="loss.options")
    for name, given in plan.augment.options.items():
        options_of("prepare.transforms", name, given, where=f"augment.options.{name}")
    options_of("optimisers", train.optimizer, train.optimizer_options, where="train.optimizer_options")
    options_of("schedules", train.schedule, train.schedule_options, where="train.schedule_options")
    for path, net in (("net", plan.net), *((f"nets.{name}", about) for name, about in plan.nets.items())):
        if "LIMITS" in describe(net.name):  # others are asked when they are built
            options_of("nets", net.name, net.options, where=f"{path}.options")


def _states_options(task: str) -> bool:
    return "OPTIONS" in registry.literals("tasks", registry.stem_of("tasks", task))


def _takes(loss: str) -> tuple[str, ...]:
    """Return the kinds of target that a loss is for."""
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
    n = draft.values["data.channels"]
    if len(p.each) == n > 1 and _unlike(p.each):
        entries = [normalised(c) for c in p.each]
        draft.set("data.normalise", entries, "the channels are unlike: each by its own values")
    elif p.unit == "HU":
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


def normalised(c: ChannelPrint) -> dict[str, Any]:
    """Return how a channel is normalised that is unlike the others, as a plan has it."""
    if c.unit == "HU":
        return {"method": "fixed", "low": c.low, "high": c.high, "mean": c.mean, "sd": c.sd}
    if c.bits == 8:
        return {"method": "fixed", "low": 0.0, "high": 255.0, "mean": c.mean, "sd": c.sd}
    return {"method": "zscore"}


def _unlike(each: Sequence[ChannelPrint]) -> bool:
    """Return whether one mean and deviation for all channels would leave one of them without contrast.

    They are unlike where their units or their kinds of numbers differ; and, of those with a scale of their own, where a
    channel's deviation is under `ALIKE` of the widest, or its mean further than twice its deviation from all channels'.
    """
    if len({(c.unit, c.bits) for c in each}) > 1:
        return True
    if each[0].unit != "HU" and each[0].bits != 8:  # each image is normalised by itself, channel by channel
        return False
    widest, middle = max(c.sd for c in each), sum(c.mean for c in each) / len(each)
    return any(c.sd < ALIKE * widest or abs(c.mean - middle) > 2 * c.sd for c in each)


def _learning(draft: Draft, p: Fingerprint, machine: Machine, seed: int) -> None:
    whole = draft.values["data.sampling"] == "whole"
    few = whole and p.cases < 2000
    why = (
        "too few validation cases to tell checkpoints apart"
        if few
        else "by the task's own metric on validation"
    )
    draft.propose("train.select", "last" if few else "best", why)
    draft.propose("train.optimizer", "adamw", "little tuning is needed")
    draft.propose("train.lr", 3e-3, "found by folds on training data of several cohorts")
    draft.propose("train.weight_decay", 0.05 if whole else 0.01, "L2 against over-fitting")
    draft.propose("train.schedule", "cosine", "the last steps are small, so the last weights are good ones")
    draft.propose("train.warmup", 0.1 if whole else 0.05, "steps grow from nothing")
    draft.propose("train.ema", 0.99, "an average of late weights is steadier")
    draft.propose("train.clip_norm", 5.0, "one odd batch must not undo the rest")
    draft.propose("train.folds", 5, "four fifths to learn from, one fifth to validate on")
    draft.propose(
        "train.precision",
        "bf16" if machine.bf16 else "fp32",
        "the hardware multiplies in bf16" if machine.bf16 else "no fast bf16 here",
    )
    draft.propose("train.threads", None, f"all {machine.cores} cores")
    draft.propose("train.seed", seed, "asked for" if seed else "the default")
    draft.propose("train.steps", 1, "not yet budgeted")


def _strange(draft: Draft, p: Fingerprint) -> None:
    """Plan what tells cases apart that are unlike those of training, where there are cases enough to say how often."""
    folds = draft.values.get("train.folds") or 5
    held = p.cases // folds
    if held < FEWEST_HELD_OUT:
        why = f"{counted(held, 'case')} held out, of which {FEWEST_HELD_OUT} are needed to say how often it is wrong"
        draft.propose("infer.novelty", NONE, why)
        return
    why = "it found more of what was done to held-out pictures than knn and vim did"
    draft.propose("infer.novelty", "mahalanobis", why)
