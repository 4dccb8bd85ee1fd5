"""Free text: greedy or sampled, several continuations a prompt, until a stop sequence or a budget.

Every setting is explicit: the model's own generation config is never looked at. Two things are written so:

- *thoughts* before an answer (`engine.decoding.thoughts`);
- *answers to chats* (`answered_chats`), a batch at a time. Without a temperature an answer depends on the
  chat alone, with one also on a seed and a draw number, and never on the chats beside it. Turns are tokenised
  apart from what the chat template writes between them, so no item's text can end a turn. A model without a
  template reads the turns as paragraphs and goes on writing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.samples import Turn
from genrec_core.contracts.teacher import Answer, Chat
from genrec_core.engine.batches import TokenIds, by_tokens
from genrec_core.engine.decoding.decode_state import DecodeState
from genrec_core.engine.decoding.output_head import OutputHead
from genrec_core.engine.decoding.support import decode_state_for
from genrec_core.engine.models.model import Model
from genrec_core.engine.rendering.pieces import chat_layout


@dataclass(frozen=True)
class FreeSettings:
    """How to write freely.

    Attributes:
        max_tokens: budget of each text.
        count: texts for each prompt.
        temperature: 0 takes the best token every time.
        top_p: sample from the smallest set of tokens with at least this probability together.
        stop: token sequences that end a text; a stop sequence is not part of the text.
    """

    max_tokens: int
    count: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    stop: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class WrittenText:
    """One written text: its tokens without the stop sequence, and which of them was reached (-1: none)."""

    tokens: tuple[int, ...]
    stop: int

    @property
    def stopped(self) -> bool:
        """Whether a stop sequence ended it, not the budget."""
        return self.stop >= 0


@torch.inference_mode()
def write_freely(
    state: DecodeState,
    head: OutputHead,
    prompts: Sequence[TokenIds],
    settings: FreeSettings,
    noise: torch.Generator | Sequence[torch.Generator] | Tensor | None = None,
) -> list[list[WrittenText]]:
    """`count` texts for each prompt.

    Args:
        state: a fresh search state with room for `max_tokens` steps of `count` beams.
        head: the model's output matrix.
        prompts: token ids, one row each.
        settings: how to write.
        noise: needed when the temperature is above 0. One generator on the CPU for each prompt, or the
            numbers that `uniforms` draws, make a text independent of whatever else is in the batch.
    """
    hidden = state.start(prompts).expand(-1, settings.count, -1)
    written: list[list[list[int]]] = [[[] for _ in range(settings.count)] for _ in prompts]
    stops = torch.full(hidden.shape[:2], -1)
    parents = torch.zeros(hidden.shape[:2], dtype=torch.long, device=hidden.device)
    for step in range(settings.max_tokens):
        drawn = noise[:, :, step] if isinstance(noise, Tensor) else noise
        tokens = _next(head.logits(hidden.reshape(-1, hidden.shape[-1])), settings, drawn)
        tokens = tokens.reshape(hidden.shape[:2])
        for row, beams in enumerate(tokens.tolist()):
            for beam, token in enumerate(beams):
                if stops[row, beam] < 0:
                    written[row][beam].append(token)
                    stops[row, beam] = _cut(written[row][beam], settings.stop)
        if bool((stops >= 0).all()) or step + 1 == settings.max_tokens:
            break
        hidden = state.advance(parents, tokens)
        parents = torch.arange(settings.count, device=hidden.device).expand(len(prompts), -1)
    return [
        [WrittenText(tuple(text), int(stops[row, beam])) for beam, text in enumerate(texts)]
        for row, texts in enumerate(written)
    ]


def _cut(text: list[int], stops: tuple[tuple[int, ...], ...]) -> int:
    """Remove a stop sequence from the end of a text; which one it was, -1 for none."""
    for place, stop in enumerate(stops):
        if tuple(text[-len(stop) :]) == stop:
            del text[-len(stop) :]
            return place
    return -1


def _next(
    logits: Tensor,
    settings: FreeSettings,
    noise: torch.Generator | Sequence[torch.Generator] | Tensor | None,
) -> Tensor:
    if settings.temperature == 0.0:
        return logits.argmax(dim=1)
    shares = (logits / settings.temperature).softmax(dim=1)
    if settings.top_p < 1.0:
        ordered, order = shares.sort(dim=1, descending=True)
        # A token stays while the probability before it is still short of the goal: the first always does.
        ordered[ordered.cumsum(1) - ordered >= settings.top_p] = 0.0
        shares = torch.zeros_like(shares).scatter(1, order, ordered)
    if isinstance(noise, Tensor):
        below = shares.double().cumsum(1)
        goal = noise.reshape(-1, 1).to(below.device) * below[:, -1:]
        # The first token whose share reaches beyond the number; one without a share never does.
        return torch.searchsorted(below, goal, right=True).squeeze(1).clamp_(max=below.shape[1] - 1)
    if noise is None or isinstance(noise, torch.Generator):
        return torch.multinomial(shares, 1, generator=noise).squeeze(1)
    rows = shares.float().cpu().view(len(noise), settings.count, -1)
    drawn = [torch.multinomial(row, 1, generator=own) for row, own in zip(rows, noise, strict=True)]
    return torch.cat(drawn).squeeze(1).to(logits.device)


def written_texts(
    model: Model,
    head: OutputHead,
    prompts: Sequence[TokenIds],
    settings: FreeSettings,
    noise: torch.Generator | int | None,
    batch_tokens: int,
) -> list[list[WrittenText]]:
    """`settings.count` texts behind each prompt, in order, as many prompts at once as are read together.

    Args:
        model: writes.
        head: its output matrix.
        prompts: token ids.
        settings: how to write.
        noise: as `write_freely` takes it, or a seed: then a text depends on it, on its own prompt and on its
            place among the texts of the prompt, whatever else is asked beside it.
        batch_tokens: tokens of a batch; with one generator for all, draws depend on it.
    """
    found: dict[int, list[WrittenText]] = {}
    room = settings.count * settings.max_tokens
    for batch in by_tokens(list(map(len, prompts)), batch_tokens, room=room):
        shown = [prompts[place] for place in batch]
        drawn: torch.Generator | Tensor | None = None
        if settings.temperature:
            drawn = uniforms(shown, settings, noise) if isinstance(noise, int) else noise
        state = decode_state_for(model, steps=settings.max_tokens, width=settings.count)
        found.update(zip(batch, write_freely(state, head, shown, settings, drawn), strict=True))
    return [found[place] for place in range(len(prompts))]


def uniforms(prompts: Sequence[TokenIds], settings: FreeSettings, seed: int) -> Tensor:
    """Numbers in [0, 1) for each token that may be drawn, float64 [B, count, max_tokens].

    A row depends on its prompt and the seed alone, and a text's numbers not on how many others are written.
    """
    shape = (settings.count, settings.max_tokens)
    rows = [torch.rand(shape, generator=_noise(one, seed, 0), dtype=torch.float64) for one in prompts]
    return torch.stack(rows)


@dataclass(frozen=True)
class ChatSettings:
    """How answers are written.

    Attributes:
        max_tokens: most tokens of an answer.
        stop: texts before which an answer ends.
        temperature: 0 takes the likeliest token every time.
        top_p: sample from the smallest set of tokens with at least this probability together.
        batch: chats answered together.
    """

    max_tokens: int
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    top_p: float = 1.0
    batch: int = 8


def answered_chats(
    model: Model, chats: Sequence[Chat], settings: ChatSettings, seed: int = 0, draw: int = 0
) -> Iterator[tuple[int, Answer]]:
    """The place of each chat among `chats` and its answer, the longest chats first.

    Args:
        model: writes.
        chats: each ends with the turn to be answered.
        settings: how.
        seed: of sampled answers.
        draw: which of the sampled answers to the same chat.

    Raises:
        GenrecError: a chat leaves no room for an answer.
    """
    prompts = [chat_prompt(model, chat) for chat in chats]
    longest = max(map(len, prompts), default=0)
    if longest + settings.max_tokens > model.max_length:
        raise GenrecError(
            f"a chat of {longest:,} tokens and an answer of `{settings.max_tokens}` do not fit into the "
            f"{model.max_length:,} tokens that the model may use",
            hint="raise `max_length` of the teacher, or show it less",
        )
    free = FreeSettings(
        settings.max_tokens,
        temperature=settings.temperature,
        top_p=settings.top_p,
        stop=((model.end_id,),),
    )
    head = OutputHead(model.network)
    order = sorted(range(len(chats)), key=lambda place: -len(prompts[place]))
    for start in range(0, len(order), settings.batch):
        places = order[start : start + settings.batch]
        state = decode_state_for(model, steps=settings.max_tokens, width=1)
        shown = [prompts[place] for place in places]
        noise = [_noise(prompt, seed, draw) for prompt in shown] if settings.temperature else None
        written = write_freely(state, head, shown, free, noise)
        for place, prompt, (text,) in zip(places, shown, written, strict=True):
            yield place, _answer(model, prompt, text, settings.stop)


def _noise(prompt: Sequence[int], seed: int, draw: int) -> torch.Generator:
    """Random numbers of one answer."""
    digest = hashlib.sha256(repr((seed, draw, list(prompt))).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def _answer(model: Model, prompt: Sequence[int], text: WrittenText, stop: Sequence[str]) -> Answer:
    written = model.text_tokenizer.decode(list(text.tokens), skip_special_tokens=True)
    places = [place for place in (written.find(one) for one in stop) if place >= 0]
    return Answer(
        written[: min(places, default=len(written))],
        finished=text.stopped or bool(places),
        prompt_tokens=len(prompt),
        answer_tokens=len(text.tokens) + text.stopped,
    )


def chat_prompt(model: Model, chat: Chat) -> list[int]:
    """Token ids of a chat up to where the answer begins."""
    contents = model.tokenise([message.text for message in chat])
    if not model.chat:
        between = model.tokenise(["\n\n"])[0]
        ids = list(model.frame[0])
        for place, content in enumerate(contents):
            ids += [*(between if place else ()), *content]
        return ids
    turns: list[Turn] = [*(message.turn for message in chat), "assistant"]
    layout = chat_layout(model.text_tokenizer, turns)
    literals = [
        model.text_tokenizer(literal, add_special_tokens=False)["input_ids"] if literal else []
        for literal in layout
    ]
    ids = []
    for literal, content in zip(literals, [*contents, []], strict=True):
        ids += [*literal, *content]
    return ids


def weights_digest(network: torch.nn.Module) -> str:
    """SHA-256 of a network's weights, names and types included."""
    body = hashlib.sha256()
    for name, weight in sorted(network.state_dict().items()):
        body.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
        body.update(weight.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return body.hexdigest()
