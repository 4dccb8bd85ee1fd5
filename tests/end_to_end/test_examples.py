"""Every example is a pipeline that `genrec check` passes, on the data it names."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from genrec_core.cli import main
from tests.real_data import real_data

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_example_checks(example, capsys):
    arguments = ["check", str(example)]
    source = yaml.safe_load(example.read_text())["data"]["source"]
    if "path" in source:
        folder = real_data(Path(source["path"]).name)
        arguments += ["--set", f"data.source.path={folder}"]
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert not ended.value.code, capsys.readouterr().err
    assert ": ok." in capsys.readouterr().out
