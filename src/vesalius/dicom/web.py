"""A DICOMweb server as its client sees it: what is there (QIDO), getting it (WADO), giving it (STOW). PS3.18 10."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import UID

from vesalius.core.errors import DataError, OutputError, closest_path
from vesalius.core.words import counted

_REFUSALS = {
    401: ("it wants a login, or another", "a file that holds user:password as the login"),
    403: ("it does not allow us that", "the rights of that login there"),
    404: ("nothing is there", "the DICOMweb root, such as https://host/dicom-web"),
    405: ("it does not take that", "the DICOMweb root, such as https://host/dicom-web"),
    413: ("too great for it", "its limit, or that of a proxy in front"),
    507: ("its disk is full", "free some there"),
}


@dataclass(frozen=True, slots=True)
class Series:
    """A series that a server has; `instances` is how many objects it says there are, None where it does not say."""

    study_uid: str
    series_uid: str
    modality: str
    description: str
    instances: int | None


class Web:
    """A server by its DICOMweb root.

    `login` is a file that holds `user:password`, `ca` one with the certificates that the server's may be signed by.
    Raises OutputError where it cannot be reached or refuses, DataError for an address or a login that is none.
    """

    def __init__(
        self, url: str, *, login: Path | None = None, ca: Path | None = None, timeout_s: float = 60.0
    ) -> None:
        from dicomweb_client import DICOMwebClient
        from dicomweb_client.session_utils import create_session

        self.url, session = url, create_session()
        if login is not None:
            session.auth = login_of(login)
        if ca is not None:
            if not ca.is_file():
                raise DataError(f"no file of certificates at {ca}", hint=closest_path(ca, "a PEM file"))
            session.verify = str(ca)
        try:
            self._client = DICOMwebClient(url, session=session, timeout=timeout_s)
            self._client.set_http_retry_params(max_attempts=3, wait_exponential_multiplier=200)
        except (ValueError, TypeError) as error:
            raise DataError(
                f"'{url}' is no address of a DICOMweb server", hint="https://host/dicom-web"
            ) from error

    def series(self, query: Mapping[str, str]) -> list[Series]:
        """Return the series of all studies that match `query`: keywords, and values as PS3.4 C.2.2.2 has them."""
        found = []
        with self._said():
            studies = _pages("StudyInstanceUID", self._client.search_for_studies, search_filters=dict(query))
            for study_uid in studies:
                for uid, said in _pages(
                    "SeriesInstanceUID",
                    self._client.search_for_series,
                    study_instance_uid=study_uid,
                    fields=["SeriesDescription", "NumberOfSeriesRelatedInstances"],
                ).items():
                    count = said.get("NumberOfSeriesRelatedInstances")
                    modality, text = (str(said.get(k) or "") for k in ("Modality", "SeriesDescription"))
                    found.append(
                        Series(study_uid, uid, modality, text, None if count is None else int(count))
                    )
        return found

    def studies(self, query: Mapping[str, str]) -> Iterator[str]:
        """Yield the UIDs of the studies that match `query`, page after page, in no order."""
        with self._said():
            yield from _each("StudyInstanceUID", self._client.search_for_studies, search_filters=dict(query))

    def instances(self, series: Series) -> Iterator[Dataset]:
        """Yield the objects of a series one by one, in the transfer syntaxes that they are stored in."""
        with self._said():
            for data in self._client.iter_series(
                series.study_uid, series.series_uid, media_types=(("application/dicom", "*"),)
            ):
                if _uid(data, "SeriesInstanceUID") != series.series_uid:
                    raise OutputError(f"{self.url} sends objects of another series than was asked for")
                yield data

    def store(self, objects: Sequence[Dataset]) -> None:
        """Give objects to the server; each is accepted, or OutputError is raised."""
        with self._said():
            answer = self._client.store_instances(objects)
        failed: Sequence[Dataset] = answer.get("FailedSOPSequence") or []  # which may be there and empty
        if failed:
            raise OutputError(
                f"{self.url} did not take {len(failed)} of {counted(len(objects), 'object')}",
                found=f"reason 0x{int(failed[0].get('FailureReason') or 0):04X}",
            )

    def has(self, data: Dataset) -> bool:
        """Return whether the server finds an object by its UIDs."""
        with self._said():
            found = self._client.search_for_instances(
                str(data.StudyInstanceUID),
                str(data.SeriesInstanceUID),
                search_filters={"SOPInstanceUID": str(data.SOPInstanceUID)},
            )
        return any(Dataset.from_json(f).get("SOPInstanceUID") == data.SOPInstanceUID for f in found)

    @contextmanager
    def _said(self) -> Iterator[None]:
        """Yield what goes wrong on the way, as one line that repeats no data."""
        import requests

        try:
            yield
        except requests.HTTPError as error:
            code = error.response.status_code if error.response is not None else 0
            cause, hint = _REFUSALS.get(code, ("", None))
            said = f"HTTP {code or '?'}" + (f": {cause}" if cause else "")
            raise OutputError(f"{self.url} refuses", found=said, hint=hint) from error
        except (ValueError, LookupError, TypeError, AttributeError, NotImplementedError) as error:
            raise OutputError(
                f"{self.url} does not answer as DICOMweb has it", found=" ".join(str(error).split())[:120],
                hint="the DICOMweb root, such as https://host/dicom-web",
            ) from error  # fmt: skip
        except (requests.RequestException, OSError) as error:
            found, hint = _unreachable(error)
            raise OutputError(f"{self.url} cannot be reached", found=found, hint=hint) from error


def _unreachable(error: Exception) -> tuple[str, str | None]:
    """Return why there was no answer, and what to try."""
    import requests

    text = str(error)
    if isinstance(error, requests.exceptions.SSLError):
        return (
            "a certificate that is not trusted, or no TLS there",
            "a ca file with its authority, or http://",
        )
    if isinstance(error, requests.exceptions.Timeout):
        return "no answer in time", "the address, and the firewall between"
    if "refused" in text:
        return "connection refused", "that it runs, and its port"
    if "resolve" in text or "resolution" in text:
        return "no host of that name", "the address, or the name server"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror, None
    return "it ended the connection", "the address, and whether it is http or https"


def _pages(name: str, search: Callable[..., Sequence[Any]], **words: Any) -> dict[str, Dataset]:
    """Return all that a search finds, by UID."""
    return dict(_found(name, search, **words))


def _each(name: str, search: Callable[..., Sequence[Any]], **words: Any) -> Iterator[str]:
    """Yield the UIDs of all that a search finds."""
    for uid, _ in _found(name, search, **words):
        yield uid


def _found(name: str, search: Callable[..., Sequence[Any]], **words: Any) -> Iterator[tuple[str, Dataset]]:
    """Yield all that a search finds, page after page until one brings nothing new: some servers know no offset."""
    known: set[str] = set()
    offset = 0
    while True:
        page = [Dataset.from_json(item) for item in search(offset=offset, **words)]
        new = {_uid(said, name): said for said in page}
        if new.keys() <= known:
            return
        yield from ((uid, said) for uid, said in new.items() if uid not in known)
        known |= new.keys()
        offset += len(page)


def _uid(data: Dataset, name: str) -> str:
    """Return a UID that a server says; one that is none, and would be a path, is refused."""
    uid = str(data.get(name) or "")
    if not UID(uid).is_valid:
        raise ValueError(f"no valid {name}")
    return uid


def login_of(path: Path) -> tuple[str, str]:
    """Return the user and password in a file. Raises DataError."""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        found = error.strerror if isinstance(error, OSError) else "no text"
        raise DataError(
            f"the login {path} cannot be read", found=found, hint="user:password in one line"
        ) from error
    user, sign, password = text.partition(":")
    if not sign or len(text.splitlines()) > 1:
        raise DataError(f"{path} holds no login", hint="user:password in one line")
    return user, password
