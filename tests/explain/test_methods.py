"""Methods of explanation on models whose answer is known: what they must say is worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.explain._planted import SHAPE, Weighed, picture, question, setting, spot

from vesalius.core.registry import names
from vesalius.explain import faithful, methods, verdict
from vesalius.explain.methods.lime import line
from vesalius.explain.methods.occlusion import blocks
from vesalius.explain.methods.shap import coalitions, shares
from vesalius.explain.pieces import cut, numbered
from vesalius.explain.smoothed import smooth

BLACK_BOX = (
    "integrated-gradients", "integrated-gradients-smooth", "occlusion", "lime", "shap-kernel", "shap-gradient",
    "shap-gradient-smooth",
)  # fmt: skip
VOLUME = (8, 12, 12)


@pytest.mark.parametrize("name", BLACK_BOX)
@pytest.mark.parametrize("shape", [SHAPE, VOLUME])
def test_what_the_answer_rests_on_is_found(name: str, shape: tuple[int, ...]) -> None:
    where = tuple(slice(n // 8, n // 2) if n > 1 else slice(None) for n in shape)
    asked = question([Weighed(torch.from_numpy(spot(shape, where=where)))], picture(shape))
    found = methods.get(name).attribute(asked, setting(asked)).field
    assert found.shape == shape
    inside = np.zeros(shape, bool)
    inside[where] = True
    assert found[inside].mean() > 3 * np.abs(found[~inside]).mean()
    assert found[inside].sum() > 0


@pytest.mark.parametrize("name", BLACK_BOX)
def test_what_speaks_against_the_answer_is_negative(name: str) -> None:
    asked = question([Weighed(-torch.from_numpy(spot()))], picture())
    found = methods.get(name).attribute(asked, setting(asked)).field
    assert found[0, 2:8, 14:20].mean() < 0


def test_integrated_gradients_of_a_line_are_its_weights_times_the_image() -> None:
    image = picture()
    asked = question([Weighed(torch.from_numpy(spot()))], image)
    found = methods.get("integrated-gradients").attribute(asked, setting(asked))
    assert np.allclose(found.field, (spot() * image)[0], atol=1e-5)
    assert found.figures["left_over"] < 1e-4


def test_integrated_gradients_of_a_bent_answer_add_up_to_it() -> None:
    asked = question([Weighed(torch.from_numpy(spot()), bend=0.05)], picture())
    found = methods.get("integrated-gradients").attribute(asked, setting(asked))
    assert found.field.sum() == pytest.approx(asked.itself(), rel=1e-3)


def test_shapley_values_add_up_to_the_answer_and_are_exact_for_a_sum() -> None:
    asked = question([Weighed(torch.from_numpy(spot()))], picture())
    given = setting(asked)
    pieces = cut(asked, given.away, about=given.pieces)
    own = np.array([(spot() * picture())[0][pieces.numbers == k].sum() for k in range(pieces.places)])
    found = methods.get("shap-kernel").attribute(asked, given).field
    each = np.array([found[pieces.numbers == k][0] for k in range(pieces.places)])
    assert np.allclose(each, own, atol=1e-3)
    assert each.sum() == pytest.approx(asked.itself(), rel=1e-4)


def test_shapley_values_of_a_game_are_those_of_the_definition() -> None:
    """The glove game: two left gloves and one right; a pair is worth 1. Shapley: 1/6, 1/6, 2/3."""
    every = np.array([[k >> i & 1 for i in range(3)] for k in range(1, 7)], dtype=bool)
    worth = (every[:, :2].any(axis=1) & every[:, 2]).astype(float)
    assert np.allclose(shares(every, worth, whole=1.0, nothing=0.0), [1 / 6, 1 / 6, 2 / 3])


def test_a_coalition_that_weighs_twice_counts_as_two() -> None:
    random = np.random.default_rng(0)
    kept, answers = random.integers(0, 2, (30, 5)).astype(bool), random.standard_normal(30)
    weights = random.integers(1, 4, 30)
    twice = shares(kept.repeat(weights, axis=0), answers.repeat(weights), whole=1.0, nothing=0.0)
    assert np.allclose(shares(kept, answers, whole=1.0, nothing=0.0, weights=weights), twice)


def test_a_smoothed_map_has_the_same_sum_and_less_noise() -> None:
    field = np.random.default_rng(0).standard_normal((1, 100, 100)).astype(np.float32)
    found = smooth(field)
    assert found.sum() == pytest.approx(field.sum(), abs=1e-2)
    # white noise through a Gaussian of sigma s keeps 1 / (4 pi s^2) of its variance
    assert found.var() == pytest.approx(1 / (4 * np.pi * 2.0**2), rel=0.3)


def test_an_image_is_cut_once_for_all_models_that_are_asked() -> None:
    asked = question([Weighed(torch.from_numpy(spot()))], picture())
    other = faithful.with_other_weights(asked, seed=1)
    assert numbered(asked, about=30) is numbered(other, about=30)
    assert numbered(asked, about=30) is not numbered(asked.about(2 * picture(seed=1)), about=30)


def test_frames_are_explained_in_places() -> None:
    """An answer that is the spot in the second of two frames."""
    weights = np.stack([np.zeros((1, *SHAPE), np.float32), spot()])
    frames = np.stack([picture(), picture(seed=1)])
    asked = question([Weighed(torch.from_numpy(weights))], frames)
    found = methods.get("integrated-gradients").attribute(asked, setting(asked)).field
    assert asked.image.shape == (2, *SHAPE)
    assert np.allclose(found, (spot() * frames[1])[0], atol=1e-5)


def test_coalitions_come_in_pairs_and_leave_none_out() -> None:
    drawn = coalitions(7, 100, np.random.default_rng(0))
    assert drawn.shape == (100, 7)
    assert (drawn[0::2] == ~drawn[1::2]).all()
    assert set(drawn.sum(axis=1)) == set(range(1, 7))


def test_lime_follows_a_line_and_says_how_well() -> None:
    kept = np.random.default_rng(0).integers(0, 2, (500, 12)).astype(bool)
    truth = np.arange(12.0)
    weights, r2 = line(kept, kept @ truth)
    assert np.allclose(weights, truth, atol=0.3)
    assert r2 > 0.99
    assert line(kept, np.random.default_rng(1).standard_normal(500))[1] < 0.2


def test_blocks_cover_the_image_within_the_samples() -> None:
    for shape, most in (((1, 224, 224), 200), ((96, 96, 96), 100), ((3, 5, 7), 1), ((1, 4, 4), 1000)):
        found = blocks(shape, most)
        covered = np.zeros(shape, bool)
        for place in found:
            covered[place] = True
        assert covered.all()
        assert len(found) <= most


@pytest.mark.parametrize("name", BLACK_BOX)
def test_covariates_are_explained_beside_the_image(name: str) -> None:
    beside = np.array([2.0, -1.0, 3.0], np.float32)
    model = Weighed(0 * torch.from_numpy(spot()), beside=torch.tensor([1.0, 1.0, 0.0]))
    asked = question([model], picture(), beside=beside)
    found = methods.get(name).attribute(asked, setting(asked))
    assert found.beside is not None
    assert found.beside == pytest.approx([2.0, -1.0, 0.0], abs=0.1)
    assert np.abs(found.field).max() < 0.02


@pytest.mark.parametrize("name", BLACK_BOX)
def test_members_are_joined_and_the_same_seed_gives_the_same_map(name: str) -> None:
    one, other = (Weighed(torch.from_numpy(f * spot())) for f in (1.0, 3.0))
    both, given = question([one, other], picture()), setting(question([one], picture()))
    found = methods.get(name).attribute(both, given).field
    assert np.array_equal(found, methods.get(name).attribute(both, given).field)
    alone = methods.get(name).attribute(question([one], picture()), given).field
    assert np.allclose(found, 2 * alone, atol=0.05 * np.abs(found).max())


def test_pieces_are_whole_numbers_that_leave_out_none() -> None:
    asked = question([Weighed(torch.from_numpy(spot()))], picture())
    pieces = cut(asked, setting(asked).away, about=30)
    assert sorted(np.unique(pieces.numbers)) == list(range(pieces.places))
    kept = np.ones((2, pieces.count), bool)
    kept[1] = False
    (whole, _), (nothing, _) = pieces.changed(kept)
    assert torch.equal(whole, asked.image)
    assert torch.equal(nothing, pieces.away)


@pytest.mark.parametrize("shape", [(1, 64, 64), (24, 32, 32)])
def test_noise_does_not_melt_pieces_into_one(shape: tuple[int, ...]) -> None:
    asked = question([Weighed(torch.from_numpy(spot(shape)))], picture(shape))
    pieces = cut(asked, setting(asked).away, about=40)
    sizes = np.bincount(pieces.numbers.ravel())
    assert 25 <= pieces.places <= 60
    assert sizes.max() < 3 * sizes.mean()


def test_every_method_is_tried_here_or_on_a_network() -> None:
    parts = {"columns", "frames", "sources"}  # see test_parts.py
    assert set(names("explain.methods")) == {*BLACK_BOX, *parts, "gradcam", "gradcam-plus", "rollout"}


def test_deletion_and_insertion_of_the_true_map_beat_chance_and_the_middle() -> None:
    asked = question([Weighed(torch.from_numpy(spot()))], picture())
    given = setting(asked)
    true = faithful.gain(asked, given, spot()[0])
    assert true["deletion"] < 0.1 < 0.9 < true["insertion"]
    assert true["gain"] > faithful.gain(asked, given, faithful.middle(SHAPE))["gain"] + 0.5
    assert abs(faithful.by_chance(asked, given)) < 0.4
    wrong = faithful.gain(asked, given, -spot()[0])
    assert wrong["gain"] < -0.8


def test_an_answer_that_does_not_look_has_no_gain() -> None:
    asked = question([Weighed(0 * torch.from_numpy(spot()))], picture())
    assert np.isnan(faithful.gain(asked, setting(asked), spot()[0])["gain"])


def test_a_map_that_is_the_same_everywhere_does_not_hold_whatever_its_gain() -> None:
    figures = {"gain": 0.1, "gain_of_the_middle": -0.3, "same_without_learning": 0.0}
    assert verdict.fault(figures, spot()[0]) is None
    assert verdict.fault(figures, np.zeros(SHAPE, np.float32)) == "it is the same everywhere"
    assert (
        verdict.fault({}, np.ones(SHAPE, np.float32)) == "it is the same everywhere"
    )  # not measured: --check none


def test_infidelity_is_none_for_the_true_map_and_much_for_another() -> None:
    image = picture()
    asked = question([Weighed(torch.from_numpy(spot()))], image)
    given = setting(asked)
    assert faithful.infidelity(asked, given, (spot() * image)[0]) < 1e-6
    assert faithful.infidelity(asked, given, faithful.middle(SHAPE)) > 0.3
    assert faithful.infidelity(asked, given, np.zeros(SHAPE)) == 1.0


def test_models_without_learning_keep_their_numbers_and_lose_their_order() -> None:
    asked = question([Weighed(torch.from_numpy(spot()))], picture())
    other = faithful.with_other_weights(asked, seed=1)
    mixed, own = (next(q.models[0].parameters()).detach() for q in (other, asked))
    assert torch.equal(mixed.flatten().sort().values, own.flatten().sort().values)
    assert not torch.equal(mixed, own)
    again = faithful.with_other_weights(asked, seed=1)
    assert torch.equal(next(again.models[0].parameters()), mixed)
