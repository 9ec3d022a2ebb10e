"""Rejection notes: key object selections that reject images (IHE RAD-66, Imaging Object Change Management)."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

import pydicom

from vesalius.core.errors import FormatError
from vesalius.dicom.damage import DAMAGE

KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"
EXPIRED = "Data Retention Policy Expired"
REASONS = {  # document titles (PS3.16 CID 7011), in the scheme DCM
    "113001": "Rejected for Quality Reasons",
    "113037": "Rejected for Patient Safety Reasons",
    "113038": "Incorrect Modality Worklist Entry",
    "113039": EXPIRED,
}


@dataclass(frozen=True, slots=True)
class RejectionNote:
    """The instances that a note rejects, and the reason."""

    reason: str
    sop_uids: tuple[str, ...]


def read(data: bytes) -> RejectionNote | None:
    """Read a key object selection as a rejection note; returns None for one that selects images for another purpose.

    Raises FormatError where it cannot be read.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            said = pydicom.dcmread(io.BytesIO(data))
            title = said.ConceptNameCodeSequence[0]
            reason = REASONS.get(str(title.CodeValue)) if title.CodingSchemeDesignator == "DCM" else None
            if reason is None:
                return None
            named = [
                str(item.ReferencedSOPInstanceUID)
                for study in said.CurrentRequestedProcedureEvidenceSequence
                for series in study.ReferencedSeriesSequence
                for item in series.ReferencedSOPSequence
            ]
    except DAMAGE as error:
        raise FormatError("a key object selection that cannot be read", found=type(error).__name__) from error
    return RejectionNote(reason, tuple(dict.fromkeys(named)))
