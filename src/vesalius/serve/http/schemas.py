"""What goes over HTTP as JSON, for the OpenAPI schema and for checking what clients send."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

ID = r"^[A-Za-z0-9_-]{1,64}$"


class ErrorBody(BaseModel):
    """What is wrong, what was found, what to try."""

    error: str
    found: str | None = None
    hint: str | None = None


class CaseBody(BaseModel):
    """One image of a study; `shape` is (z, y, x), `spacing_mm` (x, y, z), measured at the patient or the detector.

    `frames` are those of a cine, `frame_s` the mean time between two. `display` says whether low values are bright
    (`invert`) and in which windows (centre, width) it is to be seen. `patient` (the PatientID), `study_date`
    (YYYY-MM-DD) and `series_number` are DICOM's, null where it does not say. `times_s` are the frames' times where
    these are uneven, from 0 on. `notes` are sentences to read before the image is believed.
    """

    case: str
    name: str
    shape: list[int]
    spacing_mm: list[float] | None
    modality: str | None
    description: str
    unit: str | None
    spacing_at: Literal["patient", "detector"] | None
    orientation_known: bool
    frames: int
    frame_s: float | None
    times_s: list[float] | None
    channels: int
    colour: bool
    source: Literal["dicom", "other", "none"]
    display: dict[str, Any]
    patient: str | None
    study_date: str | None
    series_number: int | None
    notes: list[str]


class AsideBody(BaseModel):
    """A file or series that is not used, and why."""

    name: str
    reason: str


class StudyBody(BaseModel):
    """An upload, and when it came (ISO 8601, UTC); `synthetic` where the service itself made it, of nobody."""

    study: str
    created: str
    synthetic: bool
    cases: list[CaseBody]
    set_aside: list[AsideBody]


class FigureBody(BaseModel):
    """One metric of a scorecard on `n` cases with its 95 % interval, and what the trivial answer reaches.

    `called` is how it is written, without the label and the unit that its name ends in. `standing` says how it stands
    beside that: `beaten` (clearly), `better`, `level` or `worse`; null if nothing says.
    """

    called: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    baseline: float | None
    standing: str | None


class MeasuredBody(BaseModel):
    """What a scorecard's figures were measured on: a split of data with a hash, never the image that is seen.

    `patients` is null where the data name no patients. `learned_from_it` says that the model learned from these cases;
    `same_data` that they belong to the data with which it was fitted.
    """

    split: str
    cases: int
    patients: int | None
    data: str
    learned_from_it: bool
    same_data: bool


class BannerBody(BaseModel):
    """What must be read before a scorecard's figures: a sentence, and its kind."""

    kind: str
    text: str


class SelfTestBody(BaseModel):
    """Whether a bundle answered made-up images at the service's start as it did where it was made.

    `largest` is the largest difference as a share of what is allowed; null where nothing was compared. `seconds` is how
    long it took for so many `inputs`; `why` says the outcome in words.
    """

    outcome: Literal["passed", "none", "absent", "skipped"]
    why: str
    seconds: float
    inputs: int
    largest: float | None


class FollowedBody(BaseModel):
    """One feature of which a drift is followed: its largest evidence, and where the last cases lie (50: no drift)."""

    name: str
    drifted: bool
    evidence: float
    percentile: float | None


class DriftBody(BaseModel):
    """Whether the cases that a model answered drift from what it learned from, since the service was started.

    `known` is false for a bundle that keeps no reference; `rate` is how often a drift is told where there is none, over
    all cases that ever come.
    """

    known: bool
    drifted: bool
    sentence: str
    cases: int
    untold: int
    reference: int
    rate: float
    features: list[FollowedBody]


class ColumnBody(BaseModel):
    """What a model knows of a patient beside images: whether each case `needed` it in training, and its values.

    `values` are the words that it learned from, `low` and `high` the ends of its numbers; null where neither is known.
    """

    name: str
    needed: bool
    values: list[str] | None
    low: float | None
    high: float | None


