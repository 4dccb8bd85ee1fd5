"""`core/given`: identifiers that exist already, from a field of the items or from a file.

For published semantic IDs, for identifiers made by another program, and for catalogues whose items have good
names of their own. Tokens are taken as they stand:

    tokenizer: {use: core/given, file: published_sids.jsonl.gz}
    tokenizer: {use: core/given, field: terms, new_tokens: false, separator: " "}

New items are named the same way, as long as all their tokens are among those that the model has learnt.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import model_validator

from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import DataError, GenrecError, examples
from genrec_core.contracts.identifiers import Identifiers, Tokens
from genrec_core.contracts.items import Items
from genrec_core.contracts.tokenizer import Tokenizer
from genrec_core.contracts.views import View
from genrec_core.data.identifier_file import in_catalogue_order, read_identifiers, tokens_of


class Given(Tokenizer):
    """Names items by tokens that were made elsewhere."""

    seeded = False

    class Options(Tokenizer.Options):
        """Where the tokens are, and how they are written."""

        field: str = ""
        """The field that holds each item's tokens (a list of texts; one text is one token). With `file` it
        may be left out where rows have one field beside `item_id`."""

        file: Path | None = None
        """JSON lines with `item_id` and the tokens; without it, `field` is a field of the items."""

        new_tokens: bool = True
        """Whether the tokens are codes that the model learns as single new ones, or words it can spell."""

        separator: str = ""
        """Written between two tokens of an identifier; tokens that are words need one."""

        @model_validator(mode="after")
        def _a_place(self) -> Given.Options:
            if not self.field and self.file is None:
                raise ValueError("write `field` (a field of the items) or `file`")
            return self

    options: Options

    def writes_codes(self) -> bool:
        """As `new_tokens` says."""
        return self.options.new_tokens

    def fit(self, items: Items, train: View, context: Context) -> Identifiers:
        """The identifiers as given.

        Raises:
            DataError: items have none, or codes hold white space.
        """
        rows = self._rows(items)
        used = dict.fromkeys(token for row in rows for token in row)
        odd = [token for token in used if token.split() != [token]]
        if self.options.new_tokens and odd:
            raise DataError(
                f"{len(odd):,} tokens hold white space, so a model cannot learn them as one: {examples(odd)}",
                hint="write `new_tokens: false` for identifiers made of words",
            )
        new = tuple(used) if self.options.new_tokens else ()
        return Identifiers.of(rows, new_tokens=new, separator=self.options.separator)

    def extend(self, identifiers: Identifiers, items: Items, context: Context) -> Identifiers:
        """The old identifiers, then those given to the new items.

        Raises:
            GenrecError: new items have none, or need tokens that the model has not learnt.
        """
        rows = self._rows(items)
        known = set(identifiers.vocabulary) | set(identifiers.new_tokens)
        strange = list(dict.fromkeys(token for row in rows for token in row if token not in known))
        if strange and identifiers.new_tokens:
            raise GenrecError(
                f"new items need {len(strange):,} tokens that the model has not learnt: {examples(strange)}",
                hint="fit on the whole catalogue and train again",
            )
        old = [identifiers.tokens(item) for item in range(len(identifiers))]
        return Identifiers.of(old + rows, new_tokens=identifiers.new_tokens, separator=identifiers.separator)

    def _rows(self, items: Items) -> list[Tokens]:
        options = self.options
        if options.file is not None:
            return in_catalogue_order(read_identifiers(options.file, options.field), items, str(options.file))
        if options.field not in items.fields:
            raise DataError(
                f"items have no field `{options.field}`",
                hint=f"fields are: {', '.join(items.fields) or 'none'}",
            )
        found = (tokens_of(value) for value in items.fields[options.field])
        named = {item_id: tokens for item_id, tokens in zip(items.ids, found, strict=True) if tokens}
        return in_catalogue_order(named, items, f"field {options.field}")
