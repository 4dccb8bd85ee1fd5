"""The old name of the teacher says what it is called now."""

from __future__ import annotations

import pytest

from genrec_core import GenrecError, Registry
from genrec_core.registry.discovery import load_plugins


@pytest.mark.parametrize(
    ("registry", "hint"),
    [
        (load_plugins()[0], "write `use: teachers/openai`"),
        (Registry(), "pip install genrec-contrib-teachers, and write `use: teachers/openai`"),
    ],
    ids=["installed", "not installed"],
)
def test_the_old_name_names_the_new_one_and_its_package(registry, hint):
    with pytest.raises(
        GenrecError, match=r"`core/openai` is now `teachers/openai`, in the package"
    ) as caught:
        registry.build("teacher", {"use": "core/openai", "model": "m"})
    assert caught.value.hint == hint


def test_without_the_package_the_new_name_says_which_to_install():
    with pytest.raises(GenrecError) as caught:
        Registry().build("teacher", {"use": "teachers/openai", "model": "m"})
    assert "pip install genrec-contrib-teachers" in caught.value.hint
