"""The command line: one file = one verb, arguments in, words and exit codes out; nothing heavy until a verb runs."""

from __future__ import annotations

import sys

from vesalius.cli import demo, evaluate, fit, inspect, listing, phantom, predict
from vesalius.cli._app import app
from vesalius.core.errors import VesaliusError

__all__ = ["app", "main"]

for verb in (inspect, fit, predict, evaluate, phantom, demo, listing):
    verb.register(app)


def main() -> None:
    """Run the command line. What a person can mend is one line on standard error, exit code 2."""
    try:
        app()
    except VesaliusError as error:
        sys.stderr.write(f"vesalius: {error}\n")
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        sys.stderr.write("vesalius: interrupted\n")
        raise SystemExit(130) from None
    except BrokenPipeError:
        raise SystemExit(1) from None
