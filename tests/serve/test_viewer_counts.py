"""Counts in the viewer: numbers in a table, and their densities one at a time over the image."""

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

CELLS = untrained(
    "cells",
    "Numbers",
    about="How many bright and how many dim things there are",
    imports="""
from dataclasses import replace

import numpy as np

from vesalius.core.answers.map import Map
from vesalius.core.answers.numbers import Numbers
from vesalius.core.answers.value import Value
""",
    primary="r2",
    decode="""
array = reference.array[0].astype(np.float32)
parts = {"bright": Value(x=2.5, unit="1", least=0.0), "dim": Value(x=12.0, unit="1", least=0.0)}
for name, there in (("bright", array > 500), ("dim", (array > 50) & (array <= 500))):
    field = there.astype(np.float32)[None] / 100
    made = replace(reference, array=field)
    parts[f"{name}_density"] = Map(image=made, quantity=f"{name} density", unit="1/voxel")
return Numbers(parts=parts)
""",
)


@pytest.fixture
def cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalogue]:
    """A bundle of a task that answers with counts and densities, which this package does not know."""
    (tmp_path / "viewer_cells.py").write_text(CELLS)
    monkeypatch.syspath_prepend(tmp_path)
    stems = registry.stems
    monkeypatch.setattr(
        registry, "stems", lambda k: stems(k) | ({"cells": "viewer_cells"} if k == "tasks" else {})
    )
    registry.names.cache_clear()
    sealed(tmp_path / "cells", "cells", "unet", State({"target": "none"}), {}, dims=3, size=(8, 16, 16))
    threads = torch.get_num_threads()
    yield Catalogue([tmp_path / "cells"], ["cpu"])
    torch.set_num_threads(threads)
    registry.names.cache_clear()


@in_browser
def test_a_density_lies_over_the_image_where_it_is_chosen(
    browser: Any, cells: Catalogue, tmp_path: Path
) -> None:
    array = np.zeros((12, 40, 30), np.int16)
    array[2:10, 4:16, 4:16], array[2:10, 24:36, 14:26] = 900, 200
    path = formats.write(Image(array[None], affine=np.diag([1.0, 1.0, 2.0, 1.0])), tmp_path / "cells.nii.gz")
    with serving(cells, tmp_path / "service") as address:
        page = Page(browser, address, tmp_path)
        page.show(("cells.nii.gz", path.read_bytes()))
        page.tab.click("#run")
        page.wait('.answer[data-kind="Numbers"] table.numbers')
        rows = page.tab.locator("table.numbers tbody tr").all_inner_texts()
        assert [row.split() for row in rows] == [["bright", "2.5"], ["dim", "12"]]
        fields = page.wait(".fields")
        assert fields.locator("label").all_inner_texts() == ["bright density", "dim density", "none of them"]
        page.audit("counts")
        seen = {}
        for name in ("bright density", "dim density", "none of them"):
            fields.locator("label").filter(has_text=name).locator("input").check()
            page.tab.wait_for_timeout(400)
            seen[name] = page.picture(name.replace(" ", "-"))
        coloured = {name: (np.ptp(picture, axis=2) > 40) for name, picture in seen.items()}
        over = {n: np.argwhere(c & ~coloured["none of them"]) for n, c in coloured.items()}
        assert len(over["bright density"]) > 200 and len(over["dim density"]) > 200
        assert not (coloured["bright density"] & coloured["dim density"] & ~coloured["none of them"]).any()
        assert page.wrong == []
        page.tab.close()
