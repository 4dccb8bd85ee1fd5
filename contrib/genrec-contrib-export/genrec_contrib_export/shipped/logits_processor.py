"""Lets `generate` write identifiers of the catalogue only. Needs torch and safetensors, nothing else.

    legal = LegalIdentifiers("folder", prompt_length=prompt.shape[1])     # 1 for an encoder-decoder model
    model.generate(prompt, num_beams=20, length_penalty=0.0, logits_processor=LogitsProcessorList([legal]))

`trie.safetensors` holds the identifiers as a trie over token ids, nodes numbered breadth first:

    first, count    the children of node v are the nodes first[v] … first[v] + count[v] - 1
    tokens          the token that leads into each node, ascending among siblings; -1 at node 0
    starts, ends    the items whose identifier ends at node v are items[starts[v] : starts[v] + ends[v]]
    items           lines of `identifiers.jsonl`, counted from 0

`trie.json` names the token that ends a text, and whether scores are log-probabilities under the whole
vocabulary (`full`) or renormalised over what is legal (`legal`).
"""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import LogitsProcessor


class LegalIdentifiers(LogitsProcessor):
    """For log-probabilities of beam search; a whole identifier is followed by the end of text, for nothing.

    Args:
        folder: with `trie.safetensors` and `trie.json`.
        prompt_length: how many tokens come before the identifier in what `generate` writes.
    """

    def __init__(self, folder: str | Path, prompt_length: int) -> None:
        arrays = load_file(Path(folder) / "trie.safetensors")
        about = json.loads((Path(folder) / "trie.json").read_text())
        self.first, self.count, self.tokens = (arrays[name].long() for name in ("first", "count", "tokens"))
        self.starts, self.ends, self.items = (arrays[name].long() for name in ("starts", "ends", "items"))
        self.end, self.renormalise = about["end"], about["scoring"] == "legal"
        self.prompt_length = prompt_length
        parents = torch.repeat_interleave(torch.arange(len(self.count)), self.count)
        self.edges = (parents << 32) | self.tokens[1:]  # ascending, because nodes are numbered breadth first

    def node(self, written: torch.Tensor) -> torch.Tensor:
        """The node that each row of token ids [rows, n] leads to; -1 where no identifier begins so."""
        nodes = torch.zeros(len(written), dtype=torch.long)
        for column in written.T.cpu():
            wanted = (nodes << 32) | column
            place = torch.searchsorted(self.edges, wanted).clamp(max=len(self.edges) - 1)
            nodes = torch.where((self.edges[place] == wanted) & (nodes >= 0), place + 1, -1)
        return nodes

    def items_of(self, written: list[int]) -> list[int]:
        """The items that a written identifier names; empty when it names none."""
        cut = written.index(self.end) if self.end in written else len(written)
        for tokens in (written[: cut + 1], written[:cut]):
            node = int(self.node(torch.tensor([tokens]))[0]) if tokens else -1
            if node > 0 and self.ends[node]:
                return self.items[self.starts[node] : self.starts[node] + self.ends[node]].tolist()
        return []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """The scores [rows, vocabulary] with what is not legal at minus infinity."""
        nodes = self.node(input_ids[:, self.prompt_length :])
        counts = torch.where(nodes >= 0, self.count[nodes], 0)
        rows = torch.repeat_interleave(torch.arange(len(nodes)), counts)
        shift = self.first[nodes] - (counts.cumsum(0) - counts)
        tokens = self.tokens[torch.arange(len(rows)) + shift[rows]].to(scores.device)
        rows = rows.to(scores.device)
        legal = torch.full_like(scores, -torch.inf)
        legal[rows, tokens] = scores[rows, tokens]
        if self.renormalise:
            legal = legal.log_softmax(dim=1).nan_to_num(nan=-torch.inf)
        legal[(counts == 0).to(scores.device), self.end] = 0.0
        return legal
