"""What suits reports: whole images that are never mirrored, findings that weigh as much as words, and one member."""

from __future__ import annotations

from vesalius.core import registry
from vesalius.core.errors import PlanError, UnknownName
from vesalius.core.plan import Plan
from vesalius.core.words import listed
from vesalius.language import tokenizers
from vesalius.losses import OWN
from vesalius.plan import together, whole
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.tasks._beside import plan_covariates

WRITER = "writer"  # the further net
DECODE = ("", "greedy", "beam", "constrained", "template")
MEND = ("mark", "replace")


def planned(prints: Fingerprint, machine: Machine) -> Draft:
    """Return the planned values that suit reports, each with its reason."""
    if prints.imageless:
        draft = together.without_images(prints)
    else:
        draft = Draft()
        eyes = together.machine_for(prints, machine)
        whole.images(draft, prints, eyes)
        whole.encoder(draft, eyes)
        whole.augmentation(draft, prints)
        whole.batches(draft, prints)
        draft.set("augment.flip_axes", [], "reports name sides")
        draft.set("infer.mirror", [], "reports name sides")
        draft.set("augment.mixup", 0.0, "words have no mean")
        if prints.flat:
            draft.set("train.batch", 16, "each case is an image and all words of its report")
    draft.set("loss.name", OWN, "words and findings each have a loss of their own")
    draft.set("loss.class_weights", "root", "findings are rare")
    draft.set(
        "train.members", 1, "words of several models have no mean: one that learns for longer writes better"
    )
    draft.set(
        f"nets.{WRITER}.name", "writer-lstm", "reports are short, and it learns from few; it needs no library"
    )
    draft.set(
        f"nets.{WRITER}.scale", 0.25 if machine.gpu is None else 1.0, "width that the machine can train"
    )
    draft.set(f"nets.{WRITER}.dropout", 0.2, "few reports")
    draft.set("task.options.decode", "", "the writer, unless validation shows that the template is better")
    if prints.covariates:
        plan_covariates(draft, prints)
    together.propose(draft, prints, machine, joins=True)
    return draft


def check(plan: Plan) -> None:
    """Raise PlanError, or UnknownName, where a plan asks of reports what cannot be."""
    options = plan.task.options
    for name, known in (("decode", DECODE), ("mend", MEND)):
        word = options.get(name, "")
        if word and word not in known:
            raise PlanError(
                f"task.options.{name} is none that there is",
                found=repr(word),
                hint=listed([k for k in known if k]),
            )
    tokenizer = str(options.get("tokenizer") or "words")
    if tokenizer not in registry.names(tokenizers.KIND):
        raise UnknownName("tokenizer", tokenizer, registry.names(tokenizers.KIND))
    if "report" in plan.sources.texts:
        raise PlanError(
            "the report that is to be written cannot be read as well",
            found="sources.texts has 'report'",
            hint="--set sources.texts=[]",
        )
    mirrored = [f"augment.flip_axes={list(plan.augment.flip_axes)}"] if plan.augment.flip_axes else []
    mirrored += [f"infer.mirror={list(plan.infer.mirror)}"] if plan.infer.mirror else []
    if mirrored:
        raise PlanError(
            "reports name sides, so that images cannot be mirrored", found=mirrored[0], hint="[] instead"
        )
    if plan.augment.mixup:
        raise PlanError(
            "reports cannot be mixed with one another",
            found=f"augment.mixup={plan.augment.mixup:g}",
            hint="--set augment.mixup=0",
        )
