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
    """Return a cohort of the items of a dataset, which are written into the new folder `out`, one in memory at a time.

    `dataset` is anything with items (a torch Dataset, a list), or a mapping of several by their split
    (`{"train": …, "test": …}`). An item is a tuple `(image, target)`, or a mapping whose keys `image` and `target`
    name; `target=None` takes none. Images are PIL images, arrays or tensors; `axes` names their axes (`"CYX"`, `"ZYX"`)
    where these could be others. Their geometry is what `affine` (4 × 4, index `(x, y, z)` to LPS mm) or `spacing_mm`
    say, and unknown without them.

    A target is a class (a whole number, named by `classes` or by `dataset.classes`, or a text), several (zeros and
    ones, or texts), a number (a float), or a mask (label values on the image's grid); `kind` says which where that is
    not what is meant: `kind="number"` for whole numbers that are no classes. `patient`, `name` and `split` are called
    with each item's place and the item, for its patient's id, its own id, and `train`, `val` or `test`.

    Turn random transforms of the dataset off: training changes images anew at each step. `vs.read(out)` reads the
    cohort again. Raises DataError for items that cannot be read or differ when they are read again, OutputError where
    `out` holds something.
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
