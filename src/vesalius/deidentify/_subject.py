"""The subject of a data set: one pseudonym per patient, and the words by which the data set names people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vesalius.deidentify._text import Cleaner
from vesalius.deidentify.key import Key
from vesalius.deidentify.options import Settings

_IDENTITY = (
    "PatientID", "OtherPatientIDs", "PatientBirthDate", "PatientAddress", "PatientTelephoneNumbers",
    "AccessionNumber", "StudyID", "AdmissionID", "InstitutionName", "InstitutionAddress", "StationName",
    "DeviceSerialNumber", "PlacerOrderNumberImagingServiceRequest", "FillerOrderNumberImagingServiceRequest",
    "MedicalRecordLocator", "MilitaryRank", "IssuerOfPatientID", "PatientTelecomInformation", "ServiceEpisodeID",
    "ClinicalTrialSubjectID", "ClinicalTrialSiteName", "ReferringPhysicianTelephoneNumbers",
)  # fmt: skip
_KEPT_SOURCES = {  # an identifier that an option keeps is not looked for in the text that stays
    "institution": ("InstitutionName", "InstitutionAddress"),
    "device": ("StationName", "DeviceSerialNumber"),
}


@dataclass
class Subject:
    """Who a data set is of, as the key sees it: a pseudonym, a shift of dates, and the words that identify."""

    pseudonym: str
    days: int
    cleaner: Cleaner


def subject_of(data: Any, key: Key, settings: Settings) -> Subject:
    """Return the patient by PatientID and its issuer; without one, by the study's UID or the file's own."""
    who = who_is(data)
    cleaner = Cleaner()
    kept = {name for column, names in _KEPT_SOURCES.items() if column in settings.columns for name in names}
    _collect(data, cleaner, kept)
    return Subject(key.pseudonym("patient", who), key.shift_days(who), cleaner)


def who_is(data: Any) -> str:
    """Return what tells patients apart: PatientID and its issuer; the study, or the file's own UID, where there is
    none.
    """
    patient = text_of(data, "PatientID")
    if patient:
        return f"{patient}\0{text_of(data, 'IssuerOfPatientID')}"
    return text_of(data, "StudyInstanceUID") or text_of(data, "SOPInstanceUID")


def text_of(data: Any, keyword: str) -> str:
    """Return a value as text, without padding; empty where there is none."""
    return str(data.get(keyword) or "").strip(" \0")


def _collect(data: Any, cleaner: Cleaner, kept: set[str]) -> None:
    for element in data:
        if element.VR == "SQ":
            for item in element.value:
                _collect(item, cleaner, kept)
        elif element.VR == "PN" or (element.keyword in _IDENTITY and element.keyword not in kept):
            for value in element.value if many(element.value) else [element.value]:
                cleaner.add(str(value or ""), name=element.VR == "PN")


def many(value: Any) -> bool:
    """Return whether an element holds several values."""
    return (
        not isinstance(value, (str, bytes))
        and hasattr(value, "__iter__")
        and not hasattr(value, "components")
    )
