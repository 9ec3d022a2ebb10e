"""Copying a series from a DICOMweb server into a folder, whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from pydicom.dataset import Dataset
from pydicom.uid import UID

from vesalius.core import disk
from vesalius.core.errors import OutputError
from vesalius.core.words import counted
from vesalius.dicom.web import Series

_PART = ".part"


class Server(Protocol):
    """A server that gives the objects of a series."""

    @property
    def url(self) -> str:
        """Its address."""

    def instances(self, series: Series) -> Iterator[Dataset]:
        """Yield the objects of a series."""


def copy_series(web: Server, series: Series, place: Path) -> None:
    """Write a series to `place/<object>.dcm`; the folder appears once all of it is there. Raises OutputError."""
    if place.is_dir():
        return
    part = place.with_name(f".{place.name}{_PART}")
    shutil.rmtree(part, ignore_errors=True)
    with disk.output_errors(place):
        part.mkdir(parents=True)
        try:
            count = 0
            for data in web.instances(series):
                uid = UID(str(data.SOPInstanceUID))
                if not uid.is_valid:
                    raise OutputError(f"{web.url} sends an object without identity")
                data.save_as(part / f"{uid}.dcm", enforce_file_format=True)
                count += 1
            if count == 0 or (series.instances is not None and count < series.instances):
                raise OutputError(
                    "the series came incomplete",
                    found=f"{count} of {counted(series.instances or 0, 'object')}",
                )
            part.rename(place)
        finally:
            shutil.rmtree(part, ignore_errors=True)
