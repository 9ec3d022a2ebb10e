"""What a recipe may look at and must not learn from: held-out cases, and a class where one is known."""

from __future__ import annotations

from collections.abc import Sequence

from vesalius.cohorts.targets import contract as kinds
from vesalius.learn.recipes.contract import Held
from vesalius.prepare.batch import Example
from vesalius.run.workspace import Workspace

MOST_CLASSES = 50


def held_of(space: Workspace, examples: Sequence[Example]) -> Held:
    """Return the held-out examples of a member, with the classes of all training cases where no target is learned from.

    They are of the first target of names that most cases have.
    """
    if space.target is not None:
        return Held(examples)
    cases = space.training
    for name, info in space.cohort.targets.items():
        kind = kinds.of(info.kind)
        if not kind.named or kind.several or len(info.labels) > MOST_CLASSES:
            continue
        words = {c.id: kind.word(c.targets[name]) for c in cases if name in c.targets}
        known = {case: word for case, word in words.items() if word is not None}
        if 2 * len(known) > len(cases) and len(set(known.values())) > 1:
            return Held(examples, known, name)
    return Held(examples)
