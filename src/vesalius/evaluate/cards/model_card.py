"""The model card: what a model is for, what it learned from, how good it is and where it ends (Mitchell et al. 2019).

The sections and their fields are those of "Model cards for model reporting" (FAT* 2019, arXiv 1810.03993, section 4).
What is not known stands there as open, so that nobody takes silence for an answer.
"""

from __future__ import annotations

from vesalius.answers.drawing.panels import Table
from vesalius.core.promise import PROMISE, WITHHOLD
from vesalius.core.words import counted, listed
from vesalius.evaluate import added, places, rivals_shown
from vesalius.evaluate.cards import figures
from vesalius.evaluate.cards.entries import MAKER, Entry, Section, known, not_measured, stated
from vesalius.evaluate.cards.known import Known, in_words, taken
from vesalius.evaluate.report import facts

NO_DEVICE = "Not a medical device. For research; not for diagnosis or treatment."
BY = "`vesalius evaluate RUN DATA --by COLUMN` scores groups"
SHOWN = 16  # digits of a hash that people compare


def sections(known_of: Known) -> tuple[Section, ...]:
    """Return the nine sections of the card, in the order of the paper."""
    made = (_details, _use, _factors, _metrics, _evaluation, _training, _analyses, _ethics, _caveats)
    return tuple(make(known_of) for make in made)


def intended(k: Known) -> str:
    """Return what the model is for: the maker's word, or what a model for research may be said to be for."""
    own = f"Research: to {k.plan.task.name} images like those it learned from; answers are for review."
    return k.about.intended_use or own


def _details(k: Known) -> Section:
    plan = k.plan
    net = f"{plan.net.name}, scale {plan.net.scale:g}"
    kind = (
        f"{plan.task.name} of {'volumes' if plan.data.dims == 3 else 'pictures'}, answers of kind {k.answer}"
    )
    stages = f", after {listed(k.stages[:-1])}" if len(k.stages) > 1 else ""
    optimiser = (
        f"{plan.train.recipe}: {counted(plan.train.steps, 'step')} of {plan.train.batch}, {plan.train.optimizer} at "
        f"{plan.train.lr:g}, {plan.train.schedule}, loss {plan.loss.name}"
    )
    where = "plan.json in the bundle has every choice with its reason"
    entries = [
        stated("developed by", k.about, "maker"),
        stated("version", k.about, "version"),
        known("made on", k.training.get("made on", ""), ask="the date"),
        Entry("made by", k.made_by),
        Entry("type", f"{kind}; {net}; {counted(k.members, 'member')}{stages}"),
        Entry("training", optimiser, where=where),
        known("labels", listed(k.labels), ask="what it answers") if k.labels else Entry("labels", "none"),
        stated("licence", k.about, "licence"),
        stated("citation", k.about, "citation"),
        stated("contact", k.about, "contact"),
        *(Entry(f"hash of the {name}", digest[:SHOWN]) for name, digest in k.hashes.items() if digest),
    ]
    return Section("details", "Model details", entries)


def _use(k: Known) -> Section:
    uses = Entry("primary uses", intended(k), where=MAKER if k.about.intended_use else "")
    entries = [
        uses,
        Entry("standing", NO_DEVICE),
        stated("users", k.about, "users"),
        stated("patients", k.about, "population"),
        stated("indications", k.about, "indications"),
        stated("contraindications", k.about, "contraindications"),
        stated("out of scope", k.about, "out_of_scope"),
        known("refuses", refuses(k), ask="images of which kind it refuses", where="the bundle's guard"),
    ]
    return Section("use", "Intended use", entries)


def refuses(k: Known) -> str:
    """Return which images the bundle refuses; empty where what it learned from is not known."""
    learned = k.learned
    if learned is None:
        return ""
    named = [
        f"{what} other than {word}"
        for what, word in (("a modality", learned.modality), ("a unit", learned.unit))
        if word
    ]
    if not named:
        return "nothing by its kind: the training images declared neither modality nor unit for all"
    return (
        f"images that declare {' or '.join(named)}, unless that is accepted; what else is unlike is only said"
    )


def _factors(k: Known) -> Section:
    groups = k.grouped_by
    entries = [
        stated("relevant factors", k.about, "factors"),
        Entry("evaluated factors", f"groups by {groups}", where="Subgroups")
        if groups
        else not_measured("evaluated factors", BY),
        known(
            "instruments", "; ".join(in_words(k.learned)[1:]), ask="modality, size and spacing of the images"
        ),
        stated("scanners and protocols", k.about, "acquisition"),
        stated("setting", k.about, "setting"),
    ]
    return Section("factors", "Factors", entries)


def _metrics(k: Known) -> Section:
    card = k.scorecard
    if card is None:
        return Section("metrics", "Metrics", [not_measured("measures", "`vesalius evaluate RUN DATA`")])
    intervals = f"95 % intervals from {card.resamples} bootstrap resamples of patients, then of their cases"
    entries = [
        Entry(
            "measures", figures.measures(card) or "none: no metric judges these answers", where="All numbers"
        ),
        Entry(
            "decision thresholds",
            figures.thresholds(card) or "none",
        ),
        Entry("variation", intervals),
        Entry("compared with", card.baseline_is or "no trivial answer"),
        Entry("calibrated", f"yes, on {k.calibrated_on}" if k.calibrated else "no"),
    ]
    return Section("metrics", "Metrics", entries)


