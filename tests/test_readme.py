"""The README's commands run as they stand, one after another; only their sizes are made small."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vesalius import cli, formats
from vesalius.core.image import Image
from vesalius.verbs.phantom import phantom

README = Path(__file__).resolve().parent.parent / "README.md"
SMALLER = {
    "phantom": ["--cases", "4", "--set", "size=small"],
    "fit": ["--set", "train.steps=4", "--set", "train.members=1", "--set", "net.scale=0.125"],
    "pretrain": ["--set", "train.steps=4", "--set", "net.scale=0.125"],
    "few-shot": ["--episodes", "3", "--shots", "2", "--queries", "2", "--head", "prototypes"],
    "transfer": [
        *(
            "--seeds",
            "0",
            "--shares",
            "1",
            "--init",
            "none",
            "--set",
            "train.steps=2",
            "--pretrain-set",
            "train.steps=2",
        ),
        *("--set", "net.scale=0.125", "--set", "train.members=1", "--pretrain-set", "net.scale=0.125"),
    ],
}  # what each command is given besides; of an option that stands twice the last counts


def commands() -> list[list[str]]:
    """Every `$ vesalius …` line of the README, as words."""
    blocks = re.findall(
        r"^```console\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    lines = [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]
    return [words[2:] for words in lines if words[:2] == ["$", "vesalius"]]


@pytest.fixture
def studies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the README speaks of: studies, a new one, another hospital's, and a table of its patients."""
    monkeypatch.chdir(tmp_path)
    for name, seed in (("studies", 0), ("other_hospital", 7)):
        made = phantom(tmp_path / "first" / name, cases=12, seed=seed, format="png", size=(16, 48, 48))
        shutil.move(made / "classes", tmp_path / name)
    (tmp_path / "new_study").mkdir()
    pictures = sorted((tmp_path / "other_hospital").rglob("*.png"))
    shutil.copy(pictures[0], tmp_path / "new_study")
    rows = [
        f"{p.relative_to(tmp_path)},{p.parent.name},{'FM'[k % 2]},{40 + k}" for k, p in enumerate(pictures)
    ]
    (tmp_path / "patients.csv").write_text("\n".join(["image,class,sex,age", *rows]) + "\n")
    _several(tmp_path, pictures)
    return tmp_path


def _several(folder: Path, pictures: list[Path]) -> None:
    """Write cines, studies of several images, eyes, and two visits."""
    rng = np.random.default_rng(0)
    for k in range(12):
        frames = rng.normal(size=(3, 1, 1, 16, 16)).astype(np.float32)
        path = folder / "cines" / ("fast", "slow")[k % 2] / f"c{k}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        formats.write(Image(frames, affine=np.eye(4), times_s=(0.0, 0.1, 0.2)), path)
    made = phantom(folder / "bodies", kind="multimodal", cases=12)
    shutil.copytree(made / "images", folder / "images")
    table = (made / "cohort.csv").read_text().replace(",text,response", ",note,response", 1)
    (folder / "studies.csv").write_text(table)
    shutil.copytree(folder / "other_hospital", folder / "eyes")
    for visit, picture in zip(("first_visit", "second_visit"), pictures, strict=False):
        (folder / visit).mkdir()
        shutil.copy(picture, folder / visit)


def test_the_commands_of_the_readme_run(
    studies: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from vesalius.serve.http import server

    served: list[Any] = []
    monkeypatch.setattr(server, "run_service", lambda bundles, **how: served.extend(bundles))
    ran = []
    for words in commands():
        monkeypatch.setattr(sys, "argv", ["vesalius", *words, *SMALLER.get(words[0], ())])
        try:
            cli.main()
        except SystemExit as stopped:
            assert not stopped.code, (words, capsys.readouterr().err)
        ran.append(words[0])
    assert {"inspect", "fit", "predict", "evaluate", "serve", "phantom", "--version"} <= set(ran)
    assert served == ["run"]
    for left in ("inspect.html", "run/report.html", "answers/answers.csv", "made/truth.json"):
        assert (studies / left).is_file(), left


def test_the_first_screen_shows_pictures_that_are_there() -> None:
    text = README.read_text(encoding="utf-8")
    pictures = re.findall(r"\]\((docs/pictures/[\w.-]+)\)", text)
    assert len(pictures) == 2 and all((README.parent / picture).is_file() for picture in pictures)
    first = text.split("## ")[0]
    assert all(picture in first for picture in pictures)


def test_the_figures_of_the_readme_are_those_that_were_measured() -> None:
    """Each figure in bold, with its interval, stands among the runs of docs/benchmarks.md."""
    text = README.read_text(encoding="utf-8")
    measured = (README.parent / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    known = [tuple(map(float, x)) for x in re.findall(r"(\d\.\d+) \[(\d\.\d+), (\d\.\d+)\]", measured)]
    shown = re.findall(r"\*\*(\.\d+)\*\* \[(\.\d+), (\.\d+)\]", text)
    assert len(shown) >= 5
    wrong = [
        one
        for one in shown
        if not any(all(abs(float(a) - b) < 0.00051 for a, b in zip(one, run, strict=True)) for run in known)
    ]
    assert wrong == []
    assert "7198 of 7198" in measured and "7,198 of 7,198" in text
