"""DICOMweb servers as an archive's source and as the place where its results are stored."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pydicom

from vesalius.core.errors import DataError, OutputError, UnknownName
from vesalius.dicom.copying import copy_series
from vesalius.dicom.web import Web
from vesalius.run.archive.order import SPOOL, Job, Order, WebPlace

SCHEME = "dicomweb+"
STUDY_KEYS = (
    "StudyDate",
    "PatientID",
    "AccessionNumber",
    "StudyInstanceUID",
    "ModalitiesInStudy",
    "StudyDescription",
)
SERIES_KEYS = ("Modality", "SeriesDescription")


def is_server(source: object) -> bool:
    """Return whether a source is the address of a DICOMweb server."""
    return isinstance(source, str) and source.startswith(SCHEME)


def address(source: str, *, login: Path | str | None, ca: Path | str | None) -> WebPlace:
    """Return the server of an address such as `dicomweb+https://host/dicom-web`. Raises DataError."""
    url = source.removeprefix(SCHEME)
    if not source.startswith(SCHEME) or not url.startswith(("http://", "https://")):
        raise DataError(
            f"'{source}' is no address of a DICOMweb server", hint=f"{SCHEME}https://host/dicom-web"
        )
    return WebPlace(
        url=url,
        login=None if login is None else str(Path(login).absolute()),
        ca=None if ca is None else str(Path(ca).absolute()),
    )


def connect(place: WebPlace) -> Web:
    """Return a client of a server. Raises DataError for a login that is none."""
    return Web(
        place.url,
        login=None if place.login is None else Path(place.login),
        ca=None if place.ca is None else Path(place.ca),
    )


def parted(where: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the conditions on studies and those on series. Raises UnknownName for others."""
    for name in where:
        if name not in (*STUDY_KEYS, *SERIES_KEYS):
            raise UnknownName("condition", name, (*STUDY_KEYS, *SERIES_KEYS))
    studies = {k: v for k, v in where.items() if k in STUDY_KEYS}
    series = {k: v for k, v in where.items() if k in SERIES_KEYS}
    if "Modality" in series:
        studies.setdefault("ModalitiesInStudy", series["Modality"])
    return studies, series


def studies_at(place: WebPlace, where: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield the studies of a server that match: each one's UID, which it is called by, thrice. Raises OutputError."""
    for uid in connect(place).studies(parted(where)[0]):
        yield uid, uid, uid


class Spool:
    """A bounded place for studies that are fetched: one a worker at a time."""

    def __init__(self, order: Order) -> None:
        self._order, self._folder = order, Path(order.out) / SPOOL
        self._web = None if order.web is None else connect(order.web)

    def fetch(self, job: Job) -> Path:
        """Return the folder of a study, fetched anew, whole. Raises OutputError, DataError where no series matches."""
        if self._web is None:
            raise OutputError("no server was named")
        place = self._folder / job.place
        shutil.rmtree(place, ignore_errors=True)
        wanted = self._order.series
        found = [
            series
            for series in self._web.series({"StudyInstanceUID": job.place})
            if _matches(series.modality, wanted.get("Modality"))
            and _matches(series.description, wanted.get("SeriesDescription"))
        ]
        if not found:
            raise DataError("none of its series matches", hint="another --where")
        try:
            for series in found:
                copy_series(self._web, series, place / series.series_uid)
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
        return place


def _matches(value: str, wanted: str | None) -> bool:
    return wanted is None or value.casefold() == wanted.casefold()


def store(place: WebPlace, paths: Sequence[Path]) -> None:
    """Give objects to a server, and see that it finds them. Raises OutputError.

    Their UIDs follow from the bundle and the source's objects, so that storing one twice leaves one.
    """
    web, objects = connect(place), [pydicom.dcmread(path) for path in paths]
    web.store(objects)
    for data in objects:
        if not web.has(data):
            raise OutputError(
                f"{place.url} took a {data.Modality}, and does not find it",
                hint="what it does with what it takes",
            )
