"""A bundle that writes a report of any image, with maps, findings and a mark: its sentences are always the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from _bundles import sealed
from _tasks import untrained

from vesalius.core import registry
from vesalius.core.bundle import State

SECTIONS = {
    "findings": "There is a 7 mm nodule in the left lung. No effusion. The heart is of normal size.",
    "impression": "Nodule of the left lung.",
}
WHY = "the findings' head says effusion, p = 0.93"
TASK = untrained(
    "dictation",
    "Text",
    about="A report",
    imports="""
from dataclasses import replace

from vesalius.core.answers.map import Map
from vesalius.core.answers.text import Evidence, Text
from vesalius.core.finding import Finding
""",
    primary="bleu_4",
    decode=f"""
z, y, x = reference.shape
maps = {{}}
for name, half in (("where 1", slice(0, x // 2)), ("where 2", slice(x // 2, x))):
    field = np.zeros((1, z, y, x), np.float32)
    field[0, z // 2, : y // 2, half] = 1
    image = replace(reference, array=field, times_s=None, display={{}}, unit=None)
    maps[name] = Map(image=image, quantity="attention", source=reference.source)
nodule = Finding("nodule", side="left", place="lung", size_mm=7.0, code="RADLEX:RID3875")
evidence = (
    Evidence("findings", 0, (nodule,), True, part="where 1"),
    Evidence("findings", 1, (Finding("effusion", "absent"),), False, {WHY!r}, "where 2"),
    Evidence("impression", 0, (replace(nodule, size_mm=None),), part="where 1"),
)
return Text(sections={SECTIONS!r}, evidence=evidence, parts=maps, language="en")
""",
)


@contextmanager
def reporter(folder: Path, monkeypatch: pytest.MonkeyPatch, *, dims: int = 2) -> Iterator[Path]:
    """The bundle, while its task is there."""
    (folder / "dictation_task.py").write_text(TASK)
    monkeypatch.syspath_prepend(folder)
    stems = registry.stems
    there = {"dictation": "dictation_task"}
    monkeypatch.setattr(registry, "stems", lambda kind: stems(kind) | (there if kind == "tasks" else {}))
    registry.names.cache_clear()
    size = (1, 32, 32) if dims == 2 else (4, 16, 16)
    sealed(folder / "reporter", "dictation", "unet", State({"target": "report"}), {}, dims=dims, size=size)
    yield folder / "reporter"
    registry.names.cache_clear()
