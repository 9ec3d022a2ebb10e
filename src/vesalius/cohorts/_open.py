"""Opening data that are given as a path or as a Cohort, alike for every verb."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vesalius.cohorts._joined import with_joined
from vesalius.cohorts._read import read
from vesalius.cohorts._splits import apply_split_file
from vesalius.cohorts._told import assert_untold
from vesalius.core.cohort import Cohort

Data = Path | str | Cohort


def open_cohort(
    data: Data,
    *,
    layout: str | None = None,
    target: str | None = None,
    columns: Mapping[str, str] | None = None,
    split: Path | str | None = None,
    labels: Mapping[str, str] | None = None,
    max_set_aside: float = 0.10,
) -> Cohort:
    """Return the cohort that is given, or read the one at a path (see `read`, which says what the options are).

    Of a Cohort object, which was read before, only `split` is heeded, and a `target` that names several of its own.
    Raises DataError for `labels` told of one, and what `read` raises.
    """
    if isinstance(data, Cohort):
        assert_untold(labels)
        joined = with_joined(data, target)
        return joined if split is None else apply_split_file(joined, Path(split))
    return read(
        data,
        layout=layout,
        target=target,
        columns=columns,
        split=split,
        labels=labels,
        max_set_aside=max_set_aside,
    )


def name_of(data: Data) -> str:
    """Return what data are called: the name of the file or the folder where they lie, without its endings."""
    if isinstance(data, Cohort):
        return data.root.name
    return Path(data).resolve().name.partition(".")[0]
