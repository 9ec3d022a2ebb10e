"""Annotators who say what a test tells them, straight into a project's store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vesalius import formats
from vesalius.run.annotation.asks import kind_of
from vesalius.run.annotation.project import load_project, open_cases
from vesalius.run.annotation.reading import Start
from vesalius.run.annotation.store import AnnotationStore, Saving


def say(
    folder: Path,
    said: Mapping[tuple[str, str], Mapping[str, Any]],
    *,
    role: Any = "reading",
    done: bool = True,
) -> None:
    """Save what is said, by case id and annotator."""
    project = load_project(folder)
    _, cases = open_cases(folder, project)
    store = AnnotationStore(folder, project.id)
    by_id = {one.id: one for one in project.cases}
    for (case, name), told in said.items():
        one = by_id[case]
        grid = formats.header(cases[one.key].image)  # type: ignore[arg-type]
        content = {a.kind: kind_of(a.kind).checked(told[a.kind], a.labels, grid) for a in project.asks}
        drawn = {k: content.pop(k) for k in [*content] if kind_of(k).drawn}
        start = Start("model", "m", "ab" * 32, True)
        seen = len(store.versions(one.key, name, role))
        saving = Saving(
            one.key, one.image, name, "local", role, seen, done, 3.0, grid, content, drawn, start=start
        )
        store.save(saving)
    store.close()
