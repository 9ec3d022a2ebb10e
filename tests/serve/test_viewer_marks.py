"""What a person reads of an image that a model did not learn from: before it is asked, and beside its answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from _browser import Page, in_browser, serving
from _bundles import classifier
from _cines import COLUMNS, FRAMES, ROWS, cine

from vesalius.core.learned import Seen, summary
from vesalius.serve.http.catalogue import Catalogue


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    """A classifier that learned from radiographs of another size, and one that does not say what it learned from."""
    root, threads = tmp_path_factory.mktemp("marks"), torch.get_num_threads()
    classifier(
        root / "films", learned=summary([Seen((1, 400, 400), None, 0.0, 255.0, "DX")] * 2, absolute=True)
    )
    classifier(root / "silent")
    made = Catalogue([root / "films", root / "silent"], ["cpu"])
    torch.set_num_threads(threads)
    return made


@in_browser
def test_frames_of_another_modality_are_asked_about_only_where_that_is_accepted_and_marked(
    browser: Any, two: Catalogue, tmp_path: Path
) -> None:
    with serving(two, tmp_path / "service") as address:
        page = Page(browser, address, tmp_path)
        page.wait("body[data-ready]")
        page.drop([("us.dcm", cine()[0])])
        page.wait("#frame-count", f"Frame 1 of {FRAMES}")
        page.tab.select_option("#model", "films")
        page.wait("#doubt", "learned from another kind of image: modality US, learned from DX")
        assert "frame by frame" in page.tab.inner_text("#doubt")
        assert page.tab.is_disabled("#live") and page.tab.is_disabled("#run")
        page.tab.check("#accept")
        page.tab.click("#live")
        said = page.wait("#live-answer .warn").inner_text()
        assert "Answered all the same" in said and "modality US, learned from DX" in said
        assert f"Outside of what the model learned from: size {COLUMNS}×{ROWS}, learned from 400×400" in said
        page.tab.uncheck("#accept")
        assert page.tab.is_disabled("#live") and not page.tab.is_visible("#live-answer")
        page.audit("frames of another modality")
        page.tab.select_option("#model", "silent")
        page.tab.click("#live")
        assert "is not known: the model does not say" in page.wait("#live-answer .warn").inner_text()
        assert page.wrong == []


@in_browser
def test_an_answer_of_a_model_that_does_not_say_what_it_learned_from_is_marked_so(
    browser: Any, two: Catalogue, picture: bytes, tmp_path: Path
) -> None:
    with serving(two, tmp_path / "service") as address:
        page = Page(browser, address, tmp_path)
        page.wait("body[data-ready]")
        page.drop([("film.png", picture)])
        page.wait("#place", "column")
        page.tab.select_option("#model", "silent")
        page.tab.click("#run")
        assert "is not known: the model does not say" in page.wait("#results .answer .warn").inner_text()
        page.tab.select_option("#model", "films")
        page.wait("#doubt", "Outside of what this model learned from: size 48×40")
        page.tab.click("#run")
        said = page.wait("#results .answer .warn", "size").inner_text()
        assert said == "Outside of what the model learned from: size 48×40, learned from 400×400."
        assert page.wrong == []
