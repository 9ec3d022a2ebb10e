"""Models of language: their figures against sums written out, hidden places, stops, and words that change their row."""

from __future__ import annotations

import math
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vesalius import nets
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.errors import DataError, Interrupted
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
from vesalius.core.progress import Silent
from vesalius.language import tokenizers
from vesalius.language.counting import chances, count
from vesalius.language.tokenizers import BEGIN, END, PAD
from vesalius.learn import loop
from vesalius.learn.stepper import build
from vesalius.learn.vocabulary import KNOWN, Worded, reworded
from vesalius.learn.weights import placed
from vesalius.tasks import contract as tasks
from vesalius.tasks._worded import PASSES, HiddenPieces, NextPiece
from vesalius.tasks._wording import SINGLE, validated

TEXTS = ["no effusion.", "a nodule, no effusion.", "no nodule.", "effusion on the left"]
NETS = {
    "nextword": NetPlan(name="writer-lstm", scale=0.0625),
    "maskedwords": NetPlan(name="textformer", scale=0.0625, options={"layers": 1}),
}


def planned(task: str, **train: Any) -> Plan:
    return Plan(
        task=TaskPlan(name=task, options={"text": "report"}),
        data=DataPlan(
            dims=2, channels=1, sampling="whole", size=(1, 1, 1), normalise=(Normalisation(method="zscore"),)
        ),
        net=NETS[task],
        loss=LossPlan(name="own"),
        sources=SourcesPlan(longest=16, vocabulary=200),
        train=TrainPlan(steps=6, batch=3, validations=3, lr=0.01, select="last", **train),
    )


def cases() -> list[Case]:
    return [
        Case(f"c{k}", {}, reference=None, patient=f"p{k}", report=text) for k, text in enumerate(TEXTS * 2)
    ]


def state(task: str) -> State:
    return tasks.get(task).learned(cases(), None, planned(task))


def examples(task: str) -> list[Any]:
    known, one = state(task), tasks.get(task)
    return [one.encode(c, None, None, known) for c in cases()]  # type: ignore[arg-type]


def test_a_word_is_as_likely_as_it_is_frequent() -> None:
    """Worked by hand: one more than it occurs of each of the pieces, over all of them."""
    counted = count(["left-left", "left."], of=["a", "b"])
    tokenizer = tokenizers.load(tokenizers.learn("words", counted, size=100))
    found = chances(counted, tokenizer)
    occurs = {"left": 3, "##-": 1, "##": 1, "##.": 1}
    whole = tokenizer.size + sum(occurs.values()) + 2  # END once a text
    for piece, n in occurs.items():
        (number,) = tokenizer.numbers(piece)[-1:]
        assert found[number] == pytest.approx(math.log((n + 1) / whole))
    assert found[END] == pytest.approx(math.log(3 / whole)) and sum(map(math.exp, found)) == pytest.approx(
        1.0
    )


def test_figures_of_the_next_piece_are_sums_over_the_text_whatever_is_beside_it() -> None:
    task, held = tasks.get("nextword"), examples("nextword")
    model: Any = build(task, planned("nextword"), state("nextword"), 0).eval()
    assert isinstance(model, NextPiece)
    with torch.no_grad():
        together = task.infer(model, task.collate(held[:2]), torch.Generator())
        for row, example in enumerate(held[:2]):
            ids = [int(n) for n in example.tokens if n != PAD]
            assert ids[0] == BEGIN and ids[-1] == END
            hidden, _, _ = model.net(torch.tensor([ids[:-1]]))
            log_p = model.net.logits(hidden)[0].log_softmax(-1)
            wanted = -sum(float(log_p[k, n]) for k, n in enumerate(ids[1:]))
            single = -sum(float(model.unigram[n]) for n in ids[1:])
            assert together[row].tolist() == pytest.approx([wanted, len(ids) - 1, single], abs=1e-3)


def test_each_piece_is_hidden_once_and_never_shown_then() -> None:
    tokenizer = tokenizers.load(state("maskedwords").values["tokenizer"])
    shown: list[torch.Tensor] = []

    class Spy(torch.nn.Module):
        channels, tables, longest = (4,), ("word",), 16

        def __init__(self) -> None:
            super().__init__()
            self.word = torch.nn.Parameter(torch.zeros(tokenizer.size, 4))

        def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            shown.append(tokens)
            return self.word[tokens]

    ids = [BEGIN, *tokenizer.encode("a nodule, no effusion. no xyzzy left"), END, PAD]
    text = torch.tensor([ids])
    model = HiddenPieces(Spy(), state("maskedwords").arrays["unigram"], tokenizer)
    raw = model(text).detach()
    hidden = torch.stack([(s != text).sum(0) for s in shown]).sum(0)
    asked = [n not in tokenizer.specials for n in ids]
    assert len(shown) == PASSES and hidden.tolist() == [int(a) for a in asked]
    assert int(raw[0, 1]) == sum(asked) and float(raw[0, 0]) == pytest.approx(float(raw[0, 2]), rel=1e-4)


