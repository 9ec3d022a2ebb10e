"""What goes over HTTP of a report that people change."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from vesalius.serve.edits.store import MOST_VERSIONS

SectionName = Annotated[str, Field(max_length=100)]
SectionText = Annotated[str, Field(max_length=20_000)]


class EditRequest(BaseModel):
    """A report's sections as a person has changed them, and the `version` that was changed: 0 is the model's own.

    `author` is the person's name, as given or as `Family^Given`. `verified` says that the author answers for the text,
    then for the `organisation`. All sections together hold 64,000 bytes at most, and a report has 100 versions at most.
    """

    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=0, le=MOST_VERSIONS)
    sections: dict[SectionName, SectionText] = Field(min_length=1, max_length=32)
    author: str = Field(min_length=1, max_length=64)
    verified: bool = False
    organisation: str = Field(default="", max_length=64)


class EditBody(BaseModel):
    """One version of a report, without its text: who saved it when (ISO 8601, UTC), with which key."""

    version: int
    author: str
    at: str
    caller: str
    verified: bool
    organisation: str


class ReportBody(BaseModel):
    """A report as it stands: `written` by the model, changed by `edits`, the newest last; `version` counts these.

    `sections` are those of the version `shown`: the newest, unless another was asked for.
    `kept` is whether this service keeps edits. `sr` is where the newest version is as a DICOM SR, null where the image
    is no DICOM.
    """

    kept: bool
    version: int
    shown: int
    written: dict[str, str]
    sections: dict[str, str]
    edits: list[EditBody]
    sr: str | None
