"""A folder that `vesalius clean` wrote: other data, read as they are, without what was dropped and with new labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from vesalius.cohorts import _cleaning
from vesalius.cohorts._layout import Detection, Options
from vesalius.cohorts._read import read_unscreened
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError


def detect(root: Path) -> Detection | None:
    """Return that it is one, by its head; the table beside the head is read with it, too."""
    folder = _folder(root)
    return (
        None
        if folder is None
        else Detection(1.0, f"it has a {_cleaning.CLEANED}, which `vesalius clean` wrote")
    )


def read(root: Path, *, options: Options) -> Cohort:
    """Read the data that were cleaned, and apply the changes.

    Raises FormatError where the folder is damaged; DataError where the data are not there any more, hold other cases,
    or other values than those that were changed.
    """
    folder = _folder(root)
    if folder is None:
        raise DataError(
            f"{root} holds nothing that `vesalius clean` wrote", hint="the folder of `vesalius clean DATA -o`"
        )
    source, ids = _cleaning.load_source(folder)
    if not source.data.exists():
        raise DataError(
            f"the data that were cleaned are not at {source.data} any more",
            hint="put them back, or `vesalius clean` them where they are now",
        )
    cohort = read_unscreened(
        source.data,
        layout=source.layout,
        target=options.target or source.target,
        columns={**source.columns, **options.columns},
        labels={**source.labels, **options.labels},
    )
    _cleaning.assert_same_cases(cohort, ids, source)
    made = _cleaning.changed(cohort, _cleaning.load_changes(folder), source)
    return replace(made, root=root, layout="cleaned")


def _folder(root: Path) -> Path | None:
    place = root.parent if root.name == _cleaning.CLEANED_TABLE else root
    return place if (place / _cleaning.CLEANED).is_file() else None
