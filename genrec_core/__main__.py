"""`python -m genrec_core`: the command line, where the script `genrec` is not on the path."""

from genrec_core.cli import main

if __name__ == "__main__":
    main()
