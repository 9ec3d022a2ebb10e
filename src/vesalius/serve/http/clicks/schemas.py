"""What goes over HTTP and WebSocket of clicks."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vesalius.core.guidance import MOST_PLACES, MOST_STROKES, Stroke
from vesalius.serve.http import schemas

Index = Annotated[float, Field(allow_inf_nan=False)]
Run = Annotated[int, Field(ge=0, le=1 << 40)]


class StrokeRequest(BaseModel):
    """One mark: `places` are indices `(z, y, x)` of the image's array, whole numbers in the middle of a voxel.

    A point has one place, a box two opposite corners, a scribble the places of its line; a picture has z = 0. `adds` is
    whether it shows where the object is, or where it is not.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["point", "box", "scribble"]
    adds: bool = True
    places: list[tuple[Index, Index, Index]] = Field(min_length=1, max_length=MOST_PLACES)

    def stroke(self) -> Stroke:
        """Return it as models take it. Raises DataError."""
        return Stroke(self.kind, tuple(self.places), self.adds)


Strokes = Annotated[list[StrokeRequest], Field(max_length=MOST_STROKES)]


class BeginRequest(BaseModel):
    """Which image is clicked on, a frame of it where it is a cine, and what is known already.

    `strokes` are answered at once, so that a session that has gone is there again. `start` is a mask to start from,
    such as an automatic answer, as runs `[gap, length, …]` in the order of `(z, y, x)`.
    """

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(None, max_length=64)
    study: str = Field(max_length=64)
    case: str = Field(max_length=64)
    frame: int = Field(0, ge=0, le=1_000_000)
    strokes: Strokes = []
    start: list[Run] = Field([], max_length=2_000_000)
    accept_mismatch: bool = False


class StrokesRequest(BaseModel):
    """Strokes to be answered, and the newest `version` that the client holds: it is then told what changed since."""

    model_config = ConfigDict(extra="forbid")

    strokes: Strokes
    version: int | None = Field(None, ge=0)


class ClickMessage(BaseModel):
    """One message over the WebSocket: exactly one of `begin`, `session`, `add` and `strokes`.

    `session` goes on with a session that is there. `add` are further strokes, `strokes` all of them in place of those
    that there were, each with the `version` that the client holds.
    """

    model_config = ConfigDict(extra="forbid")

    begin: BeginRequest | None = None
    session: str | None = Field(None, max_length=64)
    add: Strokes | None = None
    strokes: Strokes | None = None
    version: int | None = Field(None, ge=0)

    @model_validator(mode="after")
    def _one(self) -> ClickMessage:
        if sum(x is not None for x in (self.begin, self.session, self.add, self.strokes)) != 1:
            raise ValueError("exactly one of begin, session, add and strokes")
        return self


class ClickBody(BaseModel):
    """A session's newest mask: `flips` `[gap, length, …]` are what changed since version `against`, in C order.

    `shape` is `(z, y, x)`. `against` 0 is an empty mask. `voxels` is how many the mask has then, to check the changes
    by; `summary` says its size in ml where the image says how large a voxel is. `outside` is in what the image differs
    from those that the model learned from. `ms` is how long the answer took to make, once its turn came.
    """

    session: str
    model: str
    study: str | None
    case: str | None
    frame: int
    shape: list[int]
    version: int
    against: int
    flips: list[int]
    strokes: int
    voxels: int
    summary: dict[str, Any]
    outside: list[str] | None
    ms: float


ERRORS: dict[int | str, dict[str, Any]] = {
    code: {"model": schemas.ErrorBody} for code in (400, 401, 403, 404, 409, 413, 422, 429, 503)
}
