"""A very small pipeline of real components, and one run of it that nothing disturbed."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from genrec_core.store.manifest import damage, read_manifest
from tests.end_to_end.processes import Started, genrec, start

SMALL = Path(__file__).parent / "small.yaml"


@dataclass
class Place:
    """A folder with a store and run folders in it."""

    folder: Path

    def run(self, *arguments: object) -> str:
        return genrec(self.folder, "run", SMALL, *arguments)

    def start(self, *arguments: object) -> Started:
        return start(self.folder, "run", SMALL, *arguments)

    def metrics(self, runs: str = "runs") -> dict[str, Any]:
        """The newest run's metrics, without what they cost."""
        metrics = json.loads((self.folder / runs / "small" / "latest" / "metrics.json").read_text())
        return {name: value for name, value in metrics.items() if name != "cost"}

    def stages(self, runs: str = "runs") -> dict[str, dict[str, Any]]:
        """The newest run's stages, by name, as `plan.json` has them."""
        plan = json.loads((self.folder / runs / "small" / "latest" / "plan.json").read_text())
        return {stage["name"]: stage for stage in plan["stages"]}

    def ran(self, runs: str = "runs") -> set[str]:
        return {name for name, stage in self.stages(runs).items() if stage["outcome"] == "run"}

    def logs(self, runs: str = "runs") -> list[list[dict[str, Any]]]:
        """What every run logged, oldest first; of a killed one's last line there may be only half."""
        files = sorted(self.folder.glob(f"{runs}/small/*/log.jsonl"), key=lambda path: path.stat().st_ctime)
        lines = [path.read_text().split("\n")[:-1] for path in files if not path.parent.is_symlink()]
        return [[json.loads(line) for line in log] for log in lines]

    def artefacts(self) -> dict[str, dict[str, tuple[int, str]]]:
        """Artefact → its files with sizes and digests; every one is verified."""
        found = {}
        for folder in sorted((self.folder / "store").glob("*-*")):
            assert not damage(folder, deep=True), folder
            manifest = read_manifest(folder)
            assert manifest is not None
            found[folder.name] = dict(manifest.files)
        return found

    def leftovers(self) -> list[Path]:
        """Half-made artefacts and checkpoints that nobody needs any more."""
        store = self.folder / "store"
        return [*store.glob("tmp/*"), *store.glob("workspaces/*")]


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """A finished run; only to be looked at."""
    place = Place(tmp_path_factory.mktemp("undisturbed"))
    place.run()
    return place


@pytest.fixture
def finished(undisturbed, place):
    """A finished run that may be changed."""
    shutil.copytree(undisturbed.folder, place.folder, symlinks=True, dirs_exist_ok=True)
    return place
