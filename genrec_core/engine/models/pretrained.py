"""Pretrained models: any causal or encoder-decoder model of Hugging Face format, from a folder or the hub.

Code that comes with a checkpoint is never run (`trust_remote_code` stays off), and pickled weights are
refused. The pad token is replaced when it is the end token: first by the unknown token, which never occurs
in byte-level vocabularies, else by a new `<|pad|>`.
"""

from __future__ import annotations

from typing import Any

from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from genrec_core.contracts.errors import GenrecError
from genrec_core.engine.choices import ChatUse, Precision
from genrec_core.engine.models.model import Family, Model, chosen_device, quiet, torch_dtype
from genrec_core.engine.models.origin import is_folder, unreadable

PAD = "<|pad|>"

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
    where: dict[str, Any] = {"trust_remote_code": False}
    if is_folder(path):
        where["local_files_only"] = True
    else:
        where["revision"] = revision
    try:
        with quiet():
            config = AutoConfig.from_pretrained(path, **where)
            family: Family = "seq2seq" if config.is_encoder_decoder else "causal"
            kind = AutoModelForSeq2SeqLM if family == "seq2seq" else AutoModelForCausalLM
            network = kind.from_pretrained(path, dtype=torch_dtype(dtype), use_safetensors=True, **where)
            text_tokenizer = AutoTokenizer.from_pretrained(path, **where)
    except (OSError, ValueError, KeyError) as error:
        raise unreadable("model", path, error) from error
    return assembled(network.to(chosen_device(device)), text_tokenizer, family, chat, path)


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
    context = getattr(network.config, "max_position_embeddings", None) or CONTEXT
    return Model(
        network=network.eval(),
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
        text_tokenizer.pad_token = unknown if unknown is not None and unknown != end else PAD
        if text_tokenizer.pad_token == PAD:
            text_tokenizer.add_special_tokens({"pad_token": PAD})
    if len(text_tokenizer) > network.get_input_embeddings().weight.shape[0]:
        network.resize_token_embeddings(len(text_tokenizer), mean_resizing=False)
    network.config.pad_token_id = text_tokenizer.pad_token_id
