"""The demo's page: what was asserted, the answers' pictures, and links to what is there, in the common dress."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from _pages import chromium, read_by_everyone, with_chromium
from vesalius.core.progress import Silent
from vesalius.core.scorecard import Interval, Scorecard
from vesalius.verbs.demo import Demo, WithoutNotes, judge, page


def card(answer: str, metrics: dict[str, Interval], baseline: dict[str, Interval]) -> Scorecard:
    return Scorecard(answer, "test", 9, 9, True, "d", "b", metrics, baseline=baseline, baseline_is="chance")


@pytest.fixture
def done(tmp_path: Path) -> Demo:
    cards = {
        "segment": card(
            "Mask",
            {"dice": Interval(0.8, 0.7, 0.9, 9), "dice/liver": Interval(0.93, 0.9, 0.95, 9)},
            {"dice": Interval(0.5, 0.4, 0.6, 9)},
        ),
        "classify": card("Scores", {"auc": Interval(0.9, 0.8, 0.97, 9)}, {"auc": Interval(0.5, 0.5, 0.5, 9)}),
    }
    findings, passed = judge(cards)
    (tmp_path / "inspect.html").write_text("")
    return Demo(tmp_path, cards, tuple(findings), passed)


def test_it_says_what_holds_and_leads_only_to_what_is_there(done: Demo, tmp_path: Path) -> None:
    picture = tmp_path / "case-0001.overlay.png"
    PIL.Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(picture)
    text = page(done, [picture])
    assert done.passed and "All that the demo asserts holds." in text and text.count("Holds.") == 2
    assert "The liver&#39;s Dice is 0.930" in text and "0.700 to 0.900" in text
    assert 'href="inspect.html"' in text and "segment/report.html" not in text
    assert text.count("data:image/png;base64,") == 1 and "case-0001" in text


def test_what_fails_is_said(done: Demo, tmp_path: Path) -> None:
    cards = {
        **done.scorecards,
        "segment": card("Mask", dict.fromkeys(("dice", "dice/liver"), Interval(0.4, 0.3, 0.5, 9)), {}),
    }
    findings, passed = judge(cards)
    text = page(Demo(tmp_path, cards, tuple(findings), passed))
    assert not passed and "Not all that the demo asserts holds" in text and "Fails." in text


def test_its_terminal_has_the_bars_of_the_verbs_and_not_their_notes() -> None:
    class Kept(Silent):
        said: tuple[str, ...] = ()

        def start(self, name: str, total: int | None = None) -> None:
            self.said += (name,)

        def note(self, text: str) -> None:
            self.said += (text,)

    kept = Kept()
    quiet = WithoutNotes(kept)
    quiet.start("train", 3)
    quiet.note("a note of fit")
    assert kept.said == ("train",)


@with_chromium
def test_everyone_can_read_it(done: Demo, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(page(done), encoding="utf-8")
    with chromium() as browser:
        read_by_everyone(browser, path)
