"""`genrec new`: a pipeline that fits your data, or a plugin that works, to change into your own.

    genrec new pipeline --data shop              # shop.yaml, tried on a few users
    genrec new plugin my-ids                     # a tokenizer, `my-ids/hashed`
    genrec new plugin my-rewards --kind reward   # a reward, `my-rewards/leading-tokens`

Each kind of plugin has one component in `templates/plugin/kinds`; what stands around it is the same.
Templates are text with words in at-signs, and package data: nothing imports them.
"""

from __future__ import annotations

import re
from pathlib import Path

import click

from genrec_core.pipeline.console import echo
from genrec_core.pipeline.numbers import Decimal
from genrec_core.registry.registry import KINDS

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_PREFIX = "genrec-plugin-"
_TEMPLATES = Path(__file__).parent / "templates" / "plugin"

COMPONENTS = {
    "source": "walks",
    "split": "last-two",
    "encoder": "letters",
    "teacher": "first-words",
    "tokenizer": "hashed",
    "corpus": "after-newest",
    "backbone": "small",
    "trainer": "plain",
    "loss": "margin",
    "reward": "leading-tokens",
    "recommender": "per-token",
    "grounder": "popular-first",
    "baseline": "follows",
    "observer": "logging",
}
"""Kind → the name of the component that is written."""

ALONE = frozenset(KINDS) - {"teacher"}
"""Kinds that a pipeline can use without a component that was written for them: these get a tiny.yaml."""

EXTRAS = {"backbone": "engine", "trainer": "engine", "loss": "engine", "recommender": "engine"}
"""Kind → the extra of genrec-core that its component cannot do without."""

FILES = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "tiny.yaml": "tiny.yaml",
    "package.py": "{package}/__init__.py",
    "plugin.py": "{package}/plugin.py",
    "kinds/{kind}.py": "{package}/{module}.py",
    "test_contract.py": "tests/test_contract.py",
}
"""Template file → where it goes in the new folder."""

_PIPELINE = {
    "source": "{use: core/synthetic, items: 240, users: 400}",
    "split": "core/leave-one-out",
    "encoder": "core/ngrams",
    "tokenizer": "{use: sid/rq-kmeans, encoder: @encoder@, levels: 2, codes: [16, 16]}",
    "corpus": "core/next-item",
    "backbone": "{use: core/tiny-causal, hidden: 64, layers: 2}",
    "trainer": "core/sft",
    "loss": "",
    "reward": "",
    "recommender": "core/beam",
    "grounder": "core/exact",
    "baseline": "core/popular",
    "observer": "",
}
"""What stands at each place of tiny.yaml where the plugin's own component does not."""


@click.group()
def new() -> None:
    """Start something of your own."""


@new.command("plugin")
@click.argument("name")
@click.option(
    "--kind", type=click.Choice(KINDS), default="tokenizer", show_default=True, help="What its component is."
)
@click.option(
    "--into", type=click.Path(path_type=Path), default=Path(), show_default="here",
    help="The folder in which the plugin's own folder is made.",
)  # fmt: skip
def plugin(name: str, kind: str, into: Path) -> None:
    """Write a working plugin NAME into the folder genrec-plugin-NAME."""
    folder = scaffold(name, into, kind)
    beside = "its contract test and a pipeline" if kind in ALONE else "and its contract test"
    joint = "," if kind in ALONE else ""
    echo(f"wrote {folder}: the {kind} `{name}/{COMPONENTS[kind]}`{joint} {beside}")
    echo(f"next: pip install -e {folder} && genrec check-plugin {name}")


