"""The form that texts have for tokenizers: lower case, plain blanks, and pieces that can be put together again.

A text is parted into words, single digits and single signs. What follows without a blank begins with `##`: "5.2 mm,
right-sided" is `5 ##. ##2 mm ##, right ##- ## sided`, where `##` alone glues a word to what is before it. So no number
is ever a piece of its own, and joining the pieces gives back the text in its normal form, sign for sign.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

GLUED = "##"  # as in WordPiece (Wu et al., arXiv:1609.08144): what stands behind it follows without a blank
_PIECE = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\S")
_START = re.compile(r"(^|[.!?]\s+|\n)([^\W\d_])")


def normal(text: str) -> str:
    """Return a text in lower case, of Unicode's compatible form (NFKC), with one blank for any run of white space."""
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())


def pieces(text: str) -> list[str]:
    """Return the pieces of a text: words, digits and signs one by one, `##` before what follows without a blank."""
    found: list[str] = []
    for chunk in normal(text).split(" "):
        for place, match in enumerate(_PIECE.finditer(chunk)):
            piece = match.group()
            if not place:
                found.append(piece)
            elif is_word(piece):
                found += [GLUED, piece]
            else:
                found.append(GLUED + piece)
    return found


def is_word(piece: str) -> bool:
    """Return whether a piece is of letters, so neither a digit nor a sign nor the glue."""
    return piece[:1].isalpha()


def joined(found: Iterable[str]) -> str:
    """Return the text of some pieces: its normal form, where they are all pieces of a text."""
    made: list[str] = []
    glue = True
    for piece in found:
        if piece == GLUED:
            glue = True
            continue
        bare = piece.removeprefix(GLUED)
        made.append(bare if glue or bare != piece else f" {bare}")
        glue = False
    return "".join(made)


def sentence_case(text: str) -> str:
    """Return a text in lower case with a capital at the start of each sentence, for readers."""
    return _START.sub(lambda m: m.group(1) + m.group(2).upper(), text)


def covered(found: Sequence[str]) -> int:
    """Return how many pieces are words or digits, which say something."""
    return sum(p.removeprefix(GLUED)[:1].isalnum() for p in found)
