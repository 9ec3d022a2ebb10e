"""Prompts: in which words a label is asked for, and in which it is denied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.sentences import sentences
from vesalius.core.words import listed
from vesalius.language.normal import GLUED, is_word, pieces
from vesalius.language.tokenizers import Tokenizer
from vesalius.tasks._claims import terms_of

YES = ("{}", "there is {}", "{} is seen")
NO = ("no {}", "there is no {}", "no evidence of {}")
MOST = 6  # words for one label that are asked with


def words_for(label: str, terms: str) -> tuple[str, ...]:
    """Return the words that stand for a label: its own and its synonyms, where the terms of that name have it."""
    known = terms_of(terms).by_name.get(label)
    others = () if known is None else (words.replace("~", "the") for words in known.says)
    return tuple(dict.fromkeys([label.replace("_", " "), *others]))


def learned(label: str, words: Iterable[str], tokenizer: Tokenizer) -> dict[str, list[str]]:
    """Return the prompts of a label, of those of its words that training reports have.

    None of them may be left: then its own word is kept, though the model has never read it.
    """
    every = list(words)
    known = [w for w in every if is_known(w, tokenizer)][:MOST] or every[:1]
    return prompts(known)


def prompts(words: Sequence[str]) -> dict[str, list[str]]:
    """Return the sentences that ask for some words, and those that deny them."""
    return {
        "yes": [form.format(word) for word in words for form in YES],
        "no": [form.format(word) for word in words for form in NO],
    }


def is_known(text: str, tokenizer: Tokenizer) -> bool:
    """Return whether a tokenizer knows every piece of a text, and there is one."""
    ids = tokenizer.encode(text)
    return bool(ids) and tokenizer.unknown not in ids


def assert_known(text: str, tokenizer: Tokenizer) -> None:
    """Raise DataError where a text holds a word that no training report had: nothing can be said of it."""
    strange = [word for word in text.split() if not is_known(word, tokenizer)]
    if strange or not text.strip():
        raise DataError(
            "the model has never read what it is asked for",
            found=listed(strange) if strange else "no word",
            hint="words that its training reports have, in their language",
        )


def unread(text: str, tokenizer: Tokenizer, length: int) -> tuple[str, ...]:
    """Return the words of a text that a model passes over, each once: unknown ones, and those after `length` tokens.

    They are cut off sentence by sentence, as `tokens_of` does it.
    """
    found: dict[str, None] = {}
    for sentence in sentences(text):
        used = 0
        for piece in pieces(sentence):
            word = piece.removeprefix(GLUED)
            if not (is_word(word) or word.isdigit()):
                continue
            used += len(tokenizer.encode(word))
            if used > length - 2 or not is_known(word, tokenizer):
                found[word] = None
    return tuple(found)


def tokens_of(text: str, tokenizer: Tokenizer, length: int) -> list[int]:
    """Return the tokens of a text between BEGIN and END, as many as fit into `length`, then -1."""
    ids = [tokenizer.begin, *tokenizer.encode(text)[: length - 2], tokenizer.end]
    return [*ids, *([-1] * (length - len(ids)))]


def table(prompts: Mapping[str, Any], side: str, tokenizer: Tokenizer, length: int) -> Array:
    """Return the tokens of the prompts of all labels on one side, `(K, T, L)` int64, -1 where there is none.

    `L` is as long as the longest of them, and `length` at most.
    """
    many = max(len(one[side]) for one in prompts.values())
    longest = max(len(tokenizer.encode(text)) for one in prompts.values() for text in one[side]) + 2
    length = min(length, longest)
    found = np.full((len(prompts), many, length), -1, np.int64)
    for k, one in enumerate(prompts.values()):
        for t, text in enumerate(one[side]):
            found[k, t] = tokens_of(text, tokenizer, length)
    return found
