"""Sending results by C-STORE or STOW, confirmed by C-FIND or QIDO. Source: PS3.4 annexes B and C, PS3.18.

DICOM has no service that deletes an object from an archive. Where a destination is an Orthanc whose REST address is
given, replaced results are deleted there; elsewhere they stay beside the new ones, which name them.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import pydicom

from vesalius.core.errors import DataError, OutputError
from vesalius.dicom.web import Web
from vesalius.serve.node import scu
from vesalius.serve.node.routing import Destination, WebDestination
from vesalius.serve.transport import Tls

_WARNINGS = (0xB000, 0xB006, 0xB007)  # stored, with elements coerced or discarded (PS3.4 table B.2-1)
_NOT_FOUND = "what it does with what it takes: a rule there, or a quarantine"
_NAMED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


def deliver(
    paths: Sequence[Path],
    destination: Destination | WebDestination,
    confirmed: Callable[[Path], None],
    *,
    aet: str,
    tls: Tls | None = None,
    timeout_s: float = 30.0,
) -> None:
    """Send objects, and call `confirmed` for each one that the destination then finds by its UIDs.

    A destination keeps one object per SOP Instance UID, so sending an object twice does no harm. Raises OutputError at
    the first object that is refused or not found.
    """
    objects = [pydicom.dcmread(p) for p in paths]
    if isinstance(destination, WebDestination):
        try:
            web = Web(
                str(destination.dicomweb), login=destination.login, ca=destination.ca, timeout_s=timeout_s
            )
        except DataError as error:  # a fault of the settings, not of the images: it is tried again
            raise OutputError(error.what, found=error.found, hint=error.hint) from error
        web.store(objects)
        for path, data in zip(paths, objects, strict=True):
            if not web.has(data):
                raise OutputError(
                    f"{destination.where} took a {data.Modality}, and does not find it", hint=_NOT_FOUND
                )
            confirmed(path)
        return
    kinds = sorted({(str(d.SOPClassUID), str(d.file_meta.TransferSyntaxUID)) for d in objects})
    contexts: list[tuple[str, str | None]] = [(scu.STUDY_FIND, None), *kinds]
    with scu.association(destination, contexts, aet=aet, tls=tls, timeout_s=timeout_s) as peer:
        for data in objects:
            with warnings.catch_warnings(action="ignore"):
                status = peer.send_c_store(data).get("Status")
            if status != 0 and status not in _WARNINGS:
                raise scu.refusal(f"{destination.where} did not take a {data.Modality}", status, aet=aet)
        for path, data in zip(paths, objects, strict=True):
            uids = {name: str(data[name].value) for name in _NAMED}
            if not any(
                d.get("SOPInstanceUID") == data.SOPInstanceUID
                for d in scu.find(peer, destination, "IMAGE", aet=aet, keys=uids)
            ):
                raise OutputError(
                    f"{destination.where} took a {data.Modality}, and does not find it", hint=_NOT_FOUND
                )
            confirmed(path)


def delete(sop_uid: str, destination: Destination | WebDestination, *, timeout_s: float = 30.0) -> None:
    """Delete an object from an Orthanc by REST, where it is there. Raises OutputError."""
    root = str(destination.orthanc).rstrip("/")
    try:
        known = json.loads(_rest("POST", f"{root}/tools/lookup", destination, timeout_s, sop_uid.encode()))
        for item in known:
            if item["Type"] == "Instance":
                _rest("DELETE", f"{root}/instances/{item['ID']}", destination, timeout_s)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise OutputError(
            f"{destination.where}: a replaced result is not deleted", found=str(error)[:200]
        ) from error


def _rest(
    method: str,
    url: str,
    destination: Destination | WebDestination,
    timeout_s: float,
    body: bytes | None = None,
) -> bytes:
    import base64

    asked = urllib.request.Request(url, data=body, method=method)
    if destination.orthanc_login is not None:
        login = destination.orthanc_login.read_text(encoding="utf-8").strip()
        asked.add_header("Authorization", f"Basic {base64.b64encode(login.encode()).decode()}")
    try:
        with urllib.request.urlopen(asked, timeout=timeout_s) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        if method == "DELETE" and error.code == 404:
            return b""
        raise
