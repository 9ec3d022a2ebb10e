"""Banners: what must be read before any figure of a scorecard, because without it the figures mislead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vesalius import metrics
from vesalius.answers import contract
from vesalius.answers.drawing.panels import figure
from vesalius.core.called import called_by
from vesalius.core.scorecard import Banner, Scorecard
from vesalius.core.words import counted
from vesalius.evaluate import standing as standings
from vesalius.evaluate.standing import lead, standing
from vesalius.metrics import Rows

FEW_STEPS = 100  # of all members together: fewer teach a net hardly more than how frequent classes are
FEW_PATIENTS = 10  # to test on
FEW_CASES = 5  # of one class, or with one label
NAMED = 8  # classes that a sentence names
SHORT = 2  # labels that are named even where all are scarce

TRAINING = "hardly trained"
COLLAPSED = "collapsed"
OF_TRAINING = (TRAINING, COLLAPSED)  # what is known when the training is over, whatever is scored
UNCALLED = "never called"
FEW = "few cases"
UNJUDGED = "not measured"
WORSE = "worse than the trivial answer"
LEARNED = "training cases"


def of_training(
    steps: Sequence[tuple[int, int]], name: str = "", *, fewest: int = FEW_STEPS
) -> tuple[Banner, ...]:
    """Return the banner of a run that was hardly trained; none where it was trained as planned.

    `steps` are `(done, planned)` a member. A member hardly trained if it did under half of its steps; a run,
    if any member of it was, or if all members together did under `fewest`: what is found in closed form needs one step
    alone. `name` says which stage this is.
    """
    done = sum(d for d, _ in steps)
    short = [k for k, (d, planned) in enumerate(steps) if is_short(d, planned)]
    if not short and done >= fewest:
        return ()
    where = f" ({name})" if name else ""
    if len(steps) == 1:
        told = f"{steps[0][0]} of {counted(steps[0][1], 'planned step')}"
    else:
        told = "its members did " + ", ".join(f"{d} of {p}" for d, p in steps) + " planned steps"
    if short and len(short) < len(steps):
        text = (
            f"Part of this model was hardly trained{where}: {told}; those under half of them do not answer."
        )
    elif short:
        text = f"This model was hardly trained{where}: {told}; the time ran out. Its figures may be chance."
    else:
        text = f"This model was hardly trained{where}: {told}, and fewer than {fewest} teach little."
    return (Banner(TRAINING, text),)


def of_collapse(text: str, name: str = "") -> Banner:
    """Return the banner of a net whose features tell cases apart no more; `text` says by which figure."""
    where = f" ({name})" if name else ""
    return Banner(COLLAPSED, f"This model is of no use{where}: {text}.")


def of_unjudged(answer: str) -> Banner:
    """Return the banner of answers of a kind that no metric judges."""
    return Banner(UNJUDGED, f"There are no metrics for answers of kind {answer}, so no figure was computed.")


def of_no_target() -> Banner:
    """Return the banner of a model that learned without a target, so that nothing says how right its answers are."""
    return Banner(
        UNJUDGED, "The model learned without a target, so there is no truth to measure its answers against."
    )


def of_figures(card: Scorecard) -> tuple[Banner, ...]:
    """Return the banner of a model that the trivial answer beats, by the figure that leads the verdict; else none."""
    handling = contract.of(card.answer)
    wanted = handling.headlines or tuple(n for n in card.metrics if "/" not in n)
    names = [n for n in wanted if n in card.metrics]
    first = lead(card, names)
    if first is None or standing(card, first) != standings.WORSE:
        return ()
    worse = [n for n in names if standing(card, n) == standings.WORSE]
    told = [
        f"{handling.metric_names.get(n, n.replace('_', ' '))} {figure(card.metrics[n].value)} against "
        f"{figure(card.baseline[n].value)}"
        for n in worse
    ]
    what = f" ({card.baseline_is})" if card.baseline_is else ""
    return (Banner(WORSE, f"The trivial answer{what} is better than this model: {'; '.join(told)}."),)


def is_short(done: int, planned: int) -> bool:
    """Return whether a member did under half of its planned steps."""
    return 2 * done < planned


def of_rows(rows: Rows, answer: str, *, split: str, patients: int, known: bool) -> tuple[Banner, ...]:
    """Return the banners of what was scored: classes that are never called, too few patients, too few of a class."""
    module = metrics.for_answer(answer)
    occurrences = getattr(module, "occurrences", None)
    held: Mapping[str, tuple[int, int, int]] = occurrences(rows) if occurrences is not None else {}
    return (*_uncalled(held, split), *_few(held, split, patients, known))


def _uncalled(held: Mapping[str, tuple[int, int, int]], split: str) -> tuple[Banner, ...]:
    never = {name: (truths, n) for name, (truths, called, n) in held.items() if truths and not called}
    if not never:
        return ()
    nice = called_by(held)
    told = [f"'{nice[name]}' ({truths} of {n} have it)" for name, (truths, n) in never.items()]
    more = f" and {len(told) - NAMED} more" if len(told) > NAMED else ""
    what = "This class is" if len(never) == 1 else f"{len(never)} classes are"
    text = f"{what} never called in split '{split}': {', '.join(told[:NAMED])}{more}."
    return (Banner(UNCALLED, text),)


def _few(
    held: Mapping[str, tuple[int, int, int]], split: str, patients: int, known: bool
) -> tuple[Banner, ...]:
    parts = []
    if patients < FEW_PATIENTS:
        who = (
            counted(patients, "patient")
            if known
            else f"{counted(patients, 'case')}, each counted as a patient"
        )
        parts.append(f"{who}, where {FEW_PATIENTS} are few already, in split '{split}'")
    scarce = {name: truths for name, (truths, _, _) in held.items() if truths < FEW_CASES}
    if scarce:
        parts.append(f"fewer than {FEW_CASES} cases with {_scarce(scarce, held)}")
    if not parts:
        return ()
    return (
        Banner(FEW, f"The figures stand on few cases: {'; '.join(parts)}. See the width of the intervals."),
    )


def _scarce(scarce: Mapping[str, int], held: Mapping[str, tuple[int, int, int]]) -> str:
    """Return which labels few cases have, each with how many; in one word where all of several have as few."""
    least, most = min(scarce.values()), max(scarce.values())
    if len(scarce) == len(held) > SHORT:
        return f"any label: each of {len(held)} has {least if least == most else f'{least} to {most}'}"
    nice = called_by(held)
    told = ", ".join([f"'{nice[name]}' ({truths})" for name, truths in scarce.items()][:NAMED])
    return told + (f" and {len(scarce) - NAMED} more" if len(scarce) > NAMED else "")
