"""Detection through the front door: pictures and volumes made here, of which it is known where everything lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import vesalius as vs
from vesalius.answers import contract as answers
from vesalius.core.answers.boxes import COUNTS, Boxes
from vesalius.core.case import Box, Case
from vesalius.core.cohort import Cohort, Label, TargetInfo
from vesalius.core.errors import PlanError
from vesalius.core.image import Image
from vesalius.core.plan import USER, override
from vesalius.core.progress import Silent
from vesalius.explain.explanation import Choices, explain
from vesalius.infer import runs
from vesalius.infer.asked import learned
from vesalius.infer.predictor import Predictor
from vesalius.infer.runs.contract import Members
from vesalius.learn.examples import batches, centres_of, prepare_examples
from vesalius.learn.stepper import build
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.plan.rules import draft_plan
from vesalius.plan.things import ThingPrint
from vesalius.prepare.batch import collate
from vesalius.run.workspace import prepare_workspace
from vesalius.tasks import contract

TASK = contract.get("detect")
SIDE = 64
LABELS = (Label(1, "disc"), Label(2, "square"))
INFO = TargetInfo("boxes", "boxes", LABELS)
QUICK = {
    "train.steps": 70, "train.batch": 6, "train.members": 1, "train.folds": 3, "train.validations": 1,
    "train.threads": 1, "train.precision": "fp32", "net.name": "resnet-10", "net.scale": 0.125, "net.options": {},
    "net.init": None, "train.phases": [], "train.lr": 4e-3, "task.options.width": 24, "task.options.depth": 1,
    "task.options.candidates": 32, "data.size": [1, 64, 64], "infer.novelty": "none",
}  # fmt: skip


def picture(index: int, *, things: int | None = None, side: int = SIDE) -> Case:
    """A noisy picture with up to five bright discs and dark squares that do not touch."""
    rng = np.random.default_rng([7, index])
    pixels = rng.normal(90, 6, (side, side))
    taken, boxes = np.zeros((side, side), dtype=bool), []
    y, x = np.mgrid[:side, :side]
    for k in range(int(rng.integers(0, 6)) if things is None else things):
        for _ in range(50):
            half = int(rng.integers(5, 9))
            cy, cx = rng.integers(half, side - half, 2)
            disc = bool(rng.integers(2)) if things is None else k % 2 == 0
            inside = (
                (y + 0.5 - cy) ** 2 + (x + 0.5 - cx) ** 2 <= half**2
                if disc
                else (abs(y + 0.5 - cy) <= half) & (abs(x + 0.5 - cx) <= half)
            )
            if not (taken & inside).any():
                break
        else:
            continue
        taken |= inside
        pixels[inside] = rng.normal(190 if disc else 15, 6, int(inside.sum()))
        name = "disc" if disc else "square"
        boxes.append(
            Box((0.0, float(cy - half), float(cx - half)), (1.0, float(cy + half), float(cx + half)), name)
        )
    image = Image(np.clip(pixels, 0, 255).astype(np.uint8)[None, None])
    return Case(
        f"picture-{index:03d}", {"image": image}, patient=f"P{index:03d}", targets={"boxes": tuple(boxes)}
    )


def pictures(folder: Path, n: int = 36) -> Cohort:
    return Cohort(folder, "made", tuple(picture(k) for k in range(n)), {"boxes": INFO}, patients_known=True)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> vs.Run:
    """A detector that learned discs and squares for some seconds."""
    folder = tmp_path_factory.mktemp("detect")
    threads = torch.get_num_threads()
    made = vs.fit(pictures(folder), folder / "run", settings=QUICK, device="cpu")
    torch.set_num_threads(threads)
    return made


@pytest.fixture(scope="module")
def predictor(run: vs.Run) -> Predictor:
    return Predictor(run.bundle, device="cpu")


def overlap(one: Box, other: Box) -> float:
    """Return the intersection over the union of two boxes, 0 where their labels differ."""
    a, b, c, d = (np.array(v) for v in (one.low, one.high, other.low, other.high))
    both = np.clip(np.minimum(b, d) - np.maximum(a, c), 0, None).prod()
    return float(both / ((b - a).prod() + (d - c).prod() - both)) * (one.label == other.label)


def called(answer: Boxes) -> list[Box]:
    return [answer.boxes[k] for k in answer.called]


# --- a fit


def test_it_is_chosen_for_boxes_and_learns_where_they_lie(run: vs.Run) -> None:
    assert run.plan.task.name == "detect"
    card = run.scorecard
    assert card.metrics["ap50"].value > 0.7
    assert card.metrics["ap50"].value > (card.baseline["ap50"].value or 0.0) + 0.3
    assert card.metrics["count_mae"].value < 1.0


def test_its_calibration_is_of_candidates_that_members_never_saw(run: vs.Run) -> None:
    found = run.bundle.stages[-1].calibration
    assert set(found["lines"]) == set(found["thresholds"]) == {"disc", "square"}
    assert all(slope > 0 for slope, _ in found["lines"].values())
    assert all(0 < at < 1 for at in found["thresholds"].values())
    assert found["n"] > 3


def test_an_answer_counts_what_it_calls(predictor: Predictor) -> None:
    case = picture(100, things=4)
    answer = predictor(replace(case, targets={}))
    assert (np.diff(answer.p) <= 0).all() and len(answer.boxes) == len(answer.p)
    counts = answer.parts[COUNTS].parts
    names = [b.label for b in called(answer)]
    assert {name: v.x for name, v in counts.items()} == {
        "disc": names.count("disc"),
        "square": names.count("square"),
    }
    for truth in case.targets["boxes"]:
        assert max(overlap(b, truth) for b in called(answer)) > 0.5


def test_nothing_is_called_where_there_is_nothing(predictor: Predictor) -> None:
    assert called(predictor(replace(picture(101, things=0), targets={}))) == []


def test_a_mirrored_picture_has_the_mirrored_answer(run: vs.Run, predictor: Predictor) -> None:
    assert run.plan.infer.mirror == ("x",)
    case = picture(102, things=5)
    pixels = case.images["image"].array
    flipped = replace(case, images={"image": Image(np.ascontiguousarray(pixels[..., ::-1]))}, targets={})
    one, other = predictor(replace(case, targets={})), predictor(flipped)
    assert len(one.boxes) == len(other.boxes) > 3
    for box, p in zip(one.boxes[:5], one.p, strict=False):
        mirrored = Box(
            (0.0, box.low[1], SIDE - box.high[2]), (1.0, box.high[1], SIDE - box.low[2]), box.label
        )
        near = max(range(len(other.boxes)), key=lambda k: overlap(other.boxes[k], mirrored))
        assert overlap(other.boxes[near], mirrored) > 0.999 and other.p[near] == pytest.approx(p, abs=1e-4)


def test_its_mirror_images_are_opinions_about_the_same_places(predictor: Predictor) -> None:
    answer = predictor.doubting("mirror")(replace(picture(105, things=3), targets={}))
    assert answer.doubt is not None and len(called(answer)) > 0
    assert answer.doubt.figures["agreed"] > 0.6, "what is seen in a mirror image lies where it is"
    assert 0 < answer.doubt.figures["corner_sd"] < 4


def test_tiles_find_once_what_one_pass_over_all_finds(predictor: Predictor) -> None:
    large = picture(103, things=12, side=160)
    loaded, reference = predictor.stages[-1], large.images["image"]
    state, calibration = loaded.stage.state, loaded.stage.calibration

    def said(size: int) -> list[Box]:
        about = {
            "data.sampling": "patches",
            "data.size": [1, size, size],
            "infer.overlap": 0.4,
            "infer.mirror": [],
        }
        plan = override(loaded.stage.plan, about, reason=USER)
        prepared = TASK.prepare(large, plan, state, reference=reference)
        example = TASK.encode(large, prepared, reference, state)
        assert example.images["image"].shape[-2:] == (160, 160)
        members = Members(TASK, loaded.models, plan, torch.device("cpu"))
        raw = runs.get("tiles").answer(members, example, prepared.undo)
        return called(TASK.decode(raw, state, calibration, reference, undo=prepared.undo))

    tiled, whole, truths = said(64), said(160), large.targets["boxes"]
    assert len(tiled) <= len(whole) + 3, "what two tiles see is one thing"
    for boxes in (tiled, whole):
        assert sum(max(overlap(b, t) for b in boxes) > 0.5 for t in truths) >= 9
    assert sum(max(overlap(b, w) for b in tiled) > 0.5 for w in whole) >= len(whole) - 2


def test_a_box_is_explained_by_what_lies_in_it(predictor: Predictor) -> None:
    case = replace(picture(104, things=2), targets={})
    found = explain(
        predictor,
        case,
        ("integrated-gradients", "occlusion"),
        ask="box=1",
        choices=Choices(check="none", samples=64),
    )
    box = found.answer.boxes[0]
    assert found.asked.words == f"box 1, {box.label}" and found.asked.label == [x.name for x in LABELS].index(
        box.label
    )
    inside = np.zeros((SIDE, SIDE), dtype=bool)
    inside[int(box.low[1]) : int(box.high[1]) + 1, int(box.low[2]) : int(box.high[2]) + 1] = True
    for one in found.explained:
        field = one.map.image.array[0, 0]
        assert field[inside].mean() > 3 * abs(field[~inside]).mean(), one.method


def test_what_is_asked_is_one_box_and_not_another(predictor: Predictor) -> None:
    case = replace(picture(104, things=2), targets={})
    answer = predictor(case)
    raw = torch.tensor(
        [
            [
                [0, 10, 10, 1, 20, 20, 2.0, 0, 0, 1],
                [0, 40, 40, 1, 50, 50, 4.0, 0, 0, 1],
                [0, 10, 10, 1, 20, 20, 5.0, 1, 0, 1],
            ]
        ]
    )
    ask = replace(answers.ask(answer, "box=1"), box=np.array([[0, 10, 10], [1, 20, 20]]), label=0)
    assert float(TASK.scalar(raw, ask)) == pytest.approx(
        float(torch.tensor(2.0).sigmoid().log()) + np.log(1.001)
    )


# --- the plan


def prints(
    things: ThingPrint | None, shape: tuple[int, int, int] = (1, 480, 640), *, sided: bool = False
) -> Fingerprint:
    flat = shape[0] == 1
    return Fingerprint(
        cases=200, patients=200, images=("image",), channels=3 if flat else 1, grey=not flat, flat=flat,
        shape_median=shape, shape_max=shape, spacing_median=None if flat else (3.1, 3.1, 3.9), spacing_known=not flat,
        unit=None, bits=8, low=0.0, high=255.0, mean=120.0, sd=50.0, inside=False, classes={}, voxels={},
        labels=("a",), sided=sided, things=things,
    )  # fmt: skip


CPU = Machine(cores=2, memory=8 << 30, gpu=None, gpu_memory=0, bf16=False)


def drafted(found: Fingerprint):
    return draft_plan(TASK, INFO, found, CPU)


def test_pictures_are_scaled_so_that_small_boxes_are_still_seen() -> None:
    cells = ThingPrint(
        {"red": (90.0, 102.0, 115.0), "platelet": (31.0, 38.0, 50.0)}, (1.0, 100.0, 100.0), 11.0, 28
    )
    plan = drafted(prints(cells))
    assert plan.data.sampling == "whole" and plan.data.size == (1, 256, 320)
    assert plan.task.options["finest"] == 8 and plan.task.options["candidates"] == 96
    assert "31 pixels" in plan.reasons["data.sampling"]
    lungs = ThingPrint({"Left Lung": (150.0, 200.0, 300.0)}, (1.0, 280.0, 160.0), 2.0, 2)
    assert max(drafted(prints(lungs)).data.size) == 224, "large boxes are seen in small pictures"


def test_boxes_too_small_for_a_scaled_picture_are_looked_for_in_patches() -> None:
    specks = ThingPrint({"a": (5.0, 7.0, 9.0)}, (1.0, 7.0, 7.0), 3.0, 9)
    plan = drafted(prints(specks, (1, 2000, 1500)))
    assert plan.data.sampling == "patches" and plan.train.foreground > 0 and plan.task.options["finest"] == 2
    assert plan.infer.overlap == 0.2


def test_tiny_things_in_volumes_have_a_fine_level() -> None:
    nodules = ThingPrint({"lesion": (3.0, 4.5, 9.0)}, (4.0, 4.5, 4.5), 4.0, 8)
    plan = drafted(prints(nodules, (64, 128, 128)))
    assert plan.data.dims == 3 and plan.data.sampling == "patches" and plan.task.options["finest"] == 2
    assert plan.data.spacing_mm == (3.1, 3.1, 3.9) and plan.net.options["stem"] == "half"
    typical = learned(TASK, [], INFO, plan).values["typical"]
    assert len(typical) == plan.task.options["levels"] and typical[0][0] < typical[0][1], (
        "as flat as the median box"
    )


def test_labels_that_name_a_side_are_never_mirrored() -> None:
    lungs = ThingPrint({"Left Lung": (150.0, 200.0, 300.0)}, (1.0, 280.0, 160.0), 2.0, 2)
    plan = drafted(prints(lungs, sided=True))
    assert plan.augment.flip_axes == () and plan.infer.mirror == ()


def test_every_choice_has_a_reason(tmp_path: Path) -> None:
    plan = vs.fit(pictures(tmp_path, 12), dry_run=True, settings={"train.steps": 1}).plan
    for name in plan.task.options:
        assert plan.reasons[f"task.options.{name}"], name
    assert plan.fingerprint["things"]["most"] <= 5


def test_a_rule_that_is_none_is_refused_before_training(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="threshold"):
        vs.fit(
            pictures(tmp_path, 12),
            tmp_path / "run",
            settings={"task.options.threshold": "best", "train.steps": 1},
        )


def test_the_sizes_of_boxes_are_measured_on_canonical_axes(tmp_path: Path) -> None:
    affine = np.array([[0, 0, -2.0, 30], [-1.0, 0, 0, 5], [0, 1.5, 0, -80], [0, 0, 0, 1]])
    boxes = (
        Box((1.0, 2.0, 3.0), (3.0, 6.0, 11.0), "a"),
        Box((0.0, 0.0, 0.0), (9.0, 9.0, 9.0), "a", crowd=True),
    )

    def noise(k: int) -> np.ndarray:
        return np.random.default_rng(k).normal(size=(1, 12, 16, 24)).astype(np.float32)

    cases = tuple(
        Case(f"case-{k}", {"image": Image(noise(k), affine=affine)},
             patient=f"P{k}", targets={"boxes": boxes})
        for k in range(6)
    )  # fmt: skip
    cohort = Cohort(tmp_path, "made", cases, {"boxes": TargetInfo("boxes", "boxes", (Label(1, "a"),))})
    space = prepare_workspace(
        cohort,
        task="detect",
        target=None,
        columns=None,
        split=None,
        seed=0,
        folds=2,
        max_set_aside=0.1,
        progress=Silent(),
    )
    (found,) = {f.things for f in space.facts.values()}
    # the array's z runs along x, its x along -y, and its y along z of the patient
    assert found == (("a", (4.0, 8.0, 2.0)),), "a crowd has no size of a thing"


def test_the_intensities_that_matter_are_those_about_the_boxes(tmp_path: Path) -> None:
    affine = np.eye(4)

    def scan(k: int) -> Case:
        rng = np.random.default_rng(k)
        pixels = rng.normal(-1000, 30, (1, 12, 32, 32)).astype(np.float32)
        z, y, x = rng.integers(3, 5), *rng.integers(6, 20, 2)
        pixels[0, z - 2 : z + 6, y - 4 : y + 8, x - 4 : x + 8] = rng.normal(60, 10, (8, 12, 12))
        box = Box((float(z), float(y), float(x)), (z + 4.0, y + 4.0, x + 4.0), "a")
        image = Image(pixels, affine=affine, unit="HU")
        return Case(f"case-{k}", {"image": image}, patient=f"P{k}", targets={"boxes": (box,)})

    cases = tuple(map(scan, range(6)))
    cohort = Cohort(tmp_path, "made", cases, {"boxes": TargetInfo("boxes", "boxes", (Label(1, "a"),))})
    plan = vs.fit(cohort, dry_run=True, settings={"train.steps": 1}).plan
    (about,) = plan.data.normalise
    assert about.method == "fixed" and about.low is not None and about.low > 0, (
        "the air is not what is told apart"
    )
    assert about.sd is not None and about.sd < 20


# --- examples and loss


def small(tmp_path: Path, cases: Sequence[Case], **settings: object):
    cohort = Cohort(tmp_path, "made", tuple(cases), {"boxes": INFO})
    plan = vs.fit(cohort, dry_run=True, settings={**QUICK, "train.steps": 1, **settings}).plan
    state = learned(TASK, cases, INFO, plan)
    examples = prepare_examples(TASK, cases, plan, state, progress=Silent())
    return plan, state, examples


def test_boxes_come_back_from_the_prepared_grid_as_they_were(tmp_path: Path) -> None:
    case = picture(3, things=3)
    plan, state, _ = small(tmp_path, [picture(k) for k in range(6)], **{"data.size": [1, 96, 160]})
    reference = case.images["image"]
    prepared = TASK.prepare(case, plan, state, reference=reference)
    example = TASK.encode(case, prepared, reference, state)
    rows = np.column_stack(
        [example.ragged["boxes"].reshape(-1, 6), np.full(3, 0.9), example.ragged["labels"]]
    )
    answer = TASK.decode(rows, state, {}, reference, undo=prepared.undo)
    for box, truth in zip(answer.boxes, case.targets["boxes"], strict=True):
        assert (
            np.allclose([box.low, box.high], [truth.low, truth.high], atol=1e-4) and box.label == truth.label
        )


def test_cases_without_boxes_are_background_and_unknown_ones_teach_nothing(tmp_path: Path) -> None:
    cases = [picture(k, things=2) for k in range(5)] + [picture(9, things=0)]
    plan, state, examples = small(tmp_path, cases)
    model = build(TASK, plan, state, 0)
    empty = TASK.loss(model, collate([examples[-1]]), torch.Generator())
    assert 0 < float(empty["sure"].detach()) < 20 and float(empty["box"].detach()) == 0.0
    bare = TASK.encode(
        replace(cases[0], targets={}), TASK.prepare(cases[0], plan, state, reference=cases[0].images["image"]),
        cases[0].images["image"], state,
    )  # fmt: skip
    assert (
        float(sum(v.detach() for v in TASK.loss(model, collate([bare]), torch.Generator()).values())) == 0.0
    )


def test_nothing_is_asked_where_a_crowd_is(tmp_path: Path) -> None:
    case = picture(3, things=1)
    whole = Box((0.0, 0.0, 0.0), (1.0, 64.0, 64.0), "disc", crowd=True)
    crowded = replace(case, targets={"boxes": (whole,)})
    plan, state, examples = small(tmp_path, [picture(k) for k in range(6)] + [crowded])
    loss = TASK.loss(build(TASK, plan, state, 0), collate([examples[-1]]), torch.Generator())
    assert float(sum(v.detach() for v in loss.values())) == 0.0


def test_patches_hold_what_is_looked_for_and_cut_boxes_end_with_them(tmp_path: Path) -> None:
    cases = [picture(k, things=2, side=128) for k in range(6)]
    patches = {"data.sampling": "patches", "data.size": [1, 48, 48], "train.foreground": 1.0}
    plan, _, examples = small(tmp_path, cases, **patches, **{"augment.probability": 0.0})
    middles = centres_of(examples[0], 0, plan)
    assert len(middles) == 1 and len(middles[0]) == 2
    drawn = batches(examples, plan, 0, task=TASK)(0, torch.device("cpu"))
    for boxes, whole in zip(drawn.ragged["boxes"], drawn.ragged["whole"], strict=True):
        assert boxes is not None and whole is not None
        share = (boxes[:, 1] - boxes[:, 0]).prod(dim=1) / whole.prod(dim=1)
        assert float(boxes.min()) >= 0 and float(boxes[..., 1:].max()) <= 48 and float(share.max()) > 0.2
