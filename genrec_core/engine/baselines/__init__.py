"""Recommenders that train a network of their own, to stand beside the language model in the report."""
