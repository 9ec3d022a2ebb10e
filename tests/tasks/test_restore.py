"""Restore: pairs that are made or given, the way back to the image's own values, plain filters, and a fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pictures

import vesalius as vs
from vesalius.cohorts.targets import contract as kinds
from vesalius.core.answers.map import Map
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.errors import DataError, PlanError
from vesalius.core.image import Array, Image
from vesalius.core.plan import DataPlan, Normalisation
from vesalius.prepare.batch import Example
from vesalius.prepare.case import prepare
from vesalius.tasks import contract
from vesalius.tasks._filters import AS_IT_IS, best, filtered
from vesalius.tasks.restore import WRONG

TASK = contract.get("restore")
MADE = State(
    {"target": None, "degradation": "noise", "amount": 10.0, "seed": 0, "scales": [None], "filter": AS_IT_IS}
)
SMALL: dict[str, Any] = {
    "net.scale": 0.125,
    "train.steps": 6,
    "train.batch": 4,
    "train.threads": 1,
    "train.validations": 1,
    "data.size": [1, 16, 16],
    "infer.novelty": "none",
}


def smooth(seed: int, side: int = 24) -> Array:
    """A picture with a soft disc, 0 to about 200."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    cy, cx = draw.uniform(8, 16, 2)
    return 40 + 160 * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 40)


def case(seed: int, dtype: str = "float32") -> Case:
    return Case(f"c{seed}", {"image": Image(smooth(seed)[None, None].astype(dtype))}, reference="image")


def test_a_posed_case_is_worse_alike_each_time_and_its_truth_is_the_case() -> None:
    plain = case(0)
    one, other = TASK.posed(plain, MADE), TASK.posed(plain, MADE)
    image: Any = one.image
    assert np.array_equal(image.array, other.image.array)  # type: ignore[union-attr]
    off = image.array - plain.image.array  # type: ignore[union-attr]
    assert off.std() == pytest.approx(0.1 * np.ptp(plain.image.array), rel=0.2)  # type: ignore[union-attr]
    assert TASK.truth(plain, MADE) is plain.image
    given = State({**MADE.values, "degradation": "", "target": "full"})
    assert TASK.posed(plain, given) is plain


@pytest.mark.parametrize("method", ["zscore", "fixed"])
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_what_is_learned_leads_back_to_the_clean_image(method: str, dtype: str) -> None:
    """The truth of an example, decoded as if a net had given it, is the clean image in its own type."""
    how = Normalisation(method=method, mean=80.0, sd=30.0)  # type: ignore[arg-type]
    plan = DataPlan(dims=2, channels=1, sampling="patches", size=(1, 32, 32), normalise=(how,))
    state = State({**MADE.values, "scales": [30.0 if method == "fixed" else None]})
    posed = TASK.posed(case(1, dtype), state)
    reference: Any = posed.image
    prepared = prepare(posed, plan, reference=reference)
    example = TASK.encode(posed, prepared, reference, state)
    from vesalius.prepare.geometry import inner_slices

    wrong = example.targets[WRONG][0][inner_slices(prepared.undo)]
    answer = TASK.decode(wrong, state, {}, reference)
    assert isinstance(answer, Map) and answer.image.array.dtype == dtype
    clean: Any = case(1, dtype).image
    assert np.abs(answer.image.array.astype(float) - clean.array).max() < (
        0.01 if dtype == "float32" else 1.01
    )
    nothing = TASK.decode(np.zeros_like(wrong), state, {}, reference)
    assert np.array_equal(nothing.image.array, reference.array)  # type: ignore[attr-defined]


