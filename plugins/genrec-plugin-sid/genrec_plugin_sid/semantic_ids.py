"""Semantic IDs: what every tokenizer that quantises embeddings does, except learning the codebooks.

Embed every item, learn a quantiser (`learn`, the one thing a subclass adds besides `restore`), tell apart the
items that got the same codes (`collisions`), write codes as tokens (`naming`). Everything that names a new
item later is kept in the identifiers: codebooks, what the encoder has learnt, and how tokens are written.
Which paths are taken, the old identifiers say themselves.

    class Random(SemanticIDs):
        def learn(self, vectors, items, train, context):
            books = tuple(context.generator(l).permutation(vectors)[:8] for l in range(self.options.levels))
            return Learnt(LinearQuantiser(vectors.mean(0), books), encode(vectors - vectors.mean(0), books))

        def restore(self, state, settings):
            return LinearQuantiser.from_state(state)
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, model_validator

from genrec_core import Context, Encoder, GenrecError, Identifiers, Items, Reconstruction, Tokenizer, View
from genrec_plugin_sid.behaviour import Behaviour, BehaviourOptions, fit_behaviour
from genrec_plugin_sid.collisions import POLICIES, PolicyName
from genrec_plugin_sid.naming import MOST_LEVELS, Naming, check_template, paths_of
from genrec_plugin_sid.paths import Coded, Paths
from genrec_plugin_sid.provenance import check_fitted_by, check_made_by, class_name, encoder_identity
from genrec_plugin_sid.quantiser import FittedArrays, Learnt, Quantiser, unexplained
from genrec_plugin_sid.unit import unit_rows

USUAL_CODES = 256


class SemanticIDs(Tokenizer):
    """Names items by the codes of a residual quantiser over their embeddings."""

    class Options(Tokenizer.Options):
        """What to embed with, how finely to quantise, what to do about collisions, how to write codes."""

        encoder: Encoder = Field(default={"use": "core/ngrams"}, validate_default=True)
        """Gives the embeddings."""

        levels: int = Field(default=3, ge=1, le=MOST_LEVELS)
        """Number of residual levels, so of code tokens in an identifier."""

        codes: Annotated[int, Field(ge=1)] | tuple[Annotated[int, Field(ge=1)], ...] | None = None
        """Codes at each level: one number or one a level. A level that has fewer distinct residuals is an
        error. By default 256, or a quarter of the distinct residuals where there are fewer than 1,024."""

        unit: bool = False
        """Scale embeddings to length one first, so that distances follow the cosine."""

        behaviour: BehaviourOptions | None = None
        """Quantise what users chose together beside the embeddings; by default the embeddings alone, as the
        papers do. Items that training never shows get what their text lets expect."""

        collisions: PolicyName = "suffix"
        """What happens to items that got the same codes: `suffix` numbers them with one more token;
        `next-nearest` moves all but one to the nearest free codes; `sinkhorn` shares out free codes of
        the last level among them; `keep` lets them share an identifier."""

        template: Annotated[str, AfterValidator(check_template)] = "<{level}_{code}>"
        """How a code is written; levels are letters."""

        begin: str = Field(default="", pattern=r"^\S*$")
        """Token before every identifier."""

        end: str = Field(default="", pattern=r"^\S*$")
        """Token after every identifier."""

        @model_validator(mode="after")
        def _one_size_a_level(self) -> SemanticIDs.Options:
            if isinstance(self.codes, tuple) and len(self.codes) != self.levels:
                raise ValueError(f"`codes` lists {len(self.codes)} sizes for `levels: {self.levels}`")
            return self

    options: Options

    @abstractmethod
    def learn(self, vectors: NDArray[np.float32], items: Items, train: View, context: Context) -> Learnt:
        """A quantiser for the items' embeddings (float32 [N, d]), and the codes of these items."""

    @abstractmethod
    def restore(self, state: FittedArrays, settings: Mapping[str, Any]) -> Quantiser:
        """The quantiser whose `state()` and `settings()` these are (other names may stand beside)."""

    def fit(self, items: Items, train: View, context: Context) -> Identifiers:
        """Learn a quantiser and name every item by its codes.

        Raises:
            GenrecError: more codes are asked for than a level has distinct residuals, or the collision policy
                finds no free codes.
        """
        embedded = context.embedded(self.options.encoder, items)
        vectors = self._as_seen(embedded.vectors, items)
        behaviour = None
        if self.options.behaviour:
            behaviour, vectors = fit_behaviour(vectors, train, self.options.behaviour, context)
        learnt = self.learn(vectors, items, train, context)
        quantiser, options = learnt.quantiser, self.options
        latents = quantiser.latents(vectors)
        _log_levels(latents, learnt, context)
        settled = np.zeros((0, options.levels + 1), dtype=np.int32)
        paths = _settle(
            Coded(learnt.codes, settled, latents, quantiser.codebooks), options.collisions, context
        )
        sizes = tuple(len(book) for book in quantiser.codebooks)
        naming = Naming(sizes, self._rank_tokens(sizes, paths), options.template, options.begin, options.end)
        settings = {
            "tokenizer": class_name(self),
            "naming": naming.settings(),
            "collisions": options.collisions,
            "unit": options.unit,
            "behaviour": options.behaviour and options.behaviour.model_dump(mode="json"),
            "encoder": encoder_identity(options.encoder),
            "quantiser": quantiser.settings(),
        }
        state = quantiser.state() | _named("encoder", embedded.state)
        state |= _named("behaviour", behaviour.state() if behaviour else {})
        state |= _named("tokens", {"vectors": naming.vectors(quantiser.codebooks)})
        return _identifiers(naming, paths, state, settings)

    def extend(self, identifiers: Identifiers, items: Items, context: Context) -> Identifiers:
        """Name new items with the frozen codebooks; no old identifier moves.

        Raises:
            GenrecError: the identifiers are not of this tokenizer and encoder, or rank tokens or free codes
                ran out.
        """
        # Imports torch, which checking and explaining a pipeline must not.
        from genrec_plugin_sid.residual import encode

        check_fitted_by(self, self.options.encoder, self.options.unit, identifiers)
        settings = identifiers.settings
        naming = Naming.from_settings(settings["naming"])
        quantiser = self._quantiser(identifiers)
        embedded = context.embed(self.options.encoder, items, identifiers.learnt("encoder"))
        vectors, behaviour = self._as_seen(embedded, items), _behaviour(identifiers)
        if behaviour:
            vectors = behaviour.joined(vectors, behaviour.guessed(vectors))
        latents, settled = quantiser.latents(vectors), naming.read(identifiers)
        coded = Coded(encode(latents, quantiser.codebooks), settled, latents, quantiser.codebooks)
        paths = _settle(coded, settings["collisions"], context)
        if paths[:, -1].max(initial=-1) >= naming.ranks > 0:
            raise GenrecError(
                f"{int((paths[:, -1] >= naming.ranks).sum()):,} new items need a collision rank beyond the "
                f"`{naming.ranks}` tokens that the model has learnt",
                hint="fit the tokenizer again on the whole catalogue",
            )
        return _identifiers(naming, np.concatenate([settled, paths]), identifiers.state, settings)

    def seen(self, items: Items, context: Context) -> NDArray[np.float32]:
        """Embeddings as the quantiser sees them, float32 [N, d]: finite, of length one where asked.

        Raises:
            GenrecError: an embedding is not finite.
        """
        return self._as_seen(context.embed(self.options.encoder, items), items)

    def _as_seen(self, vectors: NDArray[np.float32], items: Items) -> NDArray[np.float32]:
        bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(bad):
            raise GenrecError(
                f"encoder `{self.options.encoder.name}` gave {len(bad):,} embeddings that are not finite, "
                f"the first for item `{items.ids[int(bad[0])]}`",
                hint="look at the text of that item, or use another encoder",
            )
        return unit_rows(vectors) if self.options.unit else vectors

    def reconstructed(self, identifiers: Identifiers) -> NDArray[np.float32]:
        """What the items' codes stand for, float32 [N, d]: beside `seen`, the error of quantising.

        Raises:
            GenrecError: another tokenizer made the identifiers.
        """
        check_made_by(self, identifiers)
        return self._quantiser(identifiers).decode(paths_of(identifiers)[:, :-1])

    def reconstruct(self, identifiers: Identifiers, items: Items, context: Context) -> Reconstruction | None:
        """The items' embeddings as the quantiser sees them, beside what their codes stand for.

        Where behaviour is quantised too, only the part that is text is compared; None if there is none.
        """
        embedded, learnt = context.embedded(self.options.encoder, items), identifiers.learnt("encoder")
        if not _same_arrays(embedded.state, learnt):
            # Items came since: an encoder that learns must embed as it did when the codebooks were made.
            embedded = context.embedded(self.options.encoder, items, learnt)
        seen, decoded = self._as_seen(embedded.vectors, items), self.reconstructed(identifiers)
        behaviour = _behaviour(identifiers)
        if behaviour is None:
            return Reconstruction(seen, decoded)
        texts = behaviour.texts_of(decoded)
        return None if texts is None else Reconstruction(unit_rows(seen), texts)

    def codes_at(self, level: int, distinct: int) -> int:
        """How many codes a level gets whose vectors have so many distinct values; see the option.

        Raises:
            GenrecError: the option asks for more.
        """
        asked = self.options.codes
        if asked is None:
            return min(USUAL_CODES, max(distinct // 4, min(distinct, 2)))
        size = asked[level] if isinstance(asked, tuple) else asked
        if size > distinct:
            raise GenrecError(
                f"level {level + 1} of {self.options.levels} asks for `{size}` codes, but its "
                f"items have only {distinct:,} distinct residuals",
                hint="write smaller `codes`, fewer `levels`, or leave `codes` out",
            )
        return size

    def _quantiser(self, identifiers: Identifiers) -> Quantiser:
        return self.restore(identifiers.state, identifiers.settings.get("quantiser", {}))

    def _rank_tokens(self, sizes: tuple[int, ...], paths: Paths) -> int:
        """Rank tokens to learn: as many as the last level has codes, or twice what is needed now."""
        if self.options.collisions != "suffix":
            return 0
        return max(sizes[-1], 2 * (int(paths[:, -1].max(initial=-1)) + 1))


def _named(part: str, arrays: FittedArrays) -> dict[str, NDArray[Any]]:
    """Arrays under the names that `Identifiers.learnt` finds again."""
    return {f"{part}.{name}": array for name, array in arrays.items()}


def _behaviour(identifiers: Identifiers) -> Behaviour | None:
    options = identifiers.settings.get("behaviour")
    return Behaviour(options["share"], **identifiers.learnt("behaviour")) if options else None


def _log_levels(latents: NDArray[np.float32], learnt: Learnt, context: Context) -> None:
    books = learnt.quantiser.codebooks
    shares = unexplained(latents, books, learnt.codes)
    for level, (book, share) in enumerate(zip(books, shares, strict=True)):
        used = len(np.unique(learnt.codes[:, level]))
        context.log("level", level=level, codes=len(book), used=used, unexplained=share)


def _settle(coded: Coded, policy: PolicyName, context: Context) -> Paths:
    paths = POLICIES[policy](coded)
    moved = int((paths[:, :-1] != coded.codes).any(axis=1).sum())
    ranked = int((paths[:, -1] >= 0).sum())
    context.log("collisions", policy=policy, shared=int(coded.shared().sum()), moved=moved, ranked=ranked)
    return paths


def _identifiers(
    naming: Naming, paths: Paths, state: FittedArrays, settings: Mapping[str, Any]
) -> Identifiers:
    written, tokens = naming.write(paths), naming.all_tokens()
    return Identifiers.of(written, new_tokens=tokens, state=state, settings=settings)


def _same_arrays(one: FittedArrays, other: FittedArrays) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)
