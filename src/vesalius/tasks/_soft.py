"""Soft labels: how likely each label is as several experts have it, in place of one label that is surely so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vesalius.core.case import NOBODY, SURE, Case, Ref
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.core.words import listed
from vesalius.prepare.case import load_mask, prepare_mask
from vesalius.prepare.geometry import Undo

if TYPE_CHECKING:
    from torch import Tensor

OPTION = "soft"  # of a task: learn from the probabilities of labels


def assert_there(cases: Sequence[Case], names: Sequence[str]) -> None:
    """Raise DataError where no case has the probability of each label, which a consensus writes as `p(LABEL)`."""
    if any(all(_called(n) in c.targets for n in names) for c in cases):
        return
    raise DataError(
        "soft labels are planned, and no case has a probability of each label",
        found=f"no columns {listed([_called(n) for n in names], 4)}",
        hint="the cohort that `vesalius consensus` wrote, or --set task.options.soft=false",
    )


def shares(case: Case, names: Sequence[str]) -> Array | None:
    """Return the probability of each label of a case, `(K,)` float32 that sums to one; None where one is not known.

    Raises DataError for probabilities that do not sum to one.
    """
    held = [case.targets.get(_called(n)) for n in names]
    known = [float(p) for p in held if isinstance(p, int | float)]
    if len(known) < len(names):
        return None
    if abs(sum(known) - 1) > 0.01:
        raise DataError(
            f"case {case.id}: the probabilities of its labels do not sum to 1", found=f"{sum(known):.3f}"
        )
    return np.array(known, np.float32) / np.float32(sum(known))


def maps(case: Case, names: Sequence[str], index: Array, reference: Image, undo: Undo) -> Array:
    """Return the probability of the background and of each label at each voxel, `(K+1, Z, Y, X)` float32.

    It is that of `index` `(Z, Y, X)` where the case has no map of a label, and 0 of all where nothing is known. Raises
    DataError for maps whose probabilities sum to more than one.
    """
    held = [case.targets.get(_called(n)) for n in names]
    if not all(isinstance(item, Ref | Image) for item in held):
        return np.stack([(index == k).astype(np.float32) for k in range(len(names) + 1)])
    made = np.zeros((len(names) + 1, *index.shape), np.float32)
    unknown = np.zeros(index.shape, bool)
    for k, item in enumerate(held, start=1):
        level: Any = prepare_mask(load_mask(item), reference, undo, case_id=case.id)  # type: ignore[arg-type]
        unknown |= (level < 0) | (level == NOBODY)
        level = np.where(level == NOBODY, 0, level)
        if level.max(initial=0) > SURE:
            raise DataError(
                f"case {case.id}: a map of probabilities holds more than {SURE}", found=str(level.max())
            )
        made[k] = np.maximum(level, 0) / np.float32(SURE)
    total = made.sum(0)
    if total.max(initial=0) > 1 + 0.01 * len(names):
        raise DataError(
            f"case {case.id}: probabilities of labels sum to more than 1", found=f"{float(total.max()):.3f}"
        )
    made[0] = np.maximum(1 - total, 0)
    made /= made.sum(0)
    made[:, unknown] = 0
    return made


def terms(model: Any, x: Any, soft: Tensor) -> dict[str, Tensor]:
    """Return the planned loss against probabilities `(B, K, Z, Y, X)`; each coarser map counts half as much.

    Where all are 0 nothing is known, and nothing counts.
    """
    from torch.nn import functional as F

    from vesalius.tasks._segmenter import Segmenter

    maps = model.coarse(x) if isinstance(model, Segmenter) and len(model.deep) else [model(x)]
    weights = [0.5**k for k in range(len(maps))]
    found = {}
    for k, logits in enumerate(maps):
        same = logits.shape[2:] == soft.shape[2:]
        target = soft if same else F.interpolate(soft, size=logits.shape[2:], mode="nearest")
        known = (target.sum(1) > 0.5).to(logits.dtype)
        loss = model.criterion(logits, target, known)
        found[f"mask-{k}" if len(maps) > 1 else "mask"] = loss * (weights[k] / sum(weights))
    return found


def _called(name: str) -> str:
    return f"p({name})"
