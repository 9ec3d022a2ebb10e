"""The answer to beat: Otsu's threshold and a watershed of the distance to the background, without any learned filter.

Otsu 1979; the split is that of scikit-image's own example. From training it has which side of the threshold things are
on, how large one is, and which label is the commonest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from vesalius.core.answers.instances import COUNTS, Instances
from vesalius.core.case import Case, Instance
from vesalius.core.cohort import Label
from vesalius.core.image import Array, Image
from vesalius.metrics.instances import baseline
from vesalius.prepare.case import load_reference
from vesalius.prepare.things import load_things

MOST_CASES = 20  # that it learns from


def learned(cases: Sequence[Case], target: str, labels: Sequence[Label]) -> dict[str, Any]:
    """Return what the trivial answer needs of training cases, as JSON takes it; empty where no thing is there."""
    names: Counter[str] = Counter()
    brighter: list[bool] = []
    radii: list[float] = []
    for case in [c for c in cases if target in c.targets][:MOST_CASES]:
        things, grey = load_things(case.targets[target], labels), grey_of(load_reference(case))
        if things.ids.shape != grey.shape or not things.labels:
            continue
        names.update(things.counts())
        inside = things.ids != 0
        if inside.any() and not inside.all():
            brighter.append(float(grey[inside].mean()) > float(grey[~inside].mean()))
        sizes = np.bincount(things.ids[inside].astype(np.int64))
        flat = grey.shape[0] == 1
        radii += [_radius(n, flat=flat) for n in sizes[sizes > 0].tolist()]
    if not radii or not names:
        return {}
    known = {x.name for x in labels}
    label = max((n for n in names if n in known), key=lambda n: names[n], default="")
    return {"brighter": 2 * sum(brighter) >= len(brighter), "radius": float(np.median(radii)), "label": label}


def answer(learned: dict[str, Any], reference: Image, labels: Sequence[Label]) -> Instances:
    """Return the things that the threshold calls, as an answer in the reference's geometry."""
    ids = baseline(grey_of(reference), brighter=learned["brighter"], radius=learned["radius"])
    things = tuple(Instance(k, learned["label"]) for k in range(1, int(ids.max(initial=0)) + 1))
    image = Image(
        ids[None],
        affine=reference.affine,
        spacing_mm=reference.spacing_mm,
        spacing_at=reference.spacing_at,
        modality="SEG",
        source=reference.source,
    )
    bare = Instances(image=image, things=things, labels=tuple(labels))
    return Instances(image=image, things=things, labels=tuple(labels), parts={COUNTS: bare.counts()})


def grey_of(image: Image) -> Array:
    """Return the mean over an image's channels, `(Z, Y, X)`, float32; of several frames the first."""
    array = image.array if image.times_s is None else image.array[0]
    mean: Array = array.mean(axis=0, dtype=np.float32)
    return mean


def _radius(voxels: int, *, flat: bool) -> float:
    return float(np.sqrt(voxels / np.pi)) if flat else float(np.cbrt(voxels * 0.75 / np.pi))
