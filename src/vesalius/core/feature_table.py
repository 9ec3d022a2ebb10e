"""Tables of features: what stands in them beside the features, for who writes them and who reads them."""

from __future__ import annotations

from pathlib import Path

CASE, LABEL, LEARNED, SPLIT = "case", "label", "learned", "split"
MEASURED = (LABEL, "lengths", "intensities", "spacing_x", "spacing_y", "spacing_z", "voxels", "grey_levels")
BESIDE = (CASE, LEARNED, SPLIT, *MEASURED)  # columns that are no features
TEXTS = (CASE, LABEL, LEARNED, SPLIT, "lengths", "intensities")
YES, NO, UNKNOWN = (
    "yes",
    "no",
    "unknown",
)  # of LEARNED: whether the bundle that made a row learned from its case


def record_of(table: Path) -> Path:
    """Return where the record lies of how a table was made."""
    return table.with_suffix(".json")
