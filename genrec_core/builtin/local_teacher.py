"""`core/local-teacher`: a language model on this machine that is asked: a folder, a name on the hub, a GGUF
file.

    teacher: {use: core/local-teacher, path: Qwen/Qwen3-4B-Instruct-2507, max_length: 4096}
    teacher: {use: core/local-teacher, path: SmolLM2-135M-Instruct-Q4_1.gguf, chat: never, stop: ["]"]}

It answers greedily, so an answer depends on the chat alone. The model is loaded once for all chats of a
call, and not at all when every answer is on disk. For many items on a GPU, a server with `core/openai` is
faster.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from genrec_core.contracts.context import Context
from genrec_core.contracts.options import operational
from genrec_core.contracts.teacher import Chat, Teacher
from genrec_core.engine.choices import ChatUse, Precision
from genrec_core.engine.models.loading import is_folder

if TYPE_CHECKING:
    from genrec_core.engine.models.model import Model


class LocalTeacher(Teacher):
    """Asks a language model that runs here."""

    seeded: ClassVar[bool] = False

    class Options(Teacher.Options):
        """Which model, and how it writes."""

        path: str = Field(min_length=1)
        """A local folder, a `.gguf` file, or a name on the hub such as `Qwen/Qwen3-0.6B`."""

        revision: str = "main"
        """Branch, tag or commit on the hub; name a commit to make a run repeatable."""

        chat: ChatUse = "auto"
        """Whether chats go through the chat template; `auto`: when there is one. Without it, a model reads
        the turns as paragraphs and goes on writing."""

        max_tokens: int = Field(default=64, ge=1)
        """Most tokens of an answer."""

        max_length: int | None = Field(default=None, gt=1)
        """Most tokens of chat and answer; by default 1024, or fewer if the model cannot read so many."""

        stop: tuple[str, ...] = ()
        """Texts before which an answer is cut off."""

        dtype: Precision = "float32"
        """Precision of the weights; bfloat16 is slower on most CPUs."""

        batch_size: int = operational(8, "Chats answered together.")
        device: str = operational("auto", "`auto` (a GPU when there is one), `cpu`, `cuda:1` …")

    options: Options

    def inputs(self) -> tuple[Path, ...]:
        """The local folder or file, so that another model there is noticed."""
        path = Path(self.options.path).expanduser()
        return (path,) if path.exists() else ()

    def complete(self, chats: Sequence[Chat], context: Context) -> list[str]:
        """One answer a chat, in order.

        Raises:
            GenrecError: see `each`.
        """
        answers = dict(self.each(chats, context))
        return [answers[place] for place in range(len(chats))]

    def each(self, chats: Sequence[Chat], context: Context) -> Iterator[tuple[int, str]]:
        """Answers batch by batch.

        Raises:
            GenrecError: the model cannot be found or read, or a chat leaves no room for an answer.
        """
        # Checking and explaining a pipeline must not import torch.
        from genrec_core.engine.decoding.free_text import answered_chats

        options = self.options
        yield from answered_chats(
            self._model(), chats, max_tokens=options.max_tokens, stop=options.stop, batch=options.batch_size
        )

    def _model(self) -> Model:
        from genrec_core.engine.models.pretrained import gguf_model, pretrained_model

        options = self.options
        path = Path(options.path).expanduser()
        if path.suffix == ".gguf":
            model = gguf_model(path, dtype=options.dtype, device=options.device, chat=options.chat)
        else:
            model = pretrained_model(
                str(path) if is_folder(options.path) else options.path,
                dtype=options.dtype,
                device=options.device,
                chat=options.chat,
                revision=options.revision,
            )
        model.max_length = options.max_length or model.max_length
        return model
