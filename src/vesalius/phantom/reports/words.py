"""Words: what each finding is called, how it is graded, denied and placed, by sort of image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vesalius.phantom.reports.content import Sort

SMALL = ("small", "moderate", "large")
MILD = ("mild", "moderate", "marked")
FAINT = ("subtle", "moderate", "extensive")


@dataclass(frozen=True)
class Word:
    """What one finding is called: nouns, the plainest first, and how it is graded.

    `countable` takes an article, `degrees` are none where a size says it. `normal` is how a writer says that it is not
    there without naming it; empty where nothing says so. `denied` is what is denied, where that is not a noun of it,
    `deniable` whether anybody would deny it, `where` whether its place is said.
    """

    nouns: tuple[str, ...]
    plurals: tuple[str, ...] = ()
    countable: bool = True
    degrees: tuple[str, str, str] | None = None
    normal: str = ""
    denied: str = ""
    deniable: bool = True
    where: bool = True


CHEST: Mapping[str, Word] = {
    "effusion": Word(
        ("pleural effusion", "effusion", "pleural fluid"), ("pleural effusions", "effusions", "pleural fluid"),
        degrees=SMALL, normal="The costophrenic angles are sharp.", where=False,
    ),
    "pneumothorax": Word(("pneumothorax",), degrees=SMALL, where=False),
    "consolidation": Word(
        ("consolidation", "airspace opacity", "airspace disease"), countable=False, degrees=FAINT,
    ),
    "cardiomegaly": Word(
        ("cardiomegaly", "enlargement of the heart", "cardiac enlargement"), countable=False, degrees=MILD,
        normal="The heart is normal in size.", where=False,
    ),
    "nodule": Word(
        ("nodule", "pulmonary nodule", "lung nodule"), ("nodules", "pulmonary nodules", "lung nodules"),
    ),
    "edema": Word(
        ("pulmonary edema", "interstitial edema", "pulmonary edema"), countable=False, degrees=MILD,
        where=False,
    ),
    "atelectasis": Word(
        ("atelectasis", "linear atelectasis", "subsegmental atelectasis"), denied="atelectasis", countable=False,
        degrees=MILD,
    ),
    "tube": Word(
        ("chest tube", "thoracostomy tube", "chest drain"), where=False,
    ),
}  # fmt: skip

CT: Mapping[str, Word] = {
    "mass": Word(
        ("mass", "enhancing mass", "irregular mass"), ("masses", "enhancing masses", "irregular masses")
    ),
    "cyst": Word(("cyst", "simple cyst", "simple cyst"), ("cysts", "simple cysts", "simple cysts")),
    "stone": Word(("stone", "calculus", "stone"), ("stones", "calculi", "stones")),
    "effusion": Word(
        ("pleural effusion", "effusion", "pleural fluid"), ("pleural effusions", "effusions", "pleural fluid"),
        degrees=SMALL, where=False,
    ),
    "lymph node": Word(
        ("enlarged lymph node", "lymph node enlargement", "lymphadenopathy"),
    ),
    "calcification": Word(
        ("calcification", "calcified plaque", "calcification"), countable=False, degrees=MILD,
    ),
    "steatosis": Word(
        ("steatosis", "hepatic steatosis", "fatty infiltration"), countable=False, where=False,
    ),
}  # fmt: skip

BREAST: Mapping[str, Word] = {
    "mass": Word(("mass", "solid mass", "breast mass"), ("masses", "solid masses", "breast masses"), where=False),
    "malignant": Word(
        ("malignant appearance", "malignant appearance", "appearance of malignancy"), denied="malignancy", where=False,
    ),
    "benign": Word(("benign appearance",), deniable=False, where=False),
}  # fmt: skip

WORDS: Mapping[Sort, Mapping[str, Word]] = {"chest": CHEST, "ct": CT, "breast": BREAST}
BRITISH = {"edema": "oedema", "Edema": "Oedema", "caliber": "calibre", "center": "centre", "tumor": "tumour"}
SPOKEN: Mapping[str, tuple[str, ...]] = {  # what writers call a place, by the name of its term
    "upper lobe": ("upper zone", "upper lung zone", "upper lobe"),
    "mid lung": ("mid zone", "mid lung zone", "mid lung"),
    "lower lobe": ("lower zone", "lower lung zone", "lower lobe"),
}
NORMAL: Mapping[Sort, tuple[str, ...]] = {  # an impression where nothing is found
    "chest": ("No acute cardiopulmonary abnormality.", "Normal chest radiograph.", "No acute abnormality."),
    "ct": ("No acute abnormality of the abdomen.", "Normal abdominal CT.", "No acute abnormality."),
    "breast": ("Normal breast ultrasound.", "Normal examination.", "No abnormality."),
}
STRUCTURES: Mapping[Sort, tuple[str, ...]] = {  # sentences of structures that say nothing of a finding
    "chest": ("The trachea is midline.", "The aortic arch is of normal caliber."),
    "ct": ("The spleen is of normal size.", "The spine is of normal alignment."),
    "breast": (),
}
