"""Two annotators at once at a real service that is killed in the middle: all that was told as saved is there."""

from __future__ import annotations

import threading
from pathlib import Path

import httpx
import pytest
from _annotating import URL, body, drawn, project, said
from _clients import start

from vesalius.core.journal import whole_lines
from vesalius.run.annotation.asks.mask import array_of
from vesalius.run.annotation.project import load_project
from vesalius.run.annotation.store import FILE, AnnotationStore, readings_in
from vesalius.verbs.gather import gather

CASES = 20


@pytest.mark.programs
def test_two_label_twenty_cases_at_once_and_a_killed_service_loses_nothing(tmp_path: Path) -> None:
    folder = project(tmp_path, CASES, readers=2, blind=True)
    made = load_project(folder)
    told: list[tuple[str, str, int]] = []
    served = start(tmp_path, "--annotate", str(folder))
    begun = threading.Event()

    def works(name: str, wide: int) -> None:
        with httpx.Client(base_url=served.url, timeout=60) as client:
            for one in made.cases:
                content = said(wide, **{"class": "benign" if name == "Ada" else "malignant"})
                for version in range(2):  # a draft, then the reading
                    sent = body(version, content, done=version == 1, note=f"{version}")
                    try:
                        url = f"{URL}/cases/{one.key}/reading"
                        got = client.put(url, params={"annotator": name}, json=sent)
                    except httpx.HTTPError:
                        return
                    assert got.status_code == 200, got.text
                    told.append((one.key, name, got.json()["version"]))
                    if len(told) > CASES:
                        begun.set()

    people = [threading.Thread(target=works, args=a) for a in (("Ada", 6), ("Bo", 9))]
    for one in people:
        one.start()
    assert begun.wait(60)
    served.process.kill()
    served.process.wait()
    for one in people:
        one.join()
    kept = [(r.case, r.annotator, r.version) for r in readings_in(folder, made.id)]
    assert {*told} <= {*kept}
    assert len(kept) - len(told) <= 2  # what was on the disk before its answer came
    assert whole_lines((folder / FILE).read_bytes()).count(b"\n") == len(kept)
    store = AnnotationStore(folder, made.id)
    for key, name, version in told:
        digest = store.versions(key, name)[version - 1].content["mask"]
        assert (array_of(store.drawing(digest)) == drawn(6 if name == "Ada" else 9)).all()
    store.close()
    wrote = gather(folder, tmp_path / "out").written
    assert wrote.readings == sum(r.done for r in readings_in(folder, made.id))
