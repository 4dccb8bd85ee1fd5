"""Export: everything that it takes to recommend with a run's model, without GenRec.

    config.json  model.safetensors  tokenizer.json …    as `transformers` loads them, with the chat template
    generation_config.json    beams and no length penalty: what the run itself searches with
    identifiers.jsonl         item id and tokens, a line an item
    trie.safetensors, .json   the legal identifiers over token ids
    prompt.json, forms.safetensors    how a history becomes token ids, where a form can say it
    logits_processor.py, recommend.py     74 lines that keep `generate` legal; an example that uses them
    examples.json             histories with what the run recommends, to compare with
    flashrec.json             the catalogue for FlashRec, where identifiers are codes of one length
    pipeline.yaml             `genrec run` reads the folder back as `core/pretrained` and `core/given`
    genrec.json, README.md    what the files above do not say, for programs and for people

The folder is written beside its place and renamed, so nobody finds half of one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from safetensors.numpy import save_file

from genrec_contrib_export.card import card
from genrec_contrib_export.flashrec import FlashRec, flashrec
from genrec_contrib_export.prompt_form import PromptForm, prompt_form
from genrec_contrib_export.read_back import pipeline_text
from genrec_core import Context, GenrecError, Request
from genrec_core.contracts.processes import one_process
from genrec_core.contracts.samples import IDENTIFIER, Sample
from genrec_core.engine import Decoder, DecoderSettings, Model, Renderer
from genrec_core.pipeline.run_reader import RunReader

_COMPARED = 200
"""Test histories that a form of the prompt is compared on with the renderer."""
_TOP = 10
_ARRAYS = ("first", "count", "tokens", "starts", "ends", "items")


@dataclass
class Exported:
    """What was written.

    Attributes:
        folder: where.
        checked: examples that came out of `generate` in a fresh process as the run recommends them.
        examples: how many there are.
        notes: what is missing or different, and why.
        flashrec: the catalogue for FlashRec.
    """

    folder: Path
    checked: int = 0
    examples: int = 0
    notes: list[str] = field(default_factory=list)
    flashrec: FlashRec = field(default_factory=FlashRec)


@one_process
def export_run(opened: RunReader, folder: Path, examples: int = 3) -> Exported:
    """Write a run's model, identifiers and prompt into a new folder.

    Args:
        opened: the run.
        folder: must not be there yet, or be empty.
        examples: test histories that are answered by the run and, in a fresh process, by the folder.

    Raises:
        GenrecError: the folder holds something, or the run's model is none that can be exported.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise GenrecError(f"`{folder}` is not empty", hint="name a new folder with --to")
    part = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        export = _Export(opened, part, examples)
        exported = export.write()
        text = pipeline_text(opened, export.model, folder.absolute())
        (part / "pipeline.yaml").write_text(text, encoding="utf-8")
        if folder.is_dir():
            folder.rmdir()
        for file in part.iterdir():
            file.chmod(0o644)  # safetensors keeps what it writes to itself
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    exported.folder = folder
    return exported


