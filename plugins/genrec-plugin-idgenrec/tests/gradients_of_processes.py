"""In one process or several, which accelerate finds: the generator's gradients of one batch, to a file."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from accelerate import PartialState
from genrec_plugin_idgenrec.generator import Generator
from genrec_plugin_idgenrec.generator_settings import GeneratorSettings
from genrec_plugin_idgenrec.generator_step import GeneratorStep, reading_only
from genrec_plugin_idgenrec.writing import Writing
from safetensors.torch import save_file

from genrec_core import Catalogue, History, Identifiers, ItemRef, Items, Sample, Text
from genrec_core.engine import Renderer, load_model


def main(folder: Path) -> None:
    """Seven samples of different lengths, so that processes get unequal shares."""
    state = PartialState(cpu=True)
    words = ["red tent", "blue lamp", "a long green rope", "map", "tin kettle"]
    items = Items(tuple("abcde"), {"title": words})
    catalogue = Catalogue(items, Identifiers.of([tuple(text.split()) for text in words], separator=" "))
    recommender, model = (load_model(folder / name, device="cpu") for name in ("main", "generator"))
    renderer = Renderer(recommender, catalogue)
    rows = []
    for number in range(7):
        history = tuple((number + step) % 5 for step in range(1 + number % 3))
        target = ItemRef((number + 3) % 5, learn=True)
        sample = Sample((Text("Next after "), History(history), Text(": "), target))
        rows.append((renderer.rendered(sample), 1.0 + number % 2))
    step = GeneratorStep(
        Generator(model, items, Writing()), recommender, catalogue, rows, GeneratorSettings(), seed=1
    )
    with reading_only(recommender.network):
        step.gradients(rows)
    if state.is_main_process:
        found = {name: value.grad.contiguous() for name, value in model.network.named_parameters()}
        found["processes"] = torch.tensor(float(state.num_processes))
        save_file(found, folder / f"gradients-{state.num_processes}.safetensors")
    state.wait_for_everyone()
    if torch.distributed.is_initialized():
        # Whoever ends first would break connections that the other still listens to, and so abort it.
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
