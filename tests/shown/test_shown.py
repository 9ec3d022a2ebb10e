"""Short texts, tables and pictures of all that a person holds in a notebook; and `show`, wherever it runs."""

from __future__ import annotations

import sys
import time
import types
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from _patience import patience
from vesalius.core import registry
from vesalius.core.answers import Answer, kinds
from vesalius.core.answers.boxes import Boxes
from vesalius.core.answers.curve import Curve
from vesalius.core.answers.instances import Instances
from vesalius.core.answers.map import Map
from vesalius.core.answers.mask import Mask
from vesalius.core.answers.numbers import Numbers
from vesalius.core.answers.picture import Picture
from vesalius.core.answers.ranking import Ranking
from vesalius.core.answers.scores import Scores
from vesalius.core.answers.surface import Surface
from vesalius.core.answers.text import Text
from vesalius.core.answers.value import Value
from vesalius.core.case import Box, Case, Event, Instance, Ref
from vesalius.core.cohort import Cohort, Label, SetAside, TargetInfo
from vesalius.core.errors import OutputError
from vesalius.core.image import Image
from vesalius.core.scorecard import Banner, Interval, Scorecard
from vesalius.run.predictions import Predictions

LIVER, SPLEEN = Label(1, "liver"), Label(2, "spleen")
VOLUME = Image(
    np.arange(2 * 24 * 24, dtype=np.int16).reshape(1, 2, 24, 24), spacing_mm=(1.5, 1.5, 3.0), unit="HU"
)


def labelled() -> Image:
    array = np.zeros((1, 2, 24, 24), np.uint8)
    array[0, 1, 4:12, 4:12], array[0, 1, 14:20, 14:20] = 1, 2
    return replace(VOLUME, array=array, unit=None)


EXAMPLES: dict[str, Answer] = {
    "Boxes": Boxes(case_id="a", boxes=(Box((0, 2, 3), (1, 9, 9), "nodule"),), p=np.array([0.9]), labels=(LIVER,)),
    "Curve": Curve(case_id="a", times_days=np.array([0.0, 100.0]), survival={"all": np.array([1.0, 0.4])}),
    "Instances": Instances(
        case_id="a", image=labelled(), labels=(LIVER, SPLEEN), things=(Instance(1, "liver", 0.75),
        Instance(2, "spleen"))
    ),
    "Map": Map(case_id="a", image=replace(VOLUME, unit=None), quantity="saliency"),
    "Mask": Mask(case_id="a", image=labelled(), labels=(LIVER, SPLEEN)),
    "Numbers": Numbers(case_id="a", parts={"left": Value(x=1.0, unit="ml"), "right": Value(x=2.0, unit="ml")}),
    "Picture": Picture(case_id="a", image=VOLUME),
    "Ranking": Ranking(case_id="a", case_ids=("b", "c"), distances=np.array([0.1, 0.2])),
    "Scores": Scores(case_id="a", labels=(LIVER, SPLEEN), p=np.array([0.25, 0.75])),
    "Surface": Surface(case_id="a", vertices_mm=np.zeros((4, 3)), faces=np.zeros((2, 3), np.int64)),
    "Text": Text(case_id="a", sections={"findings": "A <b>cyst</b> in the liver. " * 40}),
    "Value": Value(case_id="a", x=61.23, unit="years", quantity="age"),
}  # fmt: skip


def card(cases: int = 12) -> Scorecard:
    return Scorecard(
        answer="Scores", split="test", n_patients=cases, n_cases=cases, patients_known=True, data_hash="d",
        bundle="b", metrics={"auc": Interval(0.91, 0.8, 0.97, cases), "recall/cyst": Interval(0.5, None, None, 4)},
        baseline={"auc": Interval(0.5, None, None, cases)}, baseline_is="how often <each> occurs",
        cases=tuple({"case": f"c{k}", "truth": "x"} for k in range(cases)), banners=(Banner("few cases", "12 <few>."),),
    )  # fmt: skip


def cohort(cases: int = 12, **more: Any) -> Cohort:
    labels = tuple(Label(k, name) for k, name in enumerate(("cyst", "normal")))
    return Cohort(
        root=Path("studies"),
        layout="table",
        cases=tuple(
            Case(
                f"case-{k:05d}",
                {"image": Ref((Path(f"studies/{k}.png"),))},
                patient=f"p{k // 2}",
                targets={"class": labels[k % 2].name, "size": float(k), "seen": Event(3.0, True)},
                split="train" if k % 3 else "test",
            )
            for k in range(cases)
        ),
        targets={
            "class": TargetInfo("class", "class", labels),
            "size": TargetInfo("size", "number"),
            "seen": TargetInfo("seen", "event"),
        },
        patients_known=True,
        **more,
    )


def test_every_kind_of_answer_has_an_example_here() -> None:
    assert set(EXAMPLES) == {kind.__name__ for kind in kinds()}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_answer_has_a_short_text_of_one_line_and_a_table(name: str) -> None:
    answer = replace(EXAMPLES[name], outside=("size 3×3, learned from 9×9",))
    text, html = repr(answer), answer._repr_html_()
    assert text.startswith(f"{name}('a', ") and len(text) < 200 and "\n" not in text
    assert "size 3×3" in text and "size 3×3" in html
    assert ("<img" in html) == (name in ("Instances", "Map", "Mask", "Picture")), (
        "of the others the image is not known"
    )
    assert "<b>cyst" not in html


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_answer_is_drawn_on_its_image_where_that_is_known(name: str, tmp_path: Path) -> None:
    path = EXAMPLES[name].show(tmp_path / "a.png", on=VOLUME)
    assert path is not None and min(PIL.Image.open(path).size) > 100
    assert EXAMPLES[name].on is None, "showing changes nothing"


