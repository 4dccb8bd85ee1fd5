"""The same questions answered the slow way: plain forward passes, and transformers' own beam search."""

import torch


@torch.inference_mode()
def score_one_by_one(model, prompt, answer):
    """Log-probability of each token of an answer by a plain forward pass, nothing shared or cached."""
    if model.family == "causal":
        logits = model.network(torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 : -1]
    else:
        decoder = torch.tensor([[0, *answer]])
        logits = model.network(input_ids=torch.tensor([prompt]), decoder_input_ids=decoder).logits[0, :-1]
    return logits.log_softmax(1)[torch.arange(len(answer)), torch.tensor(answer)].tolist()


def generated(model, trie, prompt, beams, end):
    """The same search by `generate` with a prefix function, one prompt at a time."""
    skip = len(prompt) if model.family == "causal" else 1

    def legal(_, ids):
        node = trie.descend(ids.tolist()[skip:])
        return trie.legal(node).tolist() if node >= 0 and trie.count[node] else [end]

    out = model.network.generate(
        torch.tensor([prompt]), num_beams=beams, num_return_sequences=beams, do_sample=False,
        length_penalty=0.0, max_new_tokens=trie.depth() + 1, early_stopping=False, eos_token_id=end,
        pad_token_id=model.pad_id, prefix_allowed_tokens_fn=legal, return_dict_in_generate=True,
        output_scores=True,
    )  # fmt: skip
    texts = [tuple(row[: row.index(end) + 1]) for row in out.sequences[:, skip:].tolist()]
    return texts, out.sequences_scores.tolist()
