"""Recommendations over HTTP: `genrec serve RUN`."""
