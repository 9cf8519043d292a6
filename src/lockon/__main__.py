"""`python -m lockon`: the program, in the form that `torchrun -m lockon train …` starts."""

import sys

from lockon.apps.cli import main

if __name__ == "__main__":
    sys.exit(main())
