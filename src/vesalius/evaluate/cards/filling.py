"""Filling: what is known of the items of checklists, a function an item, for as many checklists as ask for it.

Each returns what is known, where it stands and what is missing of it, or None where nothing is. Nothing is guessed:
what the bundle, its plan and its scorecard do not hold is missing.
"""

from __future__ import annotations

from vesalius.core.words import counted, listed
from vesalius.evaluate.banners import LEARNED
from vesalius.evaluate.cards import figures
from vesalius.evaluate.cards.about import asked_for
from vesalius.evaluate.cards.found import Found
from vesalius.evaluate.cards.known import Known, in_words, taken
from vesalius.evaluate.cards.model_card import SHOWN, intended, refuses

CARD, PLAN, NUMBERS, RULES = "Model card", "The plan", "All numbers", "How it was measured"


# --- what it is and what it is for


def title(k: Known) -> Found:
    """Return what the model is called, and the outcome."""
    return Found(
        f"{k.title}; outcome: {k.data.get('target') or k.plan.task.target or 'none'}",
        CARD,
        "the patients, in the title of a paper",
    )


def technique(k: Known) -> Found:
    """Return the kind of technique."""
    return Found(f"deep learning: {k.plan.task.name} with {k.plan.net.name}", CARD)


def purpose(k: Known) -> Found:
    """Return the intended use and users."""
    lacking = [f for f in ("intended_use", "population", "users") if not getattr(k.about, f)]
    said = [intended(k), *(getattr(k.about, f) for f in ("population", "users") if getattr(k.about, f))]
    return Found(" ".join(said), "Intended use", "; ".join(asked_for(f) for f in lacking))


def role(k: Known) -> Found:
    """Return what is said of use and role."""
    return Found(intended(k), "Intended use", asked_for("background"))


def objectives(k: Known) -> Found:
    """Return whether the model was made, evaluated or both, and what the maker says of aims."""
    both = "made and evaluated" if k.scorecard is not None else "made, not evaluated"
    return Found(
        f"{both}. {k.about.objectives}".strip(), CARD, "" if k.about.objectives else asked_for("objectives")
    )


# --- data


def sources(k: Known) -> Found | None:
    """Return which data there are."""
    held = _data(k, "cases", "patients", "layout")
    return Found(held, "Training data", asked_for("data_source")) if held else None


def preparation(k: Known) -> Found:
    """Return how images are prepared and how data are checked."""
    data = k.plan.data
    how = listed(data.intensities)
    text = (
        "every case is decoded once and faulty ones are set aside by name; axes made canonical, "
        f"{data.sampling} images of {taken(k.plan)}; intensities: {how}; alike for all cases"
    )
    return Found(text, PLAN)


def acquired(k: Known) -> Found | None:
    """Return what is declared of how the images were acquired."""
    known = in_words(k.learned)[1:]
    return Found("; ".join(known), "Factors", asked_for("acquisition")) if known else None


def excluded(k: Known) -> Found | None:
    """Return how many cases were set aside."""
    held = _data(k, "cases", "set aside")
    return Found(held, "Worth knowing", asked_for("eligibility")) if k.data.get("set aside") else None


def selection(k: Known) -> Found | None:
    """Return whether only parts of the images enter."""
    data = k.plan.data
    if data.sampling == "whole":
        return Found("none: each image enters as a whole", PLAN)
    return Found(
        f"patches of {taken(k.plan)}, {k.plan.train.foreground:.0%} of them on a label",
        PLAN,
    )


def missing(k: Known) -> Found | None:
    """Return how missing targets are handled."""
    beside = k.data.get("beside them")
    text = f"cases without the target are {'learned from without it: ' + beside if beside else 'not learned from'}"
    return (
        Found(
            f"{text}; faulty images are set aside ({k.data['set aside']})",
            "Training data",
            asked_for("missing_data"),
        )
        if k.data.get("set aside")
        else None
    )


def outcome(k: Known) -> Found | None:
    """Return what the target is."""
    held = _data(k, "target", "labels")
    return Found(held, CARD, asked_for("reference_standard")) if held else None


def predictors(k: Known) -> Found:
    """Return what enters the model."""
    return Found(
        f"all of the image; channels: {listed(k.plan.data.channel_names) or k.plan.data.channels}; none preselected",
        PLAN,
    )


def predictors_measured(k: Known) -> Found:
    """Return what is known of the images."""
    return Found(
        "; ".join(in_words(k.learned)[1:]) or f"{counted(k.plan.data.channels, 'channel')}",
        "Factors",
        asked_for("acquisition"),
    )


def sample_size(k: Known) -> Found | None:
    """Return how many cases there are; why so many only the maker knows."""
    held = _data(k, "trained on", "tested on")
    return Found(held, "Training data", asked_for("sample_size")) if held else None


def partition(k: Known) -> Found | None:
    """Return how cases were divided."""
    held = _data(k, "divided", "trained on", "tested on")
    return (
        Found(f"{held}; assigned once, before training, and stored", "Training data")
        if k.data.get("divided")
        else None
    )


