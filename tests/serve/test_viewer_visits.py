"""Two visits in the viewer: the earlier one beside the later one at the same place, and what can be told of growth."""

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

from vesalius.core.answers.mask import Mask
from vesalius.core.case import Case
from vesalius.core.cohort import Label
from vesalius.core.image import Image
from vesalius.core.scorecard import Interval, Scorecard
from vesalius.infer.predictor import Predictor
from vesalius.phantom.abdomen.dicom import dicom_files
from vesalius.phantom.abdomen.patient import LABELS
from vesalius.phantom.ct import later, patient
from vesalius.serve.http.catalogue import Catalogue

SIZE = (20, 40, 40)
MOVED = {"shift_mm": (14.0, -10.0, 18.0), "turned_deg": (0.0, 0.0, 6.0)}
NAMES = ("liver", "lesion")


def limits(sd: float) -> dict[str, Any]:
    ends = {"bias": 0.0, "low": -1.96 * sd, "high": 1.96 * sd}
    return {"unit": "ml", **{k: {"value": v, "low": None, "high": None, "n": 40} for k, v in ends.items()}}


CARD = Scorecard(
    "Mask", "test", 40, 40, True, "d" * 64, "", {"dice": Interval(0.9, 0.88, 0.93, 40)},
    clinical={"sizes": {"liver": limits(200.0), "lesion": limits(4.0)}},
)  # fmt: skip


@pytest.fixture
def truthful(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalogue]:
    """A model that answers with the truth of the phantom that it is shown."""
    threads = torch.get_num_threads()
    scored(segmenter(tmp_path / "organs"), CARD)
    made = Catalogue([tmp_path / "organs"], ["cpu"])
    torch.set_num_threads(threads)
    known = [patient(3, size=SIZE), later(3, growth=2.5, days=90, size=SIZE, **MOVED)]  # type: ignore[arg-type]

    def answer(self: Predictor, case: Case, *, watch: Any = None) -> Mask:
        assert isinstance(case.image, Image)
        image = case.image
        study = next(s for s in known if np.array_equal(s.image, image.array[0]))
        labels = tuple(Label(LABELS[n], n) for n in NAMES)
        kept = np.where(np.isin(study.labels, [x.value for x in labels]), study.labels, 0)
        return Mask(
            image=Image(kept[None], affine=image.affine, source=image.source), labels=labels,
            case_id=case.id, source=image.source, bundle=self.bundle.hash,
        )  # fmt: skip

    monkeypatch.setattr(Predictor, "__call__", answer)
    yield made


def drawn(page: Page, canvas: str) -> np.ndarray[Any, Any]:
    page.settle()
    return np.asarray(Pil.open(io.BytesIO(page.tab.locator(canvas).screenshot())).convert("L"), dtype=float)


@in_browser
def test_an_earlier_visit_is_seen_beside_the_later_one_with_what_grew(
    browser: Any, truthful: Catalogue, tmp_path: Path
) -> None:
    with serving(truthful, tmp_path / "service") as address:
        page = Page(browser, address, tmp_path)
        page.show(*dicom_files(patient(3, size=SIZE)))
        assert page.tab.locator("#beside-choice optgroup").count() == 0  # there is no visit before the first
        page.drop(list(dicom_files(later(3, growth=2.5, days=90, size=SIZE, **MOVED))))  # type: ignore[arg-type]
        page.wait("#which", "2020-03-31")
        page.wait("#place", "slice")
        page.tab.click("#run")
        page.wait("#results .legend li")
        page.tab.wait_for_selector("#beside-choice optgroup option", state="attached")
        options = page.tab.locator("#beside-choice optgroup option").all_inner_texts()
        assert options == ["2020-01-01 · Axial"]
        page.tab.select_option("#beside-choice", label=options[0])
        page.wait("#beside-panel .verdict", "lesion grew from")
        said = page.tab.locator("#beside-panel .growth li").all_inner_texts()
        liver, lesion = (next(text for text in said if text.startswith(n)) for n in ("Liver", "Lesion"))
        assert "no change that could be told" in liver and "grown" in lesion and "a year" in lesion
        assert "Registered: " in page.tab.inner_text("#beside-panel")
        assert page.tab.is_visible("#beside") and "Earlier visit" in page.tab.inner_text("#second-caption")
        page.tab.keyboard.press("2")
        page.tab.keyboard.press("c")
        both = [drawn(page, canvas) for canvas in ("#planes", "#beside-planes")]
        alike = np.corrcoef(both[0][20:-60, 20:-20].ravel(), both[1][20:-60, 20:-20].ravel())[0, 1]
        assert alike > 0.9, alike  # the same plane of the patient, who lay 25 mm elsewhere
        page.tab.keyboard.press("ArrowUp")
        page.settle()
        first, other = (page.tab.get_attribute(s, "data-legends") for s in ("#over", "#beside-over"))
        assert first and first == other
        page.audit("an earlier visit beside")
        page.tab.screenshot(path=tmp_path / "visits.png")
        assert page.tab.locator("#results .answer").count() == 1  # a comparison is no second answer
        name, path = page.saved(lambda: page.tab.click("#beside-panel button[data-file='change.html']"))
        assert name == "change.html" and "lesion grew" in path.read_text(encoding="utf-8").lower()
        page.tab.reload()
        page.wait("#place", "slice")
        page.tab.wait_for_selector("#beside-choice optgroup option", state="attached")
        page.tab.select_option("#beside-choice", label=options[0])
        page.wait("#beside-panel .verdict", "lesion grew from")  # it is kept, and not asked for again
        assert sum(url.endswith("/api/jobs") for url in page.requested) <= 6
        assert page.wrong == []
