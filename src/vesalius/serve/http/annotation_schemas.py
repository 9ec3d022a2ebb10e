"""What goes over HTTP of an annotation project."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from vesalius.run.annotation.store import MOST_VERSIONS
from vesalius.serve.http import schemas

LONGEST_NOTE = 2_000
Name = Annotated[str, Field(max_length=64)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class StartBody(_Strict):
    """What an annotator began with: nothing, a model's answer, a proposal of clicks, another's reading."""

    kind: Literal["nothing", "model", "click", "reading"] = "nothing"
    name: Name = ""
    bundle: Annotated[str, Field(max_length=64, pattern="^[0-9a-f]*$")] = ""
    changed: bool | None = None


class ReadingRequest(_Strict):
    """A reading to save, and the `version` that its page has seen: 0 where there is none.

    `content` holds what was said by kind; in a form the file `mask` stands beside it. `seconds` are active ones since
    the last version that was made.
    """

    version: int = Field(ge=0, le=MOST_VERSIONS)
    content: dict[Name, Any] = Field(max_length=8)
    done: bool = False
    seconds: float = Field(default=0.0, ge=0, le=1e7, allow_inf_nan=False)
    role: Literal["reading", "adjudication"] = "reading"
    start: StartBody = Field(default_factory=StartBody)
    note: str = Field(default="", max_length=LONGEST_NOTE)


class LabelBody(BaseModel):
    """A label: its value in a mask, its name, its colour."""

    value: int
    name: str
    colour: str


class AskBody(BaseModel):
    """One thing that is asked of each case."""

    kind: str
    labels: list[LabelBody]


class ProgressBody(BaseModel):
    """How far one annotator is."""

    annotator: str
    done: int
    drafts: int
    seconds: float


class ProjectBody(BaseModel):
    """A project. `names` says where annotators' names come from; `you` is whom the request is of, null where nobody
    said. `complete` counts the cases of which all readings are done, `disputed` those on which they differ and that
    nobody decided.
    """

    name: str
    asks: list[AskBody]
    readers: int
    blind: bool
    names: Literal["keys", "listed", "given"]
    annotators: list[str]
    adjudicators: list[str]
    you: str | None
    claim_s: float
    cases: int
    complete: int
    disputed: int
    progress: list[ProgressBody]


class ListedCase(BaseModel):
    """A case in somebody's list: where it stands for them, their newest version, and who else has it now."""

    case: str
    name: str
    state: str
    version: int
    done: int
    needed: int
    held_by: list[str]
    may_adjudicate: bool


class ReadingBody(BaseModel):
    """One version of what somebody says of a case. `content` stands in it where it was asked for.

    `content.mask` is null where its runs would be more than 4,000,000 numbers; `mask` says where it lies as NIfTI.
    """

    case: str
    annotator: str
    role: str
    version: int
    done: bool
    at: str
    seconds: float
    seconds_told: float
    start: StartBody
    note: str
    content: dict[str, Any] | None = None
    mask: str | None = None
    mask_sha256: str | None = None


class ClaimBody(BaseModel):
    """Until when a case is somebody's."""

    expires_at: str


class OpenedBody(ClaimBody):
    """A case that somebody opened: its image as a study of theirs, what they saved, and others' work they may see."""

    case: str
    name: str
    study: str
    image: str
    body: schemas.StudyBody
    role: Literal["reading", "adjudication"]
    state: str
    reading: ReadingBody | None
    others: list[ReadingBody]


class ConflictBody(schemas.ErrorBody):
    """A save that another one of the same annotator has overtaken; `latest` is it."""

    latest: ReadingBody | None = None


class FigureBody(BaseModel):
    """A figure with its 95 % interval over patients; null where it is not defined, for the `reason`."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    undefined: int = 0
    reason: str = ""


class PairBody(BaseModel):
    """How far two readers agree."""

    readers: list[str]
    figures: dict[str, FigureBody]


class AskedFigures(BaseModel):
    """How far readers agree in one thing; `why` there are no figures, where there are none."""

    kind: str
    cases: int
    all: dict[str, FigureBody]
    pairs: list[PairBody]
    why: str | None


class DisputedCase(BaseModel):
    """A case on which readers differ, and in what: `said`, the share of boxes `in_common`, or the `dice` of labels."""

    case: str
    name: str
    asks: list[dict[str, Any]]
    adjudicated: bool


class AgreementBody(BaseModel):
    """How far annotators agree on the cases that all of them have read."""

    cases: int
    readers: list[str]
    asks: list[AskedFigures]
    disputed: list[DisputedCase]
