"""What must be read with a table of features, and the record beside it of how it was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vesalius.core import registry
from vesalius.core.cohort import Cohort, SetAside
from vesalius.core.errors import DataError
from vesalius.core.feature_table import BESIDE, CASE
from vesalius.core.version import VERSION
from vesalius.core.words import counted, listed
from vesalius.radiomics import families
from vesalius.radiomics.case import PIXELS
from vesalius.run.features_past import Learned

UNEVEN = 1.5  # of voxel sizes, one to the other, from where on neighbours in voxels mean other lengths
FORMAT = 1


def finished(
    table: Any, aside: list[SetAside], past: Learned
) -> tuple[Any, tuple[str, ...], tuple[str, ...]]:
    """Return the table as it is to be written, the names of its features, and notes on how to read them.

    Rows in pixels beside others in millimetres are set aside. Raises DataError where no texture could tell anything.
    """
    notes: list[str] = []
    if "lengths" in table.columns:
        table = _one_unit(table, aside)
        notes = [*_levels(table), *_grids(table), *_units(table)]
    notes += _of_bundle(past)
    return table, tuple(n for n in table.columns if n not in BESIDE), tuple(notes)


def about_of(
    about: Mapping[str, Any],
    cohort: Cohort,
    table: Any,
    names: Sequence[str],
    *,
    aside: Sequence[SetAside],
    notes: Sequence[str],
    past: Learned,
) -> dict[str, Any]:
    """Return the record of how a table was made, as JSON takes it."""
    learned: dict[str, Any] = {}
    if past.bundled:
        learned = {
            "learned": {"cases": past.count, "without_target": past.freely, "unchecked": past.unchecked}
        }
    return {
        "format": FORMAT,
        **about,
        "version": VERSION,
        "data_hash": cohort.hash,
        "cases": table[CASE].n_unique(),
        "rows": table.height,
        "features": list(names),
        **learned,
        "notes": list(notes),
        "set_aside": [{"case": s.case, "reason": s.reason} for s in aside],
    }


def _one_unit(table: Any, aside: list[SetAside]) -> Any:
    """Return the rows whose lengths are in one unit: those in pixels go where any are in millimetres."""
    inside = table["lengths"] == PIXELS
    if inside.all() or not inside.any():
        return table
    for case in table.filter(inside)[CASE].unique(maintain_order=True):
        aside.append(SetAside(case, "its picture has no spacing, and others are measured in mm"))
    return table.filter(~inside)


def _levels(table: Any) -> list[str]:
    """Return a note on rows of one grey level. Raises DataError where that is all of them."""
    textured = _textured(table)
    flat = int((table["grey_levels"] == 1).sum())
    if not textured or not flat:
        return []
    if flat == table.height:
        raise DataError(
            "all intensities of every mask lie in one grey level, so that texture tells nothing",
            found="the bin width is larger than they vary",
            hint="--set bin_width=… smaller, or --set bin_count=32",
        )
    return [
        f"in {flat} of {counted(table.height, 'row')} all intensities lie in one grey level: texture tells nothing"
    ]


def _textured(table: Any) -> bool:
    """Return whether any feature looks at where grey levels lie."""
    every = map(families.get, registry.names(families.KIND))
    prefixes = tuple(family.prefix for family in every if family.textured)
    return any(n.startswith(prefixes) for n in table.columns)


def _grids(table: Any) -> list[str]:
    """Return notes on voxels of uneven sides, and on sizes that differ from case to case."""
    textured = _textured(table)
    sizes = table.select("spacing_x", "spacing_y", "spacing_z").drop_nulls()
    if not textured or not sizes.height:
        return []
    notes = []
    ratio = (sizes.max_horizontal() / sizes.min_horizontal()).max()
    if ratio > UNEVEN and (table["lengths"] != PIXELS).all():
        notes.append(
            f"voxels are up to {ratio:.3g} times as long as wide, and texture counts neighbours in voxels: "
            "--set spacing_mm=1,1,1 resamples them, --set flat=true looks within slices"
        )
    if any(sizes[n].max() > 1.1 * sizes[n].min() for n in sizes.columns):
        notes.append(
            "voxel sizes differ from case to case, so that textures are of different scales: --set spacing_mm=1,1,1"
        )
    return notes


def _units(table: Any) -> list[str]:
    """Return notes on units that are not what one might think."""
    found = []
    if (table["lengths"] == PIXELS).all():
        found.append("no picture has a spacing: lengths and areas are in pixels")
    kinds = [k or "none" for k in table["intensities"].unique(maintain_order=True)]
    if len(kinds) > 1:
        found.append(f"intensities are in different units: {listed(kinds)}")
    if "mm at the detector" in table["lengths"]:
        found.append("lengths are at the detector, where a body is drawn larger than it is")
    return found


def _of_bundle(past: Learned) -> list[str]:
    """Return a note on the cases that the bundle learned from."""
    found = [past.unchecked] if past.bundled and past.unchecked else []
    if past.cases:
        how = ", without a target" if past.freely else ""
        found.append(
            f"the bundle learned from {len(past.cases)} of these cases{''}{how}: what it "
            "says of them looks better than of others; see the columns 'learned' and 'split'"
        )
    return found
