"""`python -m vesalius`: the command line."""

from vesalius.cli import main

main()
