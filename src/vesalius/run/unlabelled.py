"""Cases without the target, for a recipe that learns from them, too; none of a patient that is tested or validated."""

from __future__ import annotations

from dataclasses import replace

from vesalius import cohorts
from vesalius.core.plan import Plan
from vesalius.learn.recipes import contract as recipes
from vesalius.run.workspace import Workspace


def with_unlabelled(space: Workspace, plan: Plan) -> Workspace:
    """Return the workspace with the unlabelled cases that the planned recipe learns from; as it is where it does not.

    A run that is resumed keeps those that it began with.
    """
    target, assignment = space.target, space.assignment
    if target is None or assignment.unlabelled or not recipes.get(plan.train.recipe).unlabelled:
        return space
    found = cohorts.with_unlabelled(assignment, space.cohort, target=target.name, groups=space.groups)
    return replace(space, assignment=found)
