"""Who watches a verb's progress where nobody says: bars in a notebook and on a terminal, nothing elsewhere."""

from __future__ import annotations

import inspect
import io
import sys
import types
from typing import Any

import pytest

import vesalius as vs
from vesalius.core import bars
from vesalius.core.bars import Bars, Lines, NotebookBars
from vesalius.core.progress import Silent, track, watched


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_it_is_shown_where_a_person_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert isinstance(watched(None), Silent) and isinstance(watched(True), Lines)
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert isinstance(watched(None), Bars) and isinstance(watched(True), Bars)
    assert isinstance(watched(False), Silent)
    monkeypatch.setattr(sys, "stderr", None)  # a windowed Python has none
    assert isinstance(watched(None), Silent)
    own = Silent()
    assert watched(own) is own


def test_every_verb_takes_it() -> None:
    for name in ("fit", "predict", "evaluate", "inspect", "phantom", "demo", "fetch", "deidentify"):
        parameter = inspect.signature(getattr(vs, name)).parameters["progress"]
        assert (parameter.default, parameter.annotation) == (None, "Progress | bool | None"), name


class Display(types.ModuleType):
    """What a notebook would have on its screen: a place for each thing displayed."""

    def __init__(self) -> None:
        super().__init__("IPython.display")
        self.places: list[str] = []
        self.updates = 0

    def HTML(self, text: str) -> str:
        return text

    def display(self, html: str, *, display_id: bool = False) -> Any:
        self.places.append(html)
        at, outer = len(self.places) - 1, self

        class Handle:
            def update(self, html: str) -> None:
                outer.places[at] = html
                outer.updates += 1

        return Handle() if display_id else None


def test_a_notebook_has_one_place_that_is_drawn_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(bars.time, "monotonic", lambda: now[0])
    screen = Display()
    shown = NotebookBars(screen)
    shown.start("train", 100)
    for _ in range(100):
        now[0] += 0.01
        shown.advance("train", text="loss <0.5>")
    assert len(screen.places) == 1 and screen.updates <= 5, "not a hundred times in a second"
    assert (
        "80 of 100" in screen.places[0] or "100 of 100" in screen.places[0] or "75 of 100" in screen.places[0]
    )
    assert 'max="100"' in screen.places[0] and "&lt;0.5&gt;" in screen.places[0]
    shown.note("a <note>")
    shown.finish("train")
    assert screen.places[0] == "" and screen.places[1] == "<div>a &lt;note&gt;</div>"
    shown.advance("unknown")
    shown.start("score")
    assert len(screen.places) == 3 and "0 of ?" in screen.places[2], "below the note"


def test_bars_are_gone_when_the_work_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Display()
    with pytest.raises(ZeroDivisionError):
        for k in track([1, 0], NotebookBars(screen), "work", 2):
            1 / k  # noqa: B018
    assert screen.places == [""]


def test_a_notebook_is_known_by_its_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Display()
    ipython: Any = types.ModuleType("IPython")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", screen)
    assert isinstance(watched(None), NotebookBars) and isinstance(watched(False), Silent)
    ipython.get_ipython = lambda: types.SimpleNamespace()  # IPython on a terminal has none
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert isinstance(watched(None), Silent)
    ipython.get_ipython = lambda: None
    assert isinstance(watched(None), Silent)
