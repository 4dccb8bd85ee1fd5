"""Support: what a network can do for decoding, measured instead of believed.

Configs do not say how an architecture treats a mask, a window or its logits, and a wrong guess is a wrong
figure without an error. So a few tokens are read in the fast way and by plain forward passes, once for each
network object, before anything is trained or recommended. What differs takes a slower way that is right:

    beams    `tree`: one prompt a row, beams behind it under a mask (`TreeState`); `tree-added`: the same,
             with a mask that is added to attention scores
             `items`: the network reads histories by item, and a cascade goes on from its state (`ItemState`)
             `shared`: beams of an encoder-decoder model over one copy of the encoder's keys
             `copies`: a cache copied for every beam; `plain`: everything read again at every step, both
             with a row for each beam (`CopiedState`, `EncoderDecoderState`)
    logits   `linear`: scale × (state @ matrix) + bias, so single columns can be computed
             otherwise the network's own code runs from the state to all logits (`own_logits`)

Where a window is declared (each token sees the last w), or where all positions count otherwise from a length
on (`rope_type: longrope`), beams are measured on prompts and answers beyond it too, and the two lengths may
take two ways. A network that no way fits is refused by name.

    support_of(mistral).way, .window, .beyond      # ("tree", 8, "copies"): window 8, prompts may be longer
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions

from genrec_core.contracts.errors import GenrecError
from genrec_core.engine.batches import TokenIds
from genrec_core.engine.decoding.decode_state import CopiedState, DecodeState, TreeState
from genrec_core.engine.decoding.encoder_decoder import EncoderDecoderState, shares
from genrec_core.engine.decoding.item_state import ItemState
from genrec_core.engine.models.reading_by_item import item_positions

Way = Literal["items", "tree", "tree-added", "shared", "copies", "plain"]

WINDOWS = ("sliding_window", "window_size", "attention_chunk_size", "attention_window", "chunk_size")
"""What configs call the number of tokens that a token sees."""

_LONGEST = 2048
"""Windows beyond so many tokens are not measured; longer prompts take a way that is right in any case."""

_LARGEST = 100.0
"""Random states are scaled so that their largest logit is this: soft caps, which bend large ones, show."""

CAUSAL: tuple[Way, ...] = ("tree", "tree-added", "copies", "plain")
"""The ways of a causal model, fastest first."""

ENCODER_DECODER: tuple[Way, ...] = ("shared", "copies", "plain")
"""The ways of an encoder-decoder model, fastest first."""

TREES: tuple[Way, ...] = ("tree", "tree-added")

_FAILURES = (
    ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError
)  # fmt: skip
_measured: WeakKeyDictionary[Any, Support] = WeakKeyDictionary()
_own_code = threading.RLock()


@dataclass(frozen=True)
class Support:
    """What was measured of a network.

    Attributes:
        way: how beams are read behind prompts of at most `window` tokens, answer included. Besides windows
            this is where positions turn, see above.
        window: None where one way serves all lengths.
        beyond: how beams are read behind longer prompts.
        linear: whether logits are `scale * (state @ weight.T) + bias` of the output layer.
        scale: see `linear`.
    """

    way: Way
    window: int | None = None
    beyond: Way = "copies"
    linear: bool = True
    scale: float = 1.0

    def way_for(self, tokens: int) -> Way:
        """How beams are read whose longest is `tokens` long, prompt included."""
        return self.way if self.window is None or tokens <= self.window else self.beyond


def support_of(network: Any) -> Support:
    """What a network can do; measured the first time it is asked for, afterwards remembered.

    Args:
        network: a transformers causal or encoder-decoder language model.

    Raises:
        GenrecError: no way of decoding gives what plain forward passes give.
    """
    if network not in _measured:
        with torch.inference_mode(), evaluating(network):
            _measured[network] = _Measurement(network).support()
    return _measured[network]


def own_logits(network: Any, states: Tensor) -> Tensor:
    """All logits [R, V] of states [R, H], by the network's own code behind its decoder; carries gradients."""
    decoder = network.get_decoder()
    begun = torch.zeros((len(states), 1), dtype=torch.long, device=states.device)
    output = _Output(last_hidden_state=states[:, None])
    inputs: dict[str, Any] = {"input_ids": begun}
    if network.config.is_encoder_decoder:
        # Nothing but its shape is looked at: the decoder that would read it is not asked.
        inputs = {"encoder_outputs": output, "decoder_input_ids": begun, "attention_mask": begun + 1}
    with _own_code:
        before = decoder.__dict__.get("forward")
        decoder.forward = lambda *_, **__: output
        try:
            logits: Tensor = network(**inputs, use_cache=False).logits
        finally:
            if before is None:
                del decoder.forward
            else:
                decoder.forward = before
    return logits[:, 0]


