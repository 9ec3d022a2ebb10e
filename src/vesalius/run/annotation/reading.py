"""One saved reading of a case by an annotator: a line of JSON, and what is drawn in a file beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from vesalius.core.errors import FormatError

Role = Literal["reading", "adjudication"]
StartKind = Literal["nothing", "model", "click", "reading"]


@dataclass(frozen=True, slots=True)
class Start:
    """What an annotator began with: nothing, a model's answer, a proposal of clicks, or another's reading.

    `name` and `bundle` say which model, or whose reading. `changed` is whether the annotator changed anything; None
    where nobody said.
    """

    kind: StartKind = "nothing"
    name: str = ""
    bundle: str = ""
    changed: bool | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """One version of what one annotator says of one case.

    `case` is the case's key, `image` the digest of its images, `caller` the name of the key that was used. `content`
    holds what was said by kind, of what is drawn the hash under which it is kept. `seconds` are active ones since the
    version before, as far as the clock bears them out; `seconds_told` what the annotator's page said.
    """

    id: str
    project: str
    case: str
    image: str
    annotator: str
    caller: str
    role: Role
    version: int
    done: bool
    at: str
    seconds: float
    seconds_told: float
    start: Start = field(default_factory=Start)
    note: str = ""
    content: Mapping[str, Any] = field(default_factory=dict)

    def line(self) -> bytes:
        """Return it as a line of JSON, its end included."""
        return json.dumps(asdict(self), ensure_ascii=True).encode() + b"\n"


def reading_of(raw: Any, where: str) -> Reading:
    """Return the reading of a line. Raises FormatError for what is none."""
    try:
        said = dict(raw)
        made = Reading(start=Start(**said.pop("start")), content=dict(said.pop("content")), **said)
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{where} is no reading", found=type(error).__name__) from error
    texts = (made.id, made.project, made.case, made.image, made.annotator, made.caller, made.at)
    numbers = (made.seconds, made.seconds_told)
    fits = all(isinstance(x, str) for x in texts) and all(isinstance(x, int | float) for x in numbers)
    if not fits or made.role not in get_args(Role) or type(made.version) is not int:
        raise FormatError(f"{where} is no reading", found="a field of another kind")
    return made
