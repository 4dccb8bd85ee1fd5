"""Private methods of other packages that we rely on are still there, with the parameters they had."""

import importlib
import inspect

import pytest

from genrec_core.engine.relied_upon import RELIED_UPON


@pytest.mark.parametrize("name", sorted(RELIED_UPON))
def test_the_private_method_that_we_rely_on_is_as_it_was(name):
    package, owner, method = name.split(".")
    found = getattr(getattr(importlib.import_module(package), owner), method, None)
    assert found is not None, f"{package} lost `{owner}.{method}`: see engine/relied_upon.py for who uses it"
    assert tuple(inspect.signature(found).parameters) == RELIED_UPON[name]