class _Export:
    """One export at work; see `export_run`."""

    def __init__(self, opened: RunReader, folder: Path, examples: int) -> None:
        self.opened, self.folder, self.catalogue = opened, folder, opened.catalogue
        self.model = only_model(opened)
        self.prompt = opened.pipeline.prompts["main"]
        self.renderer = Renderer(self.model, self.catalogue)
        view = opened.prepared.views.test
        self.requests = [one for one, _ in zip(view.requests(), range(_COMPARED), strict=False)]
        self.examples = [one for one in self.requests if one.history][:examples]
        self.done = Exported(folder)

    def write(self) -> Exported:
        """Everything but the pipeline, which names the folder's own place."""
        sample = self._sample(self.requests[0])
        beams = self.opened.pipeline.spec.recommend.most_candidates() or 20
        decoder = Decoder(self.model, self.catalogue, DecoderSettings(beams))
        trie = decoder.constraint(sample.answer_form or IDENTIFIER, sample.stop_text).trie
        self._identifiers(trie, sample)
        self.model.network.generation_config = self._generation(beams, trie.depth())
        self.model.save(self.folder)
        form = self._prompt_form()
        for name in ("logits_processor.py", "recommend.py"):
            shipped = resources.files("genrec_contrib_export.shipped") / name
            (self.folder / name).write_text(shipped.read_text(encoding="utf-8"), encoding="utf-8")
        self._examples()
        self._differences()
        if form is not None and self.examples:
            self._compare()
        text = card(self.opened, self.done)
        (self.folder / "README.md").write_text(text, encoding="utf-8")
        return self.done

    def _sample(self, request: Request) -> Sample:
        return self.prompt.prompt(request, self.catalogue, Context())

    def _identifiers(self, trie: Any, sample: Sample) -> None:
        identifiers, folder = self.catalogue.identifiers, self.folder
        with (folder / "identifiers.jsonl").open("wb") as lines:
            for item, item_id in enumerate(self.catalogue.items.ids):
                row = {"item_id": item_id, "tokens": identifiers.tokens(item)}
                lines.write(orjson.dumps(row) + b"\n")
        save_file(
            {name: np.ascontiguousarray(getattr(trie, name)) for name in _ARRAYS}, folder / "trie.safetensors"
        )
        options = self.opened.pipeline.spec.recommend.options
        about = {
            "format": 1, "nodes": len(trie.tokens), "items": len(trie.items), "depth": trie.depth(),
            "end": self.model.end_id, "scoring": getattr(options, "scoring", None) or self.model.scoring,
            "answer": sample.answer_form, "identifiers": identifiers.digest,
        }  # fmt: skip
        _write_json(folder / "trie.json", about)
        token_id = dict(
            zip(identifiers.new_tokens, self.model.token_ids(identifiers.new_tokens), strict=True)
        )
        self.done.flashrec = flashrec(identifiers, token_id)
        if self.done.flashrec.paths:
            (folder / "flashrec.json").write_bytes(orjson.dumps(self.done.flashrec.plain()))
        else:
            self.done.notes.append(f"no flashrec.json: {self.done.flashrec.why_not}")

    def _generation(self, beams: int, depth: int) -> Any:
        from transformers import GenerationConfig

        return GenerationConfig(
            num_beams=beams, num_return_sequences=beams, do_sample=False, length_penalty=0.0,
            early_stopping=False, max_new_tokens=depth + 1, eos_token_id=self.model.end_id,
            pad_token_id=self.model.pad_id,
            decoder_start_token_id=getattr(self.model.network.config, "decoder_start_token_id", None),
        )  # fmt: skip

    def _prompt_form(self) -> PromptForm | None:
        """Write the prompt's form where it has one that agrees with the renderer on every test history."""
        most, items = self.opened.pipeline.spec.data.max_history, self.catalogue.items
        form = None
        if len(items) > 1 and most > 1:
            form = prompt_form(
                self.renderer, lambda history: self._sample(Request("", history)), (0, 1), most
            )
        compared = [one for one in self.requests if one.history]
        if form is None or any(
            form.filled(one.history, self._written) != self.renderer.prompt(self._sample(one))
            for one in compared
        ):
            self.done.notes.append(
                "no prompt.json: the prompt depends on more than the history, so recommend.py cannot write it"
            )
            return None
        _write_json(self.folder / "prompt.json", form.plain(self.model.family))
        arrays: dict[str, NDArray[Any]] = {}
        for name in form.forms:
            rows = self.renderer.answer_ids(name)
            arrays[f"{name}.tokens"] = np.asarray([token for row in rows for token in row], dtype=np.int32)
            arrays[f"{name}.offsets"] = np.cumsum([0, *map(len, rows)]).astype(np.int64)
        save_file(arrays, self.folder / "forms.safetensors")
        return form

    def _written(self, form: str, item: int) -> list[int]:
        return self.renderer.answer_ids(form)[item]

    def _examples(self) -> None:
        """What the run recommends to a few test histories."""
        ids, rows = self.catalogue.items.ids, []
        with self.opened.open() as session:
            asked = [Request("", one.history) for one in self.examples]
            for request, (_, ranked) in zip(asked, session.answers(asked), strict=True):
                pairs = zip(ranked.items[:_TOP].tolist(), ranked.scores[:_TOP].tolist(), strict=True)
                rows.append(
                    {
                        "history": [ids[item] for item in request.history],
                        "prompt": self.renderer.prompt(self._sample(request)),
                        "items": [{"item": ids[item], "score": score} for item, score in pairs],
                    }
                )
        _write_json(self.folder / "examples.json", rows)
        self.done.examples = len(rows)

    def _differences(self) -> None:
        """What the run does and `generate` cannot."""
        spec = self.opened.pipeline.spec
        options = spec.recommend.options
        if spec.recommend.name != "core/beam":
            self.done.notes.append(
                f"the run recommends by `{spec.recommend.name}`, `generate` by plain beams"
            )
        if getattr(options, "prior", None) is not None:
            self.done.notes.append("the run adds a baseline's distribution (`prior`), `generate` does not")
        if getattr(options, "search", "beam") != "beam":
            self.done.notes.append(
                "the run scores every identifier (`search: exhaustive`), `generate` does not"
            )
        if self.model.dense is not None:
            self.done.notes.append("the run ranks by the model's dense head too, `generate` does not")
        if spec.ground.described() != {"use": "core/exact", "collisions": "expand"}:
            self.done.notes.append(f"the run grounds by `{spec.ground.name}` with its own options")

    def _compare(self) -> None:
        """Answer the examples with the folder alone, in a fresh process."""
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        command = [sys.executable, "recommend.py", "--check"]
        ended = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        lines = ended.stdout.splitlines()
        self.done.checked = sum(line == "same" for line in lines)
        if self.done.checked < self.done.examples:
            wrong = lines or ended.stderr.strip().splitlines()[-1:]
            count = self.done.examples - self.done.checked
            self.done.notes.append(f"{count} of {self.done.examples} examples differ: {wrong[0][:200]}")


def only_model(opened: RunReader) -> Model:
    """The model of the slot `main`.

    Raises:
        GenrecError: it reads several, none of the engine's, or one that transformers cannot read.
    """
    slots: Sequence[str] = type(opened.pipeline.spec.recommend).slots
    if tuple(slots) != ("main",):
        raise GenrecError(
            f"the run recommends with the models {', '.join(slots)}; one folder holds one",
            hint="export a run whose recommender reads `main` alone",
        )
    model = Model.of(opened.model("main"))
    if model.by_item or model.dense is not None:
        part = "reads histories by item" if model.by_item else "ranks by a dense head"
        raise GenrecError(
            f"the model {part}, which is code of GenRec's that transformers does not have",
            hint="serve it with `genrec serve`, or train it without `positions: item` and `dense`",
        )
    return model


def _write_json(path: Path, value: Any) -> None:
    path.write_bytes(orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n")