class ModelBody(BaseModel):
    """A bundle that this service answers with; `baseline_is` says which trivial answer its scorecard compares with.

    `labels` have the colours that they are shown in, and `palette` holds those of all that has none of its own.
    `explainers` are the methods that can explain its answers, `asks` the words for what can be asked of them, and
    `doubts` the ways in which they can be doubted. `frames` says how frames that come one by one are answered: each by
    itself, after those before it (a `stream`), or not at all, by a model that must see the whole cine. `sources` are
    what comes together in a model of several sources; those among `inputs` are images. `clicks` is whether it answers a
    person's strokes (`/api/clicks`) and nothing without them. `columns` are what else may be known of a patient, of
    which `covariates` must be; a model that is `imageless` reads them alone.
    `banners` come before every figure of the scorecard; `headlines` are the metrics that come first, `measured_on` what
    all of them are of.
    """

    name: str
    hash: str
    task: str
    answer: str
    labels: list[dict[str, Any]]
    palette: list[str]
    inputs: list[str]
    dims: int
    modality: str | None
    unit: str | None
    channels: list[str]
    covariates: list[str]
    accepts_mismatch: bool
    operating_point: dict[str, Any] | None
    calibrated: bool
    frames: Literal["each", "stream", "whole"]
    explainers: list[str]
    doubts: list[str]
    asks: list[str]
    research_use: bool
    scorecard: dict[str, FigureBody] | None
    headlines: list[str]
    baseline_is: str | None
    measured_on: MeasuredBody | None
    banners: list[BannerBody]
    selftest: SelfTestBody
    drift: DriftBody
    clicks: bool = False
    sources: list[str] = Field(default_factory=list)
    columns: list[ColumnBody] = Field(default_factory=list)
    imageless: bool = False


class VerdictBody(BaseModel):
    """How an image compares with what a model learned from, by its headers alone.

    `mismatch` would be refused unless it is accepted, `outside` only be marked; `known` is false for a model that does
    not say what it learned from.
    """

    known: bool
    mismatch: list[str]
    outside: list[str]


Covariate = Annotated[float, Field(allow_inf_nan=False)] | Annotated[str, Field(max_length=64)]


class EarlierRequest(BaseModel):
    """The earlier visit that a case is compared with: a case of a study that is here.

    `days` are those between both visits, where no date says it. `registration` is one of `vesalius registrations`, or
    `none`. `accept` goes on where patient, modality or the order of dates say that it is wrong.
    """

    model_config = ConfigDict(extra="forbid")

    study: str = Field(pattern=ID)
    case: str = Field(pattern=ID)
    days: float | None = Field(default=None, gt=0, lt=60_000, allow_inf_nan=False)
    registration: str | None = Field(default=None, max_length=64)
    accept: bool = False


class JobRequest(BaseModel):
    """What is asked of a model: one case of a study, or all of them. A service of one model need not be told which.

    `accept_mismatch` asks for answers about images of another modality or unit than the model learned from, too.
    `refuse_unlike` asks for none about a case that raises the model's alarm for being unlike its training cases.
    `ask` is what an explanation is about: a label's name, `region=2`, `box=1`; without it what the answer says most of.
    `covariates` are what else is known of the patient (`{"age": 61, "sex": "F"}`), the same for each case. `doubt` asks
    how far several opinions are apart, in a way of the model's `doubts`, and `samples` how many `dropout` gives.
    `images` are the images of one body for a model of several sources, a case of the study by the name that the model
    has for it (`{"ct": …, "xray": …}`); those that are not named are not given. `case` is then the one of them that the
    answer lies on, by default the first.
    `earlier` is the earlier visit of a job of kind `change`, which is about one case: the later visit. A job of kind
    `advise` is about one case, too, of a model that knows of several treatments.
    """

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(default=None, max_length=64)
    study: str = Field(pattern=ID)
    case: str | None = Field(default=None, pattern=ID)
    kind: Literal["predict", "explain", "change", "advise"] = "predict"
    explainer: str | None = Field(default=None, max_length=64)
    ask: str | None = Field(default=None, max_length=200)
    accept_mismatch: bool = False
    refuse_unlike: bool = False
    covariates: dict[str, Covariate] = Field(default_factory=dict, max_length=64)
    doubt: str | None = Field(default=None, max_length=64)
    samples: int | None = Field(default=None, ge=2, le=200)
    images: dict[str, Annotated[str, Field(pattern=ID)]] = Field(default_factory=dict, max_length=16)
    earlier: EarlierRequest | None = None