def _evaluation(k: Known) -> Section:
    card, data = k.scorecard, k.plan.data
    normalised = listed(data.intensities)
    entries = [
        known("data", "" if card is None else figures.scored_on(card), ask="on which cases it was evaluated"),
        known("data hash", "" if card is None else card.data_hash[:SHOWN], ask="the hash of the data"),
        known(
            "training cases",
            _overlap(k),
            ask="whether cases of training were among them",
        ),
        stated("why these data", k.about, "data_source"),
        stated("tested elsewhere", k.about, "external_testing"),
        Entry(
            "preparation",
            f"{data.sampling}, {taken(k.plan)}; intensities: {normalised}",
            where="The plan",
        ),
    ]
    return Section("evaluation", "Evaluation data", entries)


def _overlap(k: Known) -> str:
    """Return whether cases of training were among those scored, as far as that is known."""
    card = k.scorecard
    if card is None:
        return ""
    kept = card.split == "test" and card.data_hash == k.hashes.get("data")
    return card.overlap or ("none: the test cases of these data were kept from training" if kept else "")


def _training(k: Known) -> Section:
    entries = [Entry(name, text) for name, text in k.data.items()]
    entries += [Entry("images", "; ".join(in_words(k.learned)))] if k.learned is not None else []
    entries += [Entry(name, text) for name, text in k.training.items() if name != "made on"]
    if not k.data:
        entries.append(known("cases", "", ask="how many cases and patients it learned from"))
    about = k.about
    entries += [
        stated("source", about, "data_source"),
        stated("dates", about, "data_dates"),
        stated("eligibility", about, "eligibility"),
        stated("people", about, "demographics"),
        stated("truth", about, "reference_standard", "annotators", "annotator_agreement"),
    ]
    return Section("training", "Training data", entries)


def _analyses(k: Known) -> Section:
    card = k.scorecard
    tables: list[Table] = [t for t in (figures.overall(card), figures.each_label(card)) if t] if card else []
    tables += figures.each_group(card) if card else []
    tables += [*added.panels(card), *places.panels(card), *rivals_shown.panels(card)] if card else []
    groups, gaps = k.grouped_by, figures.gaps(card) if card else ""
    crossed = "×" in groups
    entries = [
        Entry("unitary results", figures.leading(card) or "no figure is defined", where="All numbers")
        if card is not None
        else not_measured("unitary results", "`vesalius evaluate RUN DATA`"),
        Entry("results by group", f"by {groups}{gaps}", where="Subgroups")
        if groups
        else not_measured("results by group", BY),
        Entry("intersectional results", f"by {groups}", where="Subgroups")
        if crossed
        else not_measured(
            "intersectional results", "groups of more than one trait, by a column that joins them"
        ),
        *trust(k),
    ]
    rules = (
        [] if card is None else [Entry(name, text, where="How it was measured") for name, text in facts(card)]
    )
    return Section("analyses", "Quantitative analyses", [*entries, *rules], tables)


def trust(k: Known) -> list[Entry]:
    """Return what was measured of how sure, for what and whether it works here, each open where it was not."""
    promised = k.calibration.get(PROMISE)
    return [
        Entry(
            "sets and intervals",
            f"with a promised coverage of {100 * promised['coverage']:g} %, from {promised['on']['source']}",
            where="the bundle's calibration",
        )
        if promised
        else not_measured("sets and intervals", "`vesalius calibrate` gives them a promised coverage"),
        Entry("abstention", "risk against coverage was measured", where="Risk and coverage")
        if k.selective
        else Entry("abstention", "answers are withheld by a rule", where="the bundle's calibration")
        if k.calibration.get(WITHHOLD)
        else not_measured("abstention", "no curve of risk against coverage is in the scorecard"),
        Entry(
            "unlike images",
            "the bundle tells images that are unlike those of training",
            where="Unlike images",
        )
        if k.has("novelty")
        else not_measured(
            "unlike images", "the bundle has no record of what its training images are like inside"
        ),
        Entry("drift", "the bundle keeps a reference by which a drift of new cases is told")
        if k.has("drift")
        else not_measured("drift", "the bundle keeps no reference of what new cases could be held against"),
        Entry("self-test", "the bundle holds a synthetic input and its answer: `vesalius selftest`")
        if k.has("selftest")
        else not_measured("self-test", "the bundle holds none"),
        known(
            "explanations",
            ""
            if not k.explainers
            else f"can be made by {listed(k.explainers)}; believe those whose figures hold",
            ask="`vesalius explain` says which methods suit it",
        ),
    ]


def _ethics(k: Known) -> Section:
    entries = [
        stated("approval", k.about, "ethics_approval"),
        stated("consent", k.about, "consent"),
        Entry(
            "people's data in the bundle",
            "no pixels, no names of patients or files, no paths; statistics of the images",
        ),
        stated("de-identification", k.about, "deidentification"),
        stated("risks and harms", k.about, "risks"),
        stated("fairness", k.about, "fairness", "inequalities"),
        stated("conflicts of interest", k.about, "conflicts"),
    ]
    return Section("ethics", "Ethical considerations", entries)


def _caveats(k: Known) -> Section:
    entries = [Entry(f"limit {n}", text) for n, text in enumerate(figures.limits(k.scorecard), 1)]
    entries += [
        stated("caveats", k.about, "caveats"),
        stated("recommendations", k.about, "recommendations"),
        stated("poor images", k.about, "poor_input"),
        stated("next steps", k.about, "next_steps"),
    ]
    return Section("caveats", "Caveats and recommendations", entries)
