"""What is kept or cleaned instead of removed: the options of PS3.15 Annex E, their codes, and named profiles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vesalius.core.errors import DataError, UnknownName

BASIC = ("113100", "Basic Application Confidentiality Profile")


@dataclass(frozen=True)
class Option:
    """An option: its column in the tables, its code in PS3.16 CID 7050, and one line that says what it does.

    One that is about other files than DICOM has no code.
    """

    column: str
    code: str
    meaning: str
    says: str


OPTIONS: Mapping[str, Option] = {
    "retain-uids": Option("uids", "113110", "Retain UIDs Option", "UIDs stay as they are"),
    "retain-device": Option(
        "device", "113109", "Retain Device Identity Option", "serial numbers and station names stay"
    ),
    "retain-institution": Option(
        "institution", "113112", "Retain Institution Identity Option", "the institution stays"
    ),
    "retain-patient-characteristics": Option(
        "patient",
        "113108",
        "Retain Patient Characteristics Option",
        "sex, age (90 at most), size, weight stay",
    ),
    "keep-dates": Option(
        "full-dates",
        "113106",
        "Retain Longitudinal Temporal Information Full Dates Option",
        "dates and times stay as they are",
    ),
    "shift-dates": Option(
        "modified-dates",
        "113107",
        "Retain Longitudinal Temporal Information Modified Dates Option",
        "dates move by whole days, the same for all of a patient, by the key",
    ),
    "clean-descriptors": Option(
        "descriptors",
        "113105",
        "Clean Descriptors Option",
        "of free text, the words of the standard's codes stay",
    ),
    "clean-structured-content": Option(
        "structured", "113104", "Clean Structured Content Option", "content items are cleaned one by one"
    ),
    "clean-graphics": Option(
        "graphics", "113103", "Clean Graphics Option", "overlays without text and drawn shapes stay"
    ),
    "clean-pixels": Option("pixels", "113101", "Clean Pixel Data Option", "burned-in text is blacked out"),
    "retain-safe-private": Option(
        "safe-private",
        "113111",
        "Retain Safe Private Option",
        "private attributes that are known to be safe stay",
    ),
    "clean-reports": Option(
        "reports",
        "",
        "",
        "texts beside DICOM files are copied without the names that these hold, dates and numbers",
    ),
    "deface": Option(
        "face", "113102", "Clean Recognizable Visual Features Option", "the face is removed from head volumes"
    ),
}

PROFILES: Mapping[str, tuple[str, ...]] = {
    "basic": (),
    "research": (
        "retain-patient-characteristics",
        "shift-dates",
        "clean-descriptors",
        "clean-structured-content",
        "retain-safe-private",
    ),
}


@dataclass(frozen=True)
class Settings:
    """A profile with its options, ready to ask."""

    profile: str
    options: tuple[str, ...]

    @property
    def columns(self) -> frozenset[str]:
        """The tables' columns that apply."""
        return frozenset(OPTIONS[name].column for name in self.options)

    def has(self, option: str) -> bool:
        """Return whether an option was chosen."""
        return option in self.options

    @property
    def temporal(self) -> str:
        """The value of LongitudinalTemporalInformationModified (0028,0303)."""
        if self.has("keep-dates"):
            return "UNMODIFIED"
        return "MODIFIED" if self.has("shift-dates") else "REMOVED"

    def codes(self, *, pixels: bool, face: bool) -> list[tuple[str, str]]:
        """Return codes of CID 7050 for what was done; pixels and faces only where they were looked at."""
        done = [n for n in self.options if (n != "clean-pixels" or pixels) and (n != "deface" or face)]
        return [BASIC, *((OPTIONS[n].code, OPTIONS[n].meaning) for n in done if OPTIONS[n].code)]


def settings(profile: str = "basic", options: Iterable[str] = ()) -> Settings:
    """Return a profile by name and further options by theirs. Raises UnknownName, DataError where two contradict."""
    if profile not in PROFILES:
        raise UnknownName("profile", profile, PROFILES)
    further = tuple(options)
    for name in further:
        if name not in OPTIONS:
            raise UnknownName("option of de-identification", name, OPTIONS)
    chosen = {*PROFILES[profile], *further}
    if "keep-dates" in further:
        if "shift-dates" in further:
            raise DataError("dates cannot be both kept and shifted", hint="one of the two options")
        chosen.discard("shift-dates")
    return Settings(profile, tuple(name for name in OPTIONS if name in chosen))
