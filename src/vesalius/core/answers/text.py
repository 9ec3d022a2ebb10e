"""Text: a report in named sections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vesalius.core.answers import Answer


@dataclass(frozen=True, eq=False, kw_only=True)
class Text(Answer):
    """A text in named sections."""

    sections: Mapping[str, str]
