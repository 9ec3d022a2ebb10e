"""Style: how one writer dictates, and the eight writers that there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from vesalius.core.errors import DataError

Form = Literal["prose", "terse", "narrative"]
Sections = Mapping[str, str]  # section → the heading that this writer gives it

_UPPER: Sections = {
    "indication": "INDICATION", "technique": "TECHNIQUE", "comparison": "COMPARISON",
    "findings": "FINDINGS", "impression": "IMPRESSION",
}  # fmt: skip
_TITLE: Sections = {name: name.capitalize() for name in _UPPER}


@dataclass(frozen=True, kw_only=True)
class Style:
    """How one writer dictates.

    `nouns` are which of a finding's synonyms it uses, by their places, and the first where there are fewer. `denies`
    is which names it mentions where they are absent, by their places among those of the sort. `denial` is whether it
    says them in a list, one by one, or as what is normal. `hedges` is the share of subtle findings that it doubts,
    `doubt` the phrases for it. `unit` and `rounding_mm` are of sizes, `words` writes whole centimetres in words.
    `joined` puts the impression into one sentence. `bullet` begins each sentence of findings, and what is normal stands
    before them unless `positive_first`. `changes` are the phrases for how a finding went since, and `structures` the
    sentences about what is always normal, by their places.
    """

    name: str
    form: Form
    headings: Sections
    nouns: tuple[int, ...]
    denies: tuple[int, ...]
    denial: Literal["list", "each", "normal"]
    hedges: float
    doubt: tuple[int, ...] = (0,)
    unit: Literal["mm", "cm"] = "mm"
    rounding_mm: float = 1.0
    words: bool = False
    british: bool = False
    joined: bool = False
    bullet: str = ""
    positive_first: bool = True
    changes: tuple[int, ...] = (0,)
    structures: tuple[int, ...] = ()


STYLES: Mapping[int, Style] = {
    1: Style(
        name="prose", form="prose", headings=_UPPER, nouns=(0,), denies=(0, 1, 2, 3), denial="list",
        hedges=0.25, doubt=(0, 1), changes=(0, 1),
    ),
    2: Style(
        name="terse", form="terse", headings={k: _UPPER[k] for k in ("findings", "impression")}, nouns=(0, 1),
        denies=(0, 1), denial="each", hedges=0.25, doubt=(0,), changes=(0,),
    ),
    3: Style(
        name="list", form="terse", headings=_TITLE, nouns=(1,), denies=(0, 1, 2, 3, 4, 5, 6, 7), denial="each",
        hedges=0.25, doubt=(1, 2), bullet="- ", unit="cm", changes=(1,),
    ),
    4: Style(
        name="structured", form="prose", headings=_UPPER, nouns=(0, 2), denies=(0, 1, 2, 3, 4, 5), denial="normal",
        hedges=0.25, doubt=(2,), rounding_mm=1.0, positive_first=False, structures=(0, 1), changes=(2,),
    ),
    5: Style(
        name="British", form="prose", headings=_TITLE, nouns=(1, 2), denies=(1, 3, 4), denial="normal",
        hedges=0.25, doubt=(1,), unit="cm", british=True, words=True, structures=(1,), changes=(1, 2),
    ),
    6: Style(
        name="hedging", form="prose", headings=_UPPER, nouns=(0, 1), denies=(0, 2, 5), denial="list",
        hedges=0.8, doubt=(0, 1, 2, 3), rounding_mm=2.0, changes=(0, 2),
    ),
    7: Style(
        name="narrative", form="narrative", headings=_TITLE, nouns=(0, 1, 2), denies=(0, 3, 4), denial="list",
        hedges=0.4, doubt=(1, 3), joined=True, positive_first=False, changes=(1, 2),
    ),
    8: Style(
        name="brisk", form="terse", headings={"findings": "Findings", "impression": "Conclusion"}, nouns=(2,),
        denies=(1, 2, 6), denial="list", hedges=0.4, doubt=(2,), unit="cm", joined=True, changes=(2,),
    ),
}  # fmt: skip


def chosen_styles(text: object, what: str = "styles") -> tuple[int, ...]:
    """Return the numbers of styles that an option names, `1,2,3` or `4`.

    Raises DataError for what names none, or one that does not exist.
    """
    parts = text if isinstance(text, tuple) else str(text).replace(" ", "").split(",")
    numbers = tuple(int(p) if str(p).isdigit() else 0 for p in parts)
    if not numbers or not set(numbers) <= set(STYLES):
        raise DataError(
            f"option {what} names writers by number",
            found=f"'{','.join(map(str, parts))}'",
            hint=f"{what}=1,2,3; there are {', '.join(f'{k} {s.name}' for k, s in STYLES.items())}",
        )
    return numbers
