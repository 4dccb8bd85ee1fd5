"""Runs `genrec` in this process, as the console script would, in a folder of its own."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from genrec_core.cli import main
from tests.pipeline.conftest import PIPELINE, QUICK


@dataclass
class Shown:
    code: int
    out: str
    err: str


@pytest.fixture
def genrec(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(QUICK))
    monkeypatch.setenv("GENREC_PLUGINS", "quick")
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)

    def go(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        shown = capsys.readouterr()
        return Shown(int(ended.value.code or 0), shown.out, shown.err)

    return go
