"""The parts of the detector, each against values worked by hand or a slower way to the same."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from vesalius import nets
from vesalius.core.errors import PlanError
from vesalius.tasks import _judging as judging
from vesalius.tasks import _overlap as overlap
from vesalius.tasks._assigning import Places, assign
from vesalius.tasks._detector import Detector, Pyramid, Rung, rows_of, rungs_of, suppressed
from vesalius.tasks._fusing import LABEL, LOGIT, SOURCE, SOURCES, P, fused
from vesalius.tasks.contract import Tile


def box(*corners: float) -> list[list[float]]:
    """A flat box `y0, x0, y1, x1`, or one of a volume `z0, y0, x0, z1, y1, x1`."""
    if len(corners) == 4:
        y0, x0, y1, x1 = corners
        return [[0.0, y0, x0], [1.0, y1, x1]]
    return [list(corners[:3]), list(corners[3:])]


# --- overlap


def test_overlaps_are_those_worked_by_hand() -> None:
    one, other = torch.tensor([box(0, 0, 2, 2)]), torch.tensor([box(1, 1, 3, 3)])
    assert float(overlap.iou(one, other)) == pytest.approx(1 / 7)
    # the surrounding square has 9, of which 2 are in neither
    assert float(overlap.similarity("giou", one, other)) == pytest.approx(1 / 7 - 2 / 9)
    # the middles are √2 apart, the surrounding box has the diagonal (1, 3, 3)
    assert float(overlap.similarity("diou", one, other)) == pytest.approx(1 / 7 - 2 / 19)


def test_boxes_of_volumes_overlap_along_z_too() -> None:
    one, other = torch.tensor([box(0, 0, 0, 2, 2, 2)]), torch.tensor([box(1, 0, 0, 3, 2, 2)])
    assert float(overlap.iou(one, other)) == pytest.approx(4 / 12)
    apart = torch.tensor([box(5, 0, 0, 7, 2, 2)])
    assert float(overlap.iou(one, apart)) == 0.0


@pytest.mark.parametrize("form", overlap.FORMS)
def test_boxes_that_do_not_meet_are_drawn_together(form: str) -> None:
    one = torch.tensor([box(0, 0, 2, 2)], requires_grad=True)
    alike = overlap.similarity(form, one, torch.tensor([box(10, 10, 12, 12)]))
    (slope,) = torch.autograd.grad(alike.sum(), one)
    assert (slope[0, 1, 1:] > 0).all(), "the high corner moves towards the other box"


# --- which places find which boxes


def places(many: int, cell: float = 8.0) -> Places:
    """A square grid of flat places, `many` a side."""
    axis = (torch.arange(many) + 0.5) * cell
    grid = torch.stack(torch.meshgrid(torch.tensor([0.5]), axis, axis, indexing="ij"), dim=-1).reshape(-1, 3)
    return Places(grid, torch.tensor([[1.0, cell, cell]]).expand_as(grid))


def around(spots: Places, half: float) -> Tensor:
    """A square about each place."""
    away = torch.tensor([0.5, half, half])
    return torch.stack([spots.points - away, spots.points + away], dim=1)


def test_without_a_box_all_is_background() -> None:
    spots = places(4)
    found = assign(
        spots, torch.rand(16, 2), around(spots, 8), torch.zeros(0, 2, 3), torch.zeros(0, dtype=torch.long)
    )
    assert (found.truth == -1).all() and (found.quality == 0).all()


def test_the_places_within_a_box_find_it_and_the_best_has_its_overlap() -> None:
    spots = places(8)
    truth = torch.tensor([box(16, 16, 48, 48)])
    p = torch.full((64, 1), 0.1)
    said = around(spots, 14)
    found = assign(spots, p, said, truth, torch.tensor([0]))
    inside = ((spots.points > truth[0, 0]) & (spots.points < truth[0, 1])).all(dim=1)
    chosen = found.truth == 0
    assert chosen.any() and not (chosen & ~inside).any()
    best = overlap.iou(said, truth)[chosen].max()
    assert float(found.quality.max()) == pytest.approx(float(best))
    assert (found.quality[~chosen] == 0).all()


def test_a_box_between_places_is_found_by_the_nearest_one() -> None:
    spots = places(4)
    tiny = torch.tensor([box(7.5, 7.5, 8.5, 8.5)])  # no middle of a cell lies in it
    found = assign(spots, torch.full((16, 1), 0.1), around(spots, 4), tiny, torch.tensor([0]))
    assert int((found.truth == 0).sum()) == 1
    nearest = (spots.points - tiny.mean(dim=1)).square().sum(dim=1).min()
    chosen = spots.points[found.truth == 0]
    assert float((chosen - tiny.mean(dim=1)).square().sum()) == pytest.approx(float(nearest))


def test_a_place_in_two_boxes_finds_the_one_that_its_own_box_fits() -> None:
    spots = places(8)
    truth = torch.tensor([box(16, 16, 32, 32), box(8, 8, 56, 56)])
    said = around(spots, 8.0)
    found = assign(spots, torch.full((64, 1), 0.5), said, truth, torch.tensor([0, 0]))
    small = (spots.points[:, 1:] > 16).all(dim=1) & (spots.points[:, 1:] < 32).all(dim=1)
    assert (found.truth[small & (found.truth >= 0)] == 0).any()
    assert {0, 1} <= set(found.truth.tolist()), "each box is found by some place"


# --- the pyramid


def test_levels_are_taken_halved_and_doubled() -> None:
    strides = [(4, 4), (8, 8), (16, 16), (32, 32)]
    assert rungs_of(strides, finest=8, many=3) == (Rung((8, 8), 1), Rung((16, 16), 2), Rung((32, 32), 3))
    assert rungs_of(strides, finest=2, many=2)[:2] == (Rung((2, 2)), Rung((4, 4), 0))
    assert rungs_of(strides, finest=32, many=2) == (Rung((32, 32), 3), Rung((64, 64)))
    alike = [(16, 16)] * 4  # as all maps of a transformer are
    assert rungs_of(alike, finest=8, many=3) == (Rung((8, 8)), Rung((16, 16), 3), Rung((32, 32)))


@pytest.mark.parametrize(
    ("name", "dims", "finest"), [("resnet-10", 2, 8), ("resnet-10", 3, 2), ("unet", 3, 4), ("vit-tiny", 2, 8)]
)
def test_it_stands_on_any_net(name: str, dims: int, finest: int) -> None:
    if name not in [n for role in ("encoder", "dense") for n in nets.names_for(role, dims=dims)]:
        pytest.skip(f"no {name}")
    size = (64, 48) if dims == 2 else (16, 32, 16)
    net = nets.build(name, dims=dims, in_channels=1, scale=0.125, size=size).eval()
    pyramid = Pyramid(net, finest=finest, levels=3, width=8)
    x = torch.zeros(1, 1, *size)
    found = net(x)
    maps = pyramid(found.features if net.role == "dense" else found, size)
    assert len(maps) == 3 and all(m.shape[:2] == (1, 8) for m in maps)
    for rung, level in zip(pyramid.rungs, maps, strict=False):
        assert list(level.shape[2:]) == [math.ceil(n / s) for n, s in zip(size, rung.stride, strict=True)]


def detector(dims: int = 2, labels: int = 2) -> Detector:
    torch.manual_seed(0)
    net = nets.build("resnet-10", dims=dims, in_channels=1, scale=0.0625)
    typical = [[1.0, 12.0, 12.0], [1.0, 24.0, 24.0]] if dims == 2 else [[6.0, 12.0, 12.0], [12.0, 24.0, 24.0]]
    made = Detector(
        net, labels, torch.nn.Identity(), finest=8, typical=typical, width=8, depth=1, form="diou", weight=2.0,
        candidates=20,
    )  # fmt: skip
    return made.eval()


def test_each_place_begins_with_a_typical_box_about_itself() -> None:
    model = detector()
    for parameter in (model.heads.sides.weight, model.heads.sides.bias):
        torch.nn.init.zeros_(parameter)
    seen = model(torch.zeros(1, 1, 1, 64, 48))
    sides = seen.boxes[0, :, 1] - seen.boxes[0, :, 0]
    first = 8 * 6  # cells of the finest level
    assert torch.allclose(sides[:first], torch.tensor([1.0, 12.0, 12.0]))
    assert torch.allclose(sides[first:], torch.tensor([1.0, 24.0, 24.0]))
    assert torch.allclose(seen.boxes[0].mean(dim=1), seen.places.points)
    assert seen.places.points[0].tolist() == [0.5, 4.0, 4.0] and seen.places.cells[0].tolist() == [
        1.0,
        8.0,
        8.0,
    ]


def test_of_boxes_that_overlap_the_surest_of_a_label_is_kept() -> None:
    boxes = torch.tensor([box(0, 0, 10, 10), box(1, 1, 11, 11), box(0, 0, 10, 10), box(20, 20, 30, 30)])
    kept = suppressed(boxes, torch.tensor([0, 0, 1, 0]), at=0.5)
    assert kept.tolist() == [0, 2, 3]


def test_rows_are_as_many_as_asked_for_and_what_is_lacking_is_nothing() -> None:
    model = detector()
    with torch.inference_mode():
        rows = rows_of(model(torch.randn(2, 1, 1, 32, 32)), most=100, flat=True)
    assert rows.shape == (2, 100, 10)
    sure = rows[0, :, LOGIT]
    assert (sure[:-1] >= sure[1:]).all() and float(sure[-1]) == -50.0
    assert set(rows[0, sure > -50, LABEL].tolist()) <= {0.0, 1.0}


# --- fusing


def row(
    corners: Sequence[Sequence[float]], p: float, *, label: int = 0, source: int = 0, sources: int = 1
) -> list[float]:
    return [*corners[0], *corners[1], math.log(p / (1 - p)), label, source, sources]


def tile(
    rows: Sequence[Sequence[float]],
    start: tuple[int, int, int] = (0, 0, 0),
    size: tuple[int, int, int] = (1, 64, 64),
) -> Tile:
    return Tile(np.array(rows, dtype=np.float32).reshape(-1, 10), start, size)


def test_two_opinions_become_their_weighted_mean() -> None:
    one = row(box(10, 10, 20, 20), 0.8, source=0, sources=2)
    two = row(box(11, 11, 21, 21), 0.4, source=1, sources=2)
    (found,) = fused([tile([one, two])], (1, 64, 64))
    assert found[P] == pytest.approx(0.6)
    assert found[:6] == pytest.approx([0, 10 + 1 / 3, 10 + 1 / 3, 1, 20 + 1 / 3, 20 + 1 / 3], abs=1e-5)


def test_an_opinion_that_sees_nothing_counts_as_zero() -> None:
    (found,) = fused([tile([row(box(10, 10, 20, 20), 0.8, sources=4)])], (1, 64, 64))
    assert found[P] == pytest.approx(0.2)


def test_two_things_of_one_opinion_stay_two() -> None:
    rows = [row(box(10, 10, 20, 20), 0.9), row(box(10, 14, 20, 24), 0.8)]
    assert len(fused([tile(rows)], (1, 64, 64))) == 2


def test_boxes_of_other_labels_are_not_joined() -> None:
    rows = [row(box(10, 10, 20, 20), 0.9), row(box(10, 10, 20, 20), 0.8, label=1)]
    assert fused([tile(rows)], (1, 64, 64))[:, P + 1].tolist() == [0.0, 1.0]


def test_a_cut_box_does_not_win_over_the_whole_one_however_sure_it_is() -> None:
    # a thing from x = 20 to 40: the first tile ends at 32 and sees a part of it, the second sees all
    first = tile([row(box(10, 20, 20, 32), 0.99)], (0, 0, 0), (1, 32, 32))
    second = tile([row(box(10, 4, 20, 24), 0.5)], (0, 0, 16), (1, 32, 32))
    for tiles in ([first, second], [second, first]):
        (found,) = fused(tiles, (1, 32, 48))
        assert found[:6] == pytest.approx([0, 10, 20, 1, 20, 40])
        assert found[P] == pytest.approx(0.5), "the tile that cannot see it whole has no say"


def test_a_thing_that_no_tile_sees_whole_is_kept_as_it_is_seen() -> None:
    parts = [
        tile([row(box(10, 4, 20, 32), 0.9)], (0, 0, 0), (1, 32, 32)),
        tile([row(box(10, 0, 20, 32), 0.9)], (0, 0, 16), (1, 32, 32)),
    ]
    found = fused(parts, (1, 32, 64))
    assert len(found) >= 1 and found[0, P] > 0.4


def test_the_border_of_the_image_cuts_nothing() -> None:
    (found,) = fused([tile([row(box(0, 0, 10, 10), 0.9)])], (1, 64, 64))
    assert found[P] == pytest.approx(0.9, abs=1e-6) and found[1] == 0.0


def test_what_two_tiles_see_whole_is_the_mean_of_both_by_how_central_it_is() -> None:
    first = tile([row(box(10, 18, 20, 28), 0.9)], (0, 0, 0), (1, 32, 32))
    second = tile([row(box(10, 2, 20, 12), 0.5)], (0, 0, 16), (1, 32, 32))
    (found,) = fused([first, second], (1, 32, 48))
    # x of the middle is 23: 7 from the first tile's middle, 9 from the second's; σ is a quarter of 32
    weights = [math.exp(-0.5 * (d / 8) ** 2) for d in (7, 9)]
    assert found[P] == pytest.approx((0.9 * weights[0] + 0.5 * weights[1]) / sum(weights))


def test_volumes_are_fused_along_z_too() -> None:
    first = tile([row(box(12, 4, 4, 16, 8, 8), 0.9)], (0, 0, 0), (16, 16, 16))
    second = tile([row(box(4, 4, 4, 12, 8, 8), 0.6)], (8, 0, 0), (16, 16, 16))
    (found,) = fused([first, second], (24, 16, 16))
    assert found[:6] == pytest.approx([12, 4, 4, 20, 8, 8]) and found[P] == pytest.approx(0.6)


def test_nothing_is_an_empty_list() -> None:
    assert fused([tile([])], (1, 64, 64)).shape == (0, 8)


# --- held against the truth


def candidates(*rows: tuple[Sequence[Sequence[float]], float, int]) -> np.ndarray:
    return np.array([[*b[0], *b[1], p, k] for b, p, k in rows], dtype=float).reshape(-1, 8)


def test_each_true_box_is_found_once_and_a_crowd_makes_no_false_alarm() -> None:
    truth = np.array([box(0, 0, 10, 10), box(20, 20, 30, 30), box(40, 40, 60, 60)])
    crowd = np.array([False, False, True])
    rows = candidates(
        (box(0, 0, 10, 10), 0.9, 0),
        (box(1, 0, 11, 10), 0.8, 0),
        (box(42, 42, 50, 50), 0.7, 0),
        (box(0, 40, 9, 49), 0.6, 0),
    )
    (found,) = judging.checked(rows, truth, np.zeros(3, int), crowd, many=1, flat=True)
    assert found.p.tolist() == [0.9, 0.8, 0.6] and found.hit.tolist() == [True, False, False] and found.n == 2


def test_average_precision_is_that_worked_by_hand() -> None:
    found = judging.Checked(np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, True, False]), 4)
    # precision 1 at the first, 2/3 at the second of four
    assert judging.average_precision(found) == pytest.approx((1 + 2 / 3) / 4)
    assert math.isnan(judging.average_precision(judging.Checked(np.zeros(0), np.zeros(0, bool), 0)))


def test_probabilities_come_as_often_true_as_they_say() -> None:
    rng = np.random.default_rng(0)
    odds = rng.normal(0, 2, 4000)
    hit = rng.random(4000) < 1 / (1 + np.exp(-(0.5 * odds - 1)))
    said = judging.Checked(1 / (1 + np.exp(-odds)), hit, int(hit.sum()))
    slope, offset = judging.fitted({"a": said})["a"]
    assert slope == pytest.approx(0.5, abs=0.06) and offset == pytest.approx(-1, abs=0.1)
    p = judging.mapped(said.p, [slope, offset])
    assert p.mean() == pytest.approx(hit.mean(), abs=0.01)
    assert (np.argsort(p) == np.argsort(said.p)).all(), "no candidate overtakes another"


def test_a_label_of_few_candidates_is_mapped_as_all_are() -> None:
    rng = np.random.default_rng(1)
    many = judging.Checked(rng.random(200), rng.random(200) < 0.3, 60)
    few = judging.Checked(np.array([0.5]), np.array([True]), 1)
    lines = judging.fitted({"many": many, "few": few})
    assert lines["few"] != [1.0, 0.0] and judging.fitted({"few": few})["few"] == [1.0, 0.0]


def test_thresholds_follow_their_rule() -> None:
    found = judging.Checked(
        np.array([0.9, 0.8, 0.7, 0.4, 0.2]), np.array([True, True, False, True, False]), 3, 2
    )
    at = {
        word: judging.threshold(found, judging.rule_of(word))
        for word in ("f1", "as_many", "half", "sensitivity:0.6", "false_positives:0.5")
    }
    assert at["f1"] == pytest.approx(0.3)  # 3 of 4 called are right, all 3 found: F1 6/7
    assert at["as_many"] == pytest.approx(0.55)  # three called
    assert at["half"] == 0.5 and at["sensitivity:0.6"] == pytest.approx(0.75)
    assert at["false_positives:0.5"] == pytest.approx(0.3)  # one false box in two cases
    assert judging.threshold(judging.Checked(np.zeros(0), np.zeros(0, bool), 0), judging.rule_of("f1")) == 0.5


@pytest.mark.parametrize("word", ["best", "sensitivity", "sensitivity:2", "false_positives:0", "f1:0.5"])
def test_other_words_are_refused(word: str) -> None:
    with pytest.raises(PlanError, match="threshold"):
        judging.rule_of(word)


# --- mirror images


def test_rows_are_turned_back_to_where_things_are() -> None:
    from vesalius.tasks import contract

    task = contract.get("detect")
    raw = torch.tensor([[row(box(10, 4, 20, 12), 0.9)]])
    turned = task.turned_back(raw, [-1], (1, 64, 32))
    assert turned[0, 0, :6].tolist() == [0.0, 10.0, 20.0, 1.0, 20.0, 28.0]
    assert torch.equal(task.turned_back(turned, [-1], (1, 64, 32)), raw)
    joined = task.join([raw[0], turned[0]])
    assert joined[:, SOURCE].tolist() == [0.0, 1.0] and joined[:, SOURCES].tolist() == [2.0, 2.0]
    assert raw[0, 0, SOURCES] == 1.0, "what was given is not changed"
