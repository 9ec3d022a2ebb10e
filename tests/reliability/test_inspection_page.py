"""The inspection's page: pairs inside their finding, masks over pictures, what to do next, and fit for everyone."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from _pages import chromium, opened, read_by_everyone, with_chromium
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, Label, TargetInfo
from vesalius.core.image import Image
from vesalius.reliability import html
from vesalius.reliability._thumbs import thumbnail
from vesalius.reliability.inspect import inspect


def scene(seed: int) -> Image:
    rng = np.random.default_rng(seed)
    grey = np.kron(rng.integers(20, 230, (1, 1, 8, 8)), np.ones((1, 1, 8, 8))) + rng.normal(
        0, 6, (1, 1, 64, 64)
    )
    colour = np.repeat(np.clip(grey, 0, 255).astype(np.uint8), 3, axis=0)
    return Image(colour, channels=("red", "green", "blue"))


def cohort() -> Cohort:
    pictures = {f"case {k}": scene(k) for k in range(10)}
    pictures["again"] = pictures["case 3"]
    cases = tuple(
        Case(id=name, images={"image": picture}, targets={"class": "ill" if k % 2 else "well"})
        for k, (name, picture) in enumerate(pictures.items())
    )
    target = TargetInfo("class", "class", (Label(0, "well"), Label(1, "ill")))
    return Cohort(root=Path("pictures"), layout="folder", cases=cases, targets={"class": target})


def test_a_pair_stands_in_its_finding_and_what_to_do_next_on_top(tmp_path: Path) -> None:
    found = inspect(cohort())
    page = html.render(found)
    part = page.partition('id="found"')[2].partition("</section>")[0]
    pair = re.search(r"<li>&#39;case 3&#39; and &#39;again&#39;.*?</li>", part, re.S)
    assert pair is not None and pair[0].count("<figure") == 2
    steps = html.next_steps(found)
    assert any("--dry-run" in command for _, command in steps) and any("patient=" in c for _, c in steps)
    assert "all pictures are grey, although their files hold colours" in page
    assert page.count("<svg") == 1  # of three equal channels one
    assert "Vesalius 0" in page and re.search(r"20\d\d-\d\d-\d\d", page)


def test_a_coloured_picture_is_not_called_grey() -> None:
    some = cohort()
    other = np.array(some.cases[0].images["image"].array)  # type: ignore[union-attr]
    other[0] += 1
    first = replace(some.cases[0], images={"image": replace(some.cases[0].images["image"], array=other)})  # type: ignore[type-var]
    found = inspect(replace(some, cases=(first, *some.cases[1:])))
    grey = [f for f in found.findings if f.kind == "grey in colour files"]
    assert [len(f.cases) for f in grey] == [10] and "read as colour" in grey[0].hint


def test_a_label_is_drawn_in_its_colour_where_it_lies() -> None:
    image = Image(np.full((1, 3, 40, 80), 50, np.int16), spacing_mm=(1.0, 2.0, 5.0))
    labels = np.zeros((1, 3, 40, 80), np.uint8)
    labels[0, 1, 10:20, 20:60] = 4
    small = thumbnail(image, Image(labels))
    assert small.size == (96, 96) and small.values is not None
    assert set(np.unique(small.values)) == {0, 4}
    assert (small.values != 0).mean() == np.float64(0.125).item() or abs(
        (small.values != 0).mean() - 0.125
    ) < 0.02
    drawn = small.drawn({4: "#ff0000"}).astype(int)
    inside = drawn[small.values == 4]
    assert (inside[:, 0] > inside[:, 1] + 50).all() and np.ptp(drawn[small.values == 0], axis=-1).max() == 0


@with_chromium
def test_everyone_can_read_it_and_enlarge_its_pictures(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    html.write(inspect(cohort()), path)
    with chromium() as browser:
        read_by_everyone(browser, path)
        with opened(browser, path) as tab:
            tab.locator(".twins .zoom").first.click()
            assert tab.locator("#large[open] img").count() == 1
            assert "case 3" in tab.locator("#large p").inner_text()
