"""core/tiny-seq2seq: a small T5-architecture encoder-decoder made from nothing but the catalogue and a seed.

The encoder reads the history, the decoder writes the identifier, as in TIGER. It cannot learn inside a
history: use corpora with `each: prefix`. T5's output matrix is always its embedding matrix.

    model: {use: core/tiny-seq2seq, hidden: 128, layers: 4, dropout: 0.1}
"""

from __future__ import annotations

from genrec_core.builtin.tiny_causal import TinyBackbone


class TinySeq2Seq(TinyBackbone):
    """A small encoder-decoder with a byte-level BPE text tokenizer trained on the pipeline's own texts."""

    family = "seq2seq"
