"""What goes over HTTP of cases like one that was uploaded."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class IndexBody(BaseModel):
    """The index that cases are found in: how many it has, what their vectors are, and whose bundle and data they are.

    `target` is the name of the cases' target, empty where they have none. `words` says whether it is asked in words,
    too.
    """

    cases: int
    of: Literal["images", "reports"]
    made_of: str
    bundle: str
    data_hash: str
    target: str
    words: bool


class OfferBody(BaseModel):
    """The index of this service, null where it has none.

    `hidden` says why pictures are not shown, null where they are.
    """

    index: IndexBody | None
    hidden: str | None


class SearchBody(BaseModel):
    """In which way the nearest were found, and why; `recall` is the share that a graph was seen to find."""

    way: Literal["exact", "graph"]
    why: str
    recall: float | None


class SimilarCase(BaseModel):
    """One case: its rank from 1, its cosine distance, and its target in words.

    `case` is its id, null where the caller may not see it. `picture` is where a picture of it is, and `open` where it
    is opened as a study, null where there is none.
    """

    rank: int
    distance: float
    target: str
    case: str | None
    picture: str | None
    open: str | None


class SimilarBody(BaseModel):
    """The cases like one that was uploaded, the nearest first.

    `left_out` counts those of the same patient, and the image itself. `outside` says in what the image differs from
    those that the index's bundle learned from, null where nobody knows. `notes` are what a reader must know beside.
    """

    what: str
    index: IndexBody
    search: SearchBody
    left_out: int
    outside: list[str] | None
    notes: list[str]
    hidden: str | None
    found: list[SimilarCase]
