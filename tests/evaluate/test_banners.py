"""Banners: when a run was hardly trained, which class is never called, and when there are too few cases."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from _known import card as model_card

from vesalius.core.answers.mask import Mask
from vesalius.core.cohort import Label
from vesalius.core.image import Image
from vesalius.core.scorecard import Banner, as_json, load_scorecard
from vesalius.evaluate.banners import FEW_STEPS, of_training
from vesalius.evaluate.report import Report, render
from vesalius.evaluate.scorecard import scorecard
from vesalius.metrics import mask, scores, value


def card_of(rows: Any, answer: str = "Scores", **more: Any) -> Any:
    options = {"split": "test", "data_hash": "d" * 64, "resamples": 20, **more}
    return scorecard(rows, answer, **options)


def called(y: list[int], answers: list[int], labels: tuple[str, ...], **more: Any) -> Any:
    p = np.full((len(y), len(labels)), 0.1 / max(1, len(labels) - 1))
    p[np.arange(len(y)), answers] = 0.9
    return scores.from_arrays(p, np.array(y), labels=labels, **more)


def kinds(card: Any) -> list[str]:
    return [b.kind for b in card.banners]


@pytest.mark.parametrize(
    ("steps", "hardly"),
    [
        ([(6, 63)], True),
        ([(63, 63)], True),  # as planned, and still too few to learn from
        ([(FEW_STEPS, FEW_STEPS)], False),
        ([(FEW_STEPS - 1, FEW_STEPS - 1)], True),
        ([(600, 1200)], False),
        ([(599, 1200)], True),
        ([(900, 900), (900, 900), (449, 900)], True),
        ([(900, 900), (450, 900)], False),
        ([(40, 40), (40, 40), (40, 40)], False),  # together more than a hundred
    ],
)
def test_a_run_was_hardly_trained_where_a_member_did_under_half_or_all_did_few(
    steps: list[tuple[int, int]], hardly: bool
) -> None:
    found = of_training(steps)
    assert bool(found) is hardly
    if hardly:
        assert found[0].kind == "hardly trained"
        assert all(f"{d} of {p}" in found[0].text for d, p in steps)


def test_a_class_that_is_never_called_is_named_with_how_many_have_it() -> None:
    y = [0] * 20 + [1] * 10 + [2] * 8
    card = card_of(called(y, [0] * 30 + [2] * 8, ("cat", "normal, benign", "dog")))
    (banner,) = card.banners
    assert banner.kind == "never called"
    assert banner.text == ("This class is never called in split 'test': 'Normal, benign' (10 of 38 have it).")


def test_a_threshold_that_nothing_reaches_counts_as_never_called() -> None:
    rows = called([0, 1] * 10, [0, 1] * 10, ("ill", "well"), positive="ill", thresholds={"ill": 0.95})
    assert "'Ill' (10 of 20 have it)" in card_of(rows).banners[0].text


def test_labels_that_hold_together_are_called_from_their_thresholds() -> None:
    y = np.array([[1, 1, -1]] * 12 + [[0, 1, 0]] * 12)
    p = np.where(y == 1, 0.9, 0.2) * np.array([1.0, 0.5, 1.0])
    rows = scores.from_arrays(p, y, labels=("a", "b", "c"), kind="multilabel")
    found = {b.kind: b.text for b in card_of(rows).banners}
    assert found["never called"].endswith("'B' (24 of 24 have it).")
    assert "'C' (0)" in found["few cases"] and "'A'" not in found["few cases"]


def masks(truths: list[list[int]], answers: list[list[int]]) -> Any:
    """Rows of tiny masks, each a row of label values."""
    names = (Label(1, "liver"), Label(2, "tumour"))

    def image(values: list[int]) -> Image:
        return Image(np.array(values, dtype=np.uint8)[None, None, None], spacing_mm=(1.0, 1.0, 1.0))

    made = [Mask(labels=names, image=image(a), case_id=str(k)) for k, a in enumerate(answers)]
    return mask.rows(made, [image(t) for t in truths])


def test_a_label_that_no_answer_holds_though_truths_do_is_a_banner() -> None:
    rows = masks([[0, 1, 1, 2]] * 11 + [[0, 1, 1, 0]], [[0, 1, 1, 0]] * 12)
    assert mask.occurrences(rows) == {"liver": (12, 12, 12), "tumour": (11, 0, 12)}
    (banner,) = card_of(rows, "Mask").banners
    assert banner.text == "This class is never called in split 'test': 'Tumour' (11 of 12 have it)."


def test_a_label_that_is_only_called_where_it_is_not_is_called() -> None:
    rows = masks([[0, 1, 1, 2]] * 6 + [[0, 1, 1, 0]] * 6, [[0, 1, 1, 0]] * 6 + [[0, 1, 1, 2]] * 6)
    assert mask.occurrences(rows)["tumour"] == (6, 6, 12)
    assert kinds(card_of(rows, "Mask")) == []


def test_a_label_that_neither_truths_nor_answers_hold_is_few_and_not_never_called() -> None:
    assert kinds(card_of(masks([[0, 1, 1, 0]] * 12, [[0, 1, 1, 0]] * 12), "Mask")) == ["few cases"]


def test_few_patients_and_few_of_a_class_are_said() -> None:
    y = [0] * 12 + [1] * 4
    rows = called(y, y, ("a", "b"))
    (banner,) = card_of(rows, patients=[f"p{k % 9}" for k in range(16)]).banners
    assert banner.kind == "few cases"
    assert "9 patients, where 10 are few already" in banner.text
    assert "fewer than 5 cases with 'B' (4)" in banner.text
    (banner,) = card_of(called([0, 1] * 4, [0, 1] * 4, ("a", "b"))).banners
    assert "8 cases, each counted as a patient" in banner.text and "'A' (4), 'B' (4)" in banner.text
    enough = called([0, 1] * 5, [0, 1] * 5, ("a", "b"))
    assert card_of(enough, patients=[f"p{k}" for k in range(10)]).banners == ()
    few = value.from_arrays(np.arange(3.0), np.arange(3.0), unit="mm")
    assert kinds(card_of(few, "Value")) == ["few cases"]


def test_what_is_found_in_closed_form_needs_one_step() -> None:
    assert of_training([(1, 1)], fewest=1) == () and of_training([(0, 1)], fewest=1)


def test_where_every_label_is_scarce_they_are_not_listed() -> None:
    names = tuple(Label(k, f"organ_{k}") for k in range(1, 5))
    image = Image(np.arange(5, dtype=np.uint8)[None, None, None], spacing_mm=(1.0, 1.0, 1.0))
    rows = mask.rows([Mask(labels=names, image=image, case_id=str(k)) for k in range(3)], [image] * 3)
    (banner,) = card_of(rows, "Mask").banners
    assert "fewer than 5 cases with any label: each of 4 has 3." in banner.text and "Organ" not in banner.text


def test_what_the_model_was_told_of_comes_first_everywhere(tmp_path: Any) -> None:
    told = of_training([(6, 63)])
    rows = called([0, 1] * 20, [0] * 40, ("ill", "well"), positive="ill")
    trivial = called([0, 1] * 20, [1] * 40, ("ill", "well"), positive="ill")
    card = card_of(rows, told=told, baseline=trivial)
    assert kinds(card) == ["hardly trained", "never called"]
    page = render(Report("A run", card))
    assert page.index("6 of 63") < page.index('class="tiles"') < page.index("baseline ")
    assert "clearly beaten" not in page.replace("not clearly beaten", "")
    text = model_card(card).markdown()
    assert text.index("6 of 63") < text.index("## Intended use") < text.index("## Quantitative analyses")
    path = tmp_path / "scorecard.json"
    path.write_text(as_json(card))
    assert load_scorecard(path).banners == card.banners


def test_without_banners_a_report_says_clearly_beaten() -> None:
    y = [0, 1] * 20
    good, trivial = called(y, y, ("ill", "well")), called(y, [1] * 40, ("ill", "well"))
    page = render(Report("A run", card_of(good, baseline=trivial)))
    assert (
        "clearly beaten" in page.replace("not clearly beaten", "") and '<section class="banners">' not in page
    )


def test_a_scorecard_of_before_has_no_banners(tmp_path: Any) -> None:
    data = json.loads(as_json(card_of(called([0, 1] * 20, [0] * 40, ("a", "b")))))
    assert data.pop("banners")[0]["kind"] == "never called"
    path = tmp_path / "scorecard.json"
    path.write_text(json.dumps(data))
    assert load_scorecard(path).banners == ()


def test_a_banner_is_text_and_never_code() -> None:
    nasty = Banner("never called", "<script>x</script> | y")
    card = card_of(called([0, 1] * 20, [0, 1] * 20, ("a", "b")), told=(nasty,))
    assert "<script>x" not in render(Report("A run", card))
    assert "<script>" not in model_card(card).markdown()
