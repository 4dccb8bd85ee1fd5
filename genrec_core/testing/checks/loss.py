"""What a loss promises: one finite number a token, through which gradients flow, by that token alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from genrec_core.testing.subject import Subject
from genrec_core.testing.verdicts import require

PLACES, CHOICES = 6, 40
ALLOWED = 1e-5
"""How far a token's loss may lie from what it is in other company."""


def gives_one_finite_loss_a_token(subject: Subject) -> None:
    """Every place gets one finite loss, also where the model is all but certain, rightly or wrongly."""
    _losses(subject, *_places())
    for right in (0, 1):
        logits = torch.zeros((1, CHOICES))
        logits[0, right] = 60.0
        _losses(subject, logits.log_softmax(1), torch.zeros(1, dtype=torch.long))


def takes_few_choices(subject: Subject) -> None:
    """Places with one or two choices get finite losses."""
    for count in (1, 2):
        logs = torch.randn((3, count), generator=torch.Generator().manual_seed(count)).log_softmax(1)
        _losses(subject, logs, torch.zeros(3, dtype=torch.long))


def passes_over_choices_that_do_not_exist(subject: Subject) -> None:
    """-inf among the log-probabilities changes no loss, and no gradient to something that is no number."""
    logs, chosen = _places()
    wider = torch.full((PLACES, CHOICES + 7), -torch.inf)
    wider[:, :CHOICES] = logs
    padded, plain = _losses(subject, wider, chosen), _losses(subject, logs, chosen)
    require(torch.allclose(padded, plain, atol=ALLOWED), f"padding changes losses: {plain} becomes {padded}")


def has_gradients(subject: Subject) -> None:
    """Where the model is wrong, the loss says in which direction to go."""
    logits = torch.zeros((1, CHOICES), requires_grad=True)
    subject.component().losses(
        (logits + torch.arange(CHOICES) / 9).log_softmax(1), torch.tensor([0])
    ).sum().backward()
    require(logits.grad is not None and bool(logits.grad.isfinite().all()), "the gradient is not finite")
    assert logits.grad is not None
    require(float(logits.grad[0, 0]) < 0, "more probability for what is learnt does not lower the loss")


def likes_what_is_right(subject: Subject) -> None:
    """A model that is sure of the right token loses less than one that is sure of a wrong one."""
    logits = torch.zeros((2, CHOICES))
    logits[0, 3] = logits[1, 4] = 5.0
    right, wrong = _losses(subject, logits.log_softmax(1), torch.tensor([3, 3])).tolist()
    require(right < wrong, f"the right token costs {right:.3f}, a wrong one {wrong:.3f}")


def treats_every_token_by_itself(subject: Subject) -> None:
    """What a token costs does not depend on the tokens beside it in the batch."""
    logs, chosen = _places()
    together = _losses(subject, logs, chosen)
    alone = torch.cat([_losses(subject, logs[n : n + 1], chosen[n : n + 1]) for n in range(PLACES)])
    require(torch.allclose(together, alone, atol=ALLOWED), f"together {together}, each alone {alone}")


def agrees_with_itself(subject: Subject) -> None:
    """The same places cost the same again."""
    require(result(subject) == result(subject), "the same places cost something else the second time")


def _places() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    logs = (2 * torch.randn((PLACES, CHOICES), generator=generator)).log_softmax(1)
    return logs, torch.randint(CHOICES, (PLACES,), generator=generator)


def _losses(subject: Subject, logs: Tensor, chosen: Tensor) -> Tensor:
    """The losses, after a look at them and at their gradients."""
    known = logs > -torch.inf
    logits = torch.where(known, logs, 0.0).requires_grad_()
    losses = subject.component().losses(torch.where(known, logits, -torch.inf), chosen)
    require(losses.shape == chosen.shape, f"{len(chosen)} tokens got losses of shape {tuple(losses.shape)}")
    require(bool(losses.isfinite().all()), f"losses are not finite: {losses.tolist()}")
    if losses.requires_grad:
        losses.sum().backward()
        require(logits.grad is not None and bool(logits.grad.isfinite().all()), "gradients are not finite")
    found: Tensor = losses.detach()
    return found


def result(subject: Subject) -> Any:
    """The losses of some places."""
    return _losses(subject, *_places()).tolist()


CHECKS = (
    gives_one_finite_loss_a_token,
    takes_few_choices,
    passes_over_choices_that_do_not_exist,
    has_gradients,
    likes_what_is_right,
    treats_every_token_by_itself,
    agrees_with_itself,
)
