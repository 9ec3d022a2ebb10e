"""What answers add to factors that are known of the cases anyway, such as age and stage, of kinds that can say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vesalius.answers.contract import FACTORS
from vesalius.core.bundle import Bundle
from vesalius.core.calling import calling
from vesalius.core.scorecard import Scorecard
from vesalius.evaluate.scoring import Tally
from vesalius.tasks import contract as tasks

RESAMPLES = 400
LEARNED = ("train", "training")  # splits of which the model knows what became of them


def with_factors(
    card: Scorecard, tally: Tally, names: Sequence[str], *, bundle: Bundle | None = None
) -> Scorecard:
    """Return a scorecard that says what the answers of `tally` add to covariates of its cases.

    `names` are those that a person named; without any they are those that the bundle's model is given. The card as it
    is, where there are none, where answers of its kind say nothing of it, and of cases that the model was trained on.
    """
    saw = given(bundle)
    names = tuple(names) or saw
    if not card.metrics or not names or card.split in LEARNED:
        return card
    rows, _ = tally.rows()
    known = {name: [case.covariates.get(name) for case in tally.cases] for name in names}
    people = [card.patients.get(case.id, case.id) for case in tally.cases]
    with calling(f"answers of kind {tally.kind}", tally.handling, "adds"):
        found = tally.handling.adds(
            rows, known, people, resamples=min(RESAMPLES, card.resamples), seed=card.seed
        )
    if not found:
        return card
    return replace(card, clinical={**card.clinical, FACTORS: {**found, "saw": list(saw)}})


def given(bundle: Bundle | None) -> tuple[str, ...]:
    """Return the covariates that a bundle's model is given beside images."""
    if bundle is None:
        return ()
    stage = bundle.stages[-1]
    return tuple(dict.fromkeys(tasks.get(stage.plan.task.name).known_covariates(stage.state)))
