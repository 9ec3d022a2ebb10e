"""Figures of words against the public implementation itself, where it is installed beside a Java."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from vesalius.core.answers.text import Text
from vesalius.metrics import _text_meteor as meteor
from vesalius.metrics import text as judge
from vesalius.metrics._text_words import words

bleu = pytest.importorskip("pycocoevalcap.bleu.bleu_scorer", reason="pip install pycocoevalcap")
PAIRS = json.loads((Path(__file__).parents[1] / "tests" / "metrics" / "text_pairs.json").read_text())["pairs"]


def plain(text: str) -> str:
    return " ".join(words(text))


def test_figures_equal_those_of_the_public_implementation() -> None:
    from pycocoevalcap.cider.cider_scorer import CiderScorer
    from pycocoevalcap.rouge.rouge import Rouge

    overlap, rare = bleu.BleuScorer(n=4), CiderScorer(n=4)
    for said, wanted in PAIRS:
        overlap += (plain(said), [plain(wanted)])
        rare += (plain(said), [plain(wanted)])
    table = judge.rows([Text(sections={"": a}) for a, _ in PAIRS], [b for _, b in PAIRS])
    found = judge.summary(table, np.arange(len(PAIRS)))
    public, _ = overlap.compute_score(option="closest")
    assert [found[f"bleu_{n}"] for n in (1, 2, 3, 4)] == pytest.approx(public, abs=1e-6)
    assert found["cider"] == pytest.approx(rare.compute_score()[0], abs=1e-6)
    longest = [Rouge().calc_score([plain(a)], [plain(b)]) for a, b in PAIRS]
    assert found["rouge_l"] == pytest.approx(np.mean(longest), abs=1e-6)


@pytest.mark.skipif(shutil.which("java") is None, reason="METEOR's own program needs a Java")
def test_meteor_equals_its_own_program_with_equal_words_and_stems(tmp_path: Path) -> None:
    from pycocoevalcap.meteor import meteor as there

    jar = Path(there.__file__).with_name("meteor-1.5.jar")
    small = tmp_path / "small.words"
    small.write_text("\n".join(sorted(meteor.SMALL_WORDS)) + "\n")
    said, wanted = tmp_path / "said", tmp_path / "wanted"
    told = [(plain(a), plain(b)) for a, b in PAIRS if a]
    said.write_text("\n".join(a for a, _ in told) + "\n")
    wanted.write_text("\n".join(b for _, b in told) + "\n")
    how = ["-l", "en", "-m", "exact stem", "-w", "1.0 0.6", "-s", str(small), "-q"]
    done = subprocess.run(
        ["java", "-Xmx1G", "-jar", str(jar), str(said), str(wanted), *how],
        capture_output=True,
        text=True,
        check=True,
    )
    counts = np.array([meteor.counts(a.split(), b.split()) for a, b in told])
    assert meteor.score(counts.sum(axis=0)) == pytest.approx(float(done.stdout.split()[-1]), abs=1e-6)
    own = [meteor.score(row) for row in counts]
    theirs = [float(line.split()[-1]) for line in done.stderr.splitlines() if line.strip()]
    assert own == pytest.approx(theirs, abs=1e-6)