def decode_state_for(model: object, *, steps: int, width: int) -> DecodeState:
    """The fastest state that is right for a model, with room for `steps` further tokens on `width` beams.

    Args:
        model: has `network`, `family` and `pad_id`, as `Model` does.
        steps: how many tokens will follow the prompt at most.
        width: how many beams a row will have at most.

    Raises:
        GenrecError: see `support_of`.
    """
    network: Any = getattr(model, "network", None)
    family, pad_id = getattr(model, "family", None), int(getattr(model, "pad_id", 0))
    if family not in ("causal", "seq2seq"):
        raise GenrecError(
            f"no decoder for a model of family `{family}`", hint="families are causal and seq2seq"
        )
    support = support_of(network)
    if family == "seq2seq":
        return _encoder_decoder(network, pad_id, support.way)

    def state(way: Way) -> DecodeState:
        if way == "items":
            return ItemState(network, pad_id)
        if way in TREES:
            return TreeState(network, pad_id, steps=steps, width=width, added=way == "tree-added")
        return CopiedState(network, cached=way == "copies")

    return state(support.way) if support.window is None else _ByLength(support, steps, state)


def _encoder_decoder(network: Any, pad_id: int, way: Way) -> DecodeState:
    return EncoderDecoderState(network, pad_id, cached=way != "plain", shared=way == "shared")


class _ByLength:
    """The state that serves the longest row, known when the prompts are."""

    def __init__(self, support: Support, steps: int, state: Callable[[Way], DecodeState]) -> None:
        self._support, self._steps, self._state_of = support, steps, state

    def start(self, prompts: Sequence[TokenIds], prefixes: Sequence[TokenIds] | None = None) -> Tensor:
        """See `DecodeState`."""
        given = prefixes if prefixes is not None else [()] * len(prompts)
        longest = max(len(prompt) + len(prefix) for prompt, prefix in zip(prompts, given, strict=True))
        self._state = self._state_of(self._support.way_for(longest + self._steps))
        return self._state.start(prompts, prefixes)

    def advance(self, parents: Tensor, tokens: Tensor, read: Tensor | None = None) -> Tensor:
        """See `DecodeState`."""
        return self._state.advance(parents, tokens, read)


class _Output(BaseModelOutputWithPastAndCrossAttentions):
    """What a decoder gives, with nothing in whatever else its network asks for."""

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


