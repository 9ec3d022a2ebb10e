"""Summary: statistics of a set of training cases, from which follow the fingerprint and what a bundle learned from.

They can be merged: hosts, or hospitals whose cases never meet, each summarise their own. What is in them:

    images, references     in how many cases each image is, and is the reference
    patients               different patients
    declared, named        the modalities that the data's author declared; the covariates that a person named
    classes                in how many cases each label of the target is
    covariates             what there is of each (`prepare/covariates.py`)
    channels, grey, bits   of the reference images
    voxels                 of each value of the target's masks
    seen                   sizes, spacings, units, ends of intensities, and what is declared (`core/learned.py`)
    extent_mm              of the images whose spacing is known
    values, inside         means and deviations of intensities; their ends, means and deviations where a label is
    width_px               of the thinnest label of each flat mask
    things                 how many things the target places in each case, and how large (`plan/things.py`)
    each                   by image, then by channel from 0: its units, bits, values and inside
    expected               the images that each case should have, where some lack one
    times, visits, courses, texts, apart   what cases bring beside one picture (`plan/sources.py`)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vesalius.cohorts import usual_reference
from vesalius.cohorts.targets import contract as kinds
from vesalius.core import learned
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.distinct import Distinct
from vesalius.core.histogram import Histogram
from vesalius.core.learned import SIZE_AXES, Learned, Seen
from vesalius.core.statistics import Statistics, columns
from vesalius.core.tally import Tally
from vesalius.plan import sources, things
from vesalius.plan.facts import ChannelFacts, Facts
from vesalius.prepare import covariates

INSIDE = ("low", "high", "mean", "sd")


def summary(
    cohort: Cohort, measured: Mapping[str, Facts], training: Sequence[Case], target: TargetInfo | None
) -> Statistics:
    """Return the statistics of some training cases; `measured` are the facts of each, by its id.

    Sizes, spacings and intensities are of the image that is the reference of most cases, where a case has it.
    """
    usual = usual_reference(training)
    found = [measured[c.id] for c in training if c.id in measured and (usual is None or usual in c.images)]
    brought = {c.id: (f.sources, f.own) for c in training if (f := measured.get(c.id)) is not None}
    extents = [
        [n * mm for n, mm in zip(f.shape, f.spacing_mm[::-1], strict=True)]
        for f in found
        if f.spacing_mm is not None
    ]
    return Statistics(
        {
            "images": Tally.of_each(c.images for c in training),
            "references": Tally.of(c.reference for c in training),
            "patients": Distinct.of(c.patient or c.id for c in training),
            "declared": Tally.of(cohort.modalities for _ in training),
            "named": Tally.of_each(cohort.covariates for _ in training),
            "classes": _classes(training, target),
            "covariates": covariates.overview(training),
            "channels": Tally.of((f.channels, f.names) for f in found),
            "grey": Tally.of(f.grey for f in found),
            "bits": Tally.of(f.bits for f in found),
            "voxels": Tally.summed(dict(f.voxels) for f in found),
            "seen": learned.statistics([_seen(f) for f in found]),
            "extent_mm": columns(extents, SIZE_AXES),
            "values": columns([(f.mean, f.sd) for f in found], INSIDE[2:]),
            "inside": columns([f.inside for f in found if f.inside is not None], INSIDE),
            "each": _each(found),
            "width_px": Histogram.of(f.width_px for f in found if f.width_px is not None),
            "things": things.summed(found),
            "expected": Tally.of_each(cohort.expected for _ in training),
            **sources.summed(training, brought),
        }
    )


def _each(found: Sequence[Facts]) -> Statistics:
    """Return what is known of each channel by itself."""
    held: dict[str, dict[str, list[ChannelFacts]]] = {}
    for one in (c for f in found for c in f.each):
        held.setdefault(one.image, {}).setdefault(str(one.k), []).append(one)
    return Statistics(
        {name: Statistics({k: _channel(v) for k, v in of.items()}) for name, of in held.items()}
    )


def _channel(found: Sequence[ChannelFacts]) -> Statistics:
    return Statistics(
        {
            "unit": Tally.of(c.unit for c in found),
            "bits": Tally.of(c.bits for c in found),
            "values": columns([c.values for c in found], INSIDE),
            "inside": columns([c.inside for c in found if c.inside is not None], INSIDE),
        }
    )


def learned_from(found: Statistics) -> Learned:
    """Return the record of what was learned from, for the bundle to keep."""
    seen = found.part("seen", Statistics)
    scaled = set(seen.part("unit", Tally)) != {None} or set(found.part("bits", Tally)) == {8}
    return learned.summary(seen, absolute=scaled)


def _classes(training: Sequence[Case], target: TargetInfo | None) -> Tally:
    if target is None:
        return Tally()
    values = [c.targets[target.name] for c in training if target.name in c.targets]
    tallied = kinds.of(target.kind).tally(values)
    return Tally(len(values), {str(name): n for name, n in tallied.items()})


def _seen(f: Facts) -> Seen:
    return Seen(f.shape, f.spacing_mm, f.low, f.high, f.modality, f.unit, f.body_part, f.sequence)
