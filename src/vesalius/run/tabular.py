"""Tables for a bundle that learned from covariates alone: read without images, with the columns that it needs."""

from __future__ import annotations

from collections.abc import Mapping

from vesalius.core.bundle import Bundle
from vesalius.core.case import Case
from vesalius.plan.tables import IMAGELESS
from vesalius.tasks import contract as tasks

NO_IMAGES = {"image": ""}  # what is said of a table whose columns name no images


def is_bare(bundle: Bundle) -> bool:
    """Return whether a bundle answers cases without images, and learned from such."""
    last = bundle.stages[-1]
    if last.plan.sources.joined and not last.plan.fingerprint.get(IMAGELESS):
        return False  # images are among what it can do without
    return tasks.get(last.plan.task.name).geometry(Case("", {}, reference=None), last.state) is not None


def columns_of(bundle: Bundle, columns: Mapping[str, str] | None) -> Mapping[str, str] | None:
    """Return what a table's columns are: as told, else of a bundle without images those that it learned from."""
    if columns or not is_bare(bundle):
        return columns
    last = bundle.stages[-1]
    known = tasks.get(last.plan.task.name).known_covariates(last.state)
    return {**NO_IMAGES, **({"covariate": ",".join(known)} if known else {})}