def disjoint(k: Known) -> Found | None:
    """Return at which level partitions are disjoint."""
    if k.scorecard is None:
        return None
    if k.scorecard.patients_known:
        return Found(
            "the patient: no patient is in two parts, and cases that show nearly the same image stay together",
            RULES,
        )
    return Found(
        "the case: patients are not known, so one may be in two parts",
        RULES,
        "whether a patient has several cases",
    )


def difference(k: Known) -> Found | None:
    """Return whether evaluation data differ from training data."""
    if k.scorecard is None or k.scorecard.data_hash != k.hashes.get("data"):
        return None
    return Found(
        "both are parts of the same data, by their hash",
        RULES,
        asked_for("external_testing"),
    )


# --- the model


def model(k: Known) -> Found:
    """Return what the model takes and puts out."""
    data, net = k.plan.data, k.plan.net
    text = (
        f"{net.name} at scale {net.scale:g}, {data.dims}-D; "
        f"takes {counted(data.channels, 'channel')} of {taken(k.plan)}; "
        f"answers of kind {k.answer}{': ' + listed(k.labels, 12) if k.labels else ''}"
    )
    return Found(text, PLAN)


def handled(k: Known) -> Found:
    """Return how predictors entered."""
    return preparation(k)


def built(k: Known) -> Found:
    """Return the kind of model, how it was built and validated within."""
    train = k.plan.train
    text = (
        f"{k.plan.net.name}; {_course(k)}; every value follows from a rule or was set by a person; validated on "
        f"{counted(train.folds, 'fold')} of the training patients"
    )
    return Found(text, PLAN)


def trained(k: Known) -> Found:
    """Return how it was trained."""
    augment = k.plan.augment
    changes = [
        n
        for n in ("rotate_deg", "translate", "zoom", "elastic", "noise", "gamma", "mixup")
        if getattr(augment, n)
    ]
    changes += ["flip"] if augment.flip_axes else []
    return Found(f"{_course(k)}; random changes: {listed(changes) or 'none'}", PLAN)


def _course(k: Known) -> str:
    train, loss = k.plan.train, k.plan.loss
    return (
        f"{counted(train.steps, 'step')} of {counted(train.batch, 'case')}, "
        f"{train.optimizer} at {train.lr:g} ({train.schedule}), "
        f"loss {loss.name}, seed {train.seed}"
    )


def initialised(k: Known) -> Found | None:
    """Return what training began from."""
    began = k.training.get("began from") or ("random weights" if not k.plan.net.init else "")
    return Found(began, PLAN) if began else None


def chosen(k: Known) -> Found:
    """Return how the checkpoint was chosen."""
    how = (
        "the last step"
        if k.plan.train.select == "last"
        else "the best of its validations on cases of its own fold"
    )
    return Found(f"each member's weights are those of {how}; never by test cases", PLAN)


def ensemble(k: Known) -> Found:
    """Return how members are joined."""
    if k.members == 1:
        return Found("none: one model answers", CARD)
    return Found(f"{k.members} members, each trained without another fold; their answers are averaged", CARD)


def software(k: Known) -> Found:
    """Return the software that made it."""
    return Found(f"{k.made_by}; PyTorch; the report names versions and machine", "For an engineer")


def imbalance(k: Known) -> Found:
    """Return what was done about unequal classes."""
    weights, sampled = k.plan.loss.class_weights, k.plan.train.balance
    done = [
        f"the loss weighs classes ({weights})" if weights != "none" else "",
        "cases are drawn so that classes are equal" if sampled else "",
    ]
    text = listed(d for d in done if d) or "nothing: classes enter as often as they occur"
    after = (
        f"probabilities were calibrated on {k.calibrated_on}"
        if k.calibrated
        else "probabilities were not recalibrated"
    )
    return Found(f"{text}; {after}", PLAN)


def output(k: Known) -> Found:
    """Return what the model puts out, and the thresholds."""
    card = k.scorecard
    at = figures.thresholds(card) if card else ""
    return Found(f"answers of kind {k.answer}; thresholds: {at or 'none'}", "Metrics")


def calculated(k: Known) -> Found:
    """Return how predictions are made."""
    return Found(
        "`vesalius predict` and `vs.predict`: the bundle prepares, answers and calibrates alike everywhere",
        CARD,
    )


def specification(k: Known) -> Found:
    """Return where the whole model is."""
    digest = k.hashes.get("bundle") or k.hashes.get("weights", "")
    return Found(
        f"the bundle holds weights, plan and calibration (hash {digest[:SHOWN]})",
        CARD,
        "" if k.about.code_availability else asked_for("code_availability"),
    )


# --- evaluation


def measures(k: Known) -> Found | None:
    """Return the measures of performance."""
    return (
        None
        if k.scorecard is None
        else Found(figures.measures(k.scorecard) or "none judges these answers", NUMBERS)
    )


