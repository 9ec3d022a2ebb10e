"""card: what people who decide about a model are told: its card, checklists, change control, and what it costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vesalius import cohorts
from vesalius.core.bundle import Bundle
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort
from vesalius.core.disk import new_folder, write_text
from vesalius.core.errors import DataError, FormatError, OutputError
from vesalius.core.file_names import file_names
from vesalius.core.progress import Progress, watched
from vesalius.core.scorecard import Scorecard, load_scorecard
from vesalius.core.shown import Shown, some
from vesalius.core.words import counted
from vesalius.evaluate.cards.about import About
from vesalius.evaluate.cards.about import template as empty
from vesalius.evaluate.cards.card import ModelCard, card_of
from vesalius.evaluate.cards.known import known_of
from vesalius.evaluate.cards.reading import read_about
from vesalius.evaluate.choosing import decide
from vesalius.evaluate.decision import Candidate, Decision
from vesalius.evaluate.own_card import is_of, own_scorecard
from vesalius.plan import machine as machines
from vesalius.plan import torch_threads
from vesalius.plan.energy import WATTS
from vesalius.run.finished import Run, bundle_of
from vesalius.run.measuring import Measured, measure
from vesalius.run.speed import recorded_speed
from vesalius.run.stopping import all_or_nothing

What = Run | Bundle | Path | str
PAGE, TEXT, LISTS, LISTS_JSON = "card.html", "card.md", "checklists.md", "card.json"
DECISION, DECISION_JSON = "decision.html", "decision.json"


@dataclass(frozen=True, eq=False)
class Cards(Shown):
    """The cards of some models by name, and the table of what each costs beside how good it is.

    `out` is the folder that they were written to.
    """

    cards: Mapping[str, ModelCard]
    decision: Decision
    out: Path | None = None

    def _words(self) -> Iterable[str]:
        yield some(map(repr, self.cards), len(self.cards))
        yield f"{counted(sum(one.open for one in self.cards.values()), 'open entry', 'open entries')}"
        yield self.decision.advice


def card(
    models: What | Sequence[What],
    out: Path | str | None = None,
    *,
    about: Path | str | Mapping[str, Any] | None = None,
    scorecards: Sequence[Scorecard | Path | str] = (),
    data: Path | str | Cohort | None = None,
    cases: int = 5,
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    device: str | None = None,
    watts: float = WATTS,
    accept_mismatch: bool = False,
    progress: Progress | bool | None = None,
) -> Cards:
    """Return each model's card, checklists and change-control plan, and the table that a clinic chooses by.

    All is filled in from the bundle, its plan and its scorecard; what is not known says that it is open. With `data`
    the time, the memory, the work and the energy of a case are measured on this machine; without, the time is as the
    run recorded it, and the rest is not measured.

    Args:
        models: A run, a bundle, or the path of one; or several of them.
        out: A new folder: `card.md`, `card.html`, `card.json`, `checklists.md`, of several models each in a folder
            of its name; and `decision.html`, `decision.json`.
        about: What only a person knows, as `fit` takes it, instead of what the bundle says of it; of one model alone.
        scorecards: Scorecards, or paths of them or of folders that `evaluate` wrote, instead of the models' own.
            Each is that of the model it was measured on.
        data: Cases to measure on, as for `read`; they need no truth.
        cases: How many of them each model answers.
        columns: What a table's columns are, where their names do not tell: `{"covariate": "age,sex"}`.
        layout: How to read it, where it could be read in several ways; one of `vesalius layouts`.
        device: `cpu`, `cuda`, `cuda:1`; by default a GPU where there is one.
        watts: Of one busy core, for an estimate of the energy where the machine does not say it.
        accept_mismatch: Measure on images of another modality or unit than a bundle learned from, too.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a notebook.

    Returns:
        The cards by name, and the decision.

    Raises:
        DataError: There is no model, a scorecard is of none of them, or there is no case to measure on.
        PlanError: What `about` says is not right.
        BundleError: A bundle is damaged.
        OutputError: `out` holds something.
        Interrupted: Ctrl-C; nothing is left behind.
    """
    given = [models] if isinstance(models, Run | Bundle | str | Path) else list(models)
    if not given:
        raise DataError("no model is given", hint="a run, a bundle, or the path of one")
    said = None if about is None else read_about(about)
    if said is not None and len(given) > 1:
        raise DataError(
            "what its maker says is of one model", found=f"{len(given)} models", hint="a card each"
        )
    opened = _named(given)
    figures = _figures(opened, scorecards)
    wanted = _cases(data, cases, columns=columns, layout=layout) if data is not None else []
    folder = None if out is None else new_folder(Path(out), default="card")
    with all_or_nothing(folder):
        torch_threads.use(machines.measure().cores)
        shown = watched(progress)
        cards: dict[str, ModelCard] = {}
        candidates: list[Candidate] = []
        for name, bundle in opened.items():
            found = measure(
                bundle, wanted, device=device, watts=watts, accept_mismatch=accept_mismatch, progress=shown
            )
            one = _candidate(name, bundle, figures[name], found)
            candidates.append(one)
            cards[name] = _card(bundle, figures[name], said, found)
        made = Cards(cards, decide(candidates), folder)
        if folder is not None:
            _write(made, folder)
    return made


def template(path: Path | str) -> Path:
    """Write an empty file for what only a person knows of a model. Raises OutputError where the path exists."""
    path = Path(path)
    if path.exists():
        raise OutputError(f"{path} exists; nothing is overwritten", hint="another path")
    write_text(path, empty())
    return path


def _named(given: Sequence[What]) -> dict[str, Bundle]:
    """Return the bundles by names that tell them apart."""
    found: dict[str, Bundle] = {}
    for what in given:
        bundle = bundle_of(what)
        name, n = bundle.name, 2
        while name in found:
            name, n = f"{bundle.name}-{n}", n + 1
        found[name] = bundle
    return found


def _figures(
    opened: Mapping[str, Bundle], scorecards: Sequence[Scorecard | Path | str]
) -> dict[str, Scorecard | None]:
    """Return each model's scorecard: one that was given, or that of its run with its single cases, or the bundle's."""
    found = {name: _of_run(bundle) or own_scorecard(bundle) for name, bundle in opened.items()}
    for what in scorecards:
        one = what if isinstance(what, Scorecard) else _read(Path(what))
        mine = [name for name, bundle in opened.items() if is_of(one, bundle)]
        if not mine:
            raise DataError(
                "a scorecard was measured on none of these models",
                found=f"bundle {one.bundle[:12] or 'of another tool'}",
                hint="the scorecard that `evaluate` wrote for one of them",
            )
        found |= dict.fromkeys(mine, one)
    return found


def _of_run(bundle: Bundle) -> Scorecard | None:
    """Return the scorecard of the run around a bundle, with its single cases; None where it is another's."""
    try:
        card = load_scorecard(bundle.path.parent / "scorecard.json")
    except FormatError:
        return None
    return card if is_of(card, bundle) else None


