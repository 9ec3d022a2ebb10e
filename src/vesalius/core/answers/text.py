"""Text: a report in named sections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vesalius.core.answers import Answer
from vesalius.core.shown import cut, some


@dataclass(frozen=True, eq=False, kw_only=True)
class Text(Answer):
    """A text in named sections."""

    sections: Mapping[str, str]

    def _says(self) -> Iterable[str]:
        yield some((f"{name}: {cut(text)!r}" for name, text in self.sections.items()), len(self.sections), 2)
