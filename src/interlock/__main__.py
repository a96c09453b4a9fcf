"""`python -m interlock` is the command line."""

import sys

from interlock.cli.app import main

sys.exit(main())
