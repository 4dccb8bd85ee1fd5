"""`core/local-teacher`: a language model on this machine that is asked: a folder, a name on the hub, a GGUF
file.

    teacher: {use: core/local-teacher, path: Qwen/Qwen3-4B-Instruct-2507, max_length: 4096}
    teacher: {use: core/local-teacher, path: SmolLM2-135M-Instruct-Q4_1.gguf, chat: never, stop: ["]"]}

It takes the likeliest token, so an answer depends on the chat alone; with a `temperature` it samples, and
draws of the same question differ. The model is loaded once for all that a stage asks, and not at all when
every answer is on disk. For many items on a GPU, a server with `teachers/openai` is faster.

`core/slot-teacher` asks a model of the pipeline in the same way; the model being trained can ask itself.

    teacher: {use: core/slot-teacher, slot: main, temperature: 0.8}
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import ContractError
from genrec_core.contracts.options import expanded, operational
from genrec_core.contracts.teacher import Answer, Chat, Teacher, TeacherSession
from genrec_core.engine.choices import ChatUse, Precision
from genrec_core.engine.models.loading import is_folder, local_place, refuse_undecodable

if TYPE_CHECKING:
    from genrec_core.engine.models.model import Model


class WritingOptions(Teacher.Options):
    """How a model of this process writes answers."""

    max_tokens: int = Field(default=64, ge=1, le=1_000_000)
    """Most tokens of an answer."""

    stop: tuple[str, ...] = ()
    """Texts before which an answer ends."""

    temperature: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """0 takes the likeliest token; above it, answers are sampled and another draw gives another answer."""

    top_p: float = Field(default=1.0, gt=0, le=1)
    """Sample from the smallest set of tokens with this probability."""

    batch_size: Annotated[int, Field(ge=1)] = operational(8, "Chats answered together.")


class LoadedModel(TeacherSession):
    """A language model in memory that answers chats.

    Args:
        model: it.
        options: how it writes.
        seed: of sampled answers.
    """

    def __init__(self, model: Model, options: WritingOptions, seed: int) -> None:
        self.model: Model | None = model
        self.options, self.seed = options, seed

    def answer(self, chats: Sequence[Chat], draw: int = 0) -> Iterator[tuple[int, Answer]]:
        """Answers batch by batch.

        Raises:
            GenrecError: a chat leaves no room for an answer.
            ContractError: the session was closed.
        """
        # Checking and explaining a pipeline must not import torch.
        from genrec_core.engine.decoding.free_text import ChatSettings, answered_chats

        if self.model is None:
            raise ContractError("this teacher was closed; open it again")
        options = self.options
        settings = ChatSettings(
            options.max_tokens, options.stop, options.temperature, options.top_p, options.batch_size
        )
        yield from answered_chats(self.model, chats, settings, self.seed, draw)

    def close(self) -> None:
        """Let go of the model."""
        self.model = None


class LocalTeacher(Teacher):
    """Asks a language model that runs here."""

    needs = ("torch", "transformers")

    class Options(WritingOptions):
        """Which model, and how it writes."""

        path: str = Field(min_length=1)
        """A local folder, a `.gguf` file, or a name on the hub such as `Qwen/Qwen3-0.6B`."""

        revision: str = "main"
        """Branch, tag or commit on the hub; name a commit to make a run repeatable."""

        chat: ChatUse = "auto"
        """Whether chats go through the chat template; `auto`: when there is one. Without it, a model reads
        the turns as paragraphs and goes on writing."""

        max_length: int | None = Field(default=None, gt=1, le=10_000_000)
        """Most tokens of chat and answer; by default 1024, or fewer if the model cannot read so many."""

        dtype: Precision = "float32"
        """Precision of the weights; bfloat16 is slower on most CPUs."""

        device: str = operational("auto", "`auto` (a GPU when there is one), `cpu`, `cuda:1` …")

    options: Options

    def inputs(self) -> tuple[Path, ...]:
        """The local folder or file, so that another model there is noticed."""
        return local_place(self.options.path)

    def refuse_unusable(self) -> None:
        """A local checkpoint is of a kind that can write."""
        if is_folder(self.options.path):
            refuse_undecodable(expanded(self.options.path))

    def is_seeded(self) -> bool:
        """Only when it samples."""
        return self.options.temperature > 0

    def open(self, context: Context) -> TeacherSession:
        """Load the model.

        Raises:
            GenrecError: the model cannot be found or read.
        """
        return LoadedModel(self._model(), self.options, context.seed)

    def _model(self) -> Model:
        from genrec_core.engine.models.pretrained import gguf_model, pretrained_model

        options = self.options
        path = expanded(options.path)
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


class SlotTeacher(Teacher):
    """Asks the model of a slot of the pipeline, as it stands before the stage that asks."""

    class Options(WritingOptions):
        """Which slot, and how its model writes."""

        slot: str = Field(min_length=1)
        """Name of the model slot, as the pipeline file has it under `model`."""

    options: Options

    def is_seeded(self) -> bool:
        """Only when it samples."""
        return self.options.temperature > 0

    def model_slots(self) -> tuple[str, ...]:
        """The slot whose model is asked."""
        return (self.options.slot,)

    def state(self, context: Context) -> str:
        """SHA-256 of the model's weights: the same slot after another training step is another teacher."""
        from genrec_core.engine.decoding.free_text import weights_digest

        return weights_digest(context.models[self.options.slot].network)

    def open(self, context: Context) -> TeacherSession:
        """The slot's model.

        Raises:
            ContractError: the slot holds no model of the engine.
        """
        from genrec_core.engine.models.model import Model

        model = context.models[self.options.slot]
        if not isinstance(model, Model):
            raise ContractError(
                f"slot `{self.options.slot}` holds a `{type(model).__name__}`, which cannot write"
            )
        return LoadedModel(model, self.options, context.seed)