def test_another_number_of_channels_or_another_grid_is_refused() -> None:
    reference = Image(np.zeros((3, 1, 8, 8)))
    with pytest.raises(DataError, match="other channels"):
        TASK.decode(np.zeros((1, 8, 8)), MADE, {}, reference)
    posed = TASK.posed(case(0), MADE)
    bad = replace(posed, targets={"clean": Image(np.zeros((1, 1, 8, 8)))})
    plan = DataPlan(
        dims=2, channels=1, sampling="patches", size=(1, 32, 32), normalise=(Normalisation(method="zscore"),)
    )
    with pytest.raises(DataError, match="another grid"):
        TASK.encode(bad, prepare(posed, plan), posed.image, MADE)  # type: ignore[arg-type]
    placed = Image(smooth(0)[None, None], affine=np.eye(4))
    flipped = replace(placed, affine=np.diag([-1.0, 1.0, 1.0, 1.0]))
    bad = replace(posed, images={"image": placed}, targets={"clean": flipped})
    with pytest.raises(DataError, match="flipped along x"):
        TASK.encode(bad, prepare(bad, plan), placed, MADE)
    assert "flipped along x" in str(kinds.of("clean").fault(flipped, placed))
    assert kinds.of("clean").fault(placed, placed) is None


def test_more_than_ten_channels_stay_in_their_order() -> None:
    reference = Image(
        np.stack([np.array([[[0.0, 2.0]]])] * 12)
    )  # of deviation 1: what is added, is added as it is
    raw = TASK.point(torch.arange(12.0).reshape(12, 1, 1, 1).expand(12, 1, 1, 2))
    fields = {name: field.numpy() for name, field in raw.items()}  # type: ignore[union-attr]
    answer: Any = TASK.decode(fields, MADE, {}, reference)
    assert answer.image.array[:, 0, 0, 0].tolist() == list(range(12))
    wanted = Example("c", {}, {WRONG: np.stack([fields[f"channel-{k}"] for k in range(12)])})
    assert TASK.score(fields, wanted, MADE) == {"psnr": pytest.approx(120.0)}


def test_the_plain_filter_that_suits_noise_and_blur() -> None:
    draw = np.random.default_rng(0)
    clean = [smooth(k)[None, None] for k in range(3)]
    noisy = [c + draw.normal(0, 20, c.shape) for c in clean]
    salted = [np.where(draw.random(c.shape) < 0.05, 255.0, c) for c in clean]
    assert best(zip(noisy, clean, strict=True)).startswith("gaussian")
    assert best(zip(salted, clean, strict=True)).startswith("median")
    assert best((c, c) for c in clean) == AS_IT_IS
    constant = np.full((1, 1, 9, 9), 3.0)
    assert np.allclose(filtered(constant, "gaussian 1"), 3) and np.allclose(filtered(constant, "median 5"), 3)


# --- through the front door


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures with noise beside those without, and a class."""
    root = tmp_path_factory.mktemp("pairs")
    draw = np.random.default_rng(0)
    rows = ["case,image,better,class"]
    for k in range(12):
        clean = smooth(k)
        for name, array in ((f"c{k}", clean), (f"n{k}", clean + draw.normal(0, 20, clean.shape))):
            Pictures.fromarray(np.clip(array, 0, 255).astype(np.uint8)).save(root / f"{name}.png")
        rows.append(f"p{k},n{k}.png,c{k}.png,{'ab'[k % 2]}")
    (root / "table.csv").write_text("\n".join(rows))
    return root


@pytest.fixture(scope="module")
def given(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> vs.Run:
    """Pairs from a table."""
    out = tmp_path_factory.mktemp("given") / "run"
    settings = {**SMALL, "train.steps": 30, "train.lr": 0.01}
    return vs.fit(folder / "table.csv", out, columns={"clean": "better"}, target="better", settings=settings)


def test_pairs_from_a_table_are_learned_scored_and_written(
    given: vs.Run, folder: Path, tmp_path: Path
) -> None:
    assert given.plan.task.name == "restore" and given.scorecard is not None and given.bundle is not None
    card = given.scorecard
    assert set(card.metrics) == {"psnr", "ssim", "mae"} and "plain filter" in card.baseline_is
    assert given.bundle.stages[-1].state.values["filter"].startswith(("gaussian", "median"))
    vs.predict(given, folder / "table.csv", tmp_path / "out", columns={"clean": "better"})
    made = np.asarray(Pictures.open(tmp_path / "out" / "p3.png")).astype(float)
    noisy, clean = (np.asarray(Pictures.open(folder / f"{n}3.png")).astype(float) for n in "nc")
    assert np.abs(made - clean).mean() < np.abs(noisy - clean).mean()  # nearer than the image as it is


def test_it_is_scored_against_what_it_was_made_of(folder: Path, tmp_path: Path) -> None:
    """Without pairs the case's own image is the truth: evaluate makes it worse, and the trivial answer is of that."""
    settings = {**SMALL, "task.options.degradation": "noise", "task.options.amount": 20.0, "train.steps": 2}
    run = vs.fit(folder, tmp_path / "run", task="restore", settings=settings, layout="plain")
    assert run.scorecard is not None and run.scorecard.metrics["psnr"].value is not None
    first = next(c for c in vs.read(folder, layout="plain").cases)
    state = run.bundle.stages[-1].state  # type: ignore[union-attr]
    worse, clean = TASK.posed(first, state).image, TASK.truth(first, state)
    assert (
        worse is not clean and run.scorecard.metrics["psnr"].value < 60
    )  # not the clean image against itself


