"""Pulling a study: C-FIND of its series at a PACS, then C-MOVE of each to the node, which receives it as any other."""

from __future__ import annotations

from typing import Any

from pydicom.dataset import Dataset

from vesalius.core.errors import DataError, OutputError, UnknownName
from vesalius.serve.node import scu
from vesalius.serve.node.routing import Destination
from vesalius.serve.node.settings import Settings
from vesalius.serve.node.store import running
from vesalius.serve.node.values import IMAGELESS


def pull(settings: Settings, study_uid: str, *, peer: str | None = None, timeout_s: float = 600.0) -> int:
    """Have a PACS send a study's images to the running node. Returns the number of instances that it reports as sent.

    Series are moved one by one, for a PACS may abandon a whole C-MOVE at one object that it cannot send. `peer` names
    the destination to ask; None where the settings have only one. Raises UnknownName, DataError, OutputError.
    """
    asked = _peer(settings, peer)
    if not study_uid:
        raise DataError("which study is to be pulled", hint="its StudyInstanceUID")
    if not running(settings.store):
        raise DataError(
            "the node does not run, and could not take what is sent to it",
            hint="start it: vesalius serve --dicom SETTINGS",
        )
    contexts = [(scu.STUDY_FIND, None), (scu.STUDY_MOVE, None)]
    with scu.association(
        asked, contexts, aet=settings.aet, tls=settings.certificate, timeout_s=timeout_s
    ) as made:
        keys = {"StudyInstanceUID": study_uid, "SeriesInstanceUID": "", "Modality": ""}
        found = scu.find(made, asked, "SERIES", aet=settings.aet, keys=keys)
        wanted = [str(d.SeriesInstanceUID) for d in found if str(d.get("Modality")) not in IMAGELESS]
        if not wanted:
            only = "only series without images" if found else "no such study"
            raise DataError(f"{asked.where} has no images of study {study_uid}", found=only)
        sent, faults = 0, []
        for series_uid in wanted:
            done, failed = _move(made, asked, settings.aet, study_uid, series_uid)
            sent += done
            faults += [f"{failed} of series {series_uid} failed"] if failed else []
    if faults:
        raise OutputError(
            f"{asked.where} did not send all images of study {study_uid}", found="; ".join(faults[:3]),
            hint=f"the node's log, and whether {asked.aet} can reach it and may call it",
        )  # fmt: skip
    return sent


def _peer(settings: Settings, name: str | None) -> Destination:
    """Return the destination to ask. Raises UnknownName, DataError, in words of the command line."""
    known = {k: d for k, d in settings.destinations.items() if isinstance(d, Destination)}
    if not known:
        raise DataError(
            "no destination can be asked to send: C-MOVE wants one with host, port and aet",
            found=f"only DICOMweb: {', '.join(settings.destinations)}", hint="vesalius fetch",
        )  # fmt: skip
    if name is None and len(known) > 1:
        raise DataError(
            "several destinations could be asked", found=", ".join(known), hint=f"--from {next(iter(known))}"
        )
    if name is None:
        return next(iter(known.values()))
    if name in settings.destinations and name not in known:
        raise DataError(
            f"destination '{name}' speaks DICOMweb, and C-MOVE wants one with host, port and aet",
            hint=f"--from {next(iter(known))}, or vesalius fetch {settings.destinations[name].where}",
        )
    if name not in known:
        raise UnknownName("destination", name, known)
    return known[name]


def _move(made: Any, peer: Destination, to: str, study_uid: str, series_uid: str) -> tuple[int, int]:
    """Move a series by C-MOVE. Returns how many instances were sent and how many failed. Raises OutputError."""
    asked = Dataset()
    asked.QueryRetrieveLevel = "SERIES"
    asked.StudyInstanceUID, asked.SeriesInstanceUID = study_uid, series_uid
    done = failed = 0
    code: int | None = None
    for status, _ in made.send_c_move(asked, to, scu.STUDY_MOVE):
        code = status.get("Status")
        done = int(status.get("NumberOfCompletedSuboperations") or done)
        failed = int(status.get("NumberOfFailedSuboperations") or failed)
    if code is None or (code != 0 and not failed):
        refused = scu.refusal(f"{peer.where} does not send (C-MOVE)", code, aet=to)
        if (
            code is not None and code & 0xF000 == 0xC000
        ):  # Orthanc's status for a destination that it does not know
            raise OutputError(
                refused.what,
                found=f"{refused.found}: it knows no '{to}', or does not reach it",
                hint=f"enter '{to}' as a modality there, with the address and port of the node; its log",
            )
        raise refused
    return done, failed
