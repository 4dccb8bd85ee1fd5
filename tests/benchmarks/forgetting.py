"""What each training step left of general reasoning: held-out questions, asked of every model on the way.

    python -m tests.benchmarks.forgetting RUN --rows 100

RUN's pipeline has a corpus `sidreasoner/general` in some step. Of its held-out questions, which no step has
learnt from, are printed for every model on the way: the loss (nats a token of the reference answers) and, for
puzzles, the share that a greedy answer gets right.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from genrec_plugin_sidreasoner.general import Exchange, General, general_sample

from genrec_core.contracts.component import components_in
from genrec_core.contracts.context import Context
from genrec_core.engine import Model, Renderer
from genrec_core.engine.decoding.free_text import FreeSettings, written_texts
from genrec_core.engine.decoding.output_head import OutputHead
from genrec_core.engine.training.validation import evenly
from genrec_core.pipeline.artifacts import MODELS
from genrec_core.pipeline.run_reader import RunReader, open_run
from genrec_core.registry.discovery import load_plugins
from tests.benchmarks.measuring import machine, write


def held_out(opened: RunReader, rows: int) -> tuple[General, list[Exchange]]:
    """The general corpus of a run and some of its held-out exchanges."""
    corpora = [one for _, one in components_in(opened.pipeline.spec) if isinstance(one, General)]
    if not corpora:
        raise SystemExit("no step of this run has a corpus `sidreasoner/general`")
    exchanges = list(corpora[0].exchanges(Context(), held_out=True))
    return corpora[0], [exchanges[place] for place in evenly(len(exchanges), rows)]


def loss(model: Model, renderer: Renderer, exchanges: list[Exchange]) -> float:
    """Nats a token of the reference answers."""
    total, count = 0.0, 0
    with torch.inference_mode():
        for exchange in exchanges:
            rendered = renderer.rendered(general_sample(exchange))
            ids = torch.tensor([rendered.ids], device=model.device)
            logs = model.network(input_ids=ids).logits[0, :-1].float().log_softmax(dim=-1)
            learnt = torch.tensor(rendered.learn[1:], device=model.device)
            total -= float(logs.gather(1, ids[0, 1:, None])[learnt].sum())
            count += int(learnt.sum())
    return total / count


def right(model: Model, renderer: Renderer, corpus: General, exchanges: list[Exchange], tokens: int) -> float:
    """Share of greedy answers that end in the reference answer behind the thought."""
    prompts = [renderer.prompt(general_sample(exchange)) for exchange in exchanges]
    free = FreeSettings(tokens, stop=((model.end_id,),))
    texts = written_texts(model, OutputHead(model.network), prompts, free, None, 16384)
    closing = corpus.options.closing.strip()
    hits = 0
    for (text,), exchange in zip(texts, exchanges, strict=True):
        written = model.text_tokenizer.decode(list(text.tokens)).rpartition(closing)
        hits += bool(written[1]) and written[2].strip() == exchange[-1][1].rpartition(closing)[2].strip()
    return hits / len(exchanges)


def main() -> None:
    """Ask every model of a run."""
    options = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    options.add_argument("run", type=Path)
    options.add_argument("--store", type=Path)
    options.add_argument("--rows", type=int, default=100, help="held-out questions, evenly chosen")
    options.add_argument("--tokens", type=int, default=96, help="most tokens of an answer")
    options.add_argument("--json", type=Path)
    chosen = options.parse_args()
    opened = open_run(chosen.run, load_plugins()[0], chosen.store)
    corpus, exchanges = held_out(opened, chosen.rows)
    print(machine())
    rows: list[dict[str, Any]] = []
    backbone = opened.pipeline.wiring.last.models["main"].backbone
    stages = [stage["name"] for stage in opened.plan["stages"]]
    for stage in ["model", *(name for name in stages if name.startswith("train."))]:
        folder = opened.artefact(stage) / MODELS / "main"
        model = Model.of(backbone.load(folder))
        renderer = Renderer(model, opened.catalogue)
        found: dict[str, Any] = {"after": stage, "loss": loss(model, renderer, exchanges)}
        if corpus.options.path is None and not corpus.options.dataset:
            found["right"] = right(model, renderer, corpus, exchanges, chosen.tokens)
        rows.append(found)
        share = f"  right {found['right']:.2f}" if "right" in found else ""
        print(
            f"{stage:18} loss {found['loss']:.3f}{share}  of {len(exchanges)} held-out questions", flush=True
        )
    write(chosen.json, {}, rows)


if __name__ == "__main__":
    main()
