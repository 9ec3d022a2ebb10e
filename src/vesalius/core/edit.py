"""Edit: who changed a model's text, when, and which text it stands in the place of."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Edit:
    """That a person has changed a text, or read it and left it as it was.

    `id` is this edit's own, `former` that of the edit that it stands in the place of; "" where that is the model's own
    text. `version` counts them from 1. `author` is the person's name as given, `at` the time in ISO 8601 with its
    offset. `verified` is whether the author answers for the text, then for the `organisation`.
    """

    id: str
    author: str
    at: str
    version: int = 1
    former: str = field(default="", metadata={"stored": "where given"})
    verified: bool = field(default=False, metadata={"stored": "where given"})
    organisation: str = field(default="", metadata={"stored": "where given"})
