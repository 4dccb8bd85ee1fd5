"""`onerec-think/general-text`: general language modelling beside recommendation (OneRec-Think §4.1).

A model that only ever sees items forgets how to write. Texts of your own are mixed in, as many as the corpus'
`weight` says, and are learnt whole:

    corpora: [{use: core/next-item}, {use: onerec-think/general-text, path: texts/, weight: 0.2}]

A path is a file or a folder of files: `.jsonl` (optionally `.gz`) with a field `text`, everything else plain
text (`.txt`, `.md`). Long texts are cut at white space.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import orjson
from pydantic import Field

from genrec_core import Catalogue, Context, Corpus, DataError, Sample, Text, View
from genrec_core.contracts.options import expanded, regular_file

PLAIN, LINES = (".txt", ".md"), (".jsonl", ".jsonl.gz")


class GeneralText(Corpus):
    """Texts that have nothing to do with items, learnt word by word."""

    version = "1"

    class Options(Corpus.Options):
        """Which texts."""

        path: Path
        """A file, or a folder whose files are read in the order of their names."""
        field: str = Field("text", min_length=1)
        """Field of `.jsonl` lines that holds the text."""
        characters: int = Field(600, ge=20)
        """Most characters of a sample; longer texts give several."""
        most: int | None = Field(None, gt=0)
        """Most samples, the first ones; all by default."""

    options: Options

    def samples(self, view: View, catalogue: Catalogue, context: Context) -> Iterator[Sample]:
        """Pieces of the texts in order; none for validation rows.

        Raises:
            DataError: there is no text, or a line cannot be read.
        """
        if view.targets is not None:
            return
        made = 0
        for text in texts(expanded(self.options.path), self.options.field):
            for piece in pieces(text, self.options.characters):
                if made == self.options.most:
                    return
                made += 1
                yield Sample((Text(piece, learn=True),), answer_form="", task="general text", plain=True)
        if not made:
            raise DataError(
                f"`{self.options.path}` holds no text", hint="give files that end in .txt, .md or .jsonl"
            )


def texts(path: Path, field: str) -> Iterator[str]:
    """Every text of a file or folder.

    Raises:
        DataError: a line is no JSON object with the field, or a file is no text.
    """
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.name.endswith((*PLAIN, *LINES)))
    for file in files:
        try:
            if not file.name.endswith(LINES):
                yield regular_file(file).read_text(encoding="utf-8")
                continue
            raw = regular_file(file).read_bytes()
            raw = gzip.decompress(raw) if file.suffix == ".gz" else raw
        except (OSError, UnicodeDecodeError, EOFError) as error:
            raise DataError(f"cannot read the text: {error}", where=str(file)) from error
        for number, line in enumerate(raw.splitlines(), 1):
            yield _text(line, field, f"{file}:{number}")


def _text(line: bytes, field: str, where: str) -> str:
    try:
        values = orjson.loads(line)
    except ValueError as error:
        raise DataError(f"this line is no JSON: {error}", where=where) from error
    text = values.get(field) if isinstance(values, dict) else None
    if not isinstance(text, str):
        raise DataError(f"this line has no text `{field}`", where=where, hint="name the field as `field`")
    return text


def pieces(text: str, most: int) -> Iterator[str]:
    """A text in pieces of at most so many characters, cut at white space where there is any.

    >>> list(pieces("one two three", 8))
    ['one two', 'three']
    """
    rest = text.strip()
    while rest:
        end = len(rest)
        if end > most:
            gap = max(rest.rfind(" ", 0, most + 1), rest.rfind("\n", 0, most + 1))
            end = gap if gap > 0 else most
        piece, rest = rest[:end].strip(), rest[end:].strip()
        if piece:
            yield piece
