"""Decoding: constrained generation on token ids, vectorised over batch × beams."""
