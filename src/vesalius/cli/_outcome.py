"""What a verb ends in: words for a person or, with `--json`, one document for a program; see docs/json.md."""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any, TextIO

import typer

from vesalius.cli import _limits
from vesalius.cli._app import shown_progress
from vesalius.core.errors import UsageError, VesaliusError
from vesalius.core.numbers import finite
from vesalius.core.version import VERSION

if TYPE_CHECKING:
    from vesalius.core.progress import Progress
    from vesalius.learn.parallel.places import Place

SCHEMA = "schema.json"
FLAG = "--json"
SHARED = ("fit", "pretrain")  # verbs that several processes of one launcher do together


_CONTEXT = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)


@dataclass(frozen=True)
class Outcome:
    """What a verb did: `result` as JSON takes it, `show` that prints the same in words, and the exit code.

    Code 1 says that the work is done but for what the result names. `warnings` are pairs of a kind and a sentence
    that must be read before the result; notes of progress are added to them.
    """

    result: Mapping[str, Any]
    show: Callable[[], object]
    code: int = 0
    warnings: Sequence[tuple[str, str]] = ()


class Noted:
    """Progress that is shown as ever, and whose notes are kept."""

    def __init__(self, shown: Progress) -> None:
        self.shown, self.notes = shown, list[str]()
        self.start, self.advance, self.finish = shown.start, shown.advance, shown.finish

    def note(self, text: str) -> None:
        """Show a line, and keep it."""
        self.notes.append(text)
        self.shown.note(text)


class Talk:
    """How a verb speaks while it works: `progress` on standard error; and `say`, for what is known before the end."""

    def __init__(self, verb: str, *, as_json: bool) -> None:
        self.verb, self.as_json = verb, as_json
        self.used: Mapping[str, Any] | None = None  # of time, memory and energy, where limits were told
        self._out = sys.stdout  # while the verb works, what libraries print goes to standard error
        self._noted: Noted | None = None

    @property
    def progress(self) -> Noted:
        """Return the progress of this command, made when it is first asked for."""
        self._noted = self._noted or Noted(shown_progress())
        return self._noted

    def say(self, outcome: Outcome) -> None:
        """Print an outcome in the form that was asked for. A verb that goes on for ever says it when it is ready."""
        if not self.as_json:
            outcome.show()
            return
        notes = self._noted.notes if self._noted else []
        told = [*outcome.warnings, *(("note", text) for text in notes)]
        found = document(self.verb, result=outcome.result, warnings=told, code=outcome.code, used=self.used)
        write(found, self._out)


def add(
    app: typer.Typer,
    name: str,
    verb: Callable[..., Outcome | None],
    *,
    panel: str | None = None,
    limited: bool = True,
) -> None:
    """Add a verb to the command line, with `--json` and the limits of `_limits.py` beside its own options.

    Its function takes the arguments and options as typer knows them, may take a Talk by the name `talk`, and returns
    its Outcome; None where it has said it already. A verb that is over at once, or never, is not `limited`.
    """
    signature = inspect.signature(verb, eval_str=True)
    own = [p for p in signature.parameters.values() if p.name != "talk"]
    limits = _limits.parameters(signature.parameters) if limited else []
    context = [] if "context" in signature.parameters or not limits else [_CONTEXT]
    flag = inspect.Parameter(
        "as_json",
        inspect.Parameter.KEYWORD_ONLY,
        default=typer.Option(
            False, FLAG, help="Print one JSON document, and nothing else, on standard output."
        ),
        annotation=bool,
    )

    @functools.wraps(verb)
    def run(*, as_json: bool, **given: Any) -> None:
        talk = Talk(name, as_json=as_json)
        told = {p.name: given.pop(p.name) for p in limits}
        asked = given.pop("context") if context else given.get("context")
        if "talk" in signature.parameters:
            given["talk"] = talk
        with (
            contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext(),
            _limits.kept(told, talk, asked.obj if asked is not None else None),
        ):
            place = _launched(name)
            outcome = verb(**given)
        if outcome is not None and (place is None or place.rank == 0):  # of several processes one speaks
            talk.say(outcome)
            if outcome.code:
                raise typer.Exit(outcome.code)

    shown = signature.replace(parameters=[*own, *context, *limits, flag], return_annotation=None)
    run.__signature__ = shown  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in shown.parameters.values()}
    app.command(name, rich_help_panel=panel)(run)


def _launched(name: str) -> Place | None:
    """Return where this process stands among those of torchrun or srun; None where it is alone.

    Raises UsageError for a verb that several processes would each do by itself, one in the other's way.
    """
    from vesalius.learn.parallel.places import found

    place = found()
    if place is not None and name not in SHARED:
        raise UsageError(
            f"`vesalius {name}` is not shared among processes, and {place.launcher} started {place.size}",
            hint=f"without {place.launcher}; {' and '.join(SHARED)} are shared",
        )
    return place


def document(
    verb: str,
    *,
    result: Mapping[str, Any] | None = None,
    warnings: Sequence[tuple[str, str]] = (),
    error: VesaliusError | None = None,
    code: int = 0,
    used: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the envelope that every verb's JSON has, whether it ended well or not.

    `used` is what it took, where limits or rates were told.
    """
    said = None
    if error is not None:
        said = {"kind": type(error).__name__, "what": error.what, "found": error.found, "hint": error.hint}
    return {
        "vesalius": VERSION,
        "verb": verb,
        "ok": code == 0,
        "exit_code": code,
        "result": result,
        "warnings": [{"kind": kind, "text": text} for kind, text in warnings],
        "error": said,
        **({} if used is None else {"used": dict(used)}),
    }


def write(found: Mapping[str, Any], out: TextIO) -> None:
    """Print a document, in letters that every encoding has."""
    out.write(json.dumps(finite(found), indent=1, allow_nan=False, default=str) + "\n")
    out.flush()


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of all that `--json` prints."""
    text = resources.files("vesalius.cli").joinpath(SCHEMA).read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found