def uncertainty(k: Known) -> Found | None:
    """Return how uncertainty is measured."""
    card = k.scorecard
    if card is None:
        return None
    text = f"95 % intervals from {card.resamples} bootstrap resamples of patients; two models are compared in pairs"
    return Found(text, RULES)


def performance(k: Known) -> Found | None:
    """Return the main figures; figures of groups are a part of the item."""
    lead = figures.leading(k.scorecard)
    if not lead:
        return None
    return Found(
        lead,
        NUMBERS,
        "" if k.subgroups else "figures of key subgroups: `vesalius evaluate RUN DATA --by COLUMN`",
    )


def performance_overall(k: Known) -> Found | None:
    """Return the main figures."""
    lead = figures.leading(k.scorecard)
    return Found(lead, NUMBERS) if lead else None


def diagnostic(k: Known) -> Found | None:
    """Return the figures with their precision, and the points of operation."""
    return performance_overall(k)


def clusters(k: Known) -> Found | None:
    """Return figures by cluster, where groups were measured."""
    groups = k.grouped_by
    return Found(f"figures by {groups}", "Subgroups") if groups else None


def fairness(k: Known) -> Found | None:
    """Return what was measured of fairness; what was done about it only the maker knows."""
    groups = k.grouped_by
    return Found(f"figures and gaps by {groups}", "Subgroups", asked_for("fairness")) if groups else None


def updating(k: Known) -> Found | None:
    """Return that nothing was fitted on the cases of the figures, and what the bundle's calibration holds.

    None where there are no figures, or where these may be of cases that the model was trained on.
    """
    card = k.scorecard
    if card is None or card.split in ("train", "training") or any(b.kind == LEARNED for b in card.banners):
        return None
    held = listed(k.calibration) or "nothing"
    return Found(
        f"nothing was fitted on the cases of these figures; calibrated on other cases: {held}",
        "Change control",
    )


def robustness(k: Known) -> Found | None:
    """Return what was measured of unlike images and of groups."""
    parts = [
        "images unlike those of training are told" if k.has("novelty") else "",
        f"figures by {k.grouped_by}" if k.subgroups else "",
        "risk against coverage" if k.selective else "",
    ]
    found = listed(p for p in parts if p)
    return Found(found, "Quantitative analyses") if found else None


def explained(k: Known) -> Found | None:
    """Return the methods of explanation that suit the model."""
    if not k.explainers:
        return None
    return Found(
        f"{listed(k.explainers)}; each map is measured, and named as failing where it does not hold",
        "Explanations",
        "the figures of the maps of these cases: `vesalius explain`",
    )


def internal(k: Known) -> Found | None:
    """Return the evaluation on data of the same source."""
    card = k.scorecard
    if card is None or card.data_hash != k.hashes.get("data"):
        return None
    return Found(f"{figures.scored_on(card)}: {figures.leading(card, 1)}", NUMBERS)


def external(k: Known) -> Found | None:
    """Return the evaluation on other data than those of training; whether of another place the maker knows."""
    card = k.scorecard
    if card is None or card.data_hash == k.hashes.get("data"):
        return None
    return Found(
        f"{figures.scored_on(card)} of other data ({card.data_hash[:SHOWN]})",
        NUMBERS,
        asked_for("external_testing"),
    )


def flow(k: Known) -> Found | None:
    """Return how many cases went where."""
    held = _data(k, "cases", "patients", "set aside", "trained on", "tested on")
    return (
        Found(held, "Training data", "the numbers before the data were given to Vesalius") if held else None
    )


def characteristics(k: Known) -> Found | None:
    """Return what is known of the images of training."""
    known = in_words(k.learned)
    return (
        Found("training images: " + "; ".join(known), "Training data", asked_for("demographics"))
        if known
        else None
    )


def numbers(k: Known) -> Found | None:
    """Return how many took part in each analysis."""
    held = _data(k, "trained on", "tested on")
    n = k.calibration.get("n")
    more = f"; calibrated on {int(n)} {k.calibrated_on}" if isinstance(n, int) else ""
    return Found(held + more, "Training data", "how many had the outcome in each part") if held else None


def failures(k: Known) -> Found | None:
    """Return where wrong answers are shown."""
    if k.scorecard is None or not k.scorecard.metrics:
        return None
    return Found(
        "the report shows the worst cases, truth beside answer, and a table of all cases",
        "Cases",
        "what the wrong answers have in common, in the eyes of an expert",
    )


def limits(k: Known) -> Found:
    """Return the limits that follow from what was measured."""
    banners = [b.text for b in k.scorecard.banners] if k.scorecard is not None else []
    return Found(" ".join([*banners, *figures.limits(k.scorecard)]), CARD)


# --- use


def poor_input(k: Known) -> Found | None:
    """Return what the bundle does with images that are unlike."""
    held = refuses(k)
    return Found(f"refused: {held}", "Intended use", asked_for("poor_input")) if held else None


def _data(k: Known, *names: str) -> str:
    """Return some facts of the data in one line; those that are not known are left out."""
    return "; ".join(f"{name}: {k.data[name]}" for name in names if k.data.get(name))
