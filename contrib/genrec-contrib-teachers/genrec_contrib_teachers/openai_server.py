"""`teachers/openai`: a teacher behind any OpenAI-compatible server: vLLM, llama.cpp, Ollama, or a hosted one.

    teacher: {use: teachers/openai, model: Qwen/Qwen3-4B-Instruct-2507, base_url: "http://localhost:8000/v1"}
    teacher: {use: teachers/openai, model: gpt-x, base_url: "https://api.openai.com/v1",
              key_env: OPENAI_API_KEY, input_price: 0.15, output_price: 0.6, budget: 5}

Several requests are under way at a time. Each answer is on disk as soon as it is there, so a run that is
killed asks again only for what was under way. Before the first request goes out, the log says how many there
are and what they will cost at most, and a `budget` stops a run that would cost more. The key comes from the
environment variable that `key_env` names; it is in no file, no message and no log (`secrets`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from genrec_contrib_teachers.chat_server import ChatServer, RequestFailure
from genrec_contrib_teachers.rounds import Deliver, LoopThread, Patience, Tally, send_all
from genrec_contrib_teachers.secrets import (
    address_problem,
    key_from,
    names_a_variable,
    refuse_plain_http,
    secret_field,
)
from genrec_core import (
    Answer,
    Chat,
    Context,
    ContractError,
    GenrecError,
    StageError,
    Teacher,
    TeacherSession,
    operational,
)
from genrec_core.contracts.teacher import Usage, draw_seed
from genrec_core.registry.problems import OptionsError, Problem

CHARACTERS = 4
"""Characters of a prompt token in the estimate; English text has about so many."""

Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class OpenAIServer(Teacher):
    """Asks a model behind an OpenAI-compatible server."""

    class Options(Teacher.Options):
        """Which model, how it writes, and how the server is treated."""

        model_config = ConfigDict(hide_input_in_errors=True)  # it may be a key

        model: str = Field(min_length=1)
        """The model's name, as the server knows it."""

        max_tokens: int = Field(default=64, ge=1, le=1_000_000)
        """Most tokens of an answer; a model that thinks first needs many more."""

        temperature: float | None = Field(default=0.0, ge=0, allow_inf_nan=False)
        """0 takes the likeliest token; null leaves it to the server."""

        top_p: float | None = Field(default=None, gt=0, le=1)
        """Sample from the smallest set of tokens with this probability; null leaves it to the server."""

        stop: tuple[str, ...] = ()
        """Texts that end an answer."""

        limit_as: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
        """What the server calls `max_tokens`; some hosted models know only the second name."""

        seed_as: Literal["seed", "random_seed", ""] = "seed"
        """What the server calls the seed of sampling, which holds the draw number. It is sent only where the
        temperature is not 0; empty sends none, and the pipeline's seed then has no part in the answers."""

        extra: dict[str, Any] = {}  # noqa: RUF012 - pydantic copies defaults
        """More fields of the request, such as `{chat_template_kwargs: {enable_thinking: false}}`."""

        base_url: str = operational(
            "http://localhost:8000/v1",
            "Where the server is, with the version. Not what answers depend on: those from another address "
            "are taken as they are.",
        )
        key_env: str = operational(
            "",
            "Environment variable that holds the key; empty sends none. `GENREC_KEYS` says what may be sent.",
        )
        concurrency: Annotated[int, Field(ge=1)] = operational(8, "Requests under way at a time.")
        retries: Annotated[int, Field(ge=0)] = operational(
            8, "More tries of a request that failed for a reason that may pass."
        )
        pause: Seconds = operational(1.0, "Seconds before the second try; doubled for every further one.")
        longest_pause: Seconds = operational(
            120.0, "No pause is longer; a server that asks for a longer one is given up."
        )
        timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = operational(
            120.0, "Seconds for one whole exchange, from looking up the name to the last byte."
        )
        input_price: Price | None = operational(None, "Price of a million prompt tokens.")
        output_price: Price | None = operational(None, "Price of a million answer tokens.")
        budget: Price | None = operational(
            None, "Ask nothing if the requests of a stage could cost more; needs both prices."
        )

        @field_validator("key_env", "base_url", "extra", mode="before")
        @classmethod
        def _without_secrets(cls, value: Any, info: ValidationInfo) -> Any:
            # The messages leave the value out: somebody may have written the key itself.
            name, hint = str(info.field_name), "put the key into a variable, and its name into `key_env`"
            wrong = ""
            if name == "extra" and (field := secret_field(value)):
                wrong = f"has the field `{field}`, which is called like a key"
            elif name == "key_env" and isinstance(value, str) and value and not names_a_variable(value):
                wrong = "is not the name of an environment variable in capitals"
            elif name == "base_url" and isinstance(value, str):
                wrong, hint = address_problem(value), "write it like http://localhost:8000/v1"
            if wrong:
                raise OptionsError([Problem((), f"`{name}` {wrong}", hint)])
            return value

    options: Options

    def is_seeded(self) -> bool:
        """Only where a seed is sent."""
        return self.options.temperature != 0 and bool(self.options.seed_as)

    def open(self, context: Context) -> TeacherSession:
        """A session that asks this server.

        Raises:
            GenrecError: the address or the key may not be used, or there is no key.
        """
        options = self.options
        refuse_plain_http(options.base_url)
        return OpenAISession(self, key_from(options.key_env, options.base_url), context)

    def body(self, chat: Chat, seed: int) -> dict[str, Any]:
        """The JSON of one request."""
        options = self.options
        body: dict[str, Any] = {
            "model": options.model,
            "messages": [{"role": message.turn, "content": message.text} for message in chat],
            options.limit_as: options.max_tokens,
        }
        chosen = {"temperature": options.temperature, "top_p": options.top_p, "stop": list(options.stop)}
        body |= {name: value for name, value in chosen.items() if value not in (None, [])}
        if self.is_seeded():
            body[options.seed_as] = seed
        return body | options.extra

    def cost(self, prompt: int, answer: int) -> float | None:
        """What so many tokens cost; None without prices."""
        prices = self.options.input_price, self.options.output_price
        if prices[0] is None or prices[1] is None:
            return None
        return (prompt * prices[0] + answer * prices[1]) / 1e6


