"""Leaves out tests of plugins that are not installed; `tests/test_third_party.py` installs and runs them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

collect_ignore = [
    str(plugin)
    for plugin in Path(__file__).parent.glob("genrec-plugin-*")
    if find_spec(plugin.name.replace("-", "_")) is None
]
