"""Numbers: several numbers of one case, each with its name and its unit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vesalius.core.answers import Answer
from vesalius.core.answers.value import Value
from vesalius.core.shown import some
from vesalius.core.words import in_unit


@dataclass(frozen=True, eq=False, kw_only=True)
class Numbers(Answer):
    """Several numbers: each is a part, a `Value` under its own name, in the order in which they were asked for."""

    @property
    def values(self) -> dict[str, Value]:
        """The numbers by name."""
        return {name: part for name, part in self.parts.items() if isinstance(part, Value)}

    def _says(self) -> Iterable[str]:
        said = [f"{n} {v.x:.6g}{in_unit(v.unit)}" for n, v in self.values.items()]
        yield some(said, len(said))
