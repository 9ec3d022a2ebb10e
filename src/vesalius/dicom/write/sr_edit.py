"""A report that a person has changed: who observed it, whether that is verified, and which report it replaces.

Its series is its own, beside the model's report, and its UIDs follow from the edit's id. Source: PS3.3 C.17.2, PS3.16
TID 1003.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedSRStorage
from pydicom.valuerep import DA, TM

from vesalius.core.edit import Edit
from vesalius.core.errors import OutputError
from vesalius.dicom.write import study as studies

_KIND = "SR"
_COMPONENT = 64  # characters of a person's name (PN)


def person(edit: Edit) -> Any:
    """Return the editor as a person observer. Raises OutputError for a name that DICOM cannot hold."""
    return sr.ObserverContext(
        observer_type=sr.CodedConcept("121006", "DCM", "Person"),
        observer_identifying_attributes=sr.PersonObserverIdentifyingAttributes(
            name=person_name(edit.author), organization_name=edit.organisation or None
        ),
    )


def edited_identity(study: studies.ResultStudy, edit: Edit) -> dict[str, Any]:
    """Return what an edited report is known by, that it replaces a former one, and who verified it.

    Raises OutputError where it is verified for nobody.
    """
    if edit.verified and not edit.organisation.strip():
        raise OutputError("a verified report names the organisation that answers for it", found="none")
    said: dict[str, Any] = {
        "series_instance_uid": study.uid(_KIND, "series", "edited"),
        "sop_instance_uid": study.uid(_KIND, "instance", f"edit {edit.id}"),
        "instance_number": edit.version,
        "series_description": study.title("edited report"),
        "previous_versions": [_former(study, edit)],
    }
    if edit.verified:
        said |= {
            "is_complete": True,
            "is_final": True,
            "is_verified": True,
            "verifying_observer_name": person_name(edit.author),
            "verifying_organization": edit.organisation.strip()[:64],
        }
    return said


def date_and_time(edit: Edit) -> tuple[DA, TM]:
    """Return when it was edited, as DICOM's date and time, in this machine's time. Raises OutputError."""
    try:
        at = datetime.fromisoformat(edit.at).astimezone()
    except ValueError as error:
        raise OutputError("a time of an edit that is none", found=edit.at, hint="ISO 8601") from error
    return DA(at.strftime("%Y%m%d")), TM(at.strftime("%H%M%S.%f"))


def person_name(author: str) -> str:
    """Return a name as DICOM holds one: as given where it has components (`Family^Given`), else the last word first.

    Raises OutputError for one that is empty, too long, or of letters that a name cannot have.
    """
    name = " ".join(author.split())
    if not name or "\\" in name or "=" in name or not name.isprintable():
        raise OutputError(
            "not a person's name", found=author[:80] or "nothing", hint="Family^Given, or Given Family"
        )
    if "^" not in name and " " in name:
        given, _, family = name.rpartition(" ")
        name = f"{family}^{given}"
    if len(name.split("^")) > 5 or len(name) > _COMPONENT:
        raise OutputError(
            "a person's name is too long for DICOM", found=f"{len(name)} letters", hint="64 at most"
        )
    return name


def _former(study: studies.ResultStudy, edit: Edit) -> Dataset:
    """Return what identifies the report that an edit replaces: the model's own, or an earlier edit's."""
    beside = (f"edit {edit.former}",) if edit.former else ()
    data = Dataset()
    data.SOPClassUID = EnhancedSRStorage
    data.SOPInstanceUID = study.uid(_KIND, "instance", *beside)
    data.SeriesInstanceUID = study.uid(_KIND, "series", *(("edited",) if edit.former else ()))
    data.StudyInstanceUID = study.first.StudyInstanceUID
    return data