@new.command("pipeline")
@click.option(
    "--data",
    "folder",
    type=click.Path(path_type=Path),
    required=True,
    help="A data folder, as `genrec data import` makes it.",
)
@click.option("--out", type=click.Path(path_type=Path), help="The file; by default NAME.yaml here.")
@click.option(
    "--minutes", type=Decimal(0, 1e6, min_open=True), default=20.0, show_default=True,
    help="How long training may take; epochs are cut to it.",
)  # fmt: skip
@click.option("--no-trial", is_flag=True, help="Do not run it on a few users first; no time is told then.")
def pipeline(folder: Path, out: Path | None, minutes: float, no_trial: bool) -> None:
    """Write a pipeline that fits a data folder and this machine, with a reason beside each choice.

    It is tried on a few hundred users first, so that it is known to run, and how long it will take.
    """
    from genrec_core.cli.environment import StoreAndRuns, environment
    from genrec_core.data.folder import Reading, load_folder
    from genrec_core.pipeline.first_file import about, pipeline_name_for, write_first_file
    from genrec_core.registry.loading import missing_modules

    out = out or Path(f"{pipeline_name_for(folder)}.yaml")
    dataset = load_folder(folder, Reading())
    here = environment(StoreAndRuns(Path("store"), Path("runs")), quiet=True)
    trial = not no_trial and not missing_modules(["torch"])
    seconds = write_first_file(folder, dataset, here, out, minutes=minutes, trial=trial)
    took = f"; it will take about {about(seconds)}" if seconds is not None else ""
    echo(f"wrote {out}: {len(dataset.users):,} users, {len(dataset.items):,} items{took}")
    if not trial and not no_trial:
        echo("not tried: pip install 'genrec-core[engine]'")
    echo(f"next: genrec run {out}")


def scaffold(name: str, into: Path, kind: str = "tokenizer") -> Path:
    """Write the plugin `name` with one component of a kind below `into`; gives its folder.

    Raises:
        GenrecError: the name cannot be one, or the folder exists already.
    """
    from genrec_core.contracts.errors import GenrecError

    _check_name(name)
    folder = into / f"{_PREFIX}{name}"
    if folder.exists():
        raise GenrecError(f"`{folder}` exists already", hint="choose another name, or --into another folder")
    words = _words(name, kind)
    for template, place in FILES.items():
        if template == "tiny.yaml" and kind not in ALONE:
            continue
        target = folder / place.format(**words)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = (_TEMPLATES / f"{template.format(kind=kind)}.txt").read_text(encoding="utf-8")
        target.write_text(_filled(text, words), encoding="utf-8")
    return folder


def _words(name: str, kind: str) -> dict[str, str]:
    """What stands for each word in at-signs."""
    component = COMPONENTS[kind]
    extra = f"[{EXTRAS[kind]}]" if kind in EXTRAS else ""
    beside = ["pytest>=8"]
    if kind in ALONE:
        beside += [f"genrec-core[{'engine,rl' if kind == 'reward' else 'engine'}]"]
        beside += ["genrec-plugin-sid"] if kind != "tokenizer" else []
    trying = "genrec run tiny.yaml         # a whole recommender with it, minutes on two cores"
    return {
        "name": name,
        "kind": kind,
        "Kind": kind.capitalize(),
        "package": f"genrec_plugin_{name.replace('-', '_')}",
        "module": component.replace("-", "_"),
        "component": component,
        "class": "".join(word.capitalize() for word in name.split("-")) + kind.capitalize(),
        "core": f"genrec-core{extra}",
        "test": ", ".join(f'"{package}"' for package in beside),
        "asking": "\n    may_ask = True" if kind == "teacher" else "",
        "try": trying if kind in ALONE else f"genrec show {name}/{component}",
        "train": _steps(kind),
        **_PIPELINE,
        kind: f"{name}/{component}",
    }


def _steps(kind: str) -> str:
    """The training steps of tiny.yaml; a reward needs a second one."""
    loss = ", loss: @loss@" if kind == "loss" else ""
    steps = [f"  sft: {{use: @trainer@, corpora: [@corpus@], epochs: 2{loss}}}"]
    if kind == "reward":
        steps += ["  rl: {use: core/grpo, corpora: [@corpus@], reward: @reward@, max_steps: 10}"]
    return "\n".join(steps)


def _filled(text: str, words: dict[str, str]) -> str:
    """The text with every word in at-signs replaced; what stands for one may hold others."""
    while (filled := re.sub(r"@(\w+)@", lambda found: words[found[1]], text)) != text:
        text = filled
    return text


def _check_name(name: str) -> None:
    from genrec_core.contracts.errors import GenrecError

    if name.startswith(_PREFIX):
        raise GenrecError(f"`{name}` repeats what is put in front", hint=f"write `{name[len(_PREFIX) :]}`")
    if not _NAME.fullmatch(name):
        raise GenrecError(
            f"`{name}` cannot be a plugin's name",
            hint="use lower-case words with hyphens between them, like `my-ids`",
        )
    if name == "core":
        raise GenrecError("`core` is the framework's own plugin", hint="choose another name")
