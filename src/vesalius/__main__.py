"""The command line, as `vesalius` and as `python -m vesalius`; an interruption while it loads is one too."""

import os
import sys


def main() -> None:
    """Load the command line and run it.

    Threads that wait for one another spin for some ten microseconds and then sleep. By its own default OpenMP spins a
    hundred times as long, and where something else runs it keeps from its core the very thread that it waits for; to
    sleep at once costs a third of the speed where nothing else runs. OpenMP reads this once, when torch is loaded;
    what the user has set is obeyed.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "5000")
    try:
        from vesalius.cli import main as run
    except KeyboardInterrupt:
        sys.stderr.write("vesalius: interrupted\n")
        raise SystemExit(130) from None
    run()


if __name__ == "__main__":
    main()
