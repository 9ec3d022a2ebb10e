"""What suits a table without images: a small net of its columns, and which of them it learns from."""

from __future__ import annotations

import re

from vesalius import nets
from vesalius.core.words import counted
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.prepare.covariates import CODES

ROLE = "table"  # of nets that read a table's columns
IMAGELESS = "imageless"  # in a plan's fingerprint
PLACES = re.compile(
    r"(site|cent(er|re)|scanner|hospital|institution|clinic|station|batch)([ _.-]?(id|name|nr|no|code))?"
)


def table(prints: Fingerprint) -> Draft:
    """Return the choices for covariates alone: their net, batches of rows, and no change of images."""
    draft = Draft()
    draft.set("data.sampling", "whole", "the answer is about a row of a table")
    draft.set("data.size", [1, 1, 1], "there are no images")
    draft.set("data.spacing_mm", None, "there are no images")
    draft.set("net.name", "mlp", "a small network of the columns; by folds better than a straight line")
    draft.set("net.scale", 1.0, "the usual width")
    draft.set("net.options", {}, "as its file has them")
    draft.set("net.dropout", 0.3, "few rows beside many columns")
    draft.set("augment.probability", 0.0, "there are no images to change")
    draft.set("infer.mirror", [], "there are no images")
    draft.set("infer.novelty", "none", "it looks at what nets see in images")
    draft.set("infer.batch", 256, "rows are small")
    draft.set("train.batch", 32, "steps that are quick and not too noisy")
    draft.set("train.lr", 1e-3, "found by folds on training rows")
    why = "an ensemble over the folds: every case is validated once, by a model that never saw it"
    draft.set("train.members", 5, why)
    return draft


def is_table(net: str) -> bool:
    """Return whether a net reads a table's columns and no images. Raises UnknownName."""
    return bool(nets.describe(net).get("ROLE") == ROLE)


def columns(prints: Fingerprint) -> tuple[list[str], str]:
    """Return the covariates that are learned from where there are no images and nobody named any, and why.

    They are all columns of numbers and of few words, but those that say where somebody was examined (what is learned
    of a place holds nowhere else), those of one value, and those whose name has a comma, by which lists are parted.
    """
    kept = [
        name
        for name, about in prints.covariates.items()
        if about.values > 1
        and "," not in name
        and not PLACES.fullmatch(name.strip().casefold())
        and not (about.category and about.values > CODES)
    ]
    return kept, f"there are no images: all {counted(len(kept), 'column')} that may tell something"
