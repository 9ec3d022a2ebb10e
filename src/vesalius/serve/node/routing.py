"""Routing: the rules that choose the bundles for a series, and the destinations of the results."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import pydicom
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    HttpUrl,
    Tag,
    model_validator,
)

from vesalius.core.bundle import name_of
from vesalius.core.errors import DataError, FormatError, UnknownName
from vesalius.core.fields import Place, Unfit
from vesalius.dicom.damage import DAMAGE
from vesalius.serve.node.values import (
    IMAGELESS,
    Codes,
    FilePath,
    Flag,
    Host,
    Modalities,
    Pattern,
    Text,
    Title,
    Whole,
)


class Strict(BaseModel):
    """A part of a settings file; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Place(Strict):
    """What all destinations of results have in common.

    `orthanc`: the REST address of a destination that is an Orthanc, where replaced results are to be deleted.
    `orthanc_login`: the path of a file that holds its `user:password`.
    """

    orthanc: HttpUrl | None = None
    orthanc_login: FilePath | None = None

    @model_validator(mode="after")
    def _used(self) -> _Place:
        if self.orthanc_login is not None and self.orthanc is None:
            raise Unfit(
                "a login for an Orthanc, and no orthanc: with its address", found="", at=("orthanc_login",)
            )
        return self


class Destination(_Place):
    """A peer that receives results by C-STORE, and is asked for them by C-FIND."""

    host: Host
    port: Whole = Field(ge=1, le=65535)
    aet: Title
    tls: Flag = False

    @property
    def where(self) -> str:
        """The destination in words, as errors name it."""
        return f"{self.aet} at {self.host}:{self.port}"


class WebDestination(_Place):
    """A DICOMweb server that receives results by STOW, and is asked for them by QIDO.

    `login`: the path of a file that holds `user:password`. `ca`: the path of a file of certificates.
    """

    dicomweb: HttpUrl
    login: FilePath | None = None
    ca: FilePath | None = None

    @property
    def where(self) -> str:
        """The destination in words, as errors name it."""
        return str(self.dicomweb)


def _kind(value: object) -> str:
    """Return the tag of the kind of destination that the keys show: DICOMweb or DICOM."""
    web = "dicomweb" in value if isinstance(value, dict) else isinstance(value, WebDestination)
    return "<dicomweb>" if web else "<dicom>"


def _one_kind(value: object) -> object:
    if isinstance(value, BaseModel):
        return value
    keys = set(value) if isinstance(value, dict) else set()
    found = ", ".join(map(str, value)) or "nothing" if isinstance(value, dict) else None
    if "dicomweb" in keys and {"host", "port", "aet", "tls"} & keys:
        raise Unfit("either dicomweb, or host, port and aet", found=found)
    if not {"dicomweb", "host", "port", "aet"} & keys:
        raise Unfit("a destination has host, port and aet, or dicomweb", found=found)
    return value


AnyDestination = Annotated[
    Annotated[Destination, Tag("<dicom>")] | Annotated[WebDestination, Tag("<dicomweb>")],
    Discriminator(_kind),
    BeforeValidator(_one_kind),
]


class Rule(Strict):
    """The attributes that a series must have to go to `bundle`; a key that is left out allows any value.

    `modality` and `body_part` must be equal, whatever their case; `series_description`, `study_description` and
    `protocol` are regular expressions that must match somewhere, whatever the case. With `accept_mismatch`, series of
    another modality or unit than the bundle learned from are answered, too; otherwise they end as dead letters. With
    `refuse_unlike` so do those that raise the bundle's alarm for being unlike its training cases, whose answers are
    otherwise marked.
    """

    bundle: Text
    destination: Text
    modality: Modalities | None = None
    body_part: Codes | None = None
    series_description: Pattern | None = None
    study_description: Pattern | None = None
    protocol: Pattern | None = None
    min_instances: Whole = Field(default=1, ge=1)
    accept_mismatch: Flag = False
    refuse_unlike: Flag = False

    @property
    def name(self) -> str:
        """The bundle's name: that of its folder, or of the run around it."""
        return name_of(Path(self.bundle))

    def takes(self, series: SeriesAttributes) -> bool:
        """Return whether a series goes to this rule's bundle."""
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


class SeriesAttributes(Strict):
    """The attributes of a series that rules look at; empty where the headers have no value."""

    modality: str = ""
    body_part: str = ""
    series_description: str = ""
    study_description: str = ""
    protocol: str = ""
    instances: int = 1


class Routes(Strict):
    """All rules and destinations of a node."""

    destinations: dict[Text, AnyDestination] = Field(min_length=1)
    rules: tuple[Rule, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _known(self) -> Routes:
        for k, rule in enumerate(self.rules):
            at: Place = ("rules", k)
            if rule.destination not in self.destinations:
                hint = UnknownName("destination", rule.destination, self.destinations).hint
                raise Unfit(
                    f"no destination is called '{rule.destination}'",
                    found="",
                    hint=hint,
                    at=(*at, "destination"),
                )
            if rule in self.rules[:k]:
                raise Unfit(
                    f"the same as rules.{self.rules.index(rule)}", found="", hint="one of them", at=at
                )
        seen: dict[str, str] = {}
        for name, destination in self.destinations.items():
            other = seen.setdefault(destination.where.lower(), name)
            if other != name:
                raise Unfit(
                    f"the same as destination '{other}'", found=destination.where, hint="one of them in all rules",
                    at=("destinations", name),
                )  # fmt: skip
        return self

    def of(self, series: SeriesAttributes) -> tuple[Rule, ...]:
        """Return the rules that take a series, in order; none for a modality that holds no images."""
        if series.modality.upper() in IMAGELESS:
            return ()
        return tuple(rule for rule in self.rules if rule.takes(series))


def series_attributes(paths: Iterable[Path]) -> SeriesAttributes:
    """Read the attributes of a series from its first file.

    Raises DataError where there is no file, FormatError where the file is damaged.
    """
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
    return SeriesAttributes(
        modality=modality,
        body_part=body_part,
        series_description=series,
        study_description=study,
        protocol=protocol,
        instances=len(files),
    )


def _upper(wanted: tuple[str, ...]) -> set[str]:
    return {w.upper() for w in wanted}