@pytest.mark.parametrize("task", ["nextword", "maskedwords"])
def test_a_resumed_fit_equals_one_that_was_never_stopped(task: str, tmp_path: Path) -> None:
    held, known, plan = examples(task), state(task), planned(task)

    def train(folder: Path, progress: Any) -> loop.Trained:
        return loop.train(
            tasks.get(task), plan, known, held, None, member=0, folder=folder, progress=progress
        )

    whole = train(tmp_path / "whole", Silent())
    with pytest.raises(Interrupted):
        train(tmp_path / "stopped", Stop(3))
    resumed = train(tmp_path / "stopped", Silent())
    assert whole.last_step == resumed.last_step == 6
    assert all(torch.equal(whole.weights[n], t) for n, t in resumed.weights.items())


class Stop(Silent):
    """Ctrl-C, as it were, after so many steps."""

    def __init__(self, after: int) -> None:
        self.left = after

    def advance(self, name: str, done: int = 1, text: str = "") -> None:
        if not text and done:
            self.left -= 1
            if self.left == 0:
                signal.raise_signal(signal.SIGINT)


def test_the_answer_is_a_perplexity_with_that_of_single_words_beside_it() -> None:
    raw = np.array([[4 * math.log(8), 4.0, 4 * math.log(32)]])
    answer: Any = tasks.get("nextword").decode(raw, state("nextword"), {}, None)  # type: ignore[arg-type]
    assert answer.x == pytest.approx(8.0) and answer.parts[SINGLE].x == pytest.approx(32.0)


def test_validation_is_of_all_pieces_and_its_interval_of_patients() -> None:
    rows = np.array(
        [[10 * math.log(4), 10.0, 10 * math.log(16)], [30 * math.log(2), 30.0, 30 * math.log(16)]]
    )
    found = validated(rows, ["a", "a"])
    assert found["perplexity"]["value"] == pytest.approx(4 ** (10 / 40) * 2 ** (30 / 40))
    assert found["perplexity"]["low"] == found["perplexity"]["high"] and found["patients"] == 1
    assert found["quotient"]["value"] == pytest.approx(found["perplexity"]["value"] / 16)


def test_a_case_without_a_text_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="case x has no text 'report'"):
        tasks.get("nextword").encode(Case("x", {}, reference=None), None, None, state("nextword"))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no training case has a text 'report'"):
        tasks.get("nextword").learned([Case("x", {}, reference=None)], None, planned("nextword"))


def writer(words: int) -> Any:
    options = {"words": words, "longest": 12}
    return nets.build("writer-transformer", dims=2, in_channels=3, scale=0.0625, options=options)


def test_rows_of_words_go_to_their_place_in_another_vocabulary() -> None:
    old = tokenizers.train("words", ["nodule effusion"] * 3 + ["cyst effusion"] * 2)
    new = tokenizers.train("words", ["cyst nodule heart."] * 2)
    mine, theirs = tokenizers.load(new), tokenizers.load(old)
    source, model = writer(theirs.size), writer(mine.size)
    setattr(model, KNOWN, new)
    taken, fit = placed(model, Worded(source.state_dict(), old))
    rows, before = taken["table.weight"], source.table.weight
    for word in ("cyst", "nodule", "##.", "5"):
        assert torch.equal(rows[mine.numbers(word)[0]], before[theirs.numbers(word)[0]]), word
    assert torch.equal(rows[END], before[END])
    assert torch.allclose(rows[mine.numbers("heart")[0]], before.mean(0), atol=1e-6)
    assert fit.share == 1.0


def test_rows_of_an_unknown_vocabulary_are_left_out_though_their_number_fits() -> None:
    source, model = writer(50), writer(50)
    setattr(model, KNOWN, tokenizers.train("words", TEXTS))
    assert "table.weight" not in reworded(source.state_dict(), model)
    taken, fit = placed(model, source.state_dict())
    assert "table.weight" in fit.missing and "table.weight" not in taken and "place.weight" in taken


def test_weights_without_words_are_left_as_they_are() -> None:
    net = nets.build("cnn", dims=2, in_channels=1, scale=0.25)
    start = net.state_dict()
    assert reworded(start, net) is start
