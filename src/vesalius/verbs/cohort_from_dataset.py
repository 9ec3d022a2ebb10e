"""cohort_from_dataset: a cohort of anybody's torch Dataset, written to a folder once, an item at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vesalius import cohorts
from vesalius.core.cohort import Cohort
from vesalius.core.disk import new_folder
from vesalius.core.image import Array, Triple
from vesalius.core.progress import Progress, Silent
from vesalius.run.stopping import all_or_nothing


def cohort_from_dataset(
    dataset: Any,
    out: Path | str,
    *,
    image: str | int = 0,
    target: str | int | None = 1,
    kind: str | None = None,
    classes: Sequence[str] | None = None,
    patient: Callable[[int, Any], Any] | None = None,
    name: Callable[[int, Any], str] | None = None,
    split: Callable[[int, Any], str | None] | None = None,
    axes: str | None = None,
    spacing_mm: Triple | None = None,
    affine: Array | None = None,
    progress: Progress | None = None,
) -> Cohort:
    """Return a cohort of the items of a dataset, which are written into a new folder once, one in memory at a time.

    An item is a tuple `(image, target)`, or a mapping. A target is a class (a whole number or a text), several
    (zeros and ones, or texts), a number (a float), or a mask (label values on the image's grid). Turn random
    transforms of the dataset off: training changes images anew at each step. `vs.read(out)` reads the cohort
    again.

    Args:
        dataset: Anything with items (a torch Dataset, a list), or a mapping of several by their split.
        out: A new folder.
        image: The place or the key of an item's image: a PIL image, an array or a tensor.
        target: The place or the key of its target; None takes none.
        kind: The kind of target where it is not what is meant: `"number"` for whole numbers that are no
            classes.
        classes: The names of classes; by default those of `dataset.classes`.
        patient: Called with an item's place and the item, for its patient's id.
        name: The same, for its own id.
        split: The same, for `train`, `val` or `test`.
        axes: The axes of images, where these could be others: `"CYX"`, `"ZYX"`.
        spacing_mm: `(x, y, z)` of every image.
        affine: 4 × 4, from the index `(x, y, z)` to LPS millimetres, of every image.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a
            notebook.

    Returns:
        The cohort, whose images lie in `out`.

    Raises:
        DataError: Items cannot be read, or differ when they are read again.
        OutputError: `out` holds something.
    """
    parts = dict(dataset) if isinstance(dataset, Mapping) else {"": dataset}
    named = classes if classes is not None else _classes_of(parts.values())
    reading = cohorts.Reading(
        image=image,
        target=target,
        kind=kind,
        classes=tuple(named),
        axes=axes,
        spacing_mm=spacing_mm,
        affine=affine,
        patient=patient,
        name=name,
        split=split,
    )
    called = None if target is None else target if isinstance(target, str) else "target"
    folder = new_folder(Path(out), default="dataset")
    with all_or_nothing(folder):
        cohorts.spool(parts, folder, reading=reading, target=called, progress=progress or Silent())
        return cohorts.read(folder)


def _classes_of(datasets: Any) -> Sequence[str]:
    """Return the names of classes that datasets have, as torchvision's do; none where they have none, or differ."""
    found = {tuple(getattr(d, "classes", ())) for d in datasets}
    (only,) = found if len(found) == 1 else ((),)
    return only if all(isinstance(c, str) for c in only) else ()
