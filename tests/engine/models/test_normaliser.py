"""The normaliser of a softmax against torch's own."""

from __future__ import annotations

import pytest
import torch

from genrec_core.engine.decoding import output_head
from genrec_core.engine.decoding.output_head import OutputHead
from genrec_core.engine.models.layers import log_sum_exp_
from tests.engine.decoding.random_models import random_model


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_it_is_the_log_of_the_sum_whatever_the_size_of_logits(scale):
    logits = torch.randn(7, 300, generator=torch.Generator().manual_seed(0)) * scale
    expected = logits.logsumexp(dim=1)
    torch.testing.assert_close(log_sum_exp_(logits), expected)


@pytest.mark.parametrize("block", [7, 4096])
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_a_head_sums_its_vocabulary_in_blocks(monkeypatch, block, temperature):
    monkeypatch.setattr(output_head, "_BLOCK", block)
    head = OutputHead(random_model("qwen3").network)
    with torch.inference_mode():
        hidden = torch.randn(5, head.weight.shape[1], generator=torch.Generator().manual_seed(0))
        expected = (head.logits(hidden) / temperature).logsumexp(dim=1)
        torch.testing.assert_close(head.normaliser(hidden, temperature), expected)
