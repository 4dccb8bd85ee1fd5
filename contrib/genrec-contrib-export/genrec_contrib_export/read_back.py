"""The pipeline that reads an exported folder back: its weights, its identifiers, the data and the prompt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from genrec_core.engine import Model
from genrec_core.pipeline.run_reader import RunReader

_HEAD = """\
# The exported model on the data it was made for: genrec run pipeline.yaml
# `model.path` and paths of the data are places on the machine that exported; --set names others.
"""


def pipeline_text(opened: RunReader, model: Model, folder: Path) -> str:
    """A pipeline of `core/pretrained` and `core/given` that recommends as the run did.

    Args:
        opened: the run.
        model: its model.
        folder: where the export is, absolute.
    """
    spec = opened.pipeline.spec
    identifiers, described = opened.catalogue.identifiers, spec.described(opened.plan["seed"])
    recommend: dict[str, Any] = dict(described["recommend"])
    recommend |= {"prompt": opened.pipeline.prompts["main"].described(), "prompts": {}}
    if "scoring" in recommend:
        recommend["scoring"] = recommend["scoring"] or model.scoring
    pipeline = {
        "genrec": 1,
        "name": f"{spec.name}-exported",
        "seed": opened.plan["seed"],
        "data": described["data"],
        "model": {
            "use": "core/pretrained", "path": str(folder), "chat": "always" if model.chat else "never",
            "max_length": model.max_length,
        },
        "tokenizer": {
            "use": "core/given", "file": "identifiers.jsonl", "field": "tokens",
            "new_tokens": bool(identifiers.new_tokens), "separator": identifiers.separator,
        },
        "train": {},
        "recommend": recommend,
        "ground": described["ground"],
        "evaluate": described["evaluate"],
    }  # fmt: skip
    return _HEAD + yaml.safe_dump(pipeline, sort_keys=False, allow_unicode=True, width=100)
