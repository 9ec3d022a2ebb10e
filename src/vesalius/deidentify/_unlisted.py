"""Attributes that Table E.1-1 does not list and that name people, places or requests all the same, by keyword."""

from __future__ import annotations

from pydicom.datadict import keyword_for_tag
from pydicom.tag import BaseTag

_NAMED = """
    PatientBirthDateInAlternativeCalendar PatientDeathDateInAlternativeCalendar PlacerOrderNumberProcedure
    FillerOrderNumberProcedure PlacerOrderNumberImagingServiceRequestRetired
    FillerOrderNumberImagingServiceRequestRetired OwnerID PrintJobID PrintQueueID BoardingPassID AssignedLocation
    CarrierID ItineraryID RouteID RouteSegmentID ComponentWelderIDs NTPSourceAddress StorageMediaFileSetID ImageID
    ScheduledStudyLocation ResourceDescription FilenameInContainer RecordKey PriorRecordKey
    ObjectBinaryIdentifierTrial ObjectDirectoryBinaryIdentifierTrial HPGLDocument
"""
_IDENTIFYING = frozenset(_NAMED.split())
_PUBLIC_URIS = ("CodingSchemeURL", "URNCodeValue")
_WRITTEN = (
    "Comment",
    "Comments",
    "Notes",
    "Description",
    "DescriptionTrial",
    "InstructionText",
    "ProtocolName",
)
_BY_SOFTWARE = ("AlgorithmDescription", "DimensionDescriptionLabel", "ReconstructionDescription")


def identifies(tag: BaseTag, vr: str) -> bool:
    """Return whether an attribute that no profile lists may identify a patient.

    That is an identifier (of a person, a device or an order), the name of a place, or the address of stored data.
    """
    keyword = keyword_for_tag(tag)
    return keyword in _IDENTIFYING or (vr == "UR" and keyword not in _PUBLIC_URIS)


def is_written(tag: BaseTag, vr: str) -> bool:
    """Return whether an attribute is text that people write, so that it is to be cleaned."""
    if vr in ("LT", "ST", "UT"):
        return True
    keyword = keyword_for_tag(tag)
    return vr in ("LO", "SH", "UC") and keyword.endswith(_WRITTEN) and keyword not in _BY_SOFTWARE
