"""What the series of a result is called: the bundle that a rule names, and the series that it was made of."""

from __future__ import annotations

import warnings
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from vesalius.formats._dicom_study import MAKER, series_text


def source_head(folder: Path) -> Dataset:
    """What a series is called, by the first of its files."""
    first = min(folder.glob("*.dcm"))
    wanted = ["SpecificCharacterSet", "SeriesNumber", "SeriesDescription", "Modality"]
    with warnings.catch_warnings(action="ignore"):
        head = pydicom.dcmread(first, stop_before_pixels=True, specific_tags=wanted)
        head.decode()
    return head


def name_series(data: Dataset, bundle: str, source: Dataset) -> None:
    """Put a bundle's name in front of what a result is, in place of ours."""
    what = str(data.get("SeriesDescription") or "").removeprefix(f"{MAKER} ").partition(" of ")[0]
    data.SeriesDescription = series_text(what or "result", source, by=bundle)
