"""What an imported model says of an image as probabilities of each point, and small things that its tests share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from vesalius import formats
from vesalius.core.case import Case
from vesalius.core.image import Array
from vesalius.imports.contract import Brought
from vesalius.imports.weighing import model_of
from vesalius.infer import runs
from vesalius.infer.asked import encoded
from vesalius.infer.native import to_native
from vesalius.infer.runs.contract import Members
from vesalius.infer.runs.dense import Dense
from vesalius.prepare.case import load_reference
from vesalius.tasks import contract as tasks


def case_of(paths: Mapping[str, Path]) -> Case:
    """Return a case of files by the names of its images."""
    images = {name: formats.read(path) for name, path in paths.items()}
    return Case("a", images, reference=next(iter(images)), registered=True)


def members_of(brought: Brought) -> Members:
    """Return the models of what was brought, as a predictor has them."""
    task = tasks.get(brought.plan.task.name)
    models = [
        model_of(task, brought.plan, brought.state, m) for m in brought.members if not isinstance(m, bytes)
    ]
    return Members(task, models, brought.plan, torch.device("cpu"))


def probabilities(brought: Brought, case: Case) -> Array:
    """Return the soft-max of what a dense model says, `(K, Z, Y, X)` on the case's own grid."""
    members = members_of(brought)
    reference = load_reference(case)
    prepared = members.task.prepare(case, brought.plan, brought.state, reference=reference)
    example = encoded(members.task, case, prepared, reference, brought.state)
    run = runs.get(members.task.run)
    assert isinstance(run, Dense)
    pieces = run._stream(members, example)
    found = to_native(pieces, prepared.undo, lambda f: {str(k): p for k, p in enumerate(f.softmax(0))})
    return np.stack([found[str(k)] for k in range(len(found))])