def test_neither_or_both_kinds_of_pairs_are_refused_before_training(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="found neither"):
        vs.fit(folder / "table.csv", tmp_path / "a", task="restore", settings=SMALL, dry_run=True)
    both = {**SMALL, "task.options.degradation": "blur"}
    with pytest.raises(PlanError, match="found both"):
        vs.fit(
            folder / "table.csv",
            tmp_path / "b",
            columns={"clean": "better"},
            target="better",
            settings=both,
            dry_run=True,
        )
    with pytest.raises(DataError, match="'noise' takes an amount"):
        vs.fit(
            folder / "table.csv",
            tmp_path / "c",
            task="restore",
            settings={**SMALL, "task.options.degradation": "noise", "task.options.amount": -1.0},
            dry_run=True,
        )


def test_a_pair_on_another_grid_is_set_aside(folder: Path) -> None:
    Pictures.fromarray(np.zeros((9, 9), np.uint8)).save(folder / "small.png")
    table = folder / "bad.csv"
    table.write_text((folder / "table.csv").read_text().replace("c5.png", "small.png"))
    found = vs.inspect(table, columns={"clean": "better"})
    assert found.summary.set_aside == 1
    assert any(
        "another grid" in item.reason for item in vs.read(table, columns={"clean": "better"}).set_aside
    ) or any("another grid" in finding.text for finding in found.findings)


def test_in_front_of_another_model(given: vs.Run, folder: Path, tmp_path: Path) -> None:
    """As a stage whose image is a further channel from 0 to 1, and in front of a bundle in `degrade`."""
    run = vs.fit(
        folder / "table.csv",
        tmp_path / "after",
        target="class",
        stages={"restored": given},
        settings={**SMALL, "net.name": "cnn", "takes.how": "map", "train.members": 1, "train.steps": 2},
        columns={"clean": "better"},
    )
    assert run.plan.data.taken == {"restored": ("restored",)}
    answer = vs.predict(run, folder / "n0.png")
    part: Any = answer.parts["restored"]
    from vesalius.answers import contract as answers

    chances = answers.of(part).chances(part)
    assert chances.max() <= 1.2 and chances.min() >= -0.2
    found = vs.degrade(
        run,
        folder / "table.csv",
        tmp_path / "worse",
        by={"noise": [20]},
        restore=given,
        columns={"clean": "better"},
        split="all",
        target="class",
        metric="accuracy",
        resamples=50,
    )
    (step,) = found.curves[0].steps
    assert step.restored is not None and step.gain is not None and found.restorer
    assert found.clean_restored["accuracy"].restored is not None
    assert any("before it, by" in text for text in found.verdicts)
    assert "restored" in (tmp_path / "worse" / "degrade.html").read_text(encoding="utf-8")
