"""Checks of a node's settings before it starts: files exist, hosts are known, and what is probably a mistake."""

from __future__ import annotations

import difflib
import socket
from collections.abc import Iterator
from pathlib import Path

from vesalius.core.errors import DataError, PlanError, closest_path
from vesalius.dicom.web import login_of
from vesalius.serve.node.routing import Destination, WebDestination
from vesalius.serve.node.settings import Settings
from vesalius.serve.transport import loopback

_MODALITIES = (  # PS3.3 C.7.3.1.1.1, those with images
    "AR", "BI", "BMD", "CR", "CT", "CFM", "DMS", "DG", "DX", "ECG", "EPS", "ES", "FID", "GM", "HC", "IO", "IOL",
    "IVOCT", "IVUS", "KER", "LEN", "LS", "MG", "MR", "NM", "OAM", "OCT", "OP", "OPM", "OPT", "OPTBSV", "OPTENF",
    "OPV", "OSS", "OT", "POS", "PT", "PX", "RF", "RG", "RTIMAGE", "RTDOSE", "SM", "SRF", "STAIN", "TG", "US", "VA",
    "XA", "XC",
)  # fmt: skip


def check(settings: Settings) -> None:
    """Check that every file and host named in the settings can be used. Raises PlanError, DataError."""
    try:
        _check(settings)
    except PlanError as error:
        raise PlanError(f"{settings.file}: {error.what}", found=error.found, hint=error.hint) from error


def _check(settings: Settings) -> None:
    for place, path in _files(settings):
        if path.is_dir():
            raise PlanError(f"{place}: a folder, not a file", found=str(path))
        if not path.is_file():
            raise PlanError(
                f"{place}: no file at {path}", hint=closest_path(path, "its path, relative to the settings")
            )
        try:
            path.open("rb").close()
        except OSError as error:
            raise PlanError(f"{place}: {path} cannot be read", found=error.strerror) from error
    for name, there in settings.destinations.items():
        for key in ("login", "orthanc_login"):
            login: Path | None = getattr(there, key, None)
            if login is not None:
                _check_login(f"destinations.{name}.{key}", login)
        if isinstance(there, WebDestination) and there.ca is not None:
            _check_ca(f"destinations.{name}.ca", there.ca)
    if settings.certificate is not None:
        settings.certificate.server()
    for k, rule in enumerate(settings.rules):
        path = Path(rule.bundle)
        if not path.exists():
            raise PlanError(
                f"rules.{k}.bundle: no bundle at {path}", hint=closest_path(path, "the folder of a bundle")
            )
    if not _known(settings.host):
        raise PlanError(f"host: no host '{settings.host}'", hint="an address of this machine")


def likely_mistakes(settings: Settings) -> Iterator[str]:
    """Yield a line for each setting that is allowed and probably a mistake."""
    used = {rule.destination for rule in settings.rules}
    for name, there in settings.destinations.items():
        if name not in used:
            yield f"destination '{name}' is in no rule: nothing is sent there, and only --pull --from asks it"
        host = there.host if isinstance(there, Destination) else str(there.dicomweb.host or "")
        if not _known(host):
            yield f"destinations.{name}: no host '{host}' is known here now; results wait until it is"
    for k, rule in enumerate(settings.rules):
        for word in rule.modality or ():
            if word.upper() not in _MODALITIES:
                close = difflib.get_close_matches(word.upper(), _MODALITIES, n=1, cutoff=0.6)
                hint = f"; closest: {close[0]}" if close else ""
                yield f"rules.{k}.modality: '{word}' is no modality of the standard{hint}"


def _files(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Yield the dotted key of each file in the settings, and the file's path."""
    if settings.tls is not None:
        yield from ((f"tls.{key}", path) for key, path in settings.tls if isinstance(path, Path))
    for name, there in settings.destinations.items():
        yield from ((f"destinations.{name}.{key}", path) for key, path in there if isinstance(path, Path))


def _check_login(place: str, path: Path) -> None:
    try:
        login_of(path)
    except DataError as error:
        raise PlanError(f"{place}: {error.what}", found=error.found, hint=error.hint) from error


def _check_ca(place: str, path: Path) -> None:
    import ssl

    try:
        ssl.create_default_context(cafile=str(path))
    except (OSError, ssl.SSLError) as error:
        raise PlanError(f"{place}: {path} holds no certificates", hint="a PEM file") from error


def _known(host: str) -> bool:
    if loopback(host):
        return True
    try:
        return bool(socket.getaddrinfo(host.removeprefix("[").removesuffix("]"), None))
    except (OSError, UnicodeError):
        return False
