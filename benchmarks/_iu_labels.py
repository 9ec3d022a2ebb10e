"""Labels of IU X-ray's reports by rules, beside the MeSH tags that people gave the same reports."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks._figures import Figure
from vesalius.consensus.agreement import of_classes as agreement
from vesalius.consensus.patterns import of_classes
from vesalius.core.case import Case
from vesalius.core.image import Array
from vesalius.core.interval import Interval
from vesalius.metrics import bounds, resample
from vesalius.run.labelling.readers import read_by_rules
from vesalius.run.labelling.result import Read
from vesalius.texts.terms import Terms

DRAWS = 1000
FEWEST = 10  # tagged reports, below which a label is not listed
# which tags say that a finding is there; findings whose tags mean something else (markings, surgery) are not compared
TAGS: Mapping[str, str] = {
    "opacity": r"Opacity|Density",
    "cardiomegaly": r"Cardiomegaly|Cardiac Shadow/enlarged",
    "atelectasis": r"Pulmonary Atelectasis",
    "granuloma": r"Calcified Granuloma|Granuloma",
    "scar": r"Cicatrix",
    "effusion": r"Pleural Effusion|Hydropneumothorax",
    "atherosclerosis": r"Atherosclerosis|Aorta.*calcinosis|Calcinosis.*aorta",
    "tube": r"Catheters|Tube, Inserted",
    "consolidation": r"Airspace Disease|Infiltrate|Consolidation",
    "nodule": r"Nodule|Density.*/round|Opacity.*/round",
    "mass": r"Mass(/|$)",
    "fracture": r"Fractures",
    "congestion": r"Pulmonary Congestion",
    "degeneration": r"Osteophyte|Spondylosis|Arthritis|.*degenerative",
    "emphysema": r"Emphysema|Pulmonary Emphysema|Bullous Emphysema",
    "thickening": r"Thickening",
    "copd": r"Pulmonary Disease, Chronic",
    "hernia": r"Hernia",
    "edema": r"Pulmonary Edema",
    "pneumonia": r"Pneumonia(/|$)",
    "pneumothorax": r"Pneumothorax|Hydropneumothorax|Hemopneumothorax",
    "scoliosis": r"Scoliosis",
    "blunted angle": r"Costophrenic Angle.*blunted",
    "hyperinflation": r"Lung/.*hyperdist|Lung, Hyperlucent|Diaphragm.*flattened",
    "low volume": r"Lung.*hypoinflation",
    "tortuous aorta": r"Aorta.*tortuous",
    "fibrosis": r"Pulmonary Fibrosis|Lung Diseases, Interstitial",
    "raised diaphragm": r"Diaphragm.*elevated|Diaphragmatic Eventration",
    "kyphosis": r"Kyphosis",
    "osteopenia": r"Bone Diseases, Metabolic|Osteoporosis",
    "heart failure": r"Heart Failure",
    "calcified lymph node": r"Calcinosis.*lymph nodes|Lymph Nodes/.*calc",
    "deformity": r"Deformity",
    "foreign body": r"Foreign Bodies",
}
ACTIONABLE = (
    r"Pneumothorax|Hydropneumothorax|Hemopneumothorax|Mass(/|$)|Pneumoperitoneum|Cavitation|Aortic Aneurysm|"
    r"Mediastinal Emphysema"
)


def figures(cases: Sequence[Case], groups: Sequence[str]) -> list[Figure]:
    """Return F1 and kappa of each label with intervals over equal texts, then the flag of actionable reports."""
    terms = Terms.named("chest")
    read = [read_by_rules(case, terms) for case in cases]
    drawn = resample(groups, np.random.default_rng(0), DRAWS)
    rows, firm, free = [], [], []
    for name, tags in TAGS.items():
        truth = _tagged(cases, tags)
        said = np.array([one.statuses.get(name) == "present" for one in read])
        doubt = np.array([one.statuses.get(name) == "uncertain" for one in read])
        if truth.sum() < FEWEST:
            continue
        rows.append(_row(name, truth, said, doubt, drawn, groups))
        firm.append((truth, said))
        free.append((truth, said | doubt))
    return [_micro("all labels, micro F1: what is suspected counts as absent", firm, drawn),
            _micro("all labels, micro F1: what is suspected counts as present", free, drawn),
            *rows, _flag(cases, read, drawn)]  # fmt: skip


def _tagged(cases: Sequence[Case], tags: str) -> Array:
    known = re.compile(tags)
    return np.array([any(known.match(tag) for tag in _tags(case)) for case in cases])


def _tags(case: Case) -> tuple[str, ...]:
    tags = case.targets.get("mesh", ())
    return tags if isinstance(tags, tuple) else ()


def _row(
    name: str, truth: Array, said: Array, doubt: Array, drawn: Sequence[Array], groups: Sequence[str]
) -> Figure:
    calls = np.stack([truth, said], 1).astype(np.int64)
    held = of_classes(calls, experts=("tags", "rules"), labels=("no", "yes"), patients=groups)
    kappa = agreement(held, resamples=200).pairs[(0, 1)]["kappa"]
    precision = said[truth].sum() / max(1, said.sum())
    return Figure(
        f"{name}, F1",
        str(_interval(_f1, truth, said, drawn)),
        note=f"{int(truth.sum())} tagged; precision {precision:.3f}, recall {said[truth].mean():.3f}; "
        f"suspected as present: F1 {_f1(truth, said | doubt):.3f}; kappa {kappa}",
    )


def _micro(what: str, pairs: Sequence[tuple[Array, Array]], drawn: Sequence[Array]) -> Figure:
    truth, said = np.stack([t for t, _ in pairs], 1), np.stack([s for _, s in pairs], 1)
    return Figure(
        what, str(_interval(_f1, truth, said, drawn)), note=f"{truth.shape[1]} labels, {len(truth)} reports"
    )


def _flag(cases: Sequence[Case], read: Sequence[Read], drawn: Sequence[Array]) -> Figure:
    truth = _tagged(cases, ACTIONABLE)
    said = np.array([bool(one.actionable) for one in read])
    return Figure(
        "actionable reports, F1 of the flag",
        str(_interval(_f1, truth, said, drawn)),
        note=f"{int(truth.sum())} by their tags, {int(said.sum())} flagged; sensitivity "
        f"{_interval(_recall, truth, said, drawn)}; what is only suspected is flagged, and has no tag",
    )


def _f1(truth: Array, said: Array) -> float:
    both = 2 * float((truth & said).sum())
    wrong = float((truth ^ said).sum())
    return both / (both + wrong) if both + wrong else float("nan")


def _recall(truth: Array, said: Array) -> float:
    return float(said[truth].mean()) if truth.any() else float("nan")


def _interval(
    figure: Callable[[Array, Array], float], truth: Array, said: Array, drawn: Sequence[Array]
) -> Interval:
    values = np.array([figure(truth[rows], said[rows]) for rows in drawn])
    return bounds(figure(truth, said), values, len(truth))


def sentences(folder: Path) -> list[Figure]:
    """Return how many of the sentences beside the tests are read wholly right: name, status, side, size if given."""
    import csv

    from tests.texts.test_sentences import is_right

    rows = []
    for name, told in _SETS.items():
        with (folder / f"sentences_{name}.csv").open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
        right = [is_right(line) for line in lines]
        groups = {g: [r for r, line in zip(right, lines, strict=True) if line["group"] == g] for g in _GROUPS}
        share = ", ".join(f"{g} {sum(v)} of {len(v)}" for g, v in groups.items())
        rows.append(Figure(told, f"{sum(right)} of {len(right)}, {np.mean(right):.3f}", note=share))
    return rows


_GROUPS = ("negation", "uncertainty", "history", "laterality")
_SETS = {
    "first": "300 sentences written before the rules; 279 of them (.930) at the first run, now, their faults mended:",
    "second": "97 others, half of them hard; 80 of them (.825) at the first run, now, their faults mended:",
}
