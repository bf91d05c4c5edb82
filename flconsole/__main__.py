"""`python -m flconsole` is `flconsole`."""

from flconsole.cli import main

main()
