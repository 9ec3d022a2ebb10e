"""`vesalius nets | tasks | losses | …`: what is available of each kind that the registry knows, one line each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import typer

from vesalius.cli._outcome import Outcome, add
from vesalius.core.registry import KINDS, exists, literals, names, plural, problems, stem_of, stems

PANEL = "What is available"
HELP = {
    "nets": "The networks that can be trained.",
    "tasks": "The questions that can be asked.",
    "formats": "The file formats that are read and written.",
    "cohorts": "The ways in which data may be laid out.",
    "cohorts.targets": "The kinds of target that can be learned from.",
    "losses": "The losses that can be learned with.",
    "optimisers": "The optimisers: how gradients become changes of weights.",
    "schedules": "The courses of the learning rate.",
    "metrics": "The figures that answers are scored with, by kind of answer.",
    "answers": "The kinds of answer that a model can end in.",
    "phantom": "The synthetic studies that can be made.",
    "phantom.faults": "The faults that can be planted into a synthetic cohort, for `phantom --faults`.",
    "reliability.looks": "What `inspect` looks for, and `--silence` takes.",
    "prepare.transforms": "The changes that training images are put through.",
    "prepare.aligning": "The ways of laying one visit's image over another one, for `change --registration`.",
    "prepare.degradations": "The ways in which an image gets worse, for `degrade`.",
    "prepare.harmonise": "The ways of making images or features of different scanners comparable.",
    "language.tokenizers": "The ways of parting texts into numbered pieces.",
    "benefit.learners": "The ways of learning who gains from a treatment.",
    "anomalies": "The ways to learn what is normal, for `fit --task anomaly --set train.recipe=…`.",
    "infer.runs": "The ways in which a model is run over a case.",
    "infer.opinions": "The ways of having several opinions about a case, for `predict --doubt`.",
    "infer.novelty": "What can tell images apart that are unlike those of training.",
    "infer.handover": "The ways in which a stage is given what an earlier one says.",
    "infer.runtimes": "What can compute a model's raw outputs, for `predict --runtime` and `serve --runtime`.",
    "learn.recipes": "The ways of training.",
    "run.strategies": "The ways of choosing what to label next, for `suggest --strategy`.",
    "radiomics.families": "The families of radiomics features, for `features radiomics --set families=…`.",
    "shapes.rules": "The rules that a design keeps, for `design --rule`.",
    "evaluate.checklists": "The checklists of reporting that a model's card fills in.",
}
ABOUT = (
    *("ROLE", "DIMS", "SOURCE", "EXTRA", "OPTIONS", "LIMITS", "DEFAULT_FOR", "TARGETS", "FORMATS"),
    *("FINDINGS", "SUFFIXES", "WRITES", "READ_ONLY", "STAGE", "FIELDS", "ANSWER", "TAKES", "UNDO"),
)  # literals that say something to whoever chooses


def entries(kind: str) -> Iterator[dict[str, Any]]:
    """Yield what is known of each registered name of a kind, without importing its file."""
    for name, text in names(kind).items():
        stem = stem_of(kind, name)
        found = literals(kind, stem)
        about = {key.lower(): found[key] for key in ABOUT if key in found}
        figures = {key: value["text"] for key, value in found.get("DESCRIPTIONS", {}).items()}
        yield {"name": name, "text": text, "module": stems(kind)[stem], "about": about, "figures": figures}


def outcome(kind: str) -> Outcome:
    """Return the registered names of a kind with their descriptions."""
    listed = list(entries(kind))

    wrong = problems(kind)

    def show() -> None:
        for text in wrong:
            typer.echo(f"vesalius: {text}", err=True)
        width = max(
            (len(n) for one in listed for n in (one["name"], *(f"  {f}" for f in one["figures"]))), default=0
        )
        for one in listed:
            suffixes = " ".join(one["about"].get("suffixes", ()))
            typer.echo(f"{one['name']:<{width}}  {one['text']}" + (f"  {suffixes}" if suffixes else ""))
            for figure, text in one["figures"].items():
                typer.echo(f"  {figure:<{width - 2}}  {text}")

    warnings = [("not-used", text) for text in wrong]
    return Outcome({"kind": plural(kind), "entries": listed}, show, warnings=warnings)


def command(kind: str) -> Callable[[], Outcome]:
    """Return the command that lists a kind."""

    def listing() -> Outcome:
        return outcome(kind)

    listing.__doc__ = HELP.get(kind) or f"The {plural(kind)} that there are."
    return listing


def register(app: typer.Typer) -> None:
    """Add a command for each kind that has a room."""
    for kind in KINDS:
        if exists(kind):
            add(app, plural(kind), command(kind), panel=PANEL, limited=False)
