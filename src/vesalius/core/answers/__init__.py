"""Answers, the narrow waist: whatever the task, a model ends in one of these, and all else dispatches on it.

One file holds one kind of answer, and is called as its class is, in small letters: `Scores` is in `scores.py`. Another
package adds a kind by an entry point in the group `vesalius.core.answers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vesalius.core.errors import UnknownName
from vesalius.core.image import Source
from vesalius.core.registry import lookup, names


@dataclass(frozen=True, eq=False, kw_only=True)
class Answer:
    """What every answer carries: whose it is, of which image, by which bundle, and its named parts.

    `by` is what that bundle is called where its results are named; it is never written down. `outside` says in what
    the image differs from those that the bundle learned from, a sentence each; None where nobody knows.
    """

    case_id: str = ""
    source: Source = field(default_factory=Source)
    bundle: str = ""
    by: str = field(default="", compare=False, repr=False, metadata={"stored": False})
    parts: Mapping[str, Answer] = field(default_factory=dict)
    outside: tuple[str, ...] | None = None


def kind_of(name: str) -> type[Answer]:
    """Return the class of that name (`Mask`), found by its file. Raises UnknownName."""
    stem = name.lower()
    kind = next((v for k, v in vars(lookup("core.answers", stem)).items() if k.lower() == stem), None)
    if not (isinstance(kind, type) and issubclass(kind, Answer)):
        raise UnknownName("kind of answer", name, names("core.answers"))
    return kind


def kinds() -> tuple[type[Answer], ...]:
    """Return every kind of answer."""
    return tuple(kind_of(stem) for stem in names("core.answers"))
