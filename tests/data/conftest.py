"""A small sound data folder, and a way to spoil it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.real_data import real_data

SOUND = {
    "items.jsonl": '{"item_id":"a","title":"Red tent"}\n{"item_id":"b","title":"Lamp"}\n'
    '{"item_id":"c","title":"Mug"}\n',
    "sequences.jsonl": '{"user_id":"u1","item_ids":["a","b","c"]}\n{"user_id":"u2","item_ids":["b","a"]}\n',
}

MakeFolder = Callable[..., Path]


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    """Writes a sound folder with some files replaced; None removes a file."""

    def make(changed: dict[str, str | bytes | None]) -> Path:
        folder = tmp_path / "shop"
        folder.mkdir()
        for name, content in {**SOUND, **changed}.items():
            if content is not None:
                raw = content if isinstance(content, bytes) else content.encode()
                (folder / name).write_bytes(raw)
        return folder

    return make


@pytest.fixture
def shared_data() -> Path:
    """The real data sets; tests that need them skip where they are absent."""
    return real_data()
