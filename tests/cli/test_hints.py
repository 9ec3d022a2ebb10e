"""Every option that a hint names exists on every command that can say it."""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import Any

import typer

from _source import texts, walk
from vesalius.cli import app

READERS = ("inspect", "fit", "predict", "evaluate")  # of a cohort
ROOMS = {
    "cohorts": READERS,
    "cohorts/targets": ("fit", "evaluate"),
    "core": READERS,
    "formats": READERS,
    "prepare/degradations": ("degrade",),
    "shapes/rules": ("design",),
    "shapes/design": ("design",),
    "run/design": ("design",),
    "shapes": ("mesh",),
    "prepare": ("fit", "predict", "evaluate"),
    "infer": ("fit", "predict", "evaluate"),
    "infer/opinions": ("predict",),
    "run/archive": ("predict",),
    "exports": ("export",),
    "reliability": ("inspect",),
    "deidentify": ("deidentify",),
    "radiomics": ("features",),
    "plan": ("fit",),
    "learn": ("fit",),
    "tasks": ("fit",),
    "retrieve": ("find",),
    "search": ("search",),
    "cluster": ("search", "predict"),
    "serve": ("serve",),
    "compress": ("compress",),
    "imports": ("import",),
    "adjunct": ("ask", "serve"),
    "questions": ("ask",),
    "language": ("fit", "prompt"),
}
FILES = {
    "shapes/bone.py": ("design",),
    "formats/_meshes.py": ("mesh",),
    "dicom/write/m3d.py": ("mesh",),
    "run/meshing.py": ("mesh",),
    "cli/import_model.py": ("import",),
    "verbs/import_model.py": ("import",),
    "infer/alone.py": ("explain",),
    "cohorts/_limits.py": ("fit",),  # the others bear any share
    "cohorts/_experts.py": ("consensus",),
    "cohorts/_cleaning.py": ("clean",),
    "cohorts/_folds.py": ("fit",),
    "cohorts/_splits.py": ("inspect", "fit", "evaluate", "clean"),
    "cohorts/_shots.py": ("fit",),
    "infer/choosing.py": ("predict", "serve"),
    "language/prompting.py": ("prompt",),
    "language/tokenizers/published.py": ("fit",),
    "verbs/prompt.py": ("prompt", "fit"),
    "learn/episodes.py": ("few-shot",),
    "cohorts/_dealing.py": ("fit",),
    "cohorts/_check.py": ("fit", "evaluate"),
    "reliability/scanner_spread.py": ("harmonise",),
    "cohorts/_coding.py": ("inspect", "fit", "evaluate"),  # predict asks nothing of labels
    "cohorts/_doubtful.py": ("inspect", "fit", "evaluate"),
    "cohorts/_grading.py": ("inspect", "fit", "evaluate"),
    "cohorts/_spelling.py": ("inspect", "fit", "evaluate"),
    "cohorts/_words.py": ("inspect", "fit", "evaluate"),
    "cohorts/_overlap.py": ("fit",),
    "infer/guard.py": ("predict", "evaluate", "serve"),
    "infer/guarding.py": ("predict", "serve"),
    "infer/doubting.py": ("predict",),
    "core/groups.py": ("fit", "evaluate", "calibrate"),
    "core/index_file.py": ("explain", "index"),
    "run/annotation/exporting.py": ("gather",),
    "run/annotation/making.py": ("annotate",),
    "run/annotation/project.py": ("annotate",),
    "retrieve/search.py": ("find",),
    "retrieve/journal.py": ("index",),
    "run/indexing.py": ("index",),
    "run/searching.py": ("find",),
    "run/vectors.py": ("find", "index"),
    "run/rounds.py": ("suggest",),
    "run/strategies/contract.py": ("suggest",),
    "verbs/suggest.py": ("suggest",),
    "cohorts/_target.py": ("inspect", "fit", "evaluate"),
    "core/plan.py": ("fit",),  # --set is fit's
    "core/bundle.py": ("fit",),  # it says `fit --resume`
    "reliability/html.py": ("fit",),  # its page says what to do next
    "run/stages.py": ("fit",),
    "run/workspace.py": ("fit",),
    "run/clock.py": ("fit",),
    "run/ledger.py": ("predict",),
    "run/filling.py": ("predict",),
    "run/predicting.py": ("predict",),
    "run/arms.py": ("transfer",),
    "run/plan_scores.py": ("search",),
    "verbs/_searching.py": ("search",),
    "verbs/_search_elsewhere.py": ("search",),
    "verbs/_predict_elsewhere.py": ("predict",),
    "core/cluster_address.py": ("search", "predict"),
    "run/featuring.py": ("features",),
    "reliability/told.py": ("harmonise",),
    "run/harmonise/data.py": ("harmonise",),
    "run/harmonise/features.py": ("harmonise",),
    "run/harmonise/looks.py": ("harmonise",),
    "run/harmonise/out.py": ("harmonise",),
    "prepare/harmonising.py": ("fit",),
    "prepare/harmonise/__init__.py": ("fit",),
    "run/features_file.py": ("features",),
    "run/features_notes.py": ("features",),
    "run/shape/reading.py": ("shape",),
    "run/shape/part.py": ("complete",),
    "run/consensus/experts.py": ("consensus",),
    "run/consensus/joining.py": ("consensus",),
    "run/consensus/reading.py": ("consensus",),
}
# tesseract's, pip's, those of an export's script, and of Ray's `ray start`
FOREIGN = {"--psm", "--no-deps", "--selftest", "--threads", "--head", "--address"}


