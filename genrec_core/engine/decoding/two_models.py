"""Two models that share the writing of an identifier: one writes its first tokens, another finishes them.

The first may be large and slow and run ahead of time; only the prefixes travel, as identifier tokens, because
the two models need not share a text tokenizer. What follows is scored by the second alone.

    begun = prefixes(large, samples, depth=1)            # [[("<a_4>",), ("<a_1>",)], …] for each sample
    finish(small, sample, begun[0])                      # the best items that begin with <a_4> or <a_1>
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from genrec_core.contracts.candidates import Candidate, Candidates
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.identifiers import Tokens
from genrec_core.contracts.recommender import excluding
from genrec_core.contracts.samples import Sample
from genrec_core.contracts.views import Request
from genrec_core.engine.decoding.decoder import Decoder


def prefixes(
    decoder: Decoder,
    samples: Sequence[Sample],
    depth: int,
    *,
    exclude: Sequence[Sequence[int]] | None = None,
    only: Sequence[frozenset[int] | None] | None = None,
) -> list[list[Tokens]]:
    """The best distinct identifier prefixes of `depth` tokens for each sample, best first.

    `exclude` and `only` as for `Decoder.candidates`: below each prefix an allowed item is left.
    """
    prompts = [decoder.renderer.prompt(sample) for sample in samples]
    found = decoder.search(prompts, depth=depth, exclude=exclude, only=only)
    trie, identifiers = decoder.constraint().trie, decoder.catalogue.identifiers
    rows = []
    for nodes in found.nodes.tolist():
        items = [int(trie.items[trie.starts[node]]) for node in nodes if node >= 0]
        rows.append([identifiers.tokens(item)[:depth] for item in items])
    return rows


def finish(
    decoder: Decoder,
    sample: Sample,
    given: Sequence[Tokens],
    *,
    exclude: Sequence[int] = (),
    only: frozenset[int] | None = None,
) -> Candidates:
    """The best identifiers that begin with one of the given prefixes, scored by this decoder's model.

    Items of `exclude` may not be answered, and those of `only`, where there is one, alone; a prefix below
    which no item is left is passed over, and where that holds for all of them there are no beams.

    Raises:
        GenrecError: no identifier begins with any of the prefixes.
    """
    prompt = decoder.renderer.prompt(sample)
    supplied = [decoder.model.token_ids(prefix) for prefix in given]
    trie = decoder.constraint().trie
    starts = [trie.descend(ids) for ids in supplied]
    usable = [index for index, node in enumerate(starts) if node >= 0]
    if not usable:
        raise GenrecError(
            f"no identifier begins with any of the {len(given)} prefixes handed over",
            hint="both models must use the same identifiers",
        )
    asked = Request("", (), exclude=tuple(exclude), only=only)
    usable = [index for index in usable if asked.allows(trie.items_under(starts[index])).any()]
    whole = [index for index in usable if not trie.count[starts[index]]]
    beams = [_item_at(decoder, starts[index]) for index in whole]
    open_ended = [index for index in usable if trie.count[starts[index]]]
    if open_ended:
        found = decoder.search(
            [prompt] * len(open_ended),
            starts=torch.tensor([starts[index] for index in open_ended]),
            supplied=[supplied[index] for index in open_ended],
            exclude=[exclude] * len(open_ended),
            only=[only] * len(open_ended),
        )
        beams += [candidate for answer in decoder.written(found) for candidate in answer.beams]
    best = sorted(beams, key=lambda candidate: -candidate.score)[: decoder.settings.beams]
    known = {tuple(prefix) for prefix in given}
    supplied_to = [max(n for n in range(len(c.tokens) + 1) if c.tokens[:n] in known) for c in best]
    written = sum(len(c.tokens) for c in best) - sum(supplied_to)
    return excluding(
        Candidates(tuple(best), {"prefix": sum(map(len, given)), "finish": written}), asked, decoder.catalogue
    )


def _item_at(decoder: Decoder, node: int) -> Candidate:
    """A prefix that is a whole identifier already: nothing is left to write, so its score is zero."""
    trie = decoder.constraint().trie
    return Candidate(decoder.catalogue.identifiers.tokens(int(trie.items[trie.starts[node]])), 0.0)