class _Measurement:
    """A network against itself: every fast way against plain forward passes over the same few tokens."""

    def __init__(self, network: Any) -> None:
        self.network, self.name = network, type(network).__name__
        config, inputs = network.config, network.get_input_embeddings()
        self.layer = network.get_output_embeddings()
        if self.layer is None or inputs is None or not hasattr(inputs, "weight"):
            raise self._refused("it has no matrix of its tokens, or no output layer")
        self.encoder_decoder = bool(config.is_encoder_decoder)
        if self.encoder_decoder and config.decoder_start_token_id is None:
            raise self._refused(
                "its config names no `decoder_start_token_id`", "set it to what answers of yours begin with"
            )
        self.pad = int(getattr(config, "pad_token_id", None) or 0)  # CodeGen has none
        self.device = inputs.weight.device
        self.draws = torch.Generator().manual_seed(0)
        rows = min(inputs.weight.shape[0], getattr(self.layer, "weight", inputs.weight).shape[0])
        self.tokens = [token for token in range(min(rows, 4096)) if token != self.pad]

    def support(self) -> Support:
        """What `support_of` remembers."""
        short, reference = self._drawn(3), self._drawn(5)
        self._logits_come_from_states(short)
        linear, scale = self._head()
        # Two of one length, since rows of one length are read together and share a cache.
        prompts = [short, reference, self._drawn(3)]
        if self.encoder_decoder:
            way = self._fitting(prompts, *ENCODER_DECODER)
            if way != "shared":
                shares(self.network.get_decoder(), False)
            return Support(way, None, way, linear, scale)
        self._reads_no_further(prompts)
        if item_positions(self.network) is not None:
            way = self._fitting(prompts, "items", "plain")
            return Support(way, None, way, linear, scale)
        way = self._fitting(prompts, *CAUSAL)
        window, turn = self._window(), self._turn()
        edges = [edge for edge in (window, turn) if edge is not None]
        if not edges:
            return Support(way, None, way, linear, scale)
        positions = getattr(self.network.config, "max_position_embeddings", None) or _LONGEST
        if max(edges) + 4 > min(positions, _LONGEST):
            # Keys kept from before the turn would be wrong behind it.
            unmeasured: Way = "plain" if turn is not None else "copies" if way in TREES else way
            return Support(way, min(edges), unmeasured, linear, scale)
        longer = [self._drawn(max(1, edge + more)) for edge in edges for more in (-1, 2)]
        beyond = self._fitting([short, *longer, prompts[2]], *CAUSAL)
        return Support(way, None if beyond == way else min(edges), beyond, linear, scale)

    def _logits_come_from_states(self, prompt: list[int]) -> None:
        ids = torch.tensor([prompt], device=self.device)
        inputs = {"input_ids": ids, **({"decoder_input_ids": ids} if self.encoder_decoder else {})}
        try:
            logits = self.network(**inputs, use_cache=False).logits[0]
            states = self._states(ids)
            self.width = int(states.shape[-1])
            ours = own_logits(self.network, states)
        except _FAILURES as error:
            raise self._refused(f"a few tokens cannot be read with it: {_first_line(error)}") from error
        if not _close(ours, logits):
            raise self._refused("its logits do not come from the last states of its decoder alone")

    def _states(self, ids: Tensor) -> Tensor:
        """Last states [T, H] of the decoder over tokens [1, T], which an encoder reads as well."""
        more = {}
        if self.encoder_decoder:
            more["encoder_hidden_states"] = self.network.get_encoder()(input_ids=ids).last_hidden_state
        states: Tensor = self.network.get_decoder()(input_ids=ids, use_cache=False, **more).last_hidden_state
        return states[0]

    def _head(self) -> tuple[bool, float]:
        """Whether logits are linear in the state, and by which factor, on random states."""
        weight, bias = getattr(self.layer, "weight", None), getattr(self.layer, "bias", None)
        if weight is None or weight.shape[1] != self.width:
            return False, 1.0
        states = torch.randn((8, self.width), generator=self.draws).to(self.device, weight.dtype)
        states *= (_LARGEST / (states @ weight.T).abs().max().clamp(min=1e-6)).to(states.dtype)
        plain, own = (states @ weight.T).float(), own_logits(self.network, states)
        if own.shape != plain.shape:
            return False, 1.0
        rest = (own if bias is None else own - bias).float()
        scale = float((rest * plain).sum() / plain.square().sum())
        exact = 1e-4 if own.dtype == torch.float32 else 1e-2
        scale = 1.0 if abs(scale - 1) < exact else scale
        return scale > 0 and _close(scale * plain, rest.to(own.dtype)), scale

    def _reads_no_further(self, prompts: Sequence[list[int]]) -> None:
        for prompt in prompts:
            if not _close(self._plain(prompt[:-1]), self._plain(prompt, at=-2)):
                raise self._refused("a token's state depends on what stands behind it")

    def _fitting(self, prompts: Sequence[list[int]], *ways: Way) -> Way:
        for way in ways:
            if self._same(prompts, way):
                return way
        raise self._refused("beams get other scores than plain forward passes, in every way we know")

    def _same(self, prompts: Sequence[list[int]], way: Way) -> bool:
        """Two steps of two beams each behind the prompts, the second crossing over, against plain passes."""
        first, second = (torch.tensor([self._drawn(2) for _ in prompts]) for _ in range(2))
        none = torch.zeros((len(prompts), 2), dtype=torch.long)
        crossed = torch.tensor([[1, 0], [1, 1], [0, 1]]).repeat(len(prompts), 1)[: len(prompts)]
        paths = [[[*prompt]] for prompt in prompts]
        try:
            state = self._state(way)
            for parents, tokens in ((None, None), (none, first), (crossed, second)):
                if parents is None or tokens is None:
                    states = state.start(prompts)
                else:
                    states = state.advance(parents.to(self.device), tokens.to(self.device))
                    paths = [
                        [[*row[parent], token] for parent, token in zip(froms, written, strict=True)]
                        for row, froms, written in zip(paths, parents.tolist(), tokens.tolist(), strict=True)
                    ]
                for row, beams in enumerate(paths):
                    ours = own_logits(self.network, states[row])
                    theirs = torch.stack([self._plain(beam, prompts[row]) for beam in beams])
                    if not _close(ours, theirs):
                        return False
        except (*_FAILURES, GenrecError):
            return False
        return True

    def _plain(self, path: list[int], prompt: list[int] | None = None, at: int = -1) -> Tensor:
        """Logits [V] behind a path by one forward pass, nothing shared, padded or cached."""
        if not self.encoder_decoder:
            ids = torch.tensor([path], device=self.device)
            logits: Tensor = self.network(input_ids=ids, use_cache=False).logits[0, at]
            return logits
        prompt = prompt or path
        begun = [self.network.config.decoder_start_token_id, *path[len(prompt) :]]
        out = self.network(
            input_ids=torch.tensor([prompt], device=self.device),
            decoder_input_ids=torch.tensor([begun], device=self.device),
            use_cache=False,
        )
        last: Tensor = out.logits[0, at]
        return last

    def _state(self, way: Way) -> DecodeState:
        if self.encoder_decoder:
            return _encoder_decoder(self.network, self.pad, way)
        if way == "items":
            return ItemState(self.network, self.pad)
        if way in TREES:
            return TreeState(self.network, self.pad, steps=2, width=2, added=way == "tree-added")
        return CopiedState(self.network, cached=way == "copies")

    def _window(self) -> int | None:
        """The narrowest declared window, None where none is declared."""
        config = self.network.config.get_text_config()
        declared = (getattr(config, name, None) for name in WINDOWS)
        return min((int(size) for size in declared if isinstance(size, int) and size > 0), default=None)

    def _turn(self) -> int | None:
        """The longest rows before all their positions count otherwise, None where they never do."""
        config = self.network.config.get_text_config()
        rules = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
        found = []
        for rule in (rules, *(one for one in rules.values() if isinstance(one, dict))):
            kind = rule.get("rope_type", rule.get("type"))
            if kind == "dynamic":
                raise self._refused(
                    "with `rope_type: dynamic` positions depend on how long the rows before were",
                    "use a checkpoint with another `rope_type` (yarn, llama3, longrope, default)",
                )
            if kind == "longrope":
                before = rule.get("original_max_position_embeddings")
                found.append(int(before or config.original_max_position_embeddings))
        return min(found, default=None)

    def _drawn(self, count: int) -> list[int]:
        places = torch.randint(len(self.tokens), (count,), generator=self.draws).tolist()
        return [self.tokens[place] for place in places]

    def _refused(self, reason: str, hint: str = "") -> GenrecError:
        return GenrecError(
            f"`{self.name}` cannot be trained or decoded here: {reason}",
            hint=hint or "use another architecture (Qwen, Llama, SmolLM, Mistral, Gemma, T5, BART …)",
        )


def _close(ours: Tensor, theirs: Tensor) -> bool:
    """Whether two sets of logits are the same but for rounding; a beam that saw another is not."""
    share = 3e-4 if theirs.dtype == torch.float32 else 8e-2
    ours, theirs = ours.float(), theirs.float()
    room = share * float(theirs.std().clamp(min=1e-6))
    return ours.shape == theirs.shape and bool(((ours - theirs).abs() <= room).all())


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


@contextmanager
def evaluating(network: Any) -> Iterator[None]:
    """Evaluation mode for the length of a block."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)
