"""The command line: one file = one verb, arguments in, words and exit codes out; nothing heavy until a verb runs."""

from __future__ import annotations

import os
import sys
import threading

import typer

from vesalius.cli import (
    advise,
    annotate,
    ask,
    calibrate,
    card,
    change,
    clean,
    compare,
    complete,
    compress,
    consensus,
    degrade,
    deidentify,
    demo,
    design,
    evaluate,
    explain,
    export,
    features,
    fetch,
    few_shot,
    find,
    find_lr,
    fit,
    gather,
    harmonise,
    import_model,
    index,
    inspect,
    label,
    listing,
    mesh,
    morph,
    phantom,
    predict,
    pretrain,
    prompt,
    scale,
    search,
    selftest,
    serve,
    shape,
    suggest,
    transfer,
    weights,
)
from vesalius.cli._app import app, process_began
from vesalius.cli._outcome import FLAG, document, write
from vesalius.cli._usage import in_our_words
from vesalius.core.errors import BudgetError, Interrupted, LimitReached, VesaliusError, out_of_memory

__all__ = ["app", "main"]

for verb in (
    inspect,
    clean,
    few_shot,
    find,
    find_lr,
    fit,
    pretrain,
    import_model,
    index,
    suggest,
    predict,
    evaluate,
    harmonise,
    calibrate,
    compress,
    degrade,
    mesh,
    explain,
    features,
    change,
    design,
    advise,
    ask,
    prompt,
    compare,
    annotate,
    gather,
    consensus,
    shape,
    complete,
    morph,
    label,
    transfer,
    scale,
    search,
    selftest,
    export,
    card,
    fetch,
    serve,
    deidentify,
    phantom,
    demo,
    weights,
    listing,
):
    verb.register(app)


def main() -> None:
    """Run the command line. What a person can mend is one line on standard error, exit code 2.

    With `--json` it is a document on standard output, too.
    """
    words = sys.argv[1:]
    verb = next((w for w in words[:1] if not w.startswith("-")), "")
    try:
        code = app(words or ["--help"], standalone_mode=False, obj=process_began)
    except BrokenPipeError:
        raise SystemExit(1) from None
    except Exception as error:
        known = _in_our_words(error, verb)
        if (
            known is None
        ):  # a fault of ours: a developer gets the traceback, and a program a document all the same
            _tell(_fault(error), words, verb, code=1)
            raise
        sys.stderr.write(f"vesalius: {known.what if isinstance(known, Interrupted) else known}\n")
        if isinstance(known, Interrupted) and known.hint:
            sys.stderr.write(f"go on with: {known.hint}\n")
        _tell(known, words, verb, code=known.exit_code)
        if isinstance(known, LimitReached):
            _leave_threads(known.exit_code)
        raise SystemExit(known.exit_code) from None
    except KeyboardInterrupt:
        code = Interrupted.exit_code
    if code == Interrupted.exit_code:  # what typer makes of Ctrl-C where no verb has more to say
        sys.stderr.write("vesalius: interrupted\n")
        _tell(Interrupted("interrupted"), words, verb, code=code)
    if code:
        raise SystemExit(code)


def _leave_threads(code: int) -> None:
    """End at once where threads are left: one that was refused its memory as it began never ends, nor can be joined."""
    if any(thread is not threading.main_thread() and not thread.daemon for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _in_our_words(error: Exception, verb: str) -> VesaliusError | None:
    """Return an error that a person can mend as one of ours; None for any other."""
    if isinstance(error, VesaliusError):
        return error
    if isinstance(error, typer.TyperException):  # an option that is not there, a number that is none
        return in_our_words(error, verb, [command.name or "" for command in app.registered_commands])
    if out_of_memory(error):
        hint = "a smaller net (net.scale), batch or size" if verb == "fit" else "a larger machine"
        return BudgetError("not enough memory", hint=hint)
    return None


def _fault(error: Exception) -> VesaliusError:
    text = " ".join(str(error).split())
    return VesaliusError(
        "this is a fault of Vesalius itself", found=f"{type(error).__name__}: {text}", hint="report it"
    )


def _tell(error: VesaliusError, words: list[str], verb: str, *, code: int) -> None:
    """Print an error as a document, where one was asked for."""
    if FLAG in words:
        write(document(verb, error=error, code=code), sys.stdout)
