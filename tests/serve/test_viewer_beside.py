"""Beside an answer: the truth from a file, or an earlier answer; seen at one place, and never of another image."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from _browser import Page, in_browser, serving
from _bundles import scored, segmenter
from PIL import Image as Pil

from vesalius import formats
from vesalius.core.answers.mask import Mask
from vesalius.core.cohort import Label
from vesalius.core.image import Image
from vesalius.core.scorecard import Interval, Scorecard
from vesalius.infer.predictor import Predictor
from vesalius.serve.http.catalogue import Catalogue

SHAPE = (8, 40, 40)
HERE, THERE = slice(5, 15), slice(10, 20)
FIGURE = Interval(0.91, 0.88, 0.93, 20)
CARD = Scorecard("Mask", "test", 18, 20, True, "d" * 64, "", {"dice": FIGURE, "dice/liver": FIGURE})


def block(where: slice, value: int = 1) -> np.ndarray[Any, Any]:
    array = np.zeros((1, *SHAPE), np.uint8)
    array[0, 2:6, 10:30, where] = value
    return array


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalogue]:
    """Two models, one with a scorecard of its own; each answers with a block, elsewhere at each asking."""
    threads = torch.get_num_threads()
    scored(segmenter(tmp_path / "organs"), CARD)
    scored(segmenter(tmp_path / "others"), CARD, of="f" * 64)
    made = Catalogue([tmp_path / "organs", tmp_path / "others"], ["cpu"])
    torch.set_num_threads(threads)
    places = iter([HERE, THERE, HERE, HERE])

    def answer(self: Predictor, case: Any, *, watch: Any = None) -> Mask:
        return Mask(
            image=Image(block(next(places)), affine=np.eye(4)),
            labels=(Label(1, "liver", colour="#aa4411"), Label(7, "right_kidney"), Label(8, "kidney_right")),
            case_id=case.id,
        )

    monkeypatch.setattr(Predictor, "__call__", answer)
    yield made


def middle(picture: np.ndarray[Any, Any]) -> float:
    """The middle of the label, across the picture, in pixels; the letters at the edges have colours too."""
    inner = picture[30:-60, 30:-30]
    found = np.flatnonzero((inner[..., 0] - inner[..., 2] > 50).any(axis=0))
    return float(found.mean())


def second(page: Page) -> np.ndarray[Any, Any]:
    page.settle()
    drawn = Pil.open(io.BytesIO(page.tab.locator("#beside-planes").screenshot())).convert("RGB")
    return np.asarray(drawn, dtype=float)


def choose_file(page: Page, path: Path) -> None:
    with page.tab.expect_file_chooser() as chooser:
        page.tab.click("#give-truth")
    chooser.value.set_files(path)


@in_browser
def test_the_truth_and_an_earlier_answer_are_seen_at_the_same_place_and_compared(
    browser: Any, two: Catalogue, tmp_path: Path
) -> None:
    grey = np.full((1, *SHAPE), 100, np.int16)
    image = formats.write(Image(grey, affine=np.eye(4)), tmp_path / "image.nii.gz")
    truth = formats.write(Image(block(HERE), affine=np.eye(4)), tmp_path / "truth.nii.gz")
    moved = np.eye(4)
    moved[0, 3] = 25
    away = formats.write(Image(block(HERE), affine=moved), tmp_path / "elsewhere.nii.gz")
    with serving(two, tmp_path / "service") as address:
        page = Page(browser, address, tmp_path)
        page.show(("image.nii.gz", image.read_bytes()))
        page.tab.keyboard.press("2")
        page.tab.keyboard.press("c")
        page.tab.click("#run")
        page.wait("#results .legend li")
        names = page.tab.locator("#results .legend .name").all_inner_texts()
        assert names == ["Liver", "right_kidney", "kidney_right"]  # what would read alike keeps its own name
        known = page.tab.locator("#results .known").all_inner_texts()
        assert known == ["Dice 0.910 (0.880 to 0.930)"]  # of the label that was measured, and of no other
        of = page.tab.inner_text("#results .known-of")
        assert "not on this one" in of and "20 cases of 18 patients, test split" in of and "dddddddd" in of
        choose_file(page, away)  # of the same size, and elsewhere
        assert "another grid" in page.wait("#fault").inner_text()
        assert not page.tab.is_visible("#beside")
        choose_file(page, truth)
        page.wait(".agreement")
        assert "values are taken to mean" in page.tab.inner_text("#beside-panel")
        rows = page.tab.locator(".agreement li").all_inner_texts()
        assert [row.split() for row in rows] == [["Liver", "1"]]
        assert "In one alone: right_kidney, kidney_right." in page.tab.inner_text(".agreement")
        assert abs(middle(page.picture("answer")) - middle(second(page))) < 3
        page.tab.locator("#planes").click(position={"x": 60, "y": 200})  # one is looked at as the other
        page.tab.select_option("#preset", "full")
        for key in ("ArrowUp", "ArrowDown", "ArrowDown", "3"):
            page.tab.keyboard.press(key)
        page.settle()
        for attribute in ("data-letters", "data-legends"):
            first, other = (page.tab.get_attribute(s, attribute) for s in ("#over", "#beside-over"))
            assert first and first == other
        page.tab.keyboard.press("2")
        page.tab.click("#run")  # asked again: now elsewhere
        page.wait(".agreement li", "0.5")
        assert page.tab.locator("#beside-choice option").count() == 3  # nothing, the truth, the answer before
        page.tab.select_option("#beside-choice", index=2)
        page.wait("#second-caption", "organs, ")
        page.wait(".agreement li", "0.5")
        page.settle()
        apart = middle(page.picture("beside-earlier")) - middle(second(page))
        assert abs(apart) > 40  # each is drawn on its own stage
        page.audit("an earlier answer beside")
        page.tab.select_option("#model", "others")
        page.wait("#first-caption", "No answer yet")
        assert "organs, " in page.tab.inner_text("#second-caption")  # another model's answer stays beside it
        page.tab.click("#run")
        page.wait("#results .legend li")
        assert page.tab.locator("#results .known").count() == 0  # the card in its bundle is another model's
        if not page.tab.locator("#model-facts > details").evaluate("d => d.open"):
            page.tab.click("#model-facts > details > summary")
        assert page.tab.inner_text("#model-facts .warn") == "Another model"
        page.drop(
            [
                (
                    "other.nii.gz",
                    formats.write(Image(grey + 1, affine=np.eye(4)), tmp_path / "o.nii.gz").read_bytes(),
                )
            ]
        )
        page.wait("#which", "other")
        page.wait("#place", "slice")
        assert page.tab.locator("#beside-choice option").count() == 1  # a truth stays with its image
        assert not page.tab.is_visible("#beside")
        assert [w for w in page.wrong if "422" not in w] == []
        page.tab.close()
