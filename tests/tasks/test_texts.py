"""Texts that a net reads as a source: what is left out is seen by no other word, and what is not read is said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import vesalius as vs
from vesalius import nets
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.errors import PlanError
from vesalius.core.statistics import Statistics
from vesalius.language import tokenizers
from vesalius.language.counting import count
from vesalius.language.tokenizers import BEGIN
from vesalius.prepare.batch import Batch, collate
from vesalius.prepare.case import Prepared
from vesalius.tasks import _sources, _texts
from vesalius.tasks import contract as tasks
from vesalius.tasks._beside import nothing_to_see
from vesalius.tasks._together import Gate, Source, Together

TEXTS = ["no effusion on the left", "a nodule on the right", "no nodule, effusion on the right and left"]
FAST = {
    "train.steps": 25,
    "train.batch": 16,
    "train.members": 1,
    "train.folds": 2,
    "train.threads": 1,
    "train.lr": 0.003,
    "net.scale": 0.25,
    "nets.note.name": "textformer",
    "nets.note.scale": 0.25,
    "nets.note.options": {"layers": 1, "longest": 32},
    "sources.longest": 24,
}


def about(longest: int = 24) -> dict[str, Any]:
    return {"tokenizer": tokenizers.train("words", TEXTS * 2), "longest": longest}


def case(text: str, name: str = "a", **more: Any) -> Case:
    return Case(name, {}, reference=None, texts={"note": text}, **more)


def state(longest: int = 24) -> State:
    known = {"images": [], "courses": {}, "texts": {"note": about(longest)}}
    return State({"covariates": {}, "sources": known, "bare": True})


@pytest.fixture(scope="module")
def net() -> Together:
    torch.manual_seed(0)
    wide = _texts.width(about())
    eye: Any = nets.build(
        "textformer", dims=2, in_channels=wide, scale=0.125, options={"layers": 2, "longest": 24}
    )
    source = Source("note", "words", width=wide)
    made = Together([source], eyes={"note": eye}, over={}, reads={}, fusion="attention", dropout=0.0, dims=2)
    for gate in (m for m in made.modules() if isinstance(m, Gate)):
        torch.nn.init.normal_(gate.score.weight)
    return made.eval()


def batch(*texts: str) -> Batch:
    held = [
        _sources.seen(case(t, str(k)), Prepared("x", {}, None, None), state()) for k, t in enumerate(texts)
    ]
    return collate(held)


def said(net: Together, one: Batch) -> torch.Tensor:
    with torch.inference_mode():
        return net.summed_up(net(one))


def test_a_text_becomes_its_pieces_behind_a_beginning() -> None:
    example = _sources.seen(case("no nodule."), Prepared("x", {}, None, None), state())
    ids = _texts.whole(example.courses["note"]).astype(int).tolist()
    assert ids[0] == BEGIN and tokenizers.load(about()["tokenizer"]).decode(ids) == "no nodule."
    assert example.times_s["note"].tolist() == [0.0, 1.0, 2.0, 3.0]
    assert tasks.get("classify").step_names(example, "note", state()) == ("[BEGIN]", "no", "nodule", "##.")


def test_pieces_stay_what_they_are_in_bfloat16() -> None:
    known = [
        f"word{'abcdefghij'[k // 100]}{'abcdefghij'[k // 10 % 10]}{'abcdefghij'[k % 10]}" for k in range(700)
    ]
    texts = [" ".join(known[k : k + 50]) for k in range(0, 700, 50)] * 6
    made = tokenizers.learn("words", count(texts, of=[str(k) for k in range(len(texts))]), size=2000, least=2)
    told = {"tokenizer": made, "longest": 64}
    tokenizer = tokenizers.load(made)
    assert tokenizer.size > 700
    for text in texts[:14]:
        numbers, _ = _texts.numbers(text, told)
        kept = _texts.whole(torch.from_numpy(numbers).bfloat16().float()).long().tolist()
        assert kept == [tokenizer.begin, *tokenizer.encode(text)]


def test_a_text_is_read_alike_whoever_is_beside_it(net: Together) -> None:
    both = said(net, batch("no effusion", "a nodule on the right and effusion on the left"))
    assert torch.allclose(both[0], said(net, batch("no effusion"))[0], atol=1e-5)
    assert not torch.allclose(both[0], both[1], atol=1e-3)


def test_the_order_of_words_counts(net: Together) -> None:
    one, two = said(net, batch("no nodule effusion", "nodule no effusion"))
    assert not torch.allclose(one, two, atol=1e-3)


def test_a_word_that_is_left_out_is_seen_by_no_other(net: Together) -> None:
    one, other = batch("no nodule on the left"), batch("no effusion on the left")
    out = {"note": torch.zeros(1, 6, dtype=torch.bool)}
    assert not torch.allclose(said(net, one), said(net, other), atol=1e-3)
    out["note"][0, 2] = True
    task, model = tasks.get("classify"), torch.nn.Module()
    model.net = net
    left = [said(net, task.without(model, each, out)) for each in (one, other)]
    assert torch.allclose(*left, atol=1e-6)
    every = task.without(model, one, {"note": torch.ones(1, 6, dtype=torch.bool)})
    lacking = said(net, every)
    assert bool(lacking.isfinite().all()) and torch.equal(lacking, torch.zeros_like(lacking))


def test_a_case_without_the_text_is_answered_beside_one_that_has_it() -> None:
    task = tasks.get("classify")
    bare = Case("b", {}, reference=None, covariates={"age": 50.0})
    learned = {"age": {"mean": 60.0, "sd": 10.0, "low": 40.0, "high": 80.0, "missing": 1}}
    held = State({**state().values, "covariates": learned})
    prepared = Prepared("x", {}, None, None)
    both = task.collate([_sources.seen(c, prepared, held) for c in (case("no nodule"), bare)])
    assert both.present["note"].tolist() == [True, False]


def test_what_is_not_read_or_not_known_is_said() -> None:
    task = tasks.get("classify")
    assert task.outside(case("no nodule on the left"), state()) == ()
    (long,) = task.outside(case("no nodule " * 20), state())
    assert long == "the text 'note' has 40 pieces, of which the first 23 are read"
    (strange,) = task.outside(case("keine ergüsse on"), state())
    assert strange == "2 of the 3 pieces of the text 'note' are of no training text"


def test_what_is_learned_of_parts_is_what_is_learned_of_all() -> None:
    plan: Any = _Plan()
    said = [*TEXTS, "Mr Zeuxis nodule", "Zeuxis"]
    cases = [case(t, str(k), patient="aabcc"[k]) for k, t in enumerate(said)]
    parts = [_texts.overview(c, plan, "note") for c in (cases[:2], cases[2:])]
    assert isinstance(parts[0], Statistics) and isinstance(parts[1], Statistics)
    merged = parts[0].merged(parts[1])
    whole = _texts.overview(cases, plan, "note")
    assert isinstance(whole, Statistics)
    found = _texts.learned(Statistics({"note": merged}), plan, "note")
    assert found == _texts.learned(Statistics({"note": whole}), plan, "note")
    assert "nodule" in json.dumps(found) and "zeuxis" not in json.dumps(found)


class _Plan:
    class sources:  # noqa: N801
        tokenizer, vocabulary, longest = "words", 200, 16

    nets = {"note": None}  # noqa: RUF012


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Texts whose class follows from the order of two words alone, which a bag of words knows nothing of."""
    draw, lines = np.random.default_rng(0), ["id,patient,note,ill"]
    for k in range(60):
        first, last = ("nodule", "cyst") if k % 2 else ("cyst", "nodule")
        text = " ".join([first, *["the", "lung", "is", "clear"][: int(draw.integers(1, 5))], last])
        lines.append(f"c{k},p{k},{text},{'yes' if k % 2 else 'no'}")
    table = tmp_path_factory.mktemp("texts") / "cohort.csv"
    table.write_text("\n".join(lines))
    return vs.read(table, columns={"image": "", "text": "note", "label": "ill"})


def test_a_net_with_fewer_places_than_are_read_is_refused(cohort: Any, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="reads at most 32 pieces of the text 'note'"):
        vs.fit(cohort, tmp_path / "run", settings={**FAST, "sources.longest": 64})
    with pytest.raises(PlanError, match="where text is needed"):
        vs.fit(
            cohort, tmp_path / "other", settings={**FAST, "nets.note.name": "gru", "nets.note.options": {}}
        )


def test_texts_alone_are_enough_and_a_report_beside_images_is_not() -> None:
    texts, bare = [case("no nodule", "a"), case("a cyst", "b")], Case("c", {}, reference=None)
    reports = [replace(bare, id=name, report="no nodule") for name in "ab"]
    assert nothing_to_see(texts) == () and nothing_to_see(reports) == ()
    assert "an image for each case (c)" in nothing_to_see([*texts, bare])
    assert "an image for each case (a, b)" in nothing_to_see([*texts, *reports])
