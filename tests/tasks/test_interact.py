"""interact: what is shown is answered, what is not is marked; labels held out; figures after clicks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import vesalius as vs
from vesalius.core.answers.mask import Mask
from vesalius.core.case import Case, Prompt
from vesalius.core.errors import DataError, MismatchError, PlanError
from vesalius.core.guidance import Guidance, Stroke
from vesalius.core.image import Image
from vesalius.infer.clicking import Clicking, takes_clicks
from vesalius.infer.predictor import Predictor
from vesalius.prepare.batch import UNKNOWN
from vesalius.tasks._interacting import Person, person_of, proposed
from vesalius.tasks.interact import UNTOLD

SMALL: dict[str, Any] = {
    "net.scale": 0.25,
    "train.steps": 6,
    "train.batch": 4,
    "train.threads": 1,
    "train.validations": 1,
    "data.size": [1, 32, 32],
    "task.options.rounds": 1,
}


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of a bright square (label 1) and a bright disc (label 2) on noise."""
    root = tmp_path_factory.mktemp("squares")
    rng = np.random.default_rng(0)
    for name in ("images", "masks"):
        (root / name).mkdir()
    for k in range(8):
        drawn = np.zeros((1, 1, 40, 40), np.uint8)
        y, x = rng.integers(3, 8, 2)
        drawn[..., y : y + 12, x : x + 12] = 1
        at = np.mgrid[:40, :40] - np.array([28, 28])[:, None, None]
        drawn[0, 0][(at**2).sum(axis=0) < 36] = 2
        pixels = np.clip(rng.normal(60, 10, drawn.shape) + 120 * (drawn > 0), 0, 255).astype(np.uint8)
        vs.write(Image(array=pixels), root / "images" / f"case{k}.png")
        vs.write(Mask(image=Image(array=drawn), labels=()), root / "masks" / f"case{k}.png")
    return root


