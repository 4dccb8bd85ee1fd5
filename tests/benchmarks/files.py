"""How large the core is, and in which of its files one run of the quickstart executes functions.

    python -m tests.benchmarks.files              # 300 users and 20 steps: every stage, in half a minute
    python -m tests.benchmarks.files --whole      # the quickstart as it is, some minutes
    python -m tests.benchmarks.files --size       # lines of code and files by package, nothing is run

A reader who follows one run opens these. What is only defined or imported does not count.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import io
import sys
import tempfile
import threading
import tokenize
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


def lines_of_code(source: str) -> int:
    """Lines of a module that hold code: no blanks, no comments, no docstrings."""
    documented = {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and ast.get_docstring(node) is not None
        for line in range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)
    }
    empty = {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
    written: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in empty:
            written.update(range(token.start[0], token.end[0] + 1))
    return len(written - documented)


def show_size() -> None:
    """Print lines of code and files, by package and in all."""
    lines: Counter[str] = Counter()
    files: Counter[str] = Counter()
    for path in CORE.rglob("*.py"):
        package = path.relative_to(CORE).parts[0]
        lines[package] += lines_of_code(path.read_text(encoding="utf-8"))
        files[package] += 1
    for package, count in lines.most_common():
        print(f"{count:6,} lines in {files[package]:3} files  {package}")
    beside = ("builtin", "testing", "engine")
    print(f"{lines.total():6,} lines in {files.total()} files; without {', '.join(beside)}:", end=" ")
    print(f"{lines.total() - sum(lines[one] for one in beside):,}", end=" ")
    print(f"in {files.total() - sum(files[one] for one in beside)}")


def main() -> None:
    """Print the number, by package and in all."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--whole", action="store_true", help="the quickstart as it is")
    arguments.add_argument("--list", action="store_true", help="print every file")
    arguments.add_argument("--size", action="store_true", help="lines and files alone")
    chosen = arguments.parse_args()
    if chosen.size:
        show_size()
        return

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
