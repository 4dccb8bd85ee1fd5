"""The normaliser of a softmax, summed where its logits stand.

    logits [[1, 2], [3, 3]] → [log(e + e²), log(2e³)], and `logits` hold nothing of use any more

torch's `logsumexp` writes three more matrices of the logits' size. With a few hundred beams and a thousand
columns that is megabytes of fresh memory at every step, which takes longer than the matrix product itself.
"""

from __future__ import annotations

from torch import Tensor


def log_sum_exp_(logits: Tensor) -> Tensor:
    """Log of the sum of exp(logits [R, C]) along the columns, float [R]; overwrites `logits`."""
    highest = logits.amax(dim=1, keepdim=True)
    return logits.sub_(highest).exp_().sum(dim=1).log_().add_(highest[:, 0])
