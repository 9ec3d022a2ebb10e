"""Text models of the library: tokenizers without a patient's words, GPT and BERT at any size, and its cache."""

from __future__ import annotations

import json
import random

import pytest
import torch
import transformers as hf

from vesalius import nets
from vesalius.language import tokenizers
from vesalius.language.normal import normal
from vesalius.testing import net_checks

REPORTS = [
    "There is a small effusion at the left base, 5.2 mm.",
    "No effusion. Heart size is normal (T2 12).",
    "Right-sided pneumothorax measuring 12 mm.",
    "Left-sided effusion, unchanged since 12.3.",
] * 3
OF = [str(k) for k in range(len(REPORTS))]
PLANTED = ["Zeuxippe has an effusion; id 48151623, Zeuxippe."] * 5


@pytest.mark.parametrize("name", ["bpe", "wordpiece"])
def test_a_patients_own_words_are_in_no_vocabulary_and_texts_come_back(name: str) -> None:
    learned = tokenizers.train(name, [*REPORTS, *PLANTED], size=420, of=[*OF, *["z"] * 5])
    said = json.dumps(learned)
    assert not any(word in said.lower() for word in ("zeux", "uxip", "ippe", "4815", "1623"))
    assert tokenizers.train(name, [*REPORTS, *PLANTED], size=420, of=[*OF, *["z"] * 5]) == learned
    tokenizer = tokenizers.load(json.loads(said))
    assert tokenizer.size <= 420
    for text in [*REPORTS, *PLANTED]:
        assert tokenizer.decode(tokenizer.encode(text)) == normal(text)
    digits = [
        p for n in tokenizer.encode("no effusion of 12 mm") if (p := tokenizer.piece(n)).strip("#").isdigit()
    ]
    assert [p.strip("#") for p in digits] == ["1", "2"]


def test_bytes_leave_no_text_unknown_and_parts_show_what_is() -> None:
    draw = random.Random(3)
    bpe = tokenizers.load(tokenizers.train("bpe", REPORTS, size=400, of=OF))
    for _ in range(50):
        text = "".join(draw.choice("aé ß#Z9 4.,-('漢字Ⅳİ[MASK]") for _ in range(20))
        assert bpe.decode(bpe.encode(text)) == normal(text)
        assert not set(bpe.encode(text)) & bpe.specials
    parts = tokenizers.load(tokenizers.train("wordpiece", REPORTS, size=400, of=OF))
    assert parts.decode(parts.encode("漢 effusion")) == "[UNK] effusion"


CHECKS = dict(net_checks("gpt"))


@pytest.mark.parametrize("check", list(CHECKS))
def test_gpt_keeps_what_a_writer_promises(check: str) -> None:
    CHECKS[check]()


def test_published_sizes() -> None:
    with torch.device("meta"):
        bert = nets.build("bert", dims=2, in_channels=30522)
        gpt = nets.build(
            "gpt", dims=2, in_channels=1, options={"words": 50257, "longest": 1024, "looks": False}
        )
    # BERT-base: 109,482,240 with its pooler (Hugging Face's bert-base-uncased), whose 768·768+768 are left out here.
    assert nets.count_parameters(bert) == 109_482_240 - 590_592
    assert nets.count_parameters(gpt) == 124_439_808  # Hugging Face's gpt2


def test_gpt_says_what_the_library_says() -> None:
    torch.manual_seed(0)
    ours = nets.build(
        "gpt", dims=2, in_channels=4, scale=0.0625, options={"words": 40, "longest": 20, "looks": False}
    ).eval()
    theirs = hf.GPT2LMHeadModel(ours.inner.config).eval()
    theirs.transformer.load_state_dict(ours.inner.state_dict())
    tokens = torch.randint(0, 40, (2, 9))
    with torch.no_grad():
        hidden, cache, _ = ours(tokens[:, :5])
        later, _, _ = ours(tokens[:, 5:], None, cache)
        wanted = theirs(tokens).logits
    assert torch.allclose(ours.logits(torch.cat([hidden, later], 1)), wanted, atol=1e-5)
