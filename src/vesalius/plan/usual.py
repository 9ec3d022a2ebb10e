"""The usual choices of a task that makes none of its own: they follow from how it is run, its nets and its target."""

from __future__ import annotations

from collections.abc import Sequence

from vesalius import losses
from vesalius.core.cohort import TargetInfo
from vesalius.core.errors import PlanError
from vesalius.core.words import one_of_kind
from vesalius.nets import names_for
from vesalius.plan import patches, whole
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine


def usual(
    prints: Fingerprint,
    machine: Machine,
    target: TargetInfo | None,
    *,
    sampling: str,
    roles: Sequence[str],
) -> Draft:
    """Return sensible choices for training on images `whole` or in `patches`, with a net of one of these roles.

    The loss is the one that names the target's kind in its `DEFAULT_FOR`, else the task's own.
    Raises PlanError where no net has such a role.
    """
    draft = Draft()
    fits = False
    if sampling == "whole":
        whole.images(draft, prints, machine)
    else:
        fits = patches.images(draft, prints, machine)
    net(draft, prints, machine, roles=roles)
    kind = None if target is None else target.kind
    name = losses.OWN if kind is None else losses.default_for(kind)
    draft.set(
        "loss.name",
        name,
        "the task's own" if name == losses.OWN or kind is None else f"the target is {one_of_kind(kind)}",
    )
    if sampling == "whole":
        whole.augmentation(draft, prints)
        whole.batches(draft, prints)
    else:
        patches.augmentation(draft, prints)
        patches.batches(draft, prints, machine, fits=fits)
    return draft


def net(draft: Draft, prints: Fingerprint, machine: Machine, *, roles: Sequence[str]) -> None:
    """Set a net of one of these roles; the size must be set. Raises PlanError where there is none."""
    if "encoder" in roles:
        whole.encoder(draft, machine)
    elif "dense" in roles:
        patches.dense_net(draft, prints, machine)
    else:
        dims = 2 if prints.flat else 3
        fitting = [name for role in roles for name in names_for(role, dims=dims)]
        if not fitting:
            raise PlanError(
                f"no {dims}-D net has the role {' or '.join(roles) or 'that the task asks for (none)'}",
                hint="a file in nets/ with that ROLE, or a package that brings one",
            )
        draft.set("net.name", fitting[0], f"the first net of role {' or '.join(roles)}")
