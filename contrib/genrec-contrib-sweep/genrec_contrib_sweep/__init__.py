"""Sweeps: values of options, tried and selected by validation rows."""
