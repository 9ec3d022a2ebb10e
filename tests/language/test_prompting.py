"""Prompts: which pieces are read, that labels are scored as the whole text would be, and what does not fit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vesalius.core.errors import DataError
from vesalius.language import tokenizers
from vesalius.language.counting import count
from vesalius.language.prompting import Prompter
from vesalius.language.tokenizers.contract import BEGIN, SEP, Tokenizer
from vesalius.nets import build

TEXTS = ["the lungs are clear answer normal report", "there is an effusion answer very abnormal report"] * 3


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    counted = count(TEXTS, of=[str(k) for k in range(len(TEXTS))])
    return tokenizers.load(tokenizers.learn("words", counted, size=300, least=2))


def prompter(tokenizer: Tokenizer, room: int = 60) -> Prompter:
    return Prompter(tokenizer, room, ("normal", "very abnormal"))


def test_a_prompt_is_examples_with_their_labels_and_the_text(tokenizer: Tokenizer) -> None:
    made = prompter(tokenizer).prompt("lungs clear", [("an effusion", 1)])
    said = "report: an effusion|answer: very abnormal|report: lungs clear|answer:"
    code = [n for part in said.split("|") for n in [*tokenizer.encode(part), SEP]][:-1]
    assert made.ids == (BEGIN, *code) and not made.cut


def test_long_texts_are_cut_evenly_and_what_does_not_fit_is_refused(tokenizer: Tokenizer) -> None:
    asker, long = prompter(tokenizer, 45), " ".join(["lungs"] * 30)
    made = asker.prompt(long, [("clear", 0)])
    assert made.cut and len(made.ids) + 2 <= 45
    assert tokenizer.decode(made.ids).count("lungs") == 45 - 2 - (
        len(made.ids) - tokenizer.decode(made.ids).count("lungs")
    )
    with pytest.raises(DataError, match="4 examples and a text do not fit"):
        asker.prompt(long, [(long, 0)] * 4)
    with pytest.raises(DataError, match="does not tell the labels apart"):
        Prompter(tokenizer, 60, ("zebra", "normal"))


def test_labels_are_as_likely_as_the_whole_text_says(tokenizer: Tokenizer) -> None:
    torch.manual_seed(0)
    options = {"words": tokenizer.size, "longest": 64}
    writer = build("writer-transformer", dims=2, in_channels=1, scale=0.125, options=options).eval()
    asker = prompter(tokenizer)
    made = asker.prompt("an effusion", [("lungs clear", 0)])
    found = asker.asked(writer, made)
    for k, ids in enumerate(asker.label_ids):
        whole = torch.tensor([[*made.ids, *ids]])
        with torch.no_grad():
            each = writer.logits(writer(whole)[0])[0].log_softmax(-1)
        n = len(made.ids)
        assert found[k] == pytest.approx(float(sum(each[n - 1 + j, p] for j, p in enumerate(ids))), abs=1e-4)
    plain, _ = asker.chances(writer, "an effusion", calibrated=False)
    free, _ = asker.chances(writer, "", calibrated=True)
    assert plain.sum() == pytest.approx(1) and np.allclose(free, 0.5, atol=0.2), "an empty text says nothing"
