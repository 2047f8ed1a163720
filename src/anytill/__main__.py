"""`python -m anytill` is the same as the console script."""

from anytill.cli import main

main()
