"""The command line, as `vesalius` and as `python -m vesalius`; an interruption while it loads is one too."""

import sys


def main() -> None:
    """Load the command line and run it."""
    try:
        from vesalius.cli import main as run
    except KeyboardInterrupt:
        sys.stderr.write("vesalius: interrupted\n")
        raise SystemExit(130) from None
    run()


if __name__ == "__main__":
    main()
