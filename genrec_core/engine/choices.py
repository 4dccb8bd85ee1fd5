"""Named choices: the values that options of models, training and decoding may take, and one rule of shapes.

They stand here, away from the code that acts on them, so that options can be checked, shown and explained
without importing torch.
"""

from __future__ import annotations

from typing import Literal

Precision = Literal["float32", "bfloat16"]
"""Of weights, or of arithmetic."""

Arithmetic = Literal["float32", "bfloat16", "auto"]
"""Of matrix products in training; `auto`: bfloat16 where the processor computes in it, else float32."""

ChatUse = Literal["auto", "never", "always"]
"""Whether prompts go through a chat template; `auto`: when the text tokenizer has one."""

Initialisation = Literal["random", "mean", "spelling", "items", "vectors"]
"""How the rows of new tokens start; `engine.models.vocabulary` tells them apart."""

Search = Literal["beam", "exhaustive"]
"""Keep the best few identifiers at every step, or score every one."""

Scoring = Literal["full", "legal"]
"""`full`: log-probability under the whole vocabulary; `legal`: renormalised over the legal tokens."""

Merge = Literal["max", "logsumexp", "vote", "best"]
"""How beams behind several thoughts become one list; `engine.decoding.thoughts` tells them apart."""

Trailing = Literal["ignore", "refuse"]
"""What is made of text behind an identifier that was written freely: nothing, or the whole names no item."""

Pooling = Literal["mean", "cls", "last"]
"""How the token states of a text become one vector."""


def impossible_heads(hidden: int, heads: int) -> str:
    """Why a width cannot be parted among attention heads, each of an even width; empty if it can."""
    if hidden % heads or hidden // heads % 2:
        return f"`hidden: {hidden}` does not divide into `heads: {heads}` of even width"
    return ""
