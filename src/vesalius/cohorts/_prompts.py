"""Prompts in a table's cells: clicks, boxes and scribbles on the reference image, as JSON."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from vesalius.core.case import Prompt
from vesalius.core.errors import DataError

EXAMPLE = '[{"kind": "click", "points": [[4, 20, 31]]}]'
_Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Written(BaseModel):
    """One prompt as it is written; `points` are `(z, y, x)` in index coordinates."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: Literal["click", "box", "scribble"]
    points: tuple[tuple[_Finite, _Finite, _Finite], ...]
    label: str | None = None
    inside: bool = True


_MANY = TypeAdapter(tuple[_Written, ...])


def parsed(text: str | None) -> tuple[Prompt, ...]:
    """Return the prompts that a JSON list describes; none where there is no text. Raises DataError."""
    if text is None:
        return ()
    try:
        data = json.loads(text)
        found = _MANY.validate_python(data if isinstance(data, list) else [data])
    except (ValueError, ValidationError) as error:
        raise DataError("a cell that is no list of prompts", found=text[:60], hint=EXAMPLE) from error
    return tuple(Prompt(p.kind, p.points, p.label, p.inside) for p in found)
