"""demo: the main job on an embedded phantom, from making the data to a report to open."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vesalius.core.disk import new_folder, write_text
from vesalius.core.progress import Progress, Silent
from vesalius.core.scorecard import Scorecard
from vesalius.verbs.evaluate import evaluate
from vesalius.verbs.fit import fit
from vesalius.verbs.inspect import inspect
from vesalius.verbs.phantom import phantom
from vesalius.verbs.predict import predict

LIVER_DICE = 0.90
GRID = (24, 48, 48)  # coarse, so that two cores see enough of it in two minutes
CASES = {"volumes": 48, "slices": 160}
# fixed steps, so that the demo's figures do not depend on how busy the machine is
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "volumes": {
        "train.steps": 1000,
        "train.members": 1,
        "net.scale": 0.5,
        "train.lr": 0.006,
        "train.validations": 3,
    },
    "slices": {"train.steps": 200, "train.members": 2},
}


@dataclass(frozen=True, eq=False)
class Demo:
    """What the demo made: scorecards by task, what they were held against in words, and whether all held."""

    path: Path
    scorecards: Mapping[str, Scorecard]
    findings: tuple[str, ...]
    passed: bool


def demo(out: Path | str | None = None, *, seed: int = 0, progress: Progress | None = None) -> Demo:
    """Make a phantom, look at it, learn to segment and to classify it, answer new cases, and check the figures.

    The liver's Dice must be at least 0.90, and the classifier's AUC must lie, with its whole interval, above the
    trivial baseline's.

    Args:
        out: A new folder, by default `runs/demo-<n>`.
        seed: Of the phantom and of the training.
        progress: What is told how far the work is.

    Returns:
        The scorecards, what they were held against in words, and whether all held.

    Raises:
        OutputError: `out` is not empty.
        Interrupted: Ctrl-C.
    """
    progress = progress or Silent()
    root = new_folder(Path(out) if out else None, default="demo")
    progress.note(f"demo in {root}: 1. make synthetic studies")
    volumes = phantom(root / "volumes", cases=CASES["volumes"], seed=seed, size=GRID, progress=progress)
    slices = phantom(root / "slices", cases=CASES["slices"], seed=seed, format="png", progress=progress)
    new = phantom(root / "new", cases=3, seed=seed + 1000, size=GRID, progress=progress)
    progress.note("2. inspect them")
    inspect(slices / "classes", html=root / "inspect.html", progress=progress)
    progress.note("3. learn to segment volumes")
    segmenter = fit(
        volumes, root / "segment", target="mask", settings=SETTINGS["volumes"], seed=seed, progress=progress
    )
    progress.note("4. learn to classify slices")
    classifier = fit(
        slices / "classes", root / "classify", settings=SETTINGS["slices"], seed=seed, progress=progress
    )
    progress.note("5. answer three new studies and score the answers")
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
    write_text(root / "report.html", page(findings, sorted((root / "answers").glob("*.overlay.png"))))
    return Demo(root, cards, tuple(findings), passed)


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


def page(findings: Sequence[str], pictures: Sequence[Path] = ()) -> str:
    """Return a page that shows those pictures of the answers, held in itself, and leads to everything the demo made."""
    links = {
        "segment/report.html": "Segmentation: figures, curves, best and worst cases, every choice with its reason",
        "classify/report.html": "Classification: the same",
        "evaluation/report.html": "Three new studies, answered and scored",
        "inspect.html": "What inspect says of the slices, with a contact sheet",
        "segment/card.md": "The segmenter's model card",
    }
    rows = "".join(f'<li><a href="{k}">{html.escape(v)}</a></li>' for k, v in links.items())
    said = "".join(f"<li>{html.escape(f)}</li>" for f in findings)
    seen = "".join(
        f'<img alt="{html.escape(p.name.partition(".")[0])}" src="data:image/png;base64,'
        f'{base64.b64encode(p.read_bytes()).decode()}">'
        for p in pictures
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Vesalius demo</title><style>'
        "body{font:17px/1.55 system-ui,sans-serif;max-width:44rem;margin:4rem auto;padding:0 1rem;color:#1c2733}"
        "a{color:#0b5cad}li{margin:.4rem 0}small{color:#66727f}"
        "div{display:flex;gap:.5rem}img{width:0;flex:1;min-width:0}code{background:#eef1f4;padding:.1rem .3rem}"
        "</style><h1>Vesalius demo</h1>"
        "<p>Synthetic abdominal CT studies were made, learned from, answered and scored on this machine.</p>"
        f"<h2>What was asserted</h2><ul>{said}</ul>"
        f"<h2>Three new studies, as the segmenter answered them</h2><div>{seen}</div>"
        f"<h2>Look at</h2><ul>{rows}</ul>"
        "<p>In planes and in 3-D, in a browser: <code>vesalius serve</code> with the folder <code>segment</code>, then "
        "drop a file of <code>new/imagesTr</code> on the page.</p>"
        "<p><small>For research. Not a medical device.</small></p></html>\n"
    )