class AnswerBody(BaseModel):
    """One case's answer: its kind, the project's JSON without voxels, what to show, and where its files are.

    The `summary` of a job of kind `change` has `change`: what grew, within which bounds, and the earlier answer.

    `outside` says in what the image differs from those that the model learned from; null where that is not known.
    `notes` are those of the image.
    """

    case: str
    kind: str
    answer: dict[str, Any]
    summary: dict[str, Any]
    outside: list[str] | None
    notes: list[str]
    files: dict[str, str]


class OffersBody(BaseModel):
    """The host of the language model that may be asked beside an answer; null where there is none."""

    server: str | None


class QuestionRequest(BaseModel):
    """A question about an answer in words; `adjunct` asks the administrator's language model beside."""

    model_config = ConfigDict(extra="forbid")

    question: str = Field(min_length=1, max_length=500)
    sure: float = Field(default=0.75, ge=0.5, le=1)
    adjunct: bool = False


class ReplyBody(BaseModel):
    """What is replied about one finding: yes, no, cannot tell, or a number, a side or a place; and because of what."""

    question: str
    kind: str
    finding: str
    says: str
    told: bool
    because: str
    parts: list[str]


class SentenceBody(BaseModel):
    """A sentence of a language model; `supported` is null where it names no finding, `why` what contradicts it."""

    text: str
    supported: bool | None
    why: str


class AdjunctBody(BaseModel):
    """What a language model wrote beside an answer, and all that left for it (`sent`). It is no result."""

    notice: str
    text: str
    sentences: list[SentenceBody]
    sent: str
    server: str
    model: str
    seconds: float


class RepliesBody(BaseModel):
    """Replies to a question, and what a language model wrote beside; null where none was asked.

    `silent` says why one that was asked did not answer as it should.
    """

    replies: list[ReplyBody]
    adjunct: AdjunctBody | None
    silent: str


class TruthBody(AnswerBody):
    """A case's true labels in the form of an answer; `source` is what its file was called.

    `names_from` says who calls the labels what they are called: the file, the model that was named in the request
    (whose values are then taken to mean the same), or nobody.
    """

    source: str
    names_from: Literal["file", "model"] | None


class JobBody(BaseModel):
    """A job. `error` of one that is done names a case that could not be answered, beside others that were.

    `earlier` is the earlier visit, `study` and `case`, of a job of kind `change`. `covariates` are what it was told of
    the patient. `failures` are those of all cases that could not be answered, by their ids; of an explanation whose map
    does not hold, why.
    """

    job: str
    model: str
    study: str
    kind: Literal["predict", "explain", "change", "advise"]
    explainer: str | None
    ask: str | None
    covariates: dict[str, float | str]
    earlier: dict[str, str] | None
    status: Literal["queued", "running", "done", "failed", "cancelled"]
    progress: float
    stage: str
    error: dict[str, Any] | None
    failures: list[dict[str, Any]]
    created: str
    finished: str | None
    answers: list[AnswerBody]


class AuditBody(BaseModel):
    """The end of the audit log: how many lines there are, the last one's hash, and the last lines."""

    count: int
    hash: str
    lines: list[dict[str, Any]]


def iso(when: float) -> str:
    """Return the seconds since 1970 as ISO 8601 in UTC."""
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds")


def multipart(*fields: str, files: str = "files", many: bool = True) -> dict[str, Any]:
    """Return the OpenAPI of a multipart body that `uploads` reads: files under one name, and text fields if any."""
    binary = {"type": "string", "format": "binary"}
    item = {"type": "array", "items": binary, "minItems": 1} if many else binary
    properties: dict[str, Any] = {files: item} | {name: {"type": "string"} for name in fields}
    schema = {"type": "object", "properties": properties, "required": [files]}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}
