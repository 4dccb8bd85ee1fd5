"""Beams of an encoder-decoder model that share the encoder's keys, against a copy of them for every beam.

    python -m tests.benchmarks.shared_keys --quick
    python -m tests.benchmarks.shared_keys --json shared_keys.json

A T5 of two layers of 128 with random weights searches among 12,000 identifiers of three tokens behind 64
prompts, both ways in turn, in processor seconds. `behind the prompt` leaves out what the encoder takes, which
is the same for both. The beams that both find are compared.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch
from transformers import T5Config, T5ForConditionalGeneration

from genrec_core.engine.decoding.beam import SearchSettings, search
from genrec_core.engine.decoding.constraint import Constraint
from genrec_core.engine.decoding.encoder_decoder import EncoderDecoderState
from genrec_core.engine.decoding.output_head import OutputHead
from genrec_core.engine.decoding.support import support_of
from genrec_core.identifiers.trie import compile_trie
from tests.benchmarks.measuring import arguments, machine, ratio, write

PROMPTS, ITEMS, VOCABULARY = 64, 12_000, 2_000
SHAPES = [(50, 10), (50, 20), (100, 20), (200, 20), (200, 50)]
"""Tokens of a prompt, and beams."""


def network() -> Any:
    """A small T5."""
    torch.manual_seed(0)
    shape = {"d_model": 128, "d_kv": 32, "d_ff": 256, "num_layers": 2, "num_heads": 4}
    config = T5Config(**shape, vocab_size=VOCABULARY, decoder_start_token_id=0)
    return T5ForConditionalGeneration(config).eval()


def main() -> None:
    """Print a line a shape."""
    options = arguments(__doc__ or "")
    torch.set_num_threads(1)
    print(machine())
    net, draws = network(), torch.Generator().manual_seed(1)
    assert support_of(net).way == "shared"
    trie = compile_trie(torch.randint(10, 266, (ITEMS, 3), generator=draws).tolist())
    head, constraint = OutputHead(net), Constraint(trie, torch.device("cpu"))
    ratios, rows = {}, []
    for length, beams in SHAPES[:2] if options.quick else SHAPES:
        prompts = torch.randint(10, VOCABULARY, (PROMPTS, length), generator=draws).tolist()

        def searched(shared: bool, prompts: list[list[int]] = prompts, beams: int = beams) -> Any:
            state = EncoderDecoderState(net, 0, shared=shared)
            return search(state, head, constraint, prompts, SearchSettings(beams))

        def encoded(prompts: list[list[int]] = prompts) -> None:
            with torch.inference_mode():
                EncoderDecoderState(net, 0).start(prompts)

        assert torch.equal(searched(True).nodes, searched(False).nodes)
        ways = {"shared": lambda: searched(True), "copies": lambda: searched(False), "encoder": encoded}
        found: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(3 if options.quick else 9):
            for name, way in ways.items():
                begin = time.process_time()
                way()
                found[name].append(time.process_time() - begin)
        took = {name: statistics.median(seconds) for name, seconds in found.items()}
        whole = took["copies"] / took["shared"]
        behind = (took["copies"] - took["encoder"]) / max(took["shared"] - took["encoder"], 1e-9)
        name = f"prompts of {length}, {beams} beams"
        ratios[name] = ratio(whole, "a copy for every beam")
        rows.append({"shape": name, **took, "behind the prompt": behind})
        print(f"{name}: {whole:.1f} times as fast as copies, {behind:.1f} times behind the prompt")
    write(options.json, ratios, rows)


if __name__ == "__main__":
    main()
