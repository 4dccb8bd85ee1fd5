"""Evaluation: ranks of the true items, metrics with intervals, comparisons, and the report."""
