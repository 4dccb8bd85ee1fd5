"""`core/folder`: a data set from a folder of JSON lines, CSV or Parquet (format in docs/data.md)."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from genrec_core.contracts.context import Context
from genrec_core.contracts.dataset import Dataset
from genrec_core.contracts.source import Source
from genrec_core.data.folder import Reading, data_files, load_folder
from genrec_core.data.ordering import DuplicatePolicy
from genrec_core.data.values import MissingWords


class Folder(Source):
    """Reads a data folder and refuses defects with their places."""

    version = "1"

    class Options(Source.Options):
        """Options of `core/folder`."""

        path: Path = Field(json_schema_extra={"operational": True})
        """The folder. Its files' content, not its name, decides what is computed again."""
        tie_key: str = ""
        """Column of the interactions that orders events of one user at one time; by default file order."""
        duplicates: DuplicatePolicy = "refuse"
        """What becomes of rows that repeat user, item and time; drop-exact keeps the first."""
        allow_empty_text: bool = False
        """Whether items without any text are allowed."""
        domain_field: str = ""
        """Item field that names the domain of an interaction; empty when there is one domain."""

        missing_words: MissingWords = "refuse"
        """What becomes of `nan`, `None`, `NULL`, `NA` … as a text: refused, taken as no text, or kept."""

    options: Options

    def inputs(self) -> tuple[Path, ...]:
        """The folder's files that are read."""
        return tuple(data_files(self.options.path).values())

    def load(self, context: Context) -> Dataset:
        """The folder's data set."""
        options = self.options
        reading = Reading(
            options.tie_key,
            options.duplicates,
            options.allow_empty_text,
            options.domain_field,
            options.missing_words,
        )
        with context.progress("reading the data folder"):
            return load_folder(options.path, reading)
