"""Asking: a bundle that is asked in words of one's own, in place of the findings that it learned to name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vesalius.core.bundle import Bundle
from vesalius.tasks import contract as tasks


def asked(bundle: Bundle, words: Sequence[str]) -> Bundle:
    """Return the bundle whose last stage is asked these words. Its hash stays, as its weights do.

    Raises PlanError where it cannot be asked in words, DataError for words that its model has never read.
    """
    last = bundle.stages[-1]
    state = tasks.get(last.plan.task.name).asking(last.state, words)
    return replace(bundle, stages=(*bundle.stages[:-1], replace(last, state=state)))
