"""`core/openai`: a teacher behind any OpenAI-compatible server: vLLM, llama.cpp, Ollama, or a hosted one.

    teacher: {use: core/openai, model: Qwen/Qwen3-4B-Instruct-2507, base_url: "http://localhost:8000/v1"}
    teacher: {use: core/openai, model: some-model, base_url: "https://…/v1", key_env: SOME_API_KEY,
              input_price: 0.15, output_price: 0.6, budget: 5}

Several requests are under way at a time. Each answer is on disk as soon as it is there, so a run that is
killed asks again only for what was under way. Before the first request goes out, the log says how many
there are and what they will cost at most, and a `budget` stops a run that would cost more. The key comes
from the environment variable that `key_env` names; it is in no file, no message and no log.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from genrec_core.builtin.chat_server import ChatServer, Failure
from genrec_core.builtin.many_requests import Patience, Tally, replies
from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import GenrecError, StageError
from genrec_core.contracts.options import operational
from genrec_core.contracts.teacher import Answer, Chat, Teacher, TeacherSession, Usage
from genrec_core.registry.problems import OptionsError, Problem

CHARACTERS = 4
"""Characters of a prompt token in the estimate; English text has about so many."""


class OpenAIServer(Teacher):
    """Asks a model behind an OpenAI-compatible server."""

    seeded: ClassVar[bool] = False

    class Options(Teacher.Options):
        """Which model, how it writes, and how the server is treated."""

        model: str = Field(min_length=1)
        """The model's name, as the server knows it."""

        max_tokens: int = Field(default=64, ge=1)
        """Most tokens of an answer; a model that thinks first needs many more."""

        temperature: float | None = Field(default=0.0, ge=0)
        """0 takes the likeliest token; null leaves it to the server."""

        top_p: float | None = Field(default=None, gt=0, le=1)
        """Sample from the smallest set of tokens with this probability; null leaves it to the server."""

        stop: tuple[str, ...] = ()
        """Texts that end an answer."""

        limit_as: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
        """What the server calls `max_tokens`; some hosted models know only the second name."""

        extra: dict[str, Any] = {}  # noqa: RUF012 - pydantic copies defaults
        """More fields of the request, such as `{chat_template_kwargs: {enable_thinking: false}}`."""

        base_url: str = operational(
            "http://localhost:8000/v1",
            "Where the server is, with the version. Not what answers depend on: those from another address "
            "are taken as they are.",
        )
        key_env: str = operational("", "Environment variable that holds the key; empty sends none.")
        concurrency: int = operational(8, "Requests under way at a time.")
        retries: int = operational(8, "More tries of a request that failed for a reason that may pass.")
        pause: float = operational(1.0, "Seconds before the second try; doubled for every further one.")
        longest_pause: float = operational(
            120.0, "No pause is longer; a server that asks for a longer one is given up."
        )
        timeout: float = operational(120.0, "Seconds for one whole answer.")
        input_price: float | None = operational(None, "Price of a million prompt tokens, for the estimate.")
        output_price: float | None = operational(None, "Price of a million answer tokens.")
        budget: float | None = operational(
            None, "Ask nothing if the requests could cost more; needs both prices."
        )

        @field_validator("key_env", mode="before")
        @classmethod
        def _names_a_variable(cls, name: Any) -> Any:
            if isinstance(name, str) and not re.fullmatch(r"([A-Za-z_][A-Za-z0-9_]*)?", name):
                # Without the value: somebody may have written the key itself.
                message = "`key_env` is not the name of an environment variable"
                raise OptionsError([Problem((), message, "put the key into a variable, and its name here")])
            return name

        @field_validator("base_url", mode="before")
        @classmethod
        def _without_secrets(cls, url: Any) -> Any:
            if isinstance(url, str):
                parts = urlsplit(url)
                if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
                    message = "`base_url` is not an http address without user and password"
                    raise OptionsError([Problem((), message, "write it like http://localhost:8000/v1")])
            return url

        @field_validator("concurrency", "retries", "pause", "longest_pause", "timeout")
        @classmethod
        def _positive(cls, value: float, info: Any) -> float:
            if value < (1 if info.field_name == "concurrency" else 0):
                raise ValueError("must not be negative, and `concurrency` at least 1")
            return value

    options: Options

    def open(self, context: Context) -> TeacherSession:
        """A session that asks this server.

        Raises:
            GenrecError: the key's variable is not set.
        """
        options = self.options
        return _Connection(self, ChatServer(options.base_url, self.key(), options.timeout), context)

    def key(self) -> str:
        """The key, from the environment.

        Raises:
            GenrecError: its variable holds none.
        """
        name = self.options.key_env
        if not name:
            return ""
        key = os.environ.get(name, "").strip()
        if not key or not key.isascii() or not key.isprintable():
            raise GenrecError(
                f"the environment variable `{name}` holds no key", hint=f"set it: export {name}=…"
            )
        return key

    def body(self, chat: Chat) -> dict[str, Any]:
        """The JSON of one request."""
        options = self.options
        body: dict[str, Any] = {
            "model": options.model,
            "messages": [{"role": message.turn, "content": message.text} for message in chat],
            options.limit_as: options.max_tokens,
        }
        chosen = {"temperature": options.temperature, "top_p": options.top_p, "stop": list(options.stop)}
        body |= {name: value for name, value in chosen.items() if value not in (None, [])}
        return body | options.extra

    def estimate(self, chats: Sequence[Chat], context: Context) -> None:
        """Say what the requests come to at most.

        Raises:
            GenrecError: more than the budget, or the budget cannot be compared for want of prices.
        """
        options = self.options
        prompt = sum(len(message.text) // CHARACTERS + 8 for chat in chats for message in chat)
        answer = options.max_tokens * len(chats)
        cost = self.cost(prompt, answer)
        context.log(
            "teacher-estimate",
            requests=len(chats),
            expected={"prompt_tokens": prompt, "answer_tokens": answer},
            cost=cost,
        )
        if options.budget is not None and (cost is None or cost > options.budget):
            what = "have no price" if cost is None else f"could cost {cost:.2f}"
            raise GenrecError(
                f"{len(chats):,} requests to `{options.model}` {what}, `budget` is `{options.budget:g}`",
                hint="write `input_price` and `output_price`, raise the budget, or ask about fewer items",
            )

    def cost(self, prompt: int, answer: int) -> float | None:
        """What so many tokens cost; None without prices."""
        prices = self.options.input_price, self.options.output_price
        if prices[0] is None or prices[1] is None:
            return None
        return (prompt * prices[0] + answer * prices[1]) / 1e6


class _Connection(TeacherSession):
    """Requests to one server."""

    def __init__(self, teacher: OpenAIServer, server: ChatServer, context: Context) -> None:
        self.teacher, self.server, self.context = teacher, server, context

    def answer(self, chats: Sequence[Chat], draw: int = 0) -> Iterator[tuple[int, Answer]]:
        """Answers as they come.

        Raises:
            GenrecError: the requests could cost more than the budget.
            StageError: the server refused a request, or still fails after all tries.
        """
        options = self.teacher.options
        self.teacher.estimate(chats, self.context)
        patience = Patience(options.retries, options.pause, options.longest_pause)
        tally, usage = Tally(), Usage()

        def send(number: int) -> Answer:
            return self.server.complete(self.teacher.body(chats[number]))

        try:
            answered = replies(len(chats), send, workers=options.concurrency, patience=patience, tally=tally)
            for place, answer in answered:
                usage.add(answer)
                yield place, answer
        except Failure as failure:
            raise StageError(
                f"`{options.model}` at {options.base_url}: {failure} (after {usage.answered:,} of "
                f"{len(chats):,} answers)",
                hint="what was answered is kept: mend it and run again",
            ) from failure
        finally:
            self.context.log(
                "teacher-requests",
                answered=usage.answered,
                retried=tally.retried,
                rate_limited=tally.limited,
                cost=self.teacher.cost(usage.prompt_tokens, usage.answer_tokens),
            )
