"""Files of the core in which one run of the quickstart executes functions.

    python -m tests.benchmarks.files              # 300 users and 20 steps: every stage, in half a minute
    python -m tests.benchmarks.files --whole      # the quickstart as it is, some minutes

A reader who follows one run opens these. What is only defined or imported does not count.
"""

from __future__ import annotations

import argparse
import inspect
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import genrec_core
from genrec_core.pipeline.load import load_pipeline
from genrec_core.pipeline.run import run_pipeline
from genrec_core.pipeline.runner import RunEnvironment
from genrec_core.registry.discovery import load_plugins
from genrec_core.store.store import Store

CORE = Path(genrec_core.__file__).parent
QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart.yaml"
SMALL = ("data.source.users=300", "train.sft.max_steps=20", "evaluate.resamples=20")


def executed(work: Any) -> set[Path]:
    """Files of the core in which `work` executes functions, in any thread."""
    names: set[str] = set()

    def called(frame: Any, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_flags & inspect.CO_OPTIMIZED:  # bodies of classes have it not
            names.add(frame.f_code.co_filename)

    threading.setprofile(called)
    sys.setprofile(called)
    try:
        work()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
    return {path for path in map(Path, names) if CORE in path.parents}


def main() -> None:
    """Print the number, by package and in all."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--whole", action="store_true", help="the quickstart as it is")
    arguments.add_argument("--list", action="store_true", help="print every file")
    chosen = arguments.parse_args()

    def run() -> None:
        registry = load_plugins()[0]
        changes = () if chosen.whole else SMALL
        pipeline = load_pipeline(QUICKSTART, registry, changes)
        with tempfile.TemporaryDirectory() as folder:
            environment = RunEnvironment(registry, Store(Path(folder) / "store"), Path(folder) / "runs")
            run_pipeline(pipeline, environment)

    files = executed(run)
    if chosen.list:
        print(*sorted(path.relative_to(CORE) for path in files), sep="\n")
    for package, count in Counter(path.relative_to(CORE).parts[0] for path in files).most_common():
        print(f"{count:4} {package}")
    print(f"{len(files):4} of {sum(1 for _ in CORE.rglob('*.py'))} files")


if __name__ == "__main__":
    main()
