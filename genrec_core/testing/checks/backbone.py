"""What a backbone promises: a model that knows the catalogue's tokens and survives the disk."""

from __future__ import annotations

from typing import Any

from genrec_core.contracts.language_model import LanguageModel
from genrec_core.testing.subject import Subject
from genrec_core.testing.toy import toy_catalogue
from genrec_core.testing.toy_model import model_digest
from genrec_core.testing.verdicts import require


def builds_a_model(subject: Subject) -> None:
    """The model says its family and brings a network and a text tokenizer."""
    model = _build(subject)
    require(model.family in ("causal", "seq2seq"), f"`family` is `{model.family}`")
    require(model.network is not None and model.text_tokenizer is not None, "network or tokenizer missing")


def knows_every_new_token(subject: Subject) -> None:
    """Each of the identifiers' new tokens is a single token of the text tokenizer, inside the embedding."""
    model = _build(subject)
    rows = model.network.get_input_embeddings().weight.shape[0]
    for token in toy_catalogue().identifiers.new_tokens:
        ids = model.text_tokenizer.encode(token, add_special_tokens=False)
        require(len(ids) == 1, f"new token `{token}` is {len(ids)} tokens for the text tokenizer")
        require(ids[0] < rows, f"new token `{token}` is row {ids[0]} of an embedding with {rows}")


def tokenises_each_text_alone(subject: Subject) -> None:
    """`tokenise` gives a text the same ids alone and among others, and adds none."""
    model = _build(subject)
    texts = ["red tent", "", toy_catalogue().identifiers.text(0)]
    together = model.tokenise(texts)
    require(together == [model.tokenise([text])[0] for text in texts], "ids depend on the other texts")
    require(not together[1], f"an empty text is written as {together[1]}")


def survives_the_disk(subject: Subject) -> None:
    """A model saved and loaded has the same weights and the same tokens."""
    model = _build(subject)
    folder = subject.workspace / "saved"
    folder.mkdir()
    model.save(folder)
    again = subject.component().load(folder)
    require(model_digest(again) == model_digest(model), "weights changed when saved and loaded")
    require(
        again.text_tokenizer.get_vocab() == model.text_tokenizer.get_vocab(),
        "the text tokenizer changed when saved and loaded",
    )


def agrees_with_itself(subject: Subject) -> None:
    """The same seed gives the same model."""
    same = model_digest(_build(subject)) == model_digest(_build(subject))
    require(same, "two models from the same seed differ")


def _build(subject: Subject) -> LanguageModel:
    model: LanguageModel = subject.component().build(toy_catalogue(), subject.context("model"))
    return model


def result(subject: Subject) -> Any:
    """The vocabulary, and a hash of all weights."""
    model = _build(subject)
    return [model.text_tokenizer.get_vocab(), model_digest(model)]


CHECKS = (
    builds_a_model,
    knows_every_new_token,
    tokenises_each_text_alone,
    survives_the_disk,
    agrees_with_itself,
)
