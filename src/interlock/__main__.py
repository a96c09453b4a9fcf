"""`python -m interlock` is the command line."""

from interlock.cli.app import main

main()
