"""demo: the main job on an embedded phantom, from making the data to a report to open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image as Picture

from vesalius.answers.drawing.pictures import address
from vesalius.core import page as core_page
from vesalius.core.disk import new_folder, write_text
from vesalius.core.progress import Progress, watched
from vesalius.core.scorecard import Scorecard
from vesalius.evaluate.report import headlines, tile
from vesalius.verbs.evaluate import evaluate
from vesalius.verbs.fit import fit
from vesalius.verbs.inspect import inspect
from vesalius.verbs.phantom import phantom
from vesalius.verbs.predict import predict

LIVER_DICE = 0.90
GRID = (56, 92, 92)  # voxels of some 4 mm: fine enough to be looked at
CASES = {"volumes": 48, "slices": 160}
# fixed steps, so that the demo's figures do not depend on how busy the machine is
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "volumes": {
        "data.spacing_mm": [
            8.0,
            8.0,
            12.0,
        ],  # coarser than the data, so that two cores see enough in two minutes
        "data.size": [24, 48, 48],
        "train.steps": 800,
        "train.members": 1,
        "net.scale": 0.5,
        "train.lr": 0.006,
        "train.validations": 3,
    },
    "slices": {"train.steps": 200, "train.members": 2},
}


LINKS = {
    "segment/report.html": "Segmentation: the verdict, figures, every case, every choice with its reason",
    "classify/report.html": "Classification: the same, with what a call means at a prevalence that you set",
    "evaluation/report.html": "Three new studies, answered and scored",
    "inspect.html": "What inspect says of the slices, with a contact sheet",
    "segment/card.md": "The segmenter's model card",
}


@dataclass(frozen=True, eq=False)
class Demo:
    """What the demo made: scorecards by task, what they were held against in words, and whether all held."""

    path: Path
    scorecards: Mapping[str, Scorecard]
    findings: tuple[str, ...]
    passed: bool


def demo(out: Path | str | None = None, *, seed: int = 0, progress: Progress | bool | None = None) -> Demo:
    """Make a phantom, look at it, learn to segment and to classify it, answer new cases, and check the figures.

    The liver's Dice must be at least 0.90, and the classifier's AUC must lie, with its whole interval, above the
    trivial baseline's.

    Args:
        out: A new folder, by default `runs/demo-<n>`.
        seed: Of the phantom and of the training.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a
            notebook.

    Returns:
        The scorecards, what they were held against in words, and whether all held.

    Raises:
        OutputError: `out` is not empty.
        Interrupted: Ctrl-C.
    """
    told = watched(progress)
    progress = WithoutNotes(told)
    root = new_folder(Path(out) if out else None, default="demo")
    told.note(f"demo in {root}: 1. make synthetic studies")
    volumes = phantom(root / "volumes", cases=CASES["volumes"], seed=seed, size=GRID, progress=progress)
    slices = phantom(root / "slices", cases=CASES["slices"], seed=seed, format="png", progress=progress)
    new = phantom(root / "new", cases=3, seed=seed + 1000, size=GRID, progress=progress)
    told.note("2. inspect them")
    inspect(slices / "classes", html=root / "inspect.html", progress=progress)
    told.note("3. learn to segment volumes")
    segmenter = fit(
        volumes, root / "segment", target="mask", settings=SETTINGS["volumes"], seed=seed, progress=progress
    )
    told.note("4. learn to classify slices")
    classifier = fit(
        slices / "classes", root / "classify", settings=SETTINGS["slices"], seed=seed, progress=progress
    )
    told.note("5. answer three new studies and score the answers")
    if segmenter.path is None or classifier.path is None:
        raise ValueError("a fit without a run")
    predict(segmenter.path, new / "imagesTr", root / "answers", overlays=True, json=False, progress=progress)
    again = evaluate(root / "answers", new, root / "evaluation", target="mask", progress=progress)
    cards: dict[str, Scorecard] = {}
    for name, run in (("segment", segmenter), ("classify", classifier)):
        if run.scorecard is not None:
            cards[name] = run.scorecard
    findings, passed = judge(cards)
    cards["new studies"] = again
    done = Demo(root, cards, tuple(findings), passed)
    write_text(root / "report.html", page(done, sorted((root / "answers").glob("*.overlay.png"))))
    return done


class WithoutNotes:
    """Progress whose bars are shown and whose notes are not: those of each verb would hide what the demo says."""

    def __init__(self, shown: Progress) -> None:
        self.start, self.advance, self.finish = shown.start, shown.advance, shown.finish

    def note(self, text: str) -> None:
        """Drop it."""


def judge(cards: Mapping[str, Scorecard]) -> tuple[list[str], bool]:
    """Return the two statements that the demo makes, with what was measured, and whether both hold."""
    liver = cards["segment"].metrics["dice/liver"].value or 0.0
    auc, trivial = cards["classify"].metrics["auc"], cards["classify"].baseline["auc"]
    low, bound = auc.low or 0.0, trivial.high if trivial.high is not None else trivial.value or 0.5
    holds = (liver >= LIVER_DICE, (auc.value or 0.0) > bound)
    said = [
        f"{'holds' if holds[0] else 'FAILS'}: the liver's Dice is {liver:.3f}, at least {LIVER_DICE:.2f} is asked",
        f"{'holds' if holds[1] else 'FAILS'}: the classifier's AUC is {auc.value or 0.0:.3f} (from {low:.3f}), "
        f"above the trivial baseline's upper bound {bound:.3f}",
    ]
    return said, all(holds)


def page(demo: Demo, pictures: Sequence[Path] = (), *, command: str = "vesalius demo") -> str:
    """Return a page that says what was asserted, shows the answers' pictures, and leads to everything the demo made."""
    shown = [
        {"name": p.name.partition(".")[0], "src": address(Picture.open(p).convert("RGB"))} for p in pictures
    ]
    return core_page.render(
        Path(__file__).parent / "demo.html.j2",
        findings=[(line.startswith("holds"), line.partition(": ")[2]) for line in demo.findings],
        passed=demo.passed,
        rows=[(name, *_headline(card)) for name, card in demo.scorecards.items()],
        links=[(target, text) for target, text in LINKS.items() if (demo.path / target).exists()],
        pictures=shown,
        command=command,
    )


def _headline(card: Scorecard) -> tuple[str, str, str, str, int]:
    """Return a card's first headline in words: metric, value, interval, baseline, and how many cases."""
    lead = tile(card, headlines(card)[0])
    return str(lead["name"]), str(lead["value"]), str(lead["interval"]), str(lead["baseline"]), card.n_cases
