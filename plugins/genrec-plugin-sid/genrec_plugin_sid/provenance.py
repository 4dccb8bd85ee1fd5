"""Provenance: which tokenizer, with which encoder, made some identifiers.

Codebooks name new items rightly only when these are embedded as the old ones were, so identifiers carry
what made them, however each component was created.
"""

from __future__ import annotations

from typing import Any

from genrec_core import Encoder, GenrecError, Identifiers, Tokenizer


def check_made_by(tokenizer: Tokenizer, identifiers: Identifiers) -> None:
    """Refuse identifiers of another tokenizer.

    Raises:
        GenrecError: another tokenizer, or none with codebooks, made them.
    """
    maker = identifiers.settings.get("tokenizer")
    if maker != class_name(tokenizer):
        raise GenrecError(
            f"tokenizer `{tokenizer.name}` did not make these identifiers: "
            + (f"`{maker}` did" if maker else "they hold no codebooks"),
            hint="use the tokenizer that made them",
        )


def check_fitted_by(tokenizer: Tokenizer, encoder: Encoder, unit: bool, identifiers: Identifiers) -> None:
    """Refuse identifiers whose codebooks lie in the space of another encoder.

    Raises:
        GenrecError: tokenizer, encoder, its options or the scaling of its vectors differ.
    """
    check_made_by(tokenizer, identifiers)
    fitted, mine = identifiers.settings["encoder"], encoder_identity(encoder)
    if fitted != mine:
        raise GenrecError(
            f"the codebooks were fitted on embeddings of `{fitted}`, these would come from `{mine}`",
            hint="use the encoder, with the options, that the identifiers were made with",
        )
    if identifiers.settings["unit"] != unit:
        raise GenrecError(
            f"the codebooks were fitted with `unit: {str(not unit).lower()}`",
            hint="write the same here",
        )


def class_name(component: Tokenizer | Encoder) -> str:
    """Module and class of a component."""
    kind = type(component)
    return f"{kind.__module__}.{kind.__qualname__}"


def encoder_identity(encoder: Encoder) -> dict[str, Any]:
    """What tells two encoders apart however each was made: class, version, options."""
    identity = encoder.identity()
    return {
        "class": class_name(encoder),
        "version": identity["version"],
        "options": identity["options"],
    }
