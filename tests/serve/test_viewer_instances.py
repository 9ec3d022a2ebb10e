"""Instances in the viewer: each is drawn on its image and listed, a click goes to it, and unsure ones are hidden."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from _browser import Page, in_browser, serving
from _bundles import sealed
from _tasks import untrained

from vesalius import formats
from vesalius.core import registry
from vesalius.core.bundle import State
from vesalius.core.image import Image
from vesalius.serve.http.catalogue import Catalogue

LUMPS = untrained(
    "lumps",
    "Instances",
    about="What is bright in an image, each lump by itself",
    imports="""
import numpy as np

from vesalius.core.answers.instances import Instances
from vesalius.core.case import Instance
from vesalius.core.cohort import Label
from vesalius.core.image import Image

LABELS = (Label(1, "dim"), Label(2, "bright"))
""",
    primary="pq",
    decode="""
array = reference.array[0]
ids = np.zeros(array.shape, np.uint16)
for k, value in enumerate((200, 900, 901), start=1):
    ids[array == value] = 300 * k
things = (Instance(300, "dim", 0.3), Instance(600, "bright", 0.9), Instance(900, "bright", 0.8))
image = Image(ids[None], affine=reference.affine, spacing_mm=reference.spacing_mm)
answer = Instances(image=image, things=things, labels=LABELS, thresholds={"dim": 0.5})
return Instances(image=image, things=things, labels=LABELS, thresholds={"dim": 0.5}, parts={"counts": answer.counts()})
""",
)
# X runs to the front, Y to the head, Z to the right of the patient
CROSSWISE = np.array([[0, 0, -2.0, 30], [-1.0, 0, 0, 5], [0, 1.5, 0, -80], [0, 0, 0, 1]])
ONE, OTHER = (
    (slice(5, 9), slice(20, 30), slice(10, 16)),
    (slice(5, 9), slice(20, 30), slice(16, 22)),
)  # they touch
DIM = (slice(1, 4), slice(4, 9), slice(4, 9))


@pytest.fixture
def lumps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalogue]:
    """A bundle of a task that answers with instances, which this package does not know."""
    (tmp_path / "viewer_lumps.py").write_text(LUMPS)
    monkeypatch.syspath_prepend(tmp_path)
    stems = registry.stems
    monkeypatch.setattr(
        registry, "stems", lambda k: stems(k) | ({"lumps": "viewer_lumps"} if k == "tasks" else {})
    )
    registry.names.cache_clear()
    sealed(tmp_path / "lumps", "lumps", "unet", State({"target": "none"}), {}, dims=3, size=(8, 16, 16))
    threads = torch.get_num_threads()
    yield Catalogue([tmp_path / "lumps"], ["cpu"])
    torch.set_num_threads(threads)
    registry.names.cache_clear()


@in_browser
def test_each_thing_is_listed_drawn_and_gone_to(browser: Any, lumps: Catalogue, tmp_path: Path) -> None:
    array = np.zeros((12, 40, 30), np.int16)
    array[ONE], array[OTHER], array[DIM] = 900, 901, 200
    path = formats.write(Image(array[None], affine=CROSSWISE), tmp_path / "crosswise.nii.gz")
    with serving(lumps, tmp_path / "service") as address:
        page = Page(browser, address, tmp_path)
        page.show(("crosswise.nii.gz", path.read_bytes()))
        page.tab.click("#run")
        panel = page.wait('.answer[data-kind="Instances"]')
        rows = panel.locator(".list button.row")
        assert [t.split("\n")[0] for t in rows.all_inner_texts()] == ["Bright 600", "Bright 900"]
        assert rows.first.inner_text().endswith("90.0 %") and "0.72 ml" in (
            rows.first.get_attribute("title") or ""
        )
        legend = page.tab.locator(".legend li").all_inner_texts()
        assert (
            legend[0].startswith("Dim")
            and "none" in legend[0]
            and legend[1].split("\n")[-1].startswith("2 ·")
        )
        for row, where in ((0, ONE), (1, OTHER)):
            rows.nth(row).click()
            assert all(s.start <= k < s.stop for k, s in zip(page.index(), where, strict=True))
        rows.first.click()
        pixels = page.picture("outlined")
        page.tab.uncheck("#instance-outline")
        assert (page.picture("filled") != pixels).any()
        page.tab.check("#instance-turns")
        swatches = rows.locator(".swatch").evaluate_all(
            "all => all.map(s => getComputedStyle(s).backgroundColor)"
        )
        assert len(set(swatches)) == 2, "a colour each"
        page.tab.check("#instance-unsure")
        assert rows.count() == 3 and rows.nth(2).inner_text().startswith("Dim 300")
        page.tab.locator(".legend li").filter(has_text="Bright").locator("input").uncheck()
        assert rows.count() == 1
        page.audit("instances")
        assert page.wrong == []
        page.tab.close()
