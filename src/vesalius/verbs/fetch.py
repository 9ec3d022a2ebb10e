"""fetch: studies of a PACS, by DICOMweb, into a folder that every other verb reads; each series whole or not at all."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vesalius.core import disk
from vesalius.core.cohort import SetAside
from vesalius.core.errors import DataError, Interrupted, OutputError
from vesalius.core.progress import Progress, watched
from vesalius.dicom.copying import copy_series
from vesalius.dicom.web import Series, Web


@dataclass(frozen=True, eq=False)
class Fetched:
    """What `fetch` did: the series that are in `out`, how many objects they have, and those that could not be had."""

    series: tuple[Series, ...]
    instances: int
    set_aside: tuple[SetAside, ...]
    out: Path


def find(
    url: str,
    *,
    study: str = "",
    patient: str = "",
    accession: str = "",
    date: str = "",
    modalities: Sequence[str] = (),
    login: Path | str | None = None,
    ca: Path | str | None = None,
) -> tuple[Web, list[Series]]:
    """Return the server, and its series that match all that is given.

    Raises DataError where nothing is given or found.
    """
    keys = {"StudyInstanceUID": study, "PatientID": patient, "AccessionNumber": accession, "StudyDate": date}
    query = {k: v for k, v in keys.items() if v}
    if not query and not modalities:
        raise DataError(
            "fetch wants to know which studies", hint="--study, --patient, --accession, --date, --modality"
        )
    if date and not re.fullmatch(r"\d{8}|\d{8}-|-\d{8}|\d{8}-\d{8}", date):
        raise DataError(
            "a date or a range of dates is wanted", found=date, hint="20260131 or 20260101-20260131"
        )
    web = Web(url, login=None if login is None else Path(login), ca=None if ca is None else Path(ca))
    wanted = {m.upper() for m in modalities}
    found: dict[str, Series] = {}
    for modality in sorted(wanted) or [""]:
        asked = query | ({"ModalitiesInStudy": modality} if modality else {})
        found |= {s.series_uid: s for s in web.series(asked) if not wanted or s.modality.upper() in wanted}
    if not found:
        raise DataError(
            f"{url} has nothing that matches", found=", ".join(f"{k}={v}" for k, v in query.items()) or None
        )
    return web, [found[uid] for uid in sorted(found)]


def fetch(
    url: str,
    out: Path | str,
    *,
    study: str = "",
    patient: str = "",
    accession: str = "",
    date: str = "",
    modalities: Sequence[str] = (),
    login: Path | str | None = None,
    ca: Path | str | None = None,
    resume: bool = False,
    progress: Progress | bool | None = None,
) -> Fetched:
    """Copy the series that match from a DICOMweb server to `out/<study>/<series>/<object>.dcm`.

    A series is there whole or not at all. At least one of the keys is needed; wildcards (`*`) are the server's
    business.

    Args:
        url: The server's DICOMweb root, such as `https://host/dicom-web`.
        out: A new folder.
        study: A StudyInstanceUID.
        patient: A PatientID.
        accession: An accession number.
        date: The study's day `20260131`, or a range `20260101-20260131`.
        modalities: Only series of these kinds, such as `("CT", "SEG")`.
        login: A file that holds `user:password`.
        ca: A file of certificates that the server's is signed by.
        resume: Go on in `out`, and fetch what is not there yet.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a
            notebook.

    Returns:
        The series that are there, how many objects they have, and what could not be had, with the reason.

    Raises:
        DataError: Nothing matches, or no key is given.
        OutputError: The server cannot be reached, or `out` holds something.
        Interrupted: Ctrl-C; what is fetched is kept.
    """
    progress, folder = watched(progress), Path(out)
    web, wanted = find(
        url,
        study=study,
        patient=patient,
        accession=accession,
        date=date,
        modalities=modalities,
        login=login,
        ca=ca,
    )
    if not (resume and folder.is_dir()):
        folder = disk.new_folder(folder, default="fetch")
    done: list[Series] = []
    bad: list[SetAside] = []
    progress.start("fetch", len(wanted))
    try:
        for series in wanted:
            try:
                copy_series(web, series, folder / series.study_uid / series.series_uid)
                done.append(series)
            except OutputError as error:
                bad.append(SetAside(series.series_uid, str(error)))
                progress.note(f"not fetched: {series.series_uid}: {error}")
            progress.advance("fetch")
    except KeyboardInterrupt as error:
        words = ["vesalius", "fetch", url, "-o", str(folder), "--resume"]
        raise Interrupted(
            f"interrupted; {len(done)} of {len(wanted)} series are kept", hint=f"{shlex.join(words)} …"
        ) from error
    finally:
        progress.finish("fetch")
    count = sum(len(list((folder / s.study_uid / s.series_uid).iterdir())) for s in done)
    return Fetched(tuple(done), count, tuple(bad), folder)
