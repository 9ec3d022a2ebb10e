"""The command line: one file = one verb, arguments in, words and exit codes out; nothing heavy until a verb runs."""

from __future__ import annotations

import sys

import typer

from vesalius.cli import (
    compare,
    deidentify,
    demo,
    evaluate,
    fetch,
    find_lr,
    fit,
    inspect,
    listing,
    phantom,
    predict,
    serve,
)
from vesalius.cli._app import app, process_began
from vesalius.core.errors import Interrupted, VesaliusError

__all__ = ["app", "main"]

for verb in (
    inspect,
    find_lr,
    fit,
    predict,
    evaluate,
    compare,
    fetch,
    serve,
    deidentify,
    phantom,
    demo,
    listing,
):
    verb.register(app)


def main() -> None:
    """Run the command line. What a person can mend is one line on standard error, exit code 2."""
    try:
        code = app(sys.argv[1:] or ["--help"], standalone_mode=False, obj=process_began)
    except Interrupted as error:
        more = f"go on with: {error.hint}\n" if error.hint else ""
        sys.stderr.write(f"vesalius: {error.what}\n{more}")
        raise SystemExit(error.exit_code) from None
    except VesaliusError as error:
        sys.stderr.write(f"vesalius: {error}\n")
        raise SystemExit(error.exit_code) from None
    except typer.TyperException as error:  # an option that is not there, a number that is none
        said = " ".join(error.format_message().split()).rstrip(".")
        verb = next((v for v in sys.argv[1:2] if not v.startswith("-")), "")
        sys.stderr.write(f"vesalius: {said}; try: {' '.join(('vesalius', verb)).strip()} --help\n")
        raise SystemExit(error.exit_code) from None
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "allocate memory" not in str(error):
            raise
        hint = "a smaller net (net.scale), batch or size" if sys.argv[1:2] == ["fit"] else "a larger machine"
        sys.stderr.write(f"vesalius: not enough memory; try: {hint}\n")
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        code = Interrupted.exit_code
    except BrokenPipeError:
        raise SystemExit(1) from None
    if code == Interrupted.exit_code:  # what typer makes of Ctrl-C where no verb has more to say
        sys.stderr.write("vesalius: interrupted\n")
    if code:
        raise SystemExit(code)
