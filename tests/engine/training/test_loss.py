"""The loss on learnt positions alone is the plain loss."""

import numpy as np
import pytest
import torch
from transformers import T5Config, T5ForConditionalGeneration

from genrec_core.engine.training.batch_plan import Collator
from genrec_core.engine.training.loss import IGNORED, batch_loss, learnt_losses


@pytest.fixture
def causal(build):
    return build()


def test_it_equals_the_plain_causal_loss_and_so_do_its_gradients(causal, table):
    collator = Collator(table, "causal", causal.pad_id)
    batch = collator.batch(np.arange(1, 3))  # two samples of weight one, of different lengths
    network = causal.network
    batch_loss(network, batch).backward()
    gradients = [value.grad.clone() for value in network.parameters()]
    ours = batch_loss(network, batch)
    network.zero_grad()
    mask = torch.arange(batch["input_ids"].shape[1]) < torch.tensor(table.lengths[1:3])[:, None]
    plain = network(input_ids=batch["input_ids"], attention_mask=mask.long(), labels=batch["labels"]).loss
    plain.backward()
    assert ours.item() == pytest.approx(plain.item(), abs=1e-5)
    for value, gradient in zip(network.parameters(), gradients, strict=True):
        torch.testing.assert_close(value.grad, gradient, atol=1e-5, rtol=1e-4)


def test_weights_count_and_label_smoothing_spreads(causal, table):
    batch = Collator(table, "causal", causal.pad_id).batch(np.arange(6))
    logits = causal.network(input_ids=batch["input_ids"]).logits[:, :-1]
    targets = batch["labels"][:, 1:]
    for smoothing in (0.0, 0.1):
        losses = torch.nn.functional.cross_entropy(
            logits.transpose(1, 2),
            targets,
            reduction="none",
            ignore_index=IGNORED,
            label_smoothing=smoothing,
        )
        weights = batch["weights"][:, None] * (targets != IGNORED)
        expected = (losses * weights).sum() / weights.sum()
        assert batch_loss(causal.network, batch, smoothing).item() == pytest.approx(expected.item(), abs=1e-5)


def test_padding_changes_nothing(causal, table):
    collator = Collator(table, "causal", causal.pad_id)
    short = int(np.argmin(table.lengths))
    alone, _ = learnt_losses(causal.network, collator.batch(np.array([short])))
    padded, _ = learnt_losses(causal.network, collator.batch(np.array([short, int(table.lengths.argmax())])))
    torch.testing.assert_close(padded[: len(alone)], alone, atol=1e-5, rtol=1e-5)


def test_it_equals_the_plain_encoder_decoder_loss(table):
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=400,
        d_model=32,
        d_kv=16,
        d_ff=48,
        num_layers=1,
        num_heads=2,
        dropout_rate=0.0,
        pad_token_id=1,
        eos_token_id=0,
        decoder_start_token_id=1,
    )
    network = T5ForConditionalGeneration(config)
    batch = Collator(table, "seq2seq", 1).batch(np.arange(1, 3))
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "labels")}
    assert batch_loss(network, batch).item() == pytest.approx(network(**inputs).loss.item(), abs=1e-5)


def test_losses_of_a_steps_batches_add_up_to_the_loss_of_all_rows_together(causal, table):
    collator = Collator(table, "causal", causal.pad_id)
    group = [np.arange(3), np.arange(3, 8)]
    parts = sum(batch_loss(causal.network, collator.batch(rows, group)) for rows in group)
    whole = batch_loss(causal.network, collator.batch(np.arange(8)))
    assert parts.item() == pytest.approx(whole.item(), abs=1e-5)
