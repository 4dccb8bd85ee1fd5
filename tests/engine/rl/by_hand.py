"""What the engine computes, written the plain way: one completion at a time, no trees, no sharing, no TRL."""

import torch

from genrec_core.engine.rl.rewards import advantages
from genrec_core.engine.rl.rollouts import Completion


def log_probabilities(network, prompt, completion, trie=None, temperature=1.0):
    """Log-probability and entropy of each token of a completion, legal tokens alone where there is a trie."""
    if network.config.is_encoder_decoder:
        begun = torch.tensor([[network.config.decoder_start_token_id, *completion.ids[:-1]]])
        out = network(input_ids=torch.tensor([[*prompt]]), decoder_input_ids=begun, use_cache=False)
        logits = out.logits[0].float() / temperature
    else:
        ids = torch.tensor([[*prompt, *completion.ids]])
        logits = network(input_ids=ids, use_cache=False).logits[0, len(prompt) - 1 : -1].float() / temperature
    scores, entropies = [], []
    for place, token in enumerate(completion.ids):
        row = logits[place]
        if trie is not None and place >= completion.answer:
            node = trie.descend(completion.ids[completion.answer : place])
            legal = trie.legal(node).tolist()
            row = row[legal]
            token = legal.index(token)
        log_shares = row.log_softmax(0)
        scores.append(log_shares[token])
        entropies.append(-(log_shares.exp() * log_shares).sum())
    return torch.stack(scores), torch.stack(entropies)


def batch(network, groups, tries):
    """Log-probabilities [B, T] and mask of all completions of (prompt, completions, form) groups."""
    rows, masks = [], []
    for prompt, completions, form in groups:
        for completion in completions:
            scores, _ = log_probabilities(network, prompt, completion, tries and tries[form])
            rows.append(scores)
            masks.append(torch.tensor(completion.learn, dtype=torch.float32))
    return (
        torch.nn.utils.rnn.pad_sequence(rows, batch_first=True),
        torch.nn.utils.rnn.pad_sequence(masks, batch_first=True),
    )


def loss_of(now, old, reference, gains, mask, settings, longest, sizes):
    """The losses as their papers write them, for rollouts of groups of the given sizes, one after another."""
    difference = now - old
    if settings.importance == "sequence":
        difference = ((difference * mask).sum(1) / mask.sum(1).clamp(min=1))[:, None]
    ratio = difference.exp()
    gains = gains[:, None]
    if settings.loss == "cispo":
        each = -ratio.detach().clamp(max=settings.epsilon_high or 5.0) * gains * now
    elif settings.loss == "sapo":
        sharpness = torch.where(gains > 0, 1.0, 1.05)
        each = -torch.sigmoid(sharpness * (ratio - 1)) * 4 / sharpness * gains
    else:
        high = 1 + (settings.epsilon_high or settings.epsilon)
        each = -torch.minimum(ratio * gains, ratio.clamp(1 - settings.epsilon, high) * gains)
    if settings.beta:
        apart = reference - now
        distance = apart.exp() - apart - 1
        each = each + settings.beta * distance * (ratio if settings.kl == "unbiased" else 1)
    each = each * mask
    if settings.loss in ("grpo", "sapo"):
        rollouts = each.sum(1) / mask.sum(1).clamp(min=1)
    elif settings.loss == "dr_grpo":
        rollouts = each.sum(1) / longest
    else:
        return each.sum() / mask.sum()
    if settings.average == "rollout":
        return rollouts.mean()
    return torch.stack([group.mean() for group in rollouts.split(sizes)]).mean()


def trained(network, rounds, settings, tries, rewards, longest, rate):
    """The network after plain gradient steps: `updates` of them on each round of groups."""
    import copy

    frozen = copy.deepcopy(network).eval()
    network.eval()
    for groups in rounds:
        gains = []
        for _, completions, _ in groups:
            gains += advantages([rewards(completion) for completion in completions], settings.std)
        with torch.no_grad():
            reference, mask = batch(frozen, groups, tries)
            old, _ = batch(network, groups, tries)
        sizes = [len(completions) for _, completions, _ in groups]
        for _ in range(settings.updates):
            now, _ = batch(network, groups, tries)
            loss = loss_of(now, old, reference, torch.tensor(gains), mask, settings, longest, sizes)
            network.zero_grad()
            loss.backward()
            if settings.clip:
                torch.nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
            with torch.no_grad():
                for parameter in network.parameters():
                    if parameter.grad is not None:
                        parameter -= rate * parameter.grad
    return network


def completion(ids, prefix=0, answer=0, rollout=None):
    """A completion whose first `prefix` tokens were supplied."""
    return Completion(tuple(ids), tuple(place >= prefix for place in range(len(ids))), answer, rollout)
