"""What the site shows besides the pages of docs/: READMEs of packages, and a page for every public name.

    mkdocs build --strict --config-file docs/site/mkdocs.yml

Links inside the repository are written for people who read it there. Those that lead to another page become
links between pages; those that lead to a file become its path.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

import genrec_core
from genrec_core import engine

ROOT = Path(__file__).resolve().parents[2]
READMES = sorted([*ROOT.glob("plugins/*/README.md"), *ROOT.glob("contrib/*/README.md")])
LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<path>(?!https?:|mailto:|#)[^)#\s]+)(?P<heading>#[^)\s]+)?\)")


def on_config(config: Any) -> Any:
    """Put the pages that are made here where the navigation names them."""
    packages = [{_title(path): _page(path)} for path in READMES]
    config["nav"] = _filled(config["nav"], {"PACKAGES": packages, "REFERENCE": list(_reference())})
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add them."""
    for path in READMES:
        files.append(File.generated(config, _page(path), content=path.read_text(encoding="utf-8")))
    for page, content in _reference().items():
        files.append(File.generated(config, page, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Rewrite links that lead out of docs/."""
    source = {_page(path): path for path in READMES}.get(page.file.src_uri, ROOT / "docs" / page.file.src_uri)
    pages = {path: _page(path) for path in READMES} | {ROOT / "README.md": "index.md"}

    def rewritten(found: re.Match[str]) -> str:
        target = (source.parent / found["path"]).resolve()
        if target in pages:
            uri = pages[target]
        elif target.is_relative_to(ROOT / "docs") and target.suffix == ".md":
            uri = target.relative_to(ROOT / "docs").as_posix()
        else:
            return f"{found['text']} (`{target.relative_to(ROOT).as_posix()}`)"
        begin = posixpath.relpath(uri, posixpath.dirname(page.file.src_uri) or ".")
        return f"[{found['text']}]({begin}{found['heading'] or ''})"

    return LINK.sub(rewritten, markdown)


def _page(readme: Path) -> str:
    return f"packages/{readme.parent.name}.md"


def _title(readme: Path) -> str:
    return readme.parent.name


def _filled(value: Any, places: dict[str, Any]) -> Any:
    """The navigation with lists where it has a name in capitals."""
    if isinstance(value, list):
        return [_filled(one, places) for one in value]
    if isinstance(value, dict):
        return {name: _filled(one, places) for name, one in value.items()}
    return places.get(value, value) if isinstance(value, str) else value


def _reference() -> dict[str, str]:
    """A page for each public name of the core and of the engine."""
    modules = genrec_core._MODULE_OF | engine._MODULE_OF  # where a name that is loaded lazily lives
    names = [(name, modules[name]) for name in (*genrec_core.__all__, *engine.__all__)]
    return {f"reference/{name}.md": f"::: {module}.{name}\n" for name, module in names}