@pytest.fixture(scope="module")
def run(squares: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    held = {**SMALL, "task.options.hold_out": "2,"}
    return vs.fit(squares, tmp_path_factory.mktemp("run") / "r", task="interact", settings=held, device="cpu")


@pytest.fixture(scope="module")
def predictor(run: Any) -> Predictor:
    return Predictor(run.bundle, device="cpu")


def test_figures_stand_after_each_number_of_clicks_also_of_a_label_that_was_held_out(run: Any) -> None:
    card = run.scorecard
    assert "dice/2" in card.metrics and card.metrics["dice"].value > 0
    arms = {arm["name"]: arm for arm in card.rivals["arms"]}
    assert {"after 1 click", "after 3 clicks", "after 10 clicks"} <= set(arms)
    assert "dice" in arms["after 1 click"]["differences"]
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert "Dice, of each way to answer" in page and page.index("after 1 click") < page.index(
        "after 10 clicks"
    )
    assert run.bundle is not None and run.plan.infer.novelty == "none" and run.plan.train.members == 1


def test_a_label_that_is_held_out_is_background_in_training_and_asked_for_all_the_same(
    squares: Path, predictor: Predictor
) -> None:
    loaded = predictor.stages[0]
    case = vs.read(squares).cases[0]
    reference = vs.image(np.asarray(_pixels(squares, 0)))
    prepared = loaded.task.prepare(case, loaded.stage.plan, loaded.stage.state, reference=reference)
    learned = loaded.task.encode(case, prepared, reference, loaded.stage.state)
    assert set(np.unique(learned.targets["mask"])) <= {UNKNOWN, 0, 1}
    posed = replace(loaded.task.posed(case, loaded.stage.state), targets={})
    asked = loaded.task.encode(posed, prepared, reference, loaded.stage.state)
    assert (
        posed.shown is not None
        and posed.images == case.images
        and set(np.unique(asked.ragged["person"])) == {0, 1, 2}
    )
    assert np.array_equal(asked.images["image"], prepared.array)  # the model never sees the truth
    other = replace(posed, shown=replace(reference, array=reference.array[:, :, :30]))
    with pytest.raises(DataError, match="does not lie on the image"):
        loaded.task.encode(other, prepared, reference, loaded.stage.state)


def test_worse_images_are_shown_by_the_same_truth(squares: Path, run: Any) -> None:
    from vesalius.run.degrading import Level, worse

    loaded = Predictor(run.bundle, device="cpu").stages[0]
    posed = loaded.task.posed(vs.read(squares).cases[0], loaded.stage.state)
    noisy = worse(posed, Level("noise", 40.0), seed=0)
    assert noisy.shown is posed.shown and noisy.images["image"] is not posed.images["image"]


def test_clicks_are_answered_alike_and_by_predict_too(
    squares: Path, run: Any, predictor: Predictor, tmp_path: Path
) -> None:
    strokes = Guidance((Stroke("point", ((0, 10, 10),)), Stroke("point", ((0, 38, 2),), adds=False)))
    clicking = Clicking(predictor, vs.read(squares).cases[0])
    empty = clicking.mask
    assert not empty.image.array.any() and [x.name for x in empty.labels] == ["object"]
    for stroke in strokes.strokes:
        found = clicking.add(stroke)
    assert found.image.array[0, 0, 10, 10] == 1 and not found.image.array[0, 0, 38, 2]
    assert found.bundle == run.bundle.hash and clicking.nbytes > 0 and clicking.guidance == strokes
    file = tmp_path / "strokes.json"
    file.write_text(
        json.dumps({"case0": strokes.json(), "case1": {"objects": {"1": strokes.json()["strokes"]}}})
    )
    done = vs.predict(run.bundle, squares, tmp_path / "out", guidance=file, device="cpu", runtime="torch")
    assert len(done.answered) == 8
    written = (
        vs.formats.read(done.out / "case0.png") if hasattr(vs, "formats") else _read(done.out / "case0.png")
    )
    assert np.array_equal(written.array, found.image.array)
    rows = (done.out / "answers.csv").read_text()
    assert rows.count(UNTOLD) == 6
    again = Clicking(predictor, vs.read(squares).cases[0])
    for stroke in strokes.strokes:
        again.add(stroke)
    assert np.array_equal(again.bits, clicking.bits)


def test_what_cannot_be_answered_is_refused_by_name(
    squares: Path, run: Any, predictor: Predictor, tmp_path: Path
) -> None:
    picture = vs.read(squares).cases[0]
    for strokes, told in (
        ({"nobody": Guidance((Stroke("point", ((0, 1, 1),)),))}, "not there"),
        ({"case0": Guidance((Stroke("point", ((0, 1, 40),)),))}, "outside of the image"),
        ({"case0": Guidance((Stroke("point", ((0, 1, 1),), False),))}, "nothing to remove"),
    ):
        try:
            done = vs.predict(run.bundle, [picture], guidance=strokes, device="cpu", runtime="torch")
        except DataError as error:
            assert told in str(error)
        else:
            assert told != "not there" or not done.set_aside
            assert told == "not there" or told in done.set_aside[0].reason
    with pytest.raises(DataError, match="no such label"):
        Clicking(predictor, picture, label="spleen")
    labelled = replace(picture, prompts=(Prompt("click", ((0, 1, 1),), "spleen"),))
    with pytest.raises(DataError, match="does not know"):
        predictor(replace(labelled, targets={}))
    assert takes_clicks(predictor)
    with pytest.raises(PlanError, match="strokes on an image"):
        vs.explain(run.bundle, replace(picture, prompts=(Prompt("click", ((0, 10, 10),)),)), tmp_path / "x")
    with pytest.raises((PlanError, DataError), match="held out"):
        vs.fit(squares, tmp_path / "f", task="interact", settings={**SMALL, "task.options.hold_out": "1,2"})
    with pytest.raises(PlanError, match="not there"):
        vs.fit(
            squares, tmp_path / "g", task="interact", settings={**SMALL, "task.options.hold_out": "spleen"}
        )


def test_a_session_adds_strokes_as_prompts(squares: Path, predictor: Predictor) -> None:
    case = replace(vs.read(squares).cases[0], targets={})
    session = predictor.open(case)
    assert UNTOLD in (session.step().outside or ())
    more = Case(case.id, {}, reference=case.reference, prompts=(Prompt("click", ((0, 10, 10),)),))
    assert session.step(more).image.array[0, 0, 10, 10] == 1  # type: ignore[attr-defined]


def test_a_person_shows_one_object_and_corrects_it_alike_for_the_same_seed() -> None:
    index = np.zeros((6, 24, 24), np.int64)
    index[1:4, 2:9, 2:9], index[2:5, 12:22, 12:22], index[:, :, 23] = 1, 2, UNKNOWN
    seen = set()
    for seed in range(30):
        one, other = (person_of(index, np.random.default_rng(seed), None) for _ in range(2))
        assert isinstance(one, Person) and isinstance(other, Person)
        assert np.array_equal(one.guidance(), other.guidance())
        assert any(np.array_equal(one.truth, index == k) for k in (1, 2))
        assert (one.target()[:, :, 23] == UNKNOWN).all() and one.guidance()[:3].any()
        seen.add((sum(map(len, one.added)) > 1, one.box is not None, bool(one.mask.any())))
        one.correct(np.zeros(index.shape, bool))
        assert one.added and not one.mask.any()
    assert len(seen) > 2
    assert person_of(np.zeros((4, 8, 8), np.int64), np.random.default_rng(0), None) is None
    moved = [proposed(index == 2, np.random.default_rng(k)) for k in range(6)]
    assert all(m.shape == index.shape for m in moved) and any(m.any() for m in moved)
    assert len({int(m.sum()) for m in moved}) > 2


def test_the_loss_does_not_disturb_what_the_model_is_doing(predictor: Predictor) -> None:
    from vesalius.prepare.batch import Batch

    loaded = predictor.stages[0]
    model = loaded.models[0]
    index = torch.zeros((2, 1, 1, 32, 32), dtype=torch.int64)
    index[0, 0, 0, 4:20, 4:20] = 1
    batch = Batch(images={"image": torch.randn(2, 1, 1, 32, 32)}, targets={"mask": index})
    terms = loaded.task.loss(model, batch, torch.Generator().manual_seed(3))
    again = loaded.task.loss(model, batch, torch.Generator().manual_seed(3))
    assert terms["mask"] == again["mask"] and torch.isfinite(terms["mask"])
    empty = replace(batch, targets={"mask": torch.zeros_like(index)})
    assert loaded.task.loss(model, empty, torch.Generator().manual_seed(3))["mask"].item() == 0
    assert not model.training


def test_another_kind_of_image_is_refused(predictor: Predictor) -> None:
    with pytest.raises(MismatchError):
        Clicking(predictor, Image(np.zeros((3, 4, 40, 40), np.float32), modality="CT", unit="HU"))


def _pixels(root: Path, k: int) -> Any:
    return _read(root / "images" / f"case{k}.png").array[0, 0]


def _read(path: Path) -> Image:
    from vesalius import formats

    return formats.read(path)
