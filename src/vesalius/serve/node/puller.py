"""Pulling a study: C-FIND of its series at a PACS, then C-MOVE of each to the node, which takes it like any other."""

from __future__ import annotations

from typing import Any

from pydicom.dataset import Dataset

from vesalius.core.errors import DataError, OutputError, UnknownName
from vesalius.serve.node import scu
from vesalius.serve.node.routing import NEVER, Destination
from vesalius.serve.node.settings import Settings


def pull(settings: Settings, study_uid: str, *, peer: str | None = None, timeout_s: float = 600.0) -> int:
    """Have a PACS send a study's images to the running node; how many instances it says were sent.

    Series go one by one: a PACS may give up the whole of a C-MOVE at one object that it cannot send. `peer` names the
    destination that is asked, the only one where it is not given. Raises UnknownName, DataError, OutputError.
    """
    asked = _peer(settings, peer)
    contexts = [(scu.STUDY_FIND, None), (scu.STUDY_MOVE, None)]
    with scu.association(
        asked, contexts, aet=settings.aet, tls=settings.certificate, timeout_s=timeout_s
    ) as made:
        found = scu.find(made, "SERIES", StudyInstanceUID=study_uid, SeriesInstanceUID="", Modality="")
        wanted = [str(d.SeriesInstanceUID) for d in found if str(d.get("Modality")) not in NEVER]
        if not wanted:
            raise DataError(f"{asked.aet} has no images of study {study_uid}")
        sent, faults = 0, []
        for series_uid in wanted:
            done, failed = _move(made, settings.aet, study_uid, series_uid)
            sent += done
            faults += [f"{failed} of series {series_uid}"] if failed else []
    if faults:
        raise OutputError(f"{asked.aet} did not send all of it", found="; ".join(faults[:3]))
    return sent


def _peer(settings: Settings, name: str | None) -> Destination:
    known = {k: d for k, d in settings.destinations.items() if isinstance(d, Destination)}
    if name is None and len(known) == 1:
        return next(iter(known.values()))
    if name not in known:
        raise UnknownName("destination", name or "", known)
    return known[name]


def _move(made: Any, to: str, study_uid: str, series_uid: str) -> tuple[int, int]:
    """C-MOVE of a series; the numbers of instances that were sent and that were not. Raises OutputError."""
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
        said = "no answer" if code is None else f"status 0x{code:04X}"
        raise OutputError(
            "the PACS does not send", found=said, hint=f"that it knows the node, {to}, with its address"
        )
    return done, failed
