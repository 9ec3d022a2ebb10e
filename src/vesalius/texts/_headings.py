"""The headings of reports in one language: which section each spelling begins, and the file that says so."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from vesalius.core import settings_file
from vesalius.core.errors import DataError, UnknownName

ENGLISH = "english"
_FOLDER = Path(__file__).with_name("headings")
_LONGEST = 80


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    sections: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Headings:
    """How reports spell the headings of their sections: `names` is section → its spellings.

    A section's name is in lower case. Raises DataError for an empty or overlong name or spelling, and where two
    sections share a spelling.
    """

    names: Mapping[str, tuple[str, ...]]
    spellings: Mapping[str, str] = field(
        init=False, repr=False, compare=False
    )  # section by spelling, as `key_of` has it
    pattern: re.Pattern[str] = field(
        init=False, repr=False, compare=False
    )  # finds each in a folded text, longest first

    def __post_init__(self) -> None:
        seen: dict[str, str] = {}
        for section, spellings in self.names.items():
            if section != section.strip().lower() or not section or "\n" in section:
                raise DataError(
                    "a section's name is in lower case, without blanks around it", found=repr(section)
                )
            for spelling in (section, *spellings):
                key = key_of(spelling)
                if not re.search(r"\w", key) or len(spelling) > _LONGEST:
                    raise DataError(
                        f"a heading of '{section}' is no word, or longer than {_LONGEST} letters",
                        found=repr(spelling),
                    )
                if seen.setdefault(key, section) != section:
                    raise DataError(
                        f"the heading '{spelling}' begins two sections",
                        found=f"'{seen[key]}' and '{section}'",
                    )
        object.__setattr__(self, "spellings", seen)
        object.__setattr__(self, "pattern", _pattern(seen))

    @classmethod
    def read(cls, path: Path | str) -> Headings:
        """Read a YAML file whose key `sections` holds section names with lists of spellings.

        Raises PlanError for a file that cannot be read, DataError for one whose headings cannot be used.
        """
        try:
            found = settings_file.read(Path(path), _File)
            return cls({name: tuple(spellings) for name, spellings in found.sections.items()})
        except DataError as error:
            raise DataError(f"{path}: {error.what}", found=error.found, hint=error.hint) from error

    @classmethod
    def named(cls, name: str) -> Headings:
        """Return the headings that come with vesalius, such as `english`. Raises UnknownName."""
        return _named(name)

    def section_of(self, spelling: str) -> str | None:
        """Return the section that a heading begins; None where it is not known."""
        return self.spellings.get(key_of(spelling))


@functools.cache
def _named(name: str) -> Headings:
    known = {path.stem: path for path in _FOLDER.glob("*.yaml")}
    if name not in known:
        raise UnknownName(
            "language of headings", name, known, hint="Headings.read(PATH) for a file of your own"
        )
    return Headings.read(known[name])


def folded(text: str) -> str:
    """Return a text without capitals and accents, letter for letter: places in it are places in the text."""
    if text.isascii():
        return text.lower()
    return "".join(c if c.isspace() else unicodedata.normalize("NFD", c)[0].lower()[0] for c in text)


def key_of(spelling: str) -> str:
    """Return a spelling as it is compared: folded, with single blanks, a hyphen counting as one."""
    return " ".join(folded(unicodedata.normalize("NFC", spelling)).replace("-", " ").split())


def _pattern(spellings: Iterable[str]) -> re.Pattern[str]:
    ordered = sorted(spellings, key=len, reverse=True)
    each = (r"[ \t-]{1,3}".join(map(re.escape, s.split())) for s in ordered)
    return re.compile(rf"(?<!\w)(?:{'|'.join(each)})(?!\w)")
