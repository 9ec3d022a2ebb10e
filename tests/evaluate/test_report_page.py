"""The report in Chromium: it opens at once, sorts, enlarges, answers a prevalence, and is fit for everyone to read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from _pages import chromium, opened, read_by_everyone, with_chromium
from _patience import patience
from vesalius.answers.drawing.slices import look
from vesalius.core.image import Image
from vesalius.core.scorecard import Banner, Interval, Scorecard
from vesalius.evaluate.fairness import subgroups
from vesalius.evaluate.report import Report, render
from vesalius.evaluate.scorecard import scorecard
from vesalius.metrics import mask, scores, value

pytestmark = with_chromium
RNG = np.random.default_rng(3)


def scored(n: int, **options: Any) -> Scorecard:
    y = np.arange(n) % 2
    p = np.clip(0.25 + 0.4 * y + RNG.normal(0, 0.2, n), 0.01, 0.99)
    rows = scores.from_arrays(
        np.stack([1 - p, p], axis=1), y, labels=["benign", "malignant"], positive="malignant",
        case_ids=[f"case {k:04d}" for k in range(n)],
    )  # fmt: skip
    trivial = scores.from_arrays(
        np.full((n, 2), 0.5), y, labels=["benign", "malignant"], case_ids=rows.case_ids
    )
    return scorecard(
        rows, "Scores", split="test", data_hash="d" * 64, baseline=trivial, baseline_is="the share of each",
        resamples=100, **options,
    )  # fmt: skip


def with_masks() -> Report:
    from vesalius.core.answers.mask import Mask
    from vesalius.core.cohort import Label

    labels = (Label(1, "liver"), Label(2, "lesion"))
    truths, answers = [], []
    for k in range(12):
        truth = np.zeros((1, 4, 32, 32), np.uint8)
        truth[0, 1:3, 6:22, 6:22] = 1
        truth[0, 2, 9:12, 9 : 12 + k % 3] = 2
        truths.append(Image(truth, spacing_mm=(1.0, 1.0, 2.0)))
        answers.append(
            Mask(
                image=Image(np.roll(truth, 1 + k % 3, 3), spacing_mm=(1, 1, 2)),
                labels=labels,
                case_id=f"c{k}",
            )
        )
    card = scorecard(
        mask.rows(answers, truths), "Mask", split="test", data_hash="", resamples=50,
        colours={"liver": "#dd8265", "lesion": "#90ee90"}, told=[Banner("few cases", "There are few cases.")],
    )  # fmt: skip
    image = Image(RNG.normal(size=(1, 4, 32, 32)), spacing_mm=(1, 1, 2))
    pictures = [
        look(image, f"c{k}", caption="Dice 0.5", truth=truths[k], answer=answers[k].image) for k in range(4)
    ]
    return Report(
        title="Segment: phantom", scorecard=card, worst=pictures[:2], best=pictures[2:],
        label_values={"liver": 1, "lesion": 2}, history={"training loss": {"net-0": ([1, 2, 3], [3.0, 2.0, 1.0])}},
        choices=[("train.steps", "9", "set by the user")], own=[("train.steps", "9", "set by the user")],
        run={"net": "unet"}, command="vesalius fit data", notes=["a note"],
        set_aside=[("c99", "empty")], data={"data hash": "d" * 64},
    )  # fmt: skip


def with_numbers() -> Report:
    truth = RNG.uniform(20, 90, 40)
    rows = value.from_arrays(
        truth + RNG.normal(2, 4, 40), truth, unit="ml", case_ids=[f"n{k}" for k in range(40)]
    )
    return Report(
        title="Regress", scorecard=scorecard(rows, "Value", split="test", data_hash="", resamples=50)
    )


def with_groups() -> Report:
    y = np.arange(90) % 2
    p = np.clip(0.3 + 0.3 * y + RNG.normal(0, 0.2, 90), 0.01, 0.99)
    rows = scores.from_arrays(np.stack([1 - p, p], axis=1), y, labels=["benign", "malignant"])
    labels: dict[tuple[str, ...], list[tuple[str, ...]]] = {
        ("sex",): [("F" if k < 40 else "M" if k < 85 else "not known",) for k in range(90)],
        ("site", "age"): [(f"a hospital of a long name {k % 2}", "from 80") for k in range(90)],
    }
    found = subgroups(rows, "Scores", labels, patients=[str(k) for k in range(90)], resamples=20, shuffles=39)
    card = scorecard(rows, "Scores", split="test", data_hash="", resamples=20)
    return Report("Groups", replace(card, subgroups=found))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


def written(folder: Path, name: str, report: Report) -> Path:
    path = folder / f"{name}.html"
    path.write_text(render(report), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "make", [lambda: Report("Classify", scored(40)), with_masks, with_numbers, with_groups]
)
def test_everyone_can_read_it_at_any_width_in_light_and_dark(make: Any, browser: Any, tmp_path: Path) -> None:
    read_by_everyone(browser, written(tmp_path, "report", make()))


def test_a_thousand_cases_open_in_under_two_seconds_and_sort(browser: Any, tmp_path: Path) -> None:
    card = scored(1000)
    pictures = [look(Image(RNG.normal(size=(1, 1, 512, 512))), f"case {k:04d}") for k in range(12)]
    path = written(tmp_path, "large", Report("Large", card, worst=pictures[:6], best=pictures[6:]))
    assert path.stat().st_size < 4_000_000
    with opened(browser, path) as tab:
        loaded_s = tab.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd") / 1000
        assert loaded_s < patience(2.0)
        sorts_and_searches(tab)


def sorts_and_searches(tab: Any) -> None:
    assert tab.locator("#case-table tbody tr").count() == 1000

    def column(k: int) -> list[str]:
        found: list[str] = tab.locator(f"#case-table tbody tr > :nth-child({k})").all_text_contents()
        return found

    worst = [float(v) for v in column(6)]
    assert worst == sorted(worst)  # the most mistaken first
    tab.locator("#case-table th button", has_text="case").click()
    assert column(1) == [f"case {k:04d}" for k in range(1000)]
    tab.locator("#case-table th button", has_text="p(malignant)").click()
    tab.locator("#case-table th button", has_text="p(malignant)").click()
    falling = [float(v) for v in column(5)]
    assert falling == sorted(falling, reverse=True)
    tab.locator("#find").fill("case 0123")
    assert tab.locator("#case-table tbody tr:visible").count() == 1


def test_a_prevalence_that_the_reader_sets_gives_what_bayes_says(browser: Any, tmp_path: Path) -> None:
    card = scored(200)
    own = {k: Interval(**v) for k, v in card.clinical["calls"]["malignant"]["own"].items()}
    assert own["sensitivity"].value is not None and own["specificity"].value is not None
    with opened(browser, written(tmp_path, "odds", Report("Odds", card))) as tab:
        for share in (0.5, 0.03, 0.2):
            tab.locator("[data-odds] input[type=number]").fill(f"{100 * share:g}")
            sensitivity, specificity = own["sensitivity"].value, own["specificity"].value
            ppv = sensitivity * share / (sensitivity * share + (1 - specificity) * (1 - share))
            npv = specificity * (1 - share) / (specificity * (1 - share) + (1 - sensitivity) * share)
            shown = [tab.locator(f"[data-{k}]").inner_text().split("\n")[0] for k in ("ppv", "npv")]
            assert shown == [f"{100 * ppv:.1f} %", f"{100 * npv:.1f} %"]
            assert tab.locator("[data-odds] input[type=range]").input_value() == f"{100 * share:g}"
        low, high = (float(t.strip(" %")) for t in tab.locator("[data-ppv] small").inner_text().split(" to "))
        assert low <= 100 * ppv <= high


def test_pictures_enlarge_with_the_truth_beside_the_answer(browser: Any, tmp_path: Path) -> None:
    with opened(browser, written(tmp_path, "pictures", with_masks())) as tab:
        tab.locator(".zoom").first.click()
        assert tab.locator("#large[open] figcaption").all_text_contents() == ["truth", "answer"]
        assert tab.locator("#large img").first.bounding_box()["width"] > 250
        tab.keyboard.press("Escape")
        assert tab.locator("#large[open]").count() == 0


def test_no_script_but_the_pages_own_runs(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "hostile.html"
    page = render(Report("Classify", scored(20)))
    path.write_text(
        page.replace(
            "</main>", "<script>window.hostile = 1</script><img src=x onerror='window.hostile = 2'></main>"
        )
    )
    context = browser.new_context()
    tab = context.new_page()
    tab.goto(path.as_uri())
    assert tab.evaluate(
        "[typeof window.hostile, document.querySelectorAll('th[scope] button').length > 0]"
    ) == ["undefined", True]
    context.close()


def test_every_number_of_the_page_is_the_scorecards() -> None:
    card = scored(40)
    page = render(Report("Classify", card))
    for name, found in card.metrics.items():
        if "/" not in name and found.value is not None:
            assert f"{found.value:.3f}" in page, name
    for one in card.clinical["calls"]["malignant"]["kept"]:
        for rate in ("sensitivity", "specificity"):
            assert f"{100 * one[rate]['value']:.1f} %" in page
    data = json.loads(json.dumps(card.clinical))
    assert data["calls"]["malignant"]["own"]["sensitivity"]["value"] == card.metrics["recall"].value
