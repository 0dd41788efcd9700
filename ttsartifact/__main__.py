"""`python -m ttsartifact` is `ttsa`."""

import sys

from ttsartifact.cli import main

if __name__ == "__main__":
    sys.exit(main())