class OpenAISession(TeacherSession):
    """Connections to one server, and what was spent there.

    Args:
        teacher: with the options.
        key: sent with each request.
        context: seed and log.
    """

    def __init__(self, teacher: OpenAIServer, key: str, context: Context) -> None:
        self.teacher, self.context = teacher, context
        self.spent = Usage()
        self._loop = LoopThread()
        self._server = ChatServer(teacher.options.base_url, key, teacher.options.timeout)
        self._closed = False

    def answer(self, chats: Sequence[Chat], draw: int = 0) -> Iterator[tuple[int, Answer]]:
        """Answers as they come.

        Raises:
            GenrecError: the requests could cost more than what is left of the budget.
            StageError: the server refused a request, or still fails after all tries.
        """
        options, teacher = self.teacher.options, self.teacher
        if self._closed:
            raise ContractError("this teacher was closed; open it again")
        self._estimate(chats)
        seed = draw_seed(self.context.seed, draw)
        patience = Patience(options.retries, options.pause, options.longest_pause)
        tally, usage = Tally(), Usage()

        async def send(number: int) -> Answer:
            return await self._server.complete(teacher.body(chats[number], seed))

        async def work(deliver: Deliver) -> None:
            await send_all(
                len(chats), send, deliver, workers=options.concurrency, patience=patience, tally=tally
            )

        try:
            for place, answer in self._loop.delivered(work):
                usage.add(answer)
                self.spent.add(answer)
                yield place, answer
        except RequestFailure as failure:
            raise StageError(
                f"`{options.model}` at {options.base_url}: {failure} (after {usage.answered:,} of "
                f"{len(chats):,} answers)",
                hint="what was answered is kept: mend it and run again",
            ) from None
        finally:
            self.context.log(
                "teacher-requests",
                answered=usage.answered,
                retried=tally.retried,
                rate_limited=tally.limited,
                cost=teacher.cost(usage.prompt_tokens, usage.answer_tokens),
            )

    def close(self) -> None:
        """Close the connections."""
        if not self._closed:
            self._closed = True
            self._loop.run(self._server.close())
            self._loop.close()

    def _estimate(self, chats: Sequence[Chat]) -> None:
        """Say what the requests come to at most.

        Raises:
            GenrecError: with what was spent, more than the budget; or there are no prices to compare it with.
        """
        options, teacher = self.teacher.options, self.teacher
        prompt = sum(len(message.text) // CHARACTERS + 8 for chat in chats for message in chat)
        answer = options.max_tokens * len(chats)
        cost = teacher.cost(prompt, answer)
        self.context.log(
            "teacher-estimate",
            requests=len(chats),
            expected={"prompt_tokens": prompt, "answer_tokens": answer},
            cost=cost,
        )
        if options.budget is None:
            return
        spent = teacher.cost(self.spent.prompt_tokens, self.spent.answer_tokens) or 0.0
        if cost is None or spent + cost > options.budget:
            what = "have no price" if cost is None else f"could cost {cost:.2f}"
            after = f", {spent:.2f} were spent" if spent else ""
            raise GenrecError(
                f"{len(chats):,} requests to `{options.model}` {what}{after}, "
                f"`budget` is `{options.budget:g}`",
                hint="write `input_price` and `output_price`, raise the budget, or ask about fewer items",
            )