def test_texts_say_what_matters() -> None:
    assert "liver, spleen" in repr(EXAMPLES["Mask"]) and "2×24×24" in repr(EXAMPLES["Mask"])
    assert "spleen 0.750, liver 0.250" in repr(EXAMPLES["Scores"])
    assert "age 61.23 years" in repr(EXAMPLES["Value"])
    assert repr(VOLUME) == "Image(1×2×24×24 int16, 1.5×1.5×3 mm, HU)"
    assert "auc 0.910 (0.800 to 0.970)" in repr(card()) and "few cases" in repr(card())
    assert repr(cohort(set_aside=(SetAside("x", "empty"),))).startswith(
        "Cohort('studies', 12 cases of 6 patients, class: cyst 6, normal 6, size: 12 cases have it"
    )
    assert "1 set aside" in repr(cohort(set_aside=(SetAside("x", "empty"),)))
    assert "none yet" not in repr(cohort()[0]) and "class: cyst" in repr(cohort()[0])


def test_the_picture_of_a_mask_alone_shows_its_labels(tmp_path: Path) -> None:
    path = EXAMPLES["Mask"].show(tmp_path / "a.png")
    assert path is not None
    shown = np.asarray(PIL.Image.open(path).convert("RGB")).astype(int)
    assert (np.ptp(shown, axis=2) > 60).any() and (np.ptp(shown, axis=2) < 5).mean() > 0.5


def test_texts_of_ten_thousand_cases_are_short_and_quick() -> None:
    many = cohort(10_000)
    answers = Predictions(
        tuple(c.id for c in many),
        asked=tuple(c.id for c in many),
        answers={c.id: Answer() for c in many},
    )
    limit = patience(0.05)  # 10 ms, with room
    for thing in (many, card(10_000), answers):
        best = min(_seconds(thing) for _ in range(5))
        assert best < limit and len(repr(thing)) < 400, type(thing)


def _seconds(thing: object) -> float:
    began = time.perf_counter()
    repr(thing)
    return time.perf_counter() - began


def test_what_names_hold_is_text_on_the_page() -> None:
    html = card()._repr_html_()
    assert "12 &lt;few&gt;." in html and "&lt;each&gt;" in html and "<few>" not in html
    assert html.index("&lt;few&gt;") < html.index("0.910"), "what must be read first stands first"


def test_missing_files_leave_a_cohort_without_pictures_but_with_its_table() -> None:
    html = cohort()._repr_html_()
    assert "<img" not in html and ">6<" in html and "not known" not in html


def test_show_writes_a_page_and_says_where_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = card().show()
    assert path is not None and path.is_relative_to(tmp_path) and str(path) in capsys.readouterr().err
    assert path.parent.stat().st_mode & 0o077 == 0, "pictures of patients are nobody else's"
    text = path.read_text()
    assert text.startswith("<!doctype html>") and "http" not in text
    assert card().show(str(tmp_path / "b.html")) == tmp_path / "b.html"
    with pytest.raises(OutputError, match="nothing is overwritten"):
        card().show(tmp_path / "b.html")
    with pytest.raises(OutputError, match="no picture"):
        card().show(tmp_path / "b.png")


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """IPython as it is in a notebook, of which only what is displayed is kept."""
    shown: list[str] = []
    module: Any = types.ModuleType("IPython.display")

    class Handle:
        def update(self, html: str) -> None:
            shown.append(html)

    def display(html: str, *, display_id: bool = False) -> Handle | None:
        shown.append(html)
        return Handle() if display_id else None

    module.display, module.HTML = display, str
    ipython: Any = types.ModuleType("IPython")
    ipython.display, ipython.get_ipython = module, lambda: types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    yield shown


def test_in_a_notebook_it_is_displayed_and_no_file_is_written(kernel: list[str]) -> None:
    assert card().show() is None and len(kernel) == 1 and "0.910" in kernel[0]


def test_an_answer_of_another_package_has_a_short_text_too() -> None:
    from dataclasses import dataclass

    @dataclass(frozen=True, eq=False, kw_only=True)
    class Gaze(Answer):
        path: Any
        words: tuple[str, ...]

    text = repr(Gaze(case_id="x", path=np.zeros((900, 2)), words=("a",) * 50))
    assert text == "Gaze('x', path=900×2 float64, words=['a', 'a', 'a', 'a' and 46 more])"


def test_every_view_is_found_by_its_class() -> None:
    names = set(registry.names("shown"))
    found = {
        registry.lookup("shown", name).VIEW.__class__.__name__.removesuffix("View").lower() for name in names
    }
    assert found == names


# ------------------------------------------------------------------------------------------- arrays


@pytest.mark.parametrize("thing", [VOLUME, EXAMPLES["Mask"], EXAMPLES["Map"], EXAMPLES["Picture"]], ids=repr)
def test_the_array_is_that_of_the_image(thing: Any) -> None:
    held = thing.array if isinstance(thing, Image) else thing.image.array
    assert np.asarray(thing) is held or np.shares_memory(np.asarray(thing), held)
    assert np.array_equal(np.asarray(thing), held) and np.asarray(thing).dtype == held.dtype
    assert not np.shares_memory(np.array(thing, copy=True), held)
    assert np.asarray(thing, dtype=np.float64).dtype == np.float64
    with pytest.raises(ValueError, match="copy"):
        np.array(thing, dtype=np.float64, copy=False)
    assert np.array(thing, copy=False) is not None
