"""The command line, as `vesalius` and as `python -m vesalius`; an interruption while it loads is one too."""

import os
import sys


def main() -> None:
    """Load the command line and run it.

    Threads that wait for one another sleep: OpenMP's spin, and where something else runs they keep from its core the
    very thread that they wait for. OpenMP reads this once, when torch is loaded; who has set it otherwise is obeyed.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        from vesalius.cli import main as run
    except KeyboardInterrupt:
        sys.stderr.write("vesalius: interrupted\n")
        raise SystemExit(130) from None
    run()


if __name__ == "__main__":
    main()
