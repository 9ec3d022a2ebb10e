"""Answers: in the input's own geometry and label values, mirrored where that is allowed, pasted where they belong."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vesalius.core.answers.mask import Mask
from vesalius.core.answers.scores import Scores
from vesalius.core.bundle import Bundle, Stage, State
from vesalius.core.case import Case, Prompt
from vesalius.core.errors import BundleError, DataError, PlanError, UnknownName
from vesalius.core.image import Array, Image
from vesalius.core.parts import image_in
from vesalius.core.plan import (
    DataPlan,
    InferPlan,
    LossPlan,
    NetPlan,
    Normalisation,
    Plan,
    TaskPlan,
    TrainPlan,
)
from vesalius.infer.cropping import box_around, crop_case
from vesalius.infer.predictor import Loaded, Predictor
from vesalius.plan.threads import Threads
from vesalius.tasks import contract as tasks
from vesalius.verbs.predict import with_mirror


class Steps(nn.Module):
    """Says label k where the image is between k - 0.5 and k + 0.5: a network whose right answer is known."""

    def __init__(self, labels: int, shift: float = 0.0) -> None:
        super().__init__()
        self.labels, self.shift = labels, shift

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([-((x + self.shift - k) ** 2) for k in range(self.labels + 1)], dim=1)


class Corner(nn.Module):
    """Two logits `(B, 2)` that depend on the image's first quarter alone."""

    def forward(self, x: Tensor) -> Tensor:
        here = x[..., : x.shape[-2] // 2, : x.shape[-1] // 2].mean(dim=(1, 2, 3, 4))
        return torch.stack([here, -here], dim=1)


def plan(task: str, **data: Any) -> Plan:
    given = {"dims": 3, "channels": 1, "sampling": "patches", "size": (8, 8, 8)} | data
    return Plan(
        task=TaskPlan(name=task, target="truth"),
        data=DataPlan(normalise=(Normalisation(method="fixed", mean=0, sd=1),), **given),
        net=NetPlan(name="unet"),
        loss=LossPlan(name="dice-ce"),
        train=TrainPlan(steps=1, batch=1),
    )


def masks(values: tuple[int, ...]) -> State:
    rows = [{"value": v, "name": f"label-{v}", "code": None, "colour": None} for v in values]
    return State({"target": "truth", "labels": rows})


def made_of(*stages: tuple[Stage, tuple[nn.Module, ...]]) -> Predictor:
    """A Predictor over models that were never saved."""
    found = Predictor.__new__(Predictor)
    found.bundle = Bundle(Path("nowhere"), tuple(s for s, _ in stages), "", "the hash", "a test")
    found.device = torch.device("cpu")
    found.stages = tuple(
        Loaded(s, tasks.get(s.plan.task.name), tuple(m.eval() for m in ms)) for s, ms in stages
    )
    return found


def blocks(shape: tuple[int, int, int], labels: int) -> Array:
    """Indices 0 … labels in boxes."""
    index = np.zeros(shape, dtype=np.int64)
    for k in range(1, labels + 1):
        index[2 * k : 2 * k + 4, 3 : 3 + 2 * k, k : k + 7] = k
    return index


TURNED = np.array([[0, 0, -2.0, 5], [1.1, 0, 0, -3], [0, -0.9, 0, 40], [0, 0, 0, 1]])


@pytest.mark.parametrize("affine", [None, np.diag([1.0, 1.0, 2.0, 1.0]), TURNED])
@pytest.mark.parametrize("values", [(1, 2, 3), (7, 255), (3, 1000, 40)])
def test_an_answer_has_the_inputs_geometry_and_the_datas_values(
    values: tuple[int, ...], affine: Array | None
) -> None:
    index = blocks((13, 15, 20), len(values))
    image = Image(index[None].astype(np.float32), affine=affine)
    stage = Stage("segment", plan("segment"), masks(values), ("w",))
    answer = made_of((stage, (Steps(len(values)),)))(Case("c", {"image": image}))
    assert isinstance(answer, Mask)
    assert np.array_equal(answer.image.array[0], np.array([0, *values])[index])
    assert np.iinfo(answer.image.array.dtype).max >= max(values)
    assert (answer.image.affine is None) if affine is None else np.array_equal(answer.image.affine, affine)
    assert [x.value for x in answer.labels] == list(values)
    assert (answer.case_id, answer.bundle) == ("c", "the hash")


class Followed(Threads):
    """Counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__(1)
        self.begun = self.asked = 0

    def begin(self) -> None:
        self.begun += 1
        super().begin()

    def follow(self) -> None:
        self.asked += 1


def test_threads_are_chosen_again_for_each_case_and_within_a_long_one() -> None:
    stage = Stage("segment", plan("segment"), masks((1,)), ("w",))
    predictor = made_of((stage, (Steps(1),)))
    predictor.threads = followed = Followed()
    image = Image(np.zeros((1, 40, 8, 8), dtype=np.float32))
    for _ in range(2):
        predictor(Case("c", {"image": image}))
    assert followed.begun == 2 and followed.asked > 8, "each stretch of 8 of 40 slices is followed, too"


def test_after_resampling_too_and_the_input_is_untouched() -> None:
    index = np.zeros((16, 24, 24), dtype=np.int64)
    index[4:12, 6:18, 6:18] = 1
    image = Image(index[None].astype(np.float32), affine=TURNED)
    before = image.array.copy()
    stage = Stage("segment", plan("segment", spacing_mm=(1.5, 1.5, 1.5)), masks((9,)), ("w",))
    answer = made_of((stage, (Steps(1),)))(Case("c", {"image": image}))
    assert isinstance(answer, Mask) and answer.image.shape == index.shape
    found = answer.image.array[0] == 9
    assert 2 * (found & (index == 1)).sum() / (found.sum() + index.sum()) > 0.9
    assert np.array_equal(image.array, before)


def test_an_ensemble_is_the_mean_of_its_members() -> None:
    index = blocks((10, 12, 12), 2)
    image = Image(index[None].astype(np.float32))
    stage = Stage("segment", plan("segment"), masks((1, 2)), ("a", "b"))
    # alone each is off by 0.8 to one side; the means of their logits are centred again
    off = [made_of((stage, (Steps(2, s),)))(Case("c", {"image": image})) for s in (0.8, -0.8)]
    assert all(isinstance(a, Mask) and not np.array_equal(a.image.array[0], index) for a in off)
    both = made_of((stage, (Steps(2, 0.8), Steps(2, -0.8))))(Case("c", {"image": image}))
    assert isinstance(both, Mask) and np.array_equal(both.image.array[0], index)


def scores(mirror: tuple[str, ...], members: int = 1, calibration: dict[str, Any] | None = None) -> Any:
    given = plan("classify", dims=2, sampling="whole", size=(1, 8, 8))
    given = given.model_copy(update={"infer": InferPlan(mirror=mirror)})  # type: ignore[arg-type]
    state = State(
        {"target": "t", "kind": "exclusive", "labels": [{"value": k, "name": n} for k, n in enumerate("ab")]}
    )
    stage = Stage("classify", given, state, ("w",) * members, calibration=calibration or {})
    pixels = np.arange(64, dtype=np.float32).reshape(1, 1, 8, 8) / 32 - 1
    return pixels, made_of((stage, (Corner(),) * members))(Case("c", {"image": Image(pixels)}))


@pytest.mark.parametrize("mirror", [(), ("x",), ("y", "x")])
def test_mirroring_means_over_every_mirror_image(mirror: tuple[str, ...]) -> None:
    pixels, answer = scores(mirror)
    logits = []
    for chosen in itertools.chain.from_iterable(
        itertools.combinations(mirror, k) for k in range(len(mirror) + 1)
    ):
        seen = pixels[0, 0]
        for axis in chosen:
            seen = np.flip(seen, 0 if axis == "y" else 1)
        here = seen[:4, :4].mean(dtype=np.float64)
        logits.append((here, -here))
    a, b = np.mean(logits, axis=0)
    assert isinstance(answer, Scores)
    assert answer.p[0] == pytest.approx(np.exp(a) / (np.exp(a) + np.exp(b)), abs=1e-6)


def test_a_temperature_divides_the_logits_and_thresholds_go_along() -> None:
    pixels, answer = scores((), 3, {"temperature": 2.0, "positive": "b", "thresholds": {"b": 0.3}})
    here = pixels[0, 0, :4, :4].mean(dtype=np.float64)
    assert answer.p[0] == pytest.approx(1 / (1 + np.exp(-2 * here / 2.0)), abs=1e-6)
    assert answer.p.sum() == pytest.approx(1) and (answer.positive, answer.thresholds) == ("b", {"b": 0.3})


def test_mirroring_turns_a_dense_answer_back() -> None:
    index = blocks((10, 12, 14), 2)
    given = plan("segment").model_copy(update={"infer": InferPlan(mirror=("z", "x"))})
    stage = Stage("segment", given, masks((1, 2)), ("w",))
    answer = made_of((stage, (Steps(2),)))(Case("c", {"image": Image(index[None].astype(np.float32))}))
    assert isinstance(answer, Mask) and np.array_equal(answer.image.array[0], index)


def test_an_axis_that_was_not_flipped_in_training_may_not_be_mirrored() -> None:
    given = plan("segment")
    flips = given.augment.model_copy(update={"flip_axes": ("x",)})
    stage = Stage("segment", given.model_copy(update={"augment": flips}), masks((1,)), ("w",))
    bundle = Bundle(Path("nowhere"), (stage,), "", "", "")
    assert with_mirror(bundle, ["x"]).stages[0].plan.infer.mirror == ("x",)
    for axes in (["y"], ["x", "z"], ["q"]):
        with pytest.raises(PlanError, match="may not be mirrored"):
            with_mirror(bundle, axes)


def test_what_cannot_be_joined_is_not_mirrored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(tasks.get("segment")), "run", "tiles")
    stage = Stage("boxes", plan("segment"), masks((1,)), ("w",))
    bundle = Bundle(Path("nowhere"), (stage,), "", "", "")
    with pytest.raises(PlanError, match="about mirror images cannot be joined"):
        with_mirror(bundle, ["x"])
    assert with_mirror(bundle, []).stages[0].plan.infer.mirror == ()


def test_the_second_stage_looks_only_into_the_box_and_is_put_back() -> None:
    pixels = np.zeros((20, 24, 30), dtype=np.float32)
    pixels[8:12, 10:16, 12:20] = 1.0
    pixels[9:11, 12:14, 14:16] = 2.0
    pixels[1, 1, 1] = 2.0  # far away: only the first stage sees it, and takes it for nothing
    image = Image(pixels[None], affine=np.array([[-1.0, 0, 0, 50], [0, 2, 0, 0], [0, 0, 1, 9], [0, 0, 0, 1]]))
    first = Stage("locate", plan("segment"), masks((1,)), ("w",))
    second = Stage(
        "fine", plan("segment"), masks((4, 8)), ("w",), takes={"stage": 0, "as": "crop", "margin_mm": 2.0}
    )

    class Body(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            body = ((x > 0.5) & (x < 2.5)).float()
            lone = nn.functional.avg_pool3d(nn.functional.pad(body, (1,) * 6), 3, stride=1) < 0.1
            return torch.cat([torch.zeros_like(x) + 0.5, torch.where(lone, 0.0, body)], dim=1)

    answer = made_of((first, (Body(),)), (second, (Steps(2),)))(Case("c", {"image": image}))
    assert isinstance(answer, Mask)
    want = np.zeros(pixels.shape, dtype=int)
    want[pixels == 1], want[pixels == 2] = 4, 8
    want[1, 1, 1] = 0
    assert np.array_equal(answer.image.array[0], want)
    assert np.array_equal(answer.image.affine, image.affine)  # type: ignore[arg-type]
    assert set(answer.parts) == {"locate"} and isinstance(answer.parts["locate"], Mask)


def test_a_box_has_its_margin_in_millimetres_and_stays_inside() -> None:
    mask = np.zeros((10, 20, 30), dtype=bool)
    mask[4:6, 1:3, 20:29] = True
    image = Image(mask[None], affine=np.diag([0.5, 2.0, 3.0, 1.0]))
    assert box_around(mask, image, 4.0) == ((2, 0, 12), (8, 5, 30))  # 4 mm: 2 slices, 2 rows, 8 columns
    assert box_around(np.zeros_like(mask), image, 4.0) == ((0, 0, 0), (10, 20, 30))
    assert box_around(mask, Image(mask[None]), 1.0) == ((3, 0, 19), (7, 4, 30)), "pixels without spacing"


def test_a_cropped_image_keeps_its_place_in_the_world() -> None:
    image = Image(np.random.default_rng(0).normal(size=(1, 6, 7, 8)), affine=TURNED)
    cut = image_in(image, (1, 2, 3), (4, 6, 8))
    assert cut.affine is not None and cut.shape == (3, 4, 5)
    assert np.allclose(cut.affine @ [0, 0, 0, 1], TURNED @ [3, 2, 1, 1])
    assert np.array_equal(cut.array, image.array[:, 1:4, 2:6, 3:8])
    clicked = Case("c", {"image": image}, prompts=(Prompt("click", ((3.0, 4.0, 5.0),)),))
    assert crop_case(clicked, image, (1, 2, 3), (4, 6, 8)).prompts[0].points == ((2.0, 2.0, 2.0),)


def test_what_cannot_be_run_is_said() -> None:
    stage = Stage(
        "segment", plan("segment"), masks((1,)), ("w",), takes={"stage": 0, "as": "halo", "margin_mm": 1}
    )
    image = Image(np.zeros((1, 8, 8, 8), dtype=np.float32))
    with pytest.raises(UnknownName, match="handover 'halo'"):
        made_of((replace(stage, takes=None), (Steps(1),)), (stage, (Steps(1),)))(Case("c", {"image": image}))
    with pytest.raises(BundleError, match="onnx"):
        Predictor(Bundle(Path("nowhere"), (replace(stage, runtime="onnx", takes=None),), "", "", ""))


def test_several_cases_together_are_those_alone_and_a_faulty_one_is_its_own() -> None:
    given = plan("classify", dims=2, sampling="whole", size=(1, 8, 8))
    names = [{"value": k, "name": n} for k, n in enumerate("ab")]
    state = State({"target": "t", "kind": "exclusive", "labels": names})
    one = made_of((Stage("classify", given, state, ("w",)), (Corner(),)))
    rng = np.random.default_rng(4)
    cases = [
        Case(f"c{k}", {"image": Image(rng.normal(size=(1, 1, 12, 9)).astype(np.float32))}) for k in range(5)
    ]
    cases[2] = Case("bad", {"image": Image(np.full((1, 1, 8, 8), np.nan, np.float32))})
    found = one.together(cases)
    assert one.joins and isinstance(found[2], DataError)
    for case, answer in zip(cases, found, strict=True):
        if case.id != "bad":
            alone = one(case)
            assert isinstance(answer, Scores) and isinstance(alone, Scores)
            assert answer.case_id == case.id and answer.bundle == "the hash"
            assert np.allclose(answer.p, alone.p, atol=1e-6)
    assert all(isinstance(a, DataError) for a in one.together([cases[2]]))


def test_dense_tasks_do_not_join_but_answer_alike() -> None:
    image = Image(blocks((10, 12, 12), 2)[None].astype(np.float32))
    one = made_of((Stage("segment", plan("segment"), masks((1, 2)), ("w",)), (Steps(2),)))
    first, second = one.together([Case("a", {"image": image}), Case("b", {})])
    assert not one.joins and isinstance(first, Mask) and isinstance(second, DataError)
    assert np.array_equal(first.image.array[0], image.array[0])


def test_the_share_that_is_done_is_told_and_what_the_watcher_raises_ends_it() -> None:
    image = Image(blocks((30, 12, 12), 2)[None].astype(np.float32))
    stages = [(Stage(n, plan("segment"), masks((1, 2)), ("w",)), (Steps(2),)) for n in ("first", "second")]
    told: list[float] = []
    made_of(*stages)(Case("c", {"image": image}), watch=told.append)
    assert told == sorted(told) and told[-1] == 1.0 and 0.5 in told and len(told) > 4

    def stop(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made_of(*stages)(Case("c", {"image": image}), watch=stop)
