"""Text: a report in named sections, with what each of its sentences stands on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from vesalius.core.answers import Answer
from vesalius.core.edit import Edit
from vesalius.core.finding import Finding
from vesalius.core.shown import cut, some


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one sentence of a text stands on.

    `section` and `sentence` say which: the name of its section, and its place in it, from 0, as `core/sentences.py`
    parts a text. `findings` is what the sentence says, as data. `supported` is whether the rest of the model bears it
    out: None where nobody looked, and where it is False `why` says what speaks against it. `part` names the Map among
    the text's parts that shows where the model looked as it wrote the sentence; "" where there is none.
    """

    section: str
    sentence: int
    findings: tuple[Finding, ...] = ()
    supported: bool | None = None
    why: str = ""
    part: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Text(Answer):
    """A text in named sections.

    `evidence` is what its sentences stand on, those of which nothing is known left out. `language` is what it is
    written in, as a tag of RFC 5646 (`en`), "" where that is not known. `edit` says who has changed it; None of a
    model's own.
    """

    sections: Mapping[str, str]
    evidence: tuple[Evidence, ...] = field(default=(), metadata={"stored": "where given"})
    language: str = field(default="", metadata={"stored": "where given"})
    edit: Edit | None = field(default=None, metadata={"stored": "where given"})

    def _says(self) -> Iterable[str]:
        yield some((f"{name}: {cut(text)!r}" for name, text in self.sections.items()), len(self.sections), 2)
        if self.edit is not None:
            yield f"changed by {self.edit.author}"
        doubted = sum(e.supported is False for e in self.evidence)
        if doubted:
            yield f"not borne out: {doubted} of {len(self.evidence)} sentences"
