"""The model card, `README.md` of an exported folder: what it is, how good, and what it is not for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import yaml

from genrec_core import GenrecError
from genrec_core.evaluation.report.facts import short, title
from genrec_core.pipeline.run_reader import RunReader

if TYPE_CHECKING:
    from genrec_contrib_export.exporting import Exported

_SHOWN = ("recall@", "ndcg@", "mrr", "coverage@")


def card(opened: RunReader, exported: Exported) -> str:
    """The card as Markdown, with the head that model hubs read."""
    spec = opened.pipeline.spec
    head = {"library_name": "transformers", "tags": ["recommendation", "generative-recommendation", "genrec"]}
    parts = [
        f"---\n{yaml.safe_dump(head, sort_keys=False)}---",
        f"# {spec.name}",
        "A language model that recommends by writing identifiers of items, exported from the GenRec run "
        f"`{opened.folder.resolve().name}`. It knows {len(opened.catalogue.items):,} items and no others.",
        *_use(exported),
        *_quality(opened),
        *_data(opened),
        *_limits(exported),
    ]
    return "\n\n".join(parts) + "\n"


def _use(exported: Exported) -> Iterator[str]:
    yield "## Use"
    yield (
        "```sh\npython recommend.py --history ITEM,ITEM -k 10     # torch, transformers, safetensors\n"
        "genrec run pipeline.yaml                          # by GenRec, as its own\n```"
    )
    yield (
        "`recommend.py` and `logits_processor.py` (`LegalIdentifiers`) are all the code there is; their "
        "comments say what `trie.*`, `prompt.json` and `forms.safetensors` hold. `identifiers.jsonl` has an "
        "item id and its tokens on every line."
    )
    if exported.flashrec.paths:
        yield f"`flashrec.json` is the catalogue for FlashRec:\n\n```sh\n{_flags(exported)}\n```"
    if exported.checked:
        yield (
            "At the export, `generate` gave in a fresh process what the run recommends in "
            f"{exported.checked} of {exported.examples} examples "
            "(`examples.json`; `python recommend.py --check` repeats it)."
        )


def _flags(exported: Exported) -> str:
    flags = exported.flashrec.flags
    shown = flags if len(flags) < 400 else flags[:400] + " …"
    return f"flashrec --model-path . --sid-vocab-file flashrec.json {shown}"


def _quality(opened: RunReader) -> Iterator[str]:
    try:
        metrics = opened.metrics
    except GenrecError:  # a run whose catalogue was extended was never evaluated
        return
    yield "## Quality"
    names = [name for name in metrics.get("test", {}) if name.startswith(_SHOWN) and "_" not in name]
    intervals = metrics.get("intervals", {})
    systems = {"this model": (metrics.get("test", {}), intervals.get("test", {}))}
    for name, values in metrics.get("baselines", {}).items():
        systems[short(name)] = (values, intervals.get("baselines", {}).get(name, {}))
    yield "\n".join(
        [
            "| system | " + " | ".join(map(title, names)) + " |",
            "|---" * (len(names) + 1) + "|",
            *(
                f"| {name} | " + " | ".join(_figure(values, bounds, one) for one in names) + " |"
                for name, (values, bounds) in systems.items()
            ),
        ]
    )
    protocol = metrics.get("protocol", {})
    split = protocol.get("split", {})
    yield (
        "On the test rows, with 95 % bootstrap intervals over them; one training. Protocol "
        f"`{protocol.get('hash')}`: split `{split.get('use')}`, {protocol.get('rows'):,} rows, histories of "
        f"at most {protocol.get('max_history')} items, candidates: {protocol.get('candidates')}, "
        "viewed items " + ("left out." if protocol.get("filter_viewed") else "counted.")
    )


def _figure(values: dict[str, float], bounds: dict[str, Any], name: str) -> str:
    if name not in values:
        return ""
    low_high = f" ({bounds[name][0]:.4f}–{bounds[name][1]:.4f})" if name in bounds else ""
    return f"{values[name]:.4f}{low_high}"


def _data(opened: RunReader) -> Iterator[str]:
    described, views = opened.pipeline.spec.described(opened.plan["seed"]), opened.prepared.views
    yield "## Data and training"
    yield (
        f"Source `{described['data']['source']['use']}`: {len(opened.catalogue.items):,} items, "
        f"{len(views.train.users):,} users in training. Identifiers by `{described['tokenizer']['use']}`; "
        "trained by "
        + (", ".join(f"`{step['use']}` ({name})" for name, step in described["train"].items()) or "nothing")
        + f" from `{_start(described)}`, seed {opened.plan['seed']}. What the owners of the data and of the "
        "base model allow holds for this folder too; the run does not know their licences."
    )


def _start(described: dict[str, Any]) -> str:
    model = described["model"]
    main = model if "use" in model else model["main"]
    return str(main.get("path") or main["use"])


def _limits(exported: Exported) -> Iterator[str]:
    yield "## Limits"
    limits = [
        "It recommends items of its catalogue only; new ones need `genrec items add` and another export.",
        "It repeats what its data held: popular items and habits of those users, with their biases.",
        "Scores order the items of one answer; they are no probabilities that a user will choose.",
        *exported.notes,
    ]
    yield "\n".join(f"- {limit}" for limit in limits)
