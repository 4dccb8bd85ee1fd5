"""Pretrained models: any causal or encoder-decoder model of Hugging Face format, from a folder or the hub.

Code that comes with a checkpoint is never run (`loading`), and pickled weights are refused. The pad token is
replaced when it is the end token: first by the unknown token, which never occurs in byte-level vocabularies,
else by a new `<|pad|>`.

A GGUF file (llama.cpp) becomes an ordinary model too. What transformers loads from one carries a mark that it
is quantised, refuses to be saved and refuses to be trained, although its weights are dequantised floats. So
the network is built again from its config without the mark, and given the same weights: the same logits to
the last bit. Reading the file is slow (most of a minute for 135 million weights); the model stage does it
once and keeps safetensors. The weights stay those of the quantised file, not of the model it was made from.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from genrec_core.contracts.errors import GenrecError
from genrec_core.engine.choices import ChatUse, Precision
from genrec_core.engine.decoding.support import support_of
from genrec_core.engine.models.loading import from_checkpoint, unreadable
from genrec_core.engine.models.model import Family, Model, chosen_device, torch_dtype

_PAD = "<|pad|>"

CONTEXT = 1024
"""Most tokens of a sample, unless the model allows fewer or the options say otherwise."""


def pretrained_model(
    path: str,
    *,
    dtype: Precision = "float32",
    device: str = "auto",
    chat: ChatUse = "auto",
    revision: str = "main",
) -> Model:
    """Load a model.

    Args:
        path: a local folder, or a name on the hub.
        dtype: of the weights in memory.
        device: see `load_model`.
        chat: whether prompts go through the chat template; `auto`: when the text tokenizer has one.
        revision: branch, tag or commit, for a name on the hub.

    Raises:
        GenrecError: it cannot be found or read.
    """
    try:
        config = from_checkpoint(AutoConfig, path, revision=revision)
        family: Family = "seq2seq" if config.is_encoder_decoder else "causal"
        kind = AutoModelForSeq2SeqLM if family == "seq2seq" else AutoModelForCausalLM
        network = from_checkpoint(
            kind, path, revision=revision, dtype=torch_dtype(dtype), use_safetensors=True
        )
        text_tokenizer = from_checkpoint(AutoTokenizer, path, revision=revision)
    except (OSError, ValueError, KeyError) as error:
        raise unreadable("model", path, error) from error
    return assembled(network.to(chosen_device(device)), text_tokenizer, family, chat, path)


def gguf_model(
    path: Path, *, dtype: Precision = "float32", device: str = "auto", chat: ChatUse = "auto"
) -> Model:
    """Read a `.gguf` file of a causal model.

    Raises:
        GenrecError: it is absent or cannot be read, or the package `gguf` is not installed.
    """
    if not path.is_file():
        raise GenrecError(f"there is no GGUF file `{path}`", hint="give the path of a .gguf file")
    try:
        text_tokenizer = from_checkpoint(AutoTokenizer, path.parent, gguf_file=path.name)
        read = from_checkpoint(
            AutoModelForCausalLM, path.parent, gguf_file=path.name, dtype=torch_dtype(dtype)
        )
    except ImportError as error:
        raise GenrecError(
            f"`{path}` cannot be read: {error}", hint="pip install 'genrec-core[engine]', which brings gguf"
        ) from error
    except (OSError, ValueError, KeyError) as error:
        raise unreadable("GGUF file", str(path), error) from error
    return assembled(_unmarked(read).to(chosen_device(device)), text_tokenizer, "causal", chat, str(path))


def _unmarked(network: Any) -> Any:
    """The same network without the mark of quantisation."""
    config = copy.deepcopy(network.config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    clean = type(network)(config).to(network.dtype)
    clean.load_state_dict(network.state_dict())
    clean.tie_weights()
    return clean


def assembled(network: Any, text_tokenizer: Any, family: Family, chat: ChatUse, path: str) -> Model:
    """A model out of a network and its text tokenizer: ends, pads and chats decided."""
    end_id = text_tokenizer.eos_token_id
    if end_id is None:
        raise GenrecError(
            f"the text tokenizer of `{path}` names no end-of-text token",
            hint="set `eos_token` in its tokenizer_config.json",
        )
    if chat == "always" and not text_tokenizer.chat_template:
        raise GenrecError(
            f"`chat: always`, but the text tokenizer of `{path}` has no chat template",
            hint="use `chat: never`, or an instruction-tuned model",
        )
    _separate_pad(network, text_tokenizer)
    support_of(network.eval())  # what cannot be decoded is refused before anything is trained
    context = getattr(network.config, "max_position_embeddings", None) or CONTEXT
    return Model(
        network=network,
        text_tokenizer=text_tokenizer,
        family=family,
        end_id=end_id,
        pad_id=text_tokenizer.pad_token_id,
        chat=chat == "always" or (chat == "auto" and bool(text_tokenizer.chat_template)),
        max_length=min(CONTEXT, context),
    )


def _separate_pad(network: Any, text_tokenizer: Any) -> None:
    """Make sure that the pad token exists and is not the end token."""
    end = text_tokenizer.eos_token
    if text_tokenizer.pad_token is None or text_tokenizer.pad_token == end:
        unknown = text_tokenizer.unk_token
        text_tokenizer.pad_token = unknown if unknown is not None and unknown != end else _PAD
        if text_tokenizer.pad_token == _PAD:
            text_tokenizer.add_special_tokens({"pad_token": _PAD})
    if len(text_tokenizer) > network.get_input_embeddings().weight.shape[0]:
        network.resize_token_embeddings(len(text_tokenizer), mean_resizing=False)
    network.config.pad_token_id = text_tokenizer.pad_token_id
