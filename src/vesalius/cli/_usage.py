"""What is wrong with a command line, in our words: an option that is not there, a value that is none."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

import typer

from vesalius.core import fields
from vesalius.core.errors import UsageError
from vesalius.core.words import listed

MEANT = {"train": "fit", "learn": "fit", "test": "evaluate", "score": "evaluate", "infer": "predict"}
_EXTRA = "Got unexpected extra argument(s)"


def in_our_words(error: typer.TyperException, verb: str, verbs: Iterable[str]) -> UsageError:
    """Return what typer says of a command line as one of our errors; `verb` is its first word."""
    help_of = f"{' '.join(('vesalius', verb)).strip()} --help"
    known = set(verbs)
    if verb and verb not in known:
        close = [MEANT[verb]] if verb in MEANT else difflib.get_close_matches(verb, sorted(known), n=2)
        lead = f"closest: {listed(close)}; " if close else ""
        return UsageError(f"unknown command '{verb}'", hint=f"{lead}all are in vesalius --help")
    said: Any = error  # what each kind of error knows beyond its text
    whom = verb or "vesalius"
    option, parameter = getattr(said, "option_name", None), getattr(said, "param", None)
    cause: Any = error.__cause__  # pydantic's, where a value is not what it should be
    faults = cause.errors() if hasattr(cause, "errors") else []
    alike = getattr(said, "possibilities", None)
    if option and alike is not None:
        closest = f"closest: {', '.join(alike)}" if alike else help_of
        return UsageError(f"{whom} has no option {option}", hint=closest)
    if option:
        return UsageError(f"{option} needs a value", hint=help_of)
    if parameter is not None and faults:
        what, found, hint = fields.said(faults[0])
        return UsageError(f"{_name(parameter)}{what}", found=found, hint=hint or help_of)
    if parameter is not None and not error.message:
        what = " ".join((getattr(parameter, "help", None) or "").split()).rstrip(".")
        return UsageError(f"{whom} needs {_name(parameter)}" + (f": {what}" if what else ""), hint=help_of)
    text = " ".join(error.format_message().split()).rstrip(".")
    if text.startswith(_EXTRA):
        more = text.removeprefix(_EXTRA).strip(" ()")
        return UsageError(
            f"{whom} takes no further argument",
            found=more,
            hint=f"quotes around a name with blanks, or {help_of}",
        )
    return UsageError(text, hint=help_of)


def _name(parameter: Any) -> str:
    """Return a parameter as it is written: the long form of an option, or an argument in capitals."""
    options = [o for o in parameter.opts if o.startswith("--")]
    return str(options[0]) if options else str(parameter.metavar or parameter.name).upper()
