"""Tokenizers: what goes in comes out again, and nothing of a single patient is kept."""

from __future__ import annotations

import json
import random

import pytest

from vesalius.core.errors import DataError, UnknownName
from vesalius.core.statistics import Statistics
from vesalius.language import tokenizers
from vesalius.language.counting import count, known, masked
from vesalius.language.normal import joined, normal, pieces, sentence_case
from vesalius.language.tokenizers import SPECIALS

TEXTS = [
    "There is a 5.2 mm nodule in the right upper lobe.",
    "No nodule. The right lung is clear, no effusion.",
    "Small right-sided effusion; the nodule measures 12 mm.",
    "The heart is of normal size. No effusion in the lung.",
]


def words(texts: list[str] = TEXTS, least: int = 2, of: list[str] | None = None) -> tokenizers.Tokenizer:
    return tokenizers.load(tokenizers.train("words", texts, size=300, least=least, of=of))


def test_a_text_is_parted_as_worked_by_hand() -> None:
    assert pieces("5.2 mm, Right-sided") == [
        *("5", "##.", "##2", "mm", "##,", "right", "##-", "##", "sided"),
    ]
    assert pieces("L4/5 (T2 12)") == ["l", "##4", "##/", "##5", "(", "##", "t", "##2", "1", "##2", "##)"]


def test_pieces_of_any_signs_are_joined_to_the_same_text() -> None:
    draw = random.Random(5)
    signs = "aé ß#Z9 4.,-('\n\t½Ⅳ漢字́ŉİ"
    for _ in range(300):
        text = "".join(draw.choice(signs) for _ in range(draw.randint(0, 25)))
        assert joined(pieces(text)) == normal(text), repr(text)


def test_two_numbers_beside_one_another_stay_two() -> None:
    tokenizer = words()
    assert tokenizer.decode(tokenizer.encode("T2 12 mm")) != tokenizer.decode(tokenizer.encode("T212 mm"))
    assert tokenizer.decode(tokenizer.encode("2 12 mm")) == "2 12 mm"


def test_known_words_come_back_and_unknown_ones_are_seen() -> None:
    tokenizer = words()
    assert tokenizer.decode(tokenizer.encode("Nodule in the RIGHT  lung.")) == "nodule in the right lung."
    assert tokenizer.decode(tokenizer.encode("spiculated nodule.")) == "[UNK] nodule."
    ids = [tokenizers.BEGIN, *tokenizer.encode("no effusion."), tokenizers.SEP, *tokenizer.encode("nodule")]
    assert tokenizer.decode([*ids, tokenizers.END, tokenizers.PAD]) == "no effusion.\nnodule"


def test_words_of_one_patient_are_not_kept_however_often_they_stand_there() -> None:
    texts = [*TEXTS, "Dr. Xanthippe saw Xanthippe. No effusion.", "Xanthippe again: id 48151623."]
    one = tokenizers.train("words", texts, of=["a", "b", "c", "d", "e", "e"])
    two = tokenizers.train("words", texts, of=["a", "b", "c", "d", "e", "f"])
    assert "xanthippe" not in json.dumps(one) and "xanthippe" in json.dumps(two)
    assert not any(c in json.dumps(one) for c in ("4815", "48", "1623"))


def test_what_is_counted_in_two_places_is_what_is_counted_in_one() -> None:
    both = count(TEXTS[:2], of=["a", "b"]).merged(count(TEXTS[2:], of=["c", "d"]))
    sent = Statistics.parse(json.loads(json.dumps(both.json())))
    assert tokenizers.learn("words", sent) == tokenizers.train("words", TEXTS)
    assert known(both, least=2)[0]["effusion"] == 3 and set(known(both, least=4)[0]) == {"the"}


def test_the_most_frequent_words_find_room_first() -> None:
    base = words().size - len(known(count(TEXTS), least=2)[0])
    few = tokenizers.train("words", TEXTS, size=base + 2)
    assert few["pieces"][-2:] == [
        "the",
        "effusion",
    ]  # four times, and three times before "nodule" by the alphabet


def test_rare_words_are_masked_with_their_place_kept() -> None:
    assert masked("Mr. Smith-Jones has a nodule.", {"mr", "has", "a", "nodule"}, mask="_") == (
        "mr. _-_ has a nodule."
    )


def test_what_cannot_be_learned_or_read_is_refused() -> None:
    with pytest.raises(DataError, match="no vocabulary"):
        tokenizers.train("words", ["alpha", "beta"])
    with pytest.raises(DataError, match="one patient for each text"):
        tokenizers.train("words", TEXTS, of=["a"])
    with pytest.raises(UnknownName, match="tokenizer"):
        tokenizers.train("syllables", TEXTS)
    with pytest.raises(DataError, match="no tokenizer's data"):
        tokenizers.load({"pieces": []})
    with pytest.raises(DataError, match="no such piece"):
        words().decode([9999])


def test_special_pieces_cannot_be_written_by_a_text() -> None:
    tokenizer = words([*TEXTS, "[MASK] [END]", "[MASK] [END]"])
    assert not set(tokenizer.encode("[MASK] [END] [PAD]")) & (
        set(range(len(SPECIALS))) - {tokenizers.UNKNOWN}
    )


def test_sentences_begin_with_a_capital() -> None:
    assert sentence_case("no effusion. 5 mm nodule. it is new.\nimpression: é") == (
        "No effusion. 5 mm nodule. It is new.\nImpression: é"
    )
