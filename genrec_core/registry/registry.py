"""Registry: component names to classes."""

from __future__ import annotations


class Registry:
    """To be written."""
