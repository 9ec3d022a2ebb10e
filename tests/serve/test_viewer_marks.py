"""What a person reads of an image that a model did not learn from: before it is asked, and beside its answer."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pydicom
import pytest
import torch
from _browser import Page, in_browser, serving
from _bundles import classifier, segmenter
from _cines import COLUMNS, FRAMES, ROWS, cine

from vesalius.core.learned import Seen, statistics, summary
from vesalius.serve.http.catalogue import Catalogue


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    """A classifier that learned from radiographs of another size, and one that does not say what it learned from."""
    root, threads = tmp_path_factory.mktemp("marks"), torch.get_num_threads()
    classifier(
        root / "films",
        learned=summary(statistics([Seen((1, 400, 400), None, 0.0, 255.0, "DX")] * 2), absolute=True),
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
        doubt = page.wait("#doubt", "Outside of what this model learned from: size 48×40")
        page.tab.click(
            "#model-facts > details > summary"
        )  # however much it says, the verdict and the button stay in sight
        bottom = page.tab.locator("#run").bounding_box()
        assert doubt.bounding_box()["y"] < bottom["y"] < bottom["y"] + bottom["height"] < 768
        narrow = page.tab.evaluate(
            "Math.min(...[...document.querySelectorAll('#model-facts dd')].map(e => e.clientWidth))"
        )
        assert narrow > 80
        page.tab.click("#run")
        said = page.wait("#results .answer .warn", "size").inner_text()
        assert said == "Outside of what the model learned from: size 48×40, learned from 400×400."
        assert page.wrong == []


@in_browser
def test_of_several_cases_the_one_that_is_refused_is_named_with_what_a_person_can_do(
    browser: Any, tmp_path_factory: pytest.TempPathFactory, series: list[Path], tmp_path: Path
) -> None:
    root, threads = tmp_path_factory.mktemp("organs"), torch.get_num_threads()
    segmenter(
        root / "organs",
        learned=summary(statistics([Seen((12, 32, 32), None, -1000.0, 900.0, "CT")] * 2), absolute=True),
    )
    served = Catalogue([root / "organs"], ["cpu"])
    torch.set_num_threads(threads)
    others = []
    for k, path in enumerate(series):
        data = pydicom.dcmread(path)
        data.Modality, data.SeriesInstanceUID, data.SeriesDescription = "MR", "1.2.3.9", "T1"
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.9.{k}"
        buffer = io.BytesIO()
        data.save_as(buffer, enforce_file_format=True)
        others.append((f"t1-{k}.dcm", buffer.getvalue()))
    with serving(served, tmp_path / "service") as address:
        page = Page(browser, address, tmp_path)
        page.wait("body[data-ready]")
        page.drop([*((p.name, p.read_bytes()) for p in series), *others])
        page.wait("#cases", "T1")
        page.wait("#cases button", "Axial").click()
        page.tab.check("#every")
        page.tab.click("#run")
        said = page.wait("#fault").inner_text()
        assert "T1: the bundle 'organs' learned from another kind of image" in said
        assert "modality MR, learned from CT" in said and "choose that case, and Answer all the same" in said
        assert "accept_mismatch" not in said
        page.wait("#results .answer")
        assert page.tab.locator("#results .answer").count() == 1