@cache
def options() -> dict[str, set[str]]:
    """The options of each command."""
    group: Any = typer.main.get_command(app)
    every = {"": group, **group.commands}
    return {name: {o for p in c.params for o in (*p.opts, "--help")} for name, c in every.items()}


def commands_of(name: str) -> tuple[str, ...]:
    """The commands on which the words of a file can be read; empty where nothing is known."""
    if name in FILES:
        return FILES[name]
    *folders, file = name.removesuffix(".py").split("/")
    if folders and folders[-1] in ("verbs", "cli") and file in options():
        return (file,)
    rooms = [r for r in ROOMS if name.startswith(f"{r}/")]
    return ROOMS[max(rooms, key=len)] if rooms else ()


def test_a_command_that_is_named_exists() -> None:
    known = set(options())
    for path, source in texts().items():
        for name in re.findall(r"`vesalius ([a-z-]+)|\"vesalius ([a-z-]+) ", source):
            assert "".join(name) in known, f"{path} names `vesalius {''.join(name)}`"


@cache
def named() -> list[tuple[str, str, str]]:
    """`(file, option, command)` for each option that a string of the source names, where it is no docstring.

    The command is the one whose name stands before the option (`fit --folds`), and else empty.
    """
    found: set[tuple[str, str, str]] = set()
    before = rf"(?:\b({'|'.join(c for c in options() if c)}) )?(?<![\w-])(--[a-z][a-z-]*[a-z])"
    for path, source in texts().items():
        if not re.search("--[a-z]", source):
            continue
        nodes = walk(ast.parse(source))
        docs = {
            id(n.body[0].value)
            for n in nodes
            if isinstance(n, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and n.body
            and isinstance(n.body[0], ast.Expr)
        }
        for node in nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
                found |= {(path, option, command) for command, option in re.findall(before, node.value)}
    return sorted(one for one in found if one[1] not in FOREIGN)


def test_there_are_hints_to_look_at() -> None:
    assert {("cohorts/_read.py", "--layout", ""), ("learn/loop.py", "--set", "")} <= set(named())


def test_an_option_that_is_named_exists_on_the_command_that_names_it() -> None:
    known, wrong = options(), []
    for file, option, command in named():
        commands = (command,) if command else commands_of(file)
        if not commands and not any(option in has for has in known.values()):
            wrong.append(f"{file} names {option}, which no command has")
        wrong += [
            f"{file} names {option}, which `vesalius {one}` lacks"
            for one in commands
            if option not in known[one]
        ]
    assert wrong == []
