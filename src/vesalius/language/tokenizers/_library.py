"""The library tokenizers of Hugging Face, for what is parted into less than words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from vesalius.core.errors import DataError, MissingExtra

EXTRA = "hf"


def library() -> Any:
    """Return the module `tokenizers`. Raises MissingExtra."""
    try:
        import tokenizers
        import tokenizers.models
        import tokenizers.pre_tokenizers
        import tokenizers.trainers
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "tokenizers", EXTRA) from error
    return tokenizers


def repeated(words: Mapping[str, int]) -> Iterator[str]:
    """Yield each word as often as it occurs, a line for each word. Raises DataError where there is none."""
    if not words:
        raise DataError(
            "no vocabulary can be learned from these texts",
            found="no word that several patients have in common",
            hint="more reports",
        )
    for word, often in words.items():
        yield f" {word}" * often