def _read(path: Path) -> Scorecard:
    return load_scorecard(path / "scorecard.json" if path.is_dir() else path)


def _cases(
    data: Path | str | Cohort, most: int, *, columns: Mapping[str, str] | None, layout: str | None
) -> list[Case]:
    """Return the first cases of some data, spread evenly. Raises DataError where there are none."""
    cohort = (
        data
        if isinstance(data, Cohort)
        else cohorts.read(data, max_set_aside=1.0, columns=columns, layout=layout)
    )
    every = list(cohort.cases)
    if not every or most < 1:
        raise DataError(f"{cohort.root} holds no case to measure on", hint="images, or fewer options")
    step = max(1, len(every) // most)
    return [replace(case, targets={}) for case in every[::step][:most]]


def _candidate(name: str, bundle: Bundle, figures: Scorecard | None, found: Measured) -> Candidate:
    stage = bundle.stages[-1]
    known = known_of(bundle, scorecard=figures)
    cost = found.cost
    if cost.seconds is None and not cost.how:
        cost = recorded_speed(bundle, cost)
    return Candidate(
        name=name,
        bundle=bundle.hash,
        task=stage.plan.task.name,
        net=stage.plan.net.name,
        members=sum(len(s.members) for s in bundle.stages),
        cost=cost,
        card=figures,
        explainers=found.explainers,
        calibrated=known.calibrated,
        self_tested=known.has("selftest"),
    )


def _card(bundle: Bundle, figures: Scorecard | None, said: About | None, found: Measured) -> ModelCard:
    return card_of(known_of(bundle, scorecard=figures, about=said, explainers=found.explainers))


def _write(made: Cards, folder: Path) -> None:
    """Write all of it; of several models each has a folder of its own."""
    places = file_names(made.cards) if len(made.cards) > 1 else {}
    for name, one in made.cards.items():
        place = folder / places[name] if places else folder
        texts = {
            TEXT: one.markdown(),
            LISTS: one.checklists_markdown(),
            LISTS_JSON: one.json(),
            PAGE: one.html(),
        }
        for file, text in texts.items():
            write_text(place / file, text)
    write_text(folder / DECISION, made.decision.html())
    write_text(folder / DECISION_JSON, made.decision.json())
