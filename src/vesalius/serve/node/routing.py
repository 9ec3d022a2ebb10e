"""Routing: which series goes to which bundles, and where the results go."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import pydicom
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, model_validator

from vesalius.core.errors import DataError, FormatError
from vesalius.formats._dicom_damage import DAMAGE

NEVER = frozenset(
    {"SEG", "SR", "RTSTRUCT", "RTPLAN", "PR", "KO", "DOC", "REG"}
)  # nothing to look at, or our own


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from error
    return text


Pattern = Annotated[str, AfterValidator(_pattern)]


class Strict(BaseModel):
    """A part of a settings file: what is not known is an error, not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Place(Strict):
    """Where results go.

    `orthanc` is the REST address of one that is an Orthanc, where results that newer ones replace are to be deleted;
    `orthanc_login` the path of a file that holds its `user:password`.
    """

    orthanc: HttpUrl | None = None
    orthanc_login: Path | None = None


class Destination(_Place):
    """A peer that takes results by C-STORE, and finds them again by C-FIND."""

    host: str
    port: int = Field(ge=1, le=65535)
    aet: str = Field(min_length=1, max_length=16)
    tls: bool = False


class WebDestination(_Place):
    """A DICOMweb server that takes results by STOW, and finds them again by QIDO.

    `login` is the path of a file that holds `user:password`, `ca` of one that holds certificates.
    """

    dicomweb: HttpUrl
    login: Path | None = None
    ca: Path | None = None

    @property
    def aet(self) -> str:
        """What it is called in words."""
        return str(self.dicomweb)


class Rule(Strict):
    """What a series must be to go to `bundle`; what is not given may be anything.

    `modality` and `body_part` are compared whole, without regard to case; `series_description`, `study_description`
    and `protocol` are regular expressions that are searched for, without regard to case.
    """

    bundle: str
    destination: str
    modality: tuple[str, ...] | str | None = None
    body_part: tuple[str, ...] | str | None = None
    series_description: Pattern | None = None
    study_description: Pattern | None = None
    protocol: Pattern | None = None
    min_instances: int = Field(default=1, ge=1)

    def takes(self, series: Facts) -> bool:
        """Whether a series goes to this rule's bundle."""
        whole = ((self.modality, series.modality), (self.body_part, series.body_part))
        searched = (
            (self.series_description, series.series_description),
            (self.study_description, series.study_description),
            (self.protocol, series.protocol),
        )
        return (
            series.instances >= self.min_instances
            and all(wanted is None or found.upper() in _upper(wanted) for wanted, found in whole)
            and all(p is None or re.search(p, found, re.IGNORECASE) for p, found in searched)
        )


class Facts(Strict):
    """What rules are told of a series; empty where its headers do not say."""

    modality: str = ""
    body_part: str = ""
    series_description: str = ""
    study_description: str = ""
    protocol: str = ""
    instances: int = 1


class Routes(Strict):
    """All rules and destinations."""

    destinations: dict[str, Destination | WebDestination]
    rules: tuple[Rule, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _known(self) -> Routes:
        for rule in self.rules:
            if rule.destination not in self.destinations:
                raise ValueError(f"no destination is called '{rule.destination}'")
        return self

    def of(self, series: Facts) -> tuple[Rule, ...]:
        """The rules that take a series, in order; none takes what holds no image, whatever it says."""
        if series.modality.upper() in NEVER:
            return ()
        return tuple(rule for rule in self.rules if rule.takes(series))


def facts(paths: Iterable[Path]) -> Facts:
    """What the first file of a series says. Raises DataError without files, FormatError for one that is damaged."""
    files = sorted(paths)
    if not files:
        raise DataError("a series without instances")
    names = ("Modality", "BodyPartExamined", "SeriesDescription", "StudyDescription", "ProtocolName")
    try:
        with warnings.catch_warnings(action="ignore"):
            wanted = ["SpecificCharacterSet", *names]
            head = pydicom.dcmread(files[0], stop_before_pixels=True, specific_tags=wanted)
            said = [str(head.get(name) or "").strip() for name in names]
    except DAMAGE as error:
        raise FormatError(f"{files[0]}: cannot be read", found=type(error).__name__) from error
    modality, body_part, series, study, protocol = said
    return Facts(
        modality=modality,
        body_part=body_part,
        series_description=series,
        study_description=study,
        protocol=protocol,
        instances=len(files),
    )


def _upper(wanted: tuple[str, ...] | str) -> set[str]:
    return {w.upper() for w in ([wanted] if isinstance(wanted, str) else wanted)}
