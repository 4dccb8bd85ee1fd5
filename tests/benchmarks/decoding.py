"""Constrained beam search against `transformers.generate`, and against its own arithmetic.

    python -m tests.benchmarks.decoding --quick
    python -m tests.benchmarks.decoding --json decoding.json      # all shapes: about an hour on two cores

Contestants, all on the same model, prompts and 12,000 four-token identifiers:

- `generate+prefix`: beam search with `prefix_allowed_tokens_fn`, what published repositories do;
- `generate+processor`: beam search with a vectorised logits processor over the same trie;
- `full`, `legal`: ours, scored under the whole vocabulary or over the legal tokens;
- `floor full`, `floor legal`: the arithmetic nobody can avoid: prefill of one row a user, one model step a
  level, and for `full` the normaliser over the vocabulary at each level. Share-of-floor is floor / ours.

`generate` does not print the same scores as `legal` (it never renormalises), so that ratio compares cost,
not equal results; `full` gives the same beams and scores, which the tests hold to 1e-4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM, LogitsProcessor, LogitsProcessorList

from genrec_core.engine.decoding.beam import SearchSettings, search
from genrec_core.engine.decoding.constraint import Constraint
from genrec_core.engine.decoding.output_head import OutputHead
from genrec_core.engine.decoding.support import decode_state_for
from genrec_core.identifiers.trie import Trie, compile_trie
from tests.benchmarks.measuring import arguments, machine, medians, ratio, write

ROWS, LEVELS, CODES, FIRST_CODE = 16, 4, 256, 1000
END = PAD = 2


@dataclass(frozen=True)
class Shape:
    """One cell of the grid."""

    size: str
    vocabulary: int
    prompt: int
    beams: int
    items: int = 12_000

    def __str__(self) -> str:
        return f"{self.size} V={self.vocabulary // 1000}k P={self.prompt} K={self.beams} N={self.items}"


@dataclass
class Bare:
    """What a state needs of a model."""

    network: Any
    family: str = "causal"
    pad_id: int = PAD


def model(size: str, vocabulary: int) -> Bare:
    """`small`: 4 layers of 128; `smollm2`: the shape of SmolLM2-135M. Random weights cost the same."""
    torch.manual_seed(0)
    if size == "small":
        shape = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 4,
                 "num_attention_heads": 4, "num_key_value_heads": 2}  # fmt: skip
    else:
        shape = {"hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
                 "num_attention_heads": 9, "num_key_value_heads": 3}  # fmt: skip
    config = LlamaConfig(
        vocab_size=vocabulary, tie_word_embeddings=True, max_position_embeddings=1024, **shape
    )
    return Bare(LlamaForCausalLM(config).eval())


def catalogue(items: int) -> Trie:
    """Distinct random four-level identifiers."""
    rng = np.random.default_rng(0)
    codes = rng.choice(CODES**3, size=items, replace=False)
    digits = np.stack(
        [codes // CODES**2, codes // CODES % CODES, codes % CODES, rng.integers(0, CODES, items)]
    )
    return compile_trie(digits.T + FIRST_CODE + CODES * np.arange(LEVELS))


class VectorisedConstraint(LogitsProcessor):
    """The fair alternative inside `generate`: one gather a step instead of a Python call a beam."""

    def __init__(self, trie: Trie, prompt: int) -> None:
        self.trie, self.prompt = trie, prompt

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        nodes = np.full(len(input_ids), int(self.trie.roots[0]), dtype=np.int64)
        for column in input_ids[:, self.prompt :].T.numpy():
            nodes = self.trie.step(nodes, column)
        counts = np.where(nodes >= 0, self.trie.count[nodes], 0)
        rows = np.repeat(np.arange(len(nodes)), counts)
        shift = np.repeat(self.trie.first[nodes] - (np.cumsum(counts) - counts), counts)
        legal = torch.from_numpy(self.trie.tokens[np.arange(len(rows)) + shift]).long()
        allowed = torch.full_like(scores, -torch.inf)
        where = (torch.from_numpy(rows), legal)
        allowed[where] = scores[where]
        return allowed


def contestants(shape: Shape, bare: Bare, trie: Trie) -> dict[str, Callable[[], Any]]:
    """Every way to answer the same requests."""
    rng = np.random.default_rng(1)
    prompts = rng.integers(3000, shape.vocabulary, (ROWS, shape.prompt))
    ids, head, constraint = (
        torch.from_numpy(prompts),
        OutputHead(bare.network),
        Constraint(trie, torch.device("cpu")),
    )
    beams = {"num_beams": shape.beams, "num_return_sequences": shape.beams, "do_sample": False,
             "length_penalty": 0.0, "max_new_tokens": LEVELS, "min_new_tokens": LEVELS,
             "early_stopping": False, "eos_token_id": END, "pad_token_id": PAD}  # fmt: skip

    def legal_after(_: int, row: torch.Tensor) -> list[int]:
        return trie.legal(trie.descend(row.tolist()[shape.prompt :])).tolist()

    def ours(scoring: Any) -> Any:
        state = decode_state_for(bare, steps=LEVELS, width=shape.beams)
        return search(state, head, constraint, prompts.tolist(), SearchSettings(shape.beams, scoring))

    @torch.inference_mode()
    def generate(**constraint: Any) -> Any:
        return bare.network.generate(ids, attention_mask=torch.ones_like(ids), **beams, **constraint)

    processor = LogitsProcessorList([VectorisedConstraint(trie, shape.prompt)])
    return {
        "generate+prefix": lambda: generate(prefix_allowed_tokens_fn=legal_after),
        "generate+processor": lambda: generate(logits_processor=processor),
        "full": lambda: ours("full"),
        "legal": lambda: ours("legal"),
        **floors(shape, bare, head, prompts),
    }


def floors(shape: Shape, bare: Bare, head: OutputHead, prompts: np.ndarray) -> dict[str, Callable[[], Any]]:
    """The model's own work, without any search: see the module's story."""
    tokens = torch.full((ROWS, shape.beams), FIRST_CODE)
    parents = torch.zeros_like(tokens)

    def legal() -> list[torch.Tensor]:
        state = decode_state_for(bare, steps=LEVELS, width=shape.beams)
        states = [state.start(prompts.tolist())]
        return states + [state.advance(parents, tokens) for _ in range(LEVELS - 1)]

    @torch.inference_mode()
    def floor(scoring: str) -> None:
        for state in legal():
            flat = state.reshape(-1, state.shape[-1])
            if scoring == "full":
                head.normaliser(flat)
            else:
                flat @ head.weight[FIRST_CODE : FIRST_CODE + CODES].T

    return {"floor full": lambda: floor("full"), "floor legal": lambda: floor("legal")}


def unconstrained(shape: Shape, bare: Bare) -> Callable[[], Any]:
    """The same loop without a constraint: at each level take the best of the level's 256 codes."""
    head = OutputHead(bare.network)
    prompts = np.random.default_rng(1).integers(3000, shape.vocabulary, (ROWS, shape.prompt)).tolist()

    @torch.inference_mode()
    def run() -> torch.Tensor:
        state = decode_state_for(bare, steps=LEVELS, width=shape.beams)
        hidden, scores = state.start(prompts), torch.zeros(ROWS, 1)
        for level in range(LEVELS):
            begin = FIRST_CODE + level * CODES
            flat = hidden.reshape(-1, hidden.shape[-1])
            logs = head.logits(flat, slice(begin, begin + CODES)).log_softmax(1).reshape(ROWS, -1, CODES)
            scores, flat_best = (scores[..., None] + logs).reshape(ROWS, -1).topk(shape.beams)
            if level + 1 < LEVELS:
                hidden = state.advance(flat_best // CODES, begin + flat_best % CODES)
        return scores

    return run


def grid(quick: bool) -> Iterator[Shape]:
    """Shapes to run; the full grid for the small model, a cross for the large one."""
    if quick:
        yield Shape("small", 150_000, 200, 20)
        return
    for vocabulary in (32_000, 150_000):
        for prompt in (60, 200, 500):
            for beams in (10, 20, 50):
                yield Shape("small", vocabulary, prompt, beams)
    yield from (Shape("smollm2", 32_000, 60, 10), Shape("smollm2", 150_000, 60, 20))
    yield Shape("smollm2", 150_000, 200, 20)


def main() -> None:
    """Print a line a shape, and the ratios the project promises."""
    options = arguments(__doc__ or "")
    rows, ratios = [], {}
    print(machine())
    for shape in grid(options.quick):
        bare = model(shape.size, shape.vocabulary)
        large = shape.size == "smollm2"
        times = medians(
            contestants(shape, bare, catalogue(shape.items)), 1 if large else 3, warm_up=not large
        )
        rows.append({"shape": str(shape), **{name: round(value, 4) for name, value in times.items()}})
        prefix = times["generate+prefix"]
        print(f"{shape}: generate+prefix {prefix:.2f} s")
        for scoring, goal in (("full", 15.0), ("legal", 25.0)):
            share = times[f"floor {scoring}"] / times[scoring]
            print(
                f"  {scoring:6} {prefix / times[scoring]:6.1f}× faster than generate+prefix, "
                f"{times['generate+processor'] / times[scoring]:6.1f}× than generate+processor, "
                f"share of floor {share:.0%} (the floor allows {prefix / times[f'floor {scoring}']:.1f}×)"
            )
            name = f"{scoring} {shape}"
            ratios[name] = ratio(prefix / times[scoring], "generate+prefix_allowed_tokens_fn", goal)
            ratios[f"floor share {name}"] = ratio(share, "prefill + one step a level (+ normaliser)", 0.8)
    ratios |= constraint_cost(rows, options.quick)
    write(options.json, ratios, rows)


def constraint_cost(rows: list[dict[str, Any]], quick: bool) -> dict[str, Any]:
    """What the constraint costs over an unconstrained loop, and as the catalogue grows to a million."""
    shape = Shape("small", 32_000, 200, 20)
    bare = model(shape.size, shape.vocabulary)
    sizes = (10_000, 1_000_000)
    head, prompts = (
        OutputHead(bare.network),
        np.random.default_rng(1).integers(3000, 32_000, (ROWS, 200)).tolist(),
    )
    runs: dict[str, Callable[[], Any]] = {"unconstrained": unconstrained(shape, bare)}
    for items in sizes:
        constraint = Constraint(catalogue(items), torch.device("cpu"))

        def constrained(constraint: Constraint = constraint) -> Any:
            state = decode_state_for(bare, steps=LEVELS, width=shape.beams)
            return search(state, head, constraint, prompts, SearchSettings(shape.beams, "legal"))

        runs[f"{items:,} items"] = constrained
    times = medians(runs, 7 if quick else 15)
    rows.append({"shape": f"constraint {shape}", **times})
    overhead = times["10,000 items"] / times["unconstrained"]
    growth = times["1,000,000 items"] / times["10,000 items"]
    print(f"constraint overhead {overhead:.3f}× the unconstrained loop; 10k → 1M items {growth:.3f}×")
    return {
        "constraint overhead": ratio(overhead, "the same loop unconstrained", 1.05),
        "catalogue growth 10k → 1M": ratio(growth, "10,000 items", 1.3),
    }


if __name__ == "__main__":
    main()
