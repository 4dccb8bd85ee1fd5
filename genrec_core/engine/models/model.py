"""Model: a network together with its text tokenizer, kept in a folder without pickle.

The folder holds safetensors weights, the Hugging Face config and tokenizer files, and `genrec.json` with
what those do not say: which token ends a text, which one pads, whether prompts are chats and how long they
may be. A dense head and what reads histories by item (`dense_head`, `item_positions`) have files of their
own, `dense.safetensors` and `items.safetensors`. End and pad always differ: many checkpoints pad with the end
token, and a mask made from the pad id then hides the very token that teaches a model to stop.

Generation settings that came with a checkpoint (`generation_config`) are never read.

    model.save(folder)
    same = load_model(folder)            # on the GPU if there is one, in float32
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast

import orjson
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from genrec_core.contracts.errors import ContractError, GenrecError, examples
from genrec_core.contracts.language_model import LanguageModel
from genrec_core.engine.choices import Precision, Scoring
from genrec_core.engine.decoding.support import support_of
from genrec_core.engine.models import dense_head, item_positions, reading_by_item
from genrec_core.engine.models.dense_head import DenseHead
from genrec_core.engine.models.layers import install_dropout
from genrec_core.engine.models.loading import from_checkpoint, quiet, unreadable

Family = Literal["causal", "seq2seq"]

SIDE_FILE = "genrec.json"
DENSE_FILE, ITEMS_FILE = "dense.safetensors", "items.safetensors"
"""Weights of a dense head, and of a network that reads histories by item."""
_FORMAT = 1


@dataclass
class Model:
    """A language model.

    Attributes:
        network: a transformers causal or encoder-decoder model.
        text_tokenizer: its text tokenizer; identifiers' new tokens are single tokens in it.
        family: `causal` or `seq2seq`.
        end_id: the token written after an answer.
        pad_id: fills short rows; never equal to `end_id`.
        chat: whether prompts go through the text tokenizer's chat template.
        max_length: the most tokens a sample may take. Kept with the model, so that training and
            evaluation cut histories at the same place.
        scoring: what its training normalised over; recommending does the same by default.
        compiled: tries that decoders of this model have compiled, shared between sessions.
    """

    network: Any
    text_tokenizer: Any
    family: Family
    end_id: int
    pad_id: int
    chat: bool = False
    max_length: int = 512
    scoring: Scoring = "full"
    compiled: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.end_id == self.pad_id:
            raise GenrecError(
                f"the end-of-text token and the pad token are the same (`{self.end_id}`)",
                hint="give the text tokenizer a pad token of its own",
            )

    @classmethod
    def of(cls, model: LanguageModel) -> Model:
        """The model that a contract calls a `LanguageModel`, as the engine's own class.

        Raises:
            ContractError: it is another class, which the engine can neither train nor decode.
        """
        if isinstance(model, cls):
            return model
        raise ContractError(
            f"a model of class `{type(model).__qualname__}` cannot be used by the engine",
            hint="a backbone for the built-in trainers and recommenders gives `genrec_core.engine.Model`",
        )

    @property
    def device(self) -> torch.device:
        """Where the network's weights are."""
        return cast("torch.device", next(self.network.parameters()).device)

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text on its own, nothing added; control tokens spelt in a text stay text.

        An item whose title contains `<|im_end|>` must not be able to end the user's turn, so only chat
        templates may write control tokens. Identifiers' new tokens are ordinary ones and are recognised.
        """
        if not texts:
            return []
        encoded = self.text_tokenizer(
            list(texts),
            add_special_tokens=False,
            split_special_tokens=True,
            return_attention_mask=False,
            verbose=False,
        )
        return cast("list[list[int]]", encoded["input_ids"])

    def token_ids(self, tokens: Sequence[str]) -> list[int]:
        """The id of each token that is a single one in the vocabulary.

        Raises:
            GenrecError: some are not.
        """
        vocabulary = self.text_tokenizer.get_vocab()
        unknown = [token for token in tokens if token not in vocabulary]
        if unknown:
            raise GenrecError(
                f"{len(unknown):,} tokens are not in the model's vocabulary: {examples(unknown)}",
                hint="the model was made for other identifiers; run the model stage again",
            )
        return [vocabulary[token] for token in tokens]

    @property
    def dense(self) -> DenseHead | None:
        """Its dense head, where it was trained with one."""
        return dense_head.dense_head(self.network)

    @property
    def by_item(self) -> bool:
        """Whether it reads histories by item."""
        return reading_by_item.item_positions(self.network) is not None

    @cached_property
    def frame(self) -> tuple[list[int], list[int]]:
        """Token ids that the text tokenizer itself puts before and after a text (begin-of-text, `</s>`).

        Found by asking it, because configs name begin tokens that are never used.
        """
        plain = self.text_tokenizer("a", add_special_tokens=False)["input_ids"]
        framed = self.text_tokenizer("a", add_special_tokens=True)["input_ids"]
        for start in range(len(framed) - len(plain) + 1):
            if framed[start : start + len(plain)] == plain:
                return list(framed[:start]), list(framed[start + len(plain) :])
        return [], []

    def save(self, folder: Path) -> None:
        """Write everything needed to load it again, as safetensors and JSON."""
        folder.mkdir(parents=True, exist_ok=True)
        with quiet(), _without_parts(self.network) as parts:
            self.network.save_pretrained(folder)
            self.text_tokenizer.save_pretrained(folder)
        for file, part in parts.items():
            weights = {name: value.detach().cpu().contiguous() for name, value in part.state_dict().items()}
            save_file(weights, folder / file)
        side = {
            "format": _FORMAT,
            "family": self.family,
            "end_id": self.end_id,
            "pad_id": self.pad_id,
            "chat": self.chat,
            "max_length": self.max_length,
            "scoring": self.scoring,
        }
        (folder / SIDE_FILE).write_bytes(orjson.dumps(side, option=orjson.OPT_INDENT_2))


def load_model(folder: Path, dtype: Precision = "float32", device: str = "auto") -> Model:
    """Read back what `Model.save` wrote.

    Args:
        folder: the folder.
        dtype: of the weights in memory. Keep float32 on a CPU: bfloat16 is several times slower there.
        device: `auto` (a GPU when there is one), or a torch device such as `cpu` or `cuda:1`.

    Raises:
        GenrecError: the folder holds no such model, or one that cannot be decoded (`support_of`).
    """
    side_file = folder / SIDE_FILE
    if not side_file.is_file():
        raise GenrecError(
            f"`{folder}` holds no GenRec model: `{SIDE_FILE}` is missing",
            hint="for a Hugging Face model use the backbone core/pretrained with this path",
        )
    side = orjson.loads(side_file.read_bytes())
    if side.pop("format") != _FORMAT:
        raise GenrecError(f"`{side_file}` has another format than `{_FORMAT}`", hint="train the model again")
    kind = AutoModelForCausalLM if side["family"] == "causal" else AutoModelForSeq2SeqLM
    try:
        network = from_checkpoint(kind, folder, dtype=torch_dtype(dtype), use_safetensors=True)
        text_tokenizer = from_checkpoint(AutoTokenizer, folder)
    except (OSError, ValueError, KeyError) as error:
        raise unreadable("model", str(folder), error) from error
    install_dropout(network)
    network = network.to(chosen_device(device)).eval()
    if (folder / DENSE_FILE).is_file():
        dense_head.attach(network, dense_head.dense_head_of(load_file(folder / DENSE_FILE)))
    if (folder / ITEMS_FILE).is_file():
        part = item_positions.item_positions_of(load_file(folder / ITEMS_FILE))
        reading_by_item.read_by_item(network, part)
    network.eval()
    support_of(network)  # what cannot be decoded is refused before anything is trained
    return Model(network, text_tokenizer, **side)


@contextmanager
def _without_parts(network: Any) -> Iterator[dict[str, Any]]:
    """Take out meanwhile what the architecture's own files know nothing of: file name → part."""
    owners = {
        DENSE_FILE: (network, dense_head.DENSE_ATTRIBUTE),
        ITEMS_FILE: (reading_by_item.stack_of(network), item_positions.ITEMS_ATTRIBUTE),
    }
    held = {file: place for file, place in owners.items() if hasattr(*place)}
    parts = {file: getattr(*place) for file, place in held.items()}
    for place in held.values():
        delattr(*place)
    try:
        yield parts
    finally:
        for file, (owner, name) in held.items():
            setattr(owner, name, parts[file])


def torch_dtype(name: Precision) -> torch.dtype:
    """The torch dtype of an option's value."""
    return torch.bfloat16 if name == "bfloat16" else torch.float32


def chosen_device(name: str = "auto") -> torch.device:
    """`auto` is the first GPU, or the CPU when there is none; any torch device name is itself."""
    if name != "auto":
        return torch.device(name)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
