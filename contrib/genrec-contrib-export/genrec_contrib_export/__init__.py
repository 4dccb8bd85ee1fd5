"""Runs as folders that others can load: `genrec export RUN --to FOLDER`."""
