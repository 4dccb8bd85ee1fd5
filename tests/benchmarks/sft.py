"""How fast fine-tuning is on this processor: its arithmetic beside what matrix products alone reach.

    python -m tests.benchmarks.sft --quick
    python -m tests.benchmarks.sft --json sft.json

The shapes are those of `examples/beauty.yaml` (12,101 items, three codes of 256, 128 users a batch, histories
as long as Beauty's), the data is drawn. One optimiser step of each variant is timed in turn with a matrix
product of 1,024 × 1,024 × 1,024, in processor seconds, so that other programs on the machine count little.
The share is the multiplications and additions of the step's matrix products and attention, as torch counts
them, over what the product alone does in that time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from genrec_core.builtin.next_item import NextItem
from genrec_core.builtin.tiny_backbones import TinyCausal
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.dataset import Sequences
from genrec_core.contracts.identifiers import Identifiers
from genrec_core.contracts.items import Items
from genrec_core.contracts.views import View
from genrec_core.engine.decoding.constraint import AnswerTries
from genrec_core.engine.decoding.output_head import OutputHead
from genrec_core.engine.models.dense_head import DenseHead, attach
from genrec_core.engine.rendering.renderer import Renderer
from genrec_core.engine.training.batch_plan import Collator
from genrec_core.engine.training.dense_loss import DenseLoss
from genrec_core.engine.training.loss import LegalLoss, batch_loss
from genrec_core.engine.training.sample_table import rendered_table
from tests.benchmarks.measuring import arguments, machine, ratio, write

ITEMS, CODES, USERS, HISTORY, SIZE = 12_101, 256, 128, 20, 1024
GOAL = 0.5
MODEL = {"hidden": 128, "layers": 3, "dropout": 0.4, "attention_dropout": 0, "device": "cpu"}

VARIANTS: dict[str, tuple[str, int | None]] = {
    "positions: token": ("token", None),
    "positions: item": ("item", None),
    "positions: token, dense": ("token", 1024),
    "positions: item, dense": ("item", 1024),
}
"""Name → what histories are read by, and negatives of the dense head."""


def catalogue() -> Catalogue:
    """Items with codes that no two share."""
    drawn = np.random.default_rng(0).permutation(CODES * CODES * 4)[:ITEMS]
    codes = [(f"<a_{n // CODES % CODES}>", f"<b_{n % CODES}>", f"<c_{n // CODES // CODES}>") for n in drawn]
    new = [f"<{level}_{code}>" for level in "abc" for code in range(CODES)]
    titles = {"title": [f"thing {n}" for n in range(ITEMS)]}
    return Catalogue(Items(tuple(map(str, range(ITEMS))), titles), Identifiers.of(codes, new_tokens=new))


def step_of(kind: str, negatives: int | None, shop: Catalogue) -> Callable[[], None]:
    """One optimiser step of a variant."""
    model = TinyCausal(**MODEL, positions=kind).build(shop, Context(seed=1))
    renderer = Renderer(model, shop)
    draws = np.random.default_rng(1)
    lengths = np.minimum(2 + draws.geometric(0.2, USERS), HISTORY)
    rows = Sequences.of([draws.integers(0, ITEMS, length) for length in lengths])
    train = View("train", tuple(map(str, range(USERS))), rows, None, HISTORY)
    tries = AnswerTries(renderer)
    samples = NextItem(each="user", separator="").samples(train, shop, Context())
    table = rendered_table(samples, renderer, Context(), "made up", tries, dense=True)
    batch = Collator(table, model.family, model.pad_id).batch(np.arange(len(table)))
    legal, dense = LegalLoss(tries.trie, OutputHead(model.network)), None
    if negatives:
        identifiers = renderer.answer_ids()
        attach(model.network, DenseHead.started(identifiers, (), MODEL["hidden"], 1))
        assert model.dense is not None
        dense = DenseLoss(model.dense, model.dense.written(identifiers), negatives, 1.0)
    network = model.network.train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)

    def step() -> None:
        optimiser.zero_grad()
        batch_loss(network, batch, legal=legal, dense=dense).backward()
        optimiser.step()

    return step


def flops(step: Callable[[], None]) -> int:
    """Multiplications and additions of a step, as torch counts those of products and attention."""
    with FlopCounterMode(display=False) as counter:
        step()
    return int(counter.get_total_flops())


def processor_seconds(run: Callable[[], Any]) -> float:
    """Of one call."""
    begin = time.process_time()
    run()
    return time.process_time() - begin


def main() -> None:
    """Print a line a variant."""
    options = arguments(__doc__ or "")
    torch.set_num_threads(1)
    print(machine())
    shop = catalogue()
    steps = {name: step_of(kind, negatives, shop) for name, (kind, negatives) in VARIANTS.items()}
    counted = {name: flops(step) for name, step in steps.items()}
    left, right = torch.randn(SIZE, SIZE), torch.randn(SIZE, SIZE)
    contestants = {"product": lambda: left @ right, **steps}
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(3 if options.quick else 15):
        for name, run in contestants.items():
            seconds[name].append(processor_seconds(run))
    typical = {name: statistics.median(found) for name, found in seconds.items()}
    rate = 2 * SIZE**3 / typical["product"]
    print(f"matrix product: {rate / 1e9:.1f} GFLOP/s on one core")
    rows, ratios = [], {}
    for name, count in counted.items():
        share = count / typical[name] / rate
        rows.append({"variant": name, "gflop": count / 1e9, "seconds": typical[name], "share": share})
        ratios[name] = ratio(share, "the rate of a matrix product", GOAL)
        print(f"{name:26} {count / 1e9:6.2f} GFLOP  {typical[name]:.3f} s a step  {share:.0%} of the rate")
    write(options.json, ratios, rows)


if __name__ == "__main__":
    main()
