"""A server that fails, stalls, rate-limits and talks nonsense: nothing is lost, nothing is asked twice."""

from __future__ import annotations

import asyncio
import email.utils
import socket
import ssl
import subprocess
import sys
import time

import orjson
import pytest
from genrec_contrib_teachers.chat_server import ChatServer, RequestFailure
from genrec_contrib_teachers.openai_server import OpenAIServer
from genrec_contrib_teachers.rounds import Patience, Tally, send_all
from genrec_contrib_teachers.stub_server import StubServer, Trouble
from pydantic import ValidationError

from genrec_core import Answer, Context, ContractError, GenrecError, Message, StageError
from genrec_core.pipeline.run_log import Meter
from genrec_core.store.answers import AnswerStore
from genrec_core.testing.checks.teacher import CHECKS
from genrec_core.testing.contracts import TeacherContract
from genrec_core.testing.runner import check_component

WORDS = [f"question {number}" for number in range(20)]
CHATS = [(Message("user", word),) for word in WORDS]


def texts_of(teacher, chats, context):
    """What a teacher that is opened for this answers."""
    return [answer.text for answer in teacher.ask(chats, 0, context)]


def kept(folder, teacher, chats, context):
    """What a teacher answers whose answers are kept in a folder."""
    with AnswerStore(folder) as answers:
        return [answer.text for answer in answers.ask(teacher, chats, 0, context)]


class TestOpenAIServer(TeacherContract):
    component = OpenAIServer
    options = {"model": "m"}


def shouted(texts, tried):
    return texts[-1].upper()


def teacher(server, **options):
    chosen = {"model": "m", "base_url": server.url, "pause": 0.001, "timeout": 5.0} | options
    return OpenAIServer(**chosen)


def test_it_keeps_the_promises_of_teachers_when_a_server_answers():
    wanted = {check.__name__ for check in CHECKS} - {"says_what_was_cut_off"}  # this server knows no limit
    with StubServer(shouted) as server:
        options = {"model": "m", "base_url": server.url}
        results = check_component("teacher", OpenAIServer, options, only=wanted, may_ask=True)
    assert [result for result in results if result.outcome == "failed"] == []
    assert sum(result.outcome == "passed" for result in results) >= len(wanted) - 2


def logged():
    lines = {}
    return lines, Context(log=lambda event, **values: lines.setdefault(event, values))


def test_answers_come_in_order_and_several_at_a_time():
    with StubServer(lambda texts, tried: (time.sleep(0.02), texts[-1].upper())[1]) as server:
        assert texts_of(teacher(server, concurrency=4), CHATS, Context()) == [word.upper() for word in WORDS]
    assert 1 < server.most <= 4


def test_a_request_says_what_the_options_say():
    options = {
        "max_tokens": 9,
        "limit_as": "max_completion_tokens",
        "stop": ["]"],
        "top_p": 0.5,
        "extra": {"chat_template_kwargs": {"enable_thinking": False}},
    }
    chat = (Message("system", "Be brief."), Message("user", "Hello"))
    with StubServer(shouted) as server:
        texts_of(teacher(server, **options), [chat], Context())
    assert server.requests == [
        {
            "model": "m",
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}],
            "max_completion_tokens": 9,
            "temperature": 0.0,
            "top_p": 0.5,
            "stop": ["]"],
            "chat_template_kwargs": {"enable_thinking": False},
        }
    ]


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble(status=500),
        Trouble(status=503, body=b'{"error": "overloaded"}'),
        Trouble(status=408),
        Trouble(body=b"<html>gateway</html>"),
        Trouble(body=b'{"choices": []}'),
        Trouble(body=b'{"choices": [{"message": {"content": 7}}]}'),
        Trouble(body=b"[]"),
        Trouble(drop=True),
        Trouble(stall=30.0),
        Trouble(status=429),
    ],
    ids=str,
)
def test_what_may_pass_is_tried_again(trouble):
    lines, context = logged()
    with StubServer(lambda texts, tried: trouble if tried < 2 else "fine") as server:
        answers = texts_of(teacher(server, timeout=0.2), CHATS[:2], context)
    assert answers == ["fine", "fine"]
    assert set(server.asked.values()) == {3}
    assert lines["teacher-requests"]["retried"] == 4
    assert lines["teacher-requests"]["rate_limited"] == (4 if trouble.status == 429 else 0)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_what_cannot_pass_is_not_tried_again(status):
    with (
        StubServer(lambda texts, tried: Trouble(status=status, body=b"no such model")) as server,
        pytest.raises(StageError, match=f"status {status}: no such model"),
    ):
        texts_of(teacher(server, concurrency=1), CHATS, Context())
    assert server.asked.total() == 1


def test_a_redirect_is_refused_because_the_key_would_travel_with_it():
    away = Trouble(status=302, headers={"Location": "http://elsewhere.example/v1"})
    with (
        StubServer(lambda texts, tried: away) as server,
        pytest.raises(StageError, match=r"redirects to http://elsewhere\.example/v1: write that address"),
    ):
        texts_of(teacher(server), CHATS[:1], Context())
    assert server.asked.total() == 1


@pytest.mark.parametrize(
    "header",
    ["0.4", lambda: email.utils.format_datetime(email.utils.localtime(), usegmt=False), "soon"],
    ids=["seconds", "a date that is now", "nonsense"],
)
def test_retry_after_may_be_seconds_a_date_or_nonsense(header):
    said = header if isinstance(header, str) else header()
    limit = Trouble(status=429, headers={"Retry-After": said})
    with StubServer(lambda texts, tried: "fine" if tried else limit) as server:
        begun = time.monotonic()
        assert texts_of(teacher(server), CHATS[:1], Context()) == ["fine"]
        took = time.monotonic() - begun
    assert server.asked.total() == 2
    assert said != "0.4" or took >= 0.4


def test_one_rate_limit_holds_every_worker():
    """Request 0 is refused; request 1 is under way then; no other may begin before the pause is over."""
    tally, begun, found = Tally(), {}, {}

    async def send(number):
        begun.setdefault(number, []).append(time.monotonic())
        if number == 0 and len(begun[0]) == 1:
            raise RequestFailure("too many", again=True, wait=0.4, limited=True)
        while number == 1 and not tally.limited:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        return Answer("fine")

    patience = Patience(retries=1, pause=0.0, longest=1.0)
    asyncio.run(send_all(6, send, found.__setitem__, workers=2, patience=patience, tally=tally))
    assert sorted(found) == [0, 1, 2, 3, 4, 5]
    later = [moment for number in (0, 2, 3, 4, 5) for moment in begun[number] if moment != begun[0][0]]
    assert min(later) >= begun[0][0] + 0.4


def test_a_server_that_asks_for_too_long_a_pause_is_given_up():
    limit = Trouble(status=429, body=b"quota spent", headers={"Retry-After": "86400"})
    with StubServer(lambda texts, tried: limit) as server, pytest.raises(StageError, match="quota spent"):
        texts_of(teacher(server), CHATS[:1], Context())
    assert server.asked.total() == 1


def test_tries_are_limited():
    with StubServer(lambda texts, tried: Trouble(status=500)) as server, pytest.raises(StageError):
        texts_of(teacher(server, retries=3), CHATS[:1], Context())
    assert server.asked.total() == 4


def test_an_answer_that_does_not_arrive_whole_in_time_has_stalled():
    dribbled = Trouble(body=b"x" * 10, headers={"Content-Length": "1000"})
    with StubServer(lambda texts, tried: "fine" if tried else dribbled) as server:
        assert texts_of(teacher(server, timeout=0.3), CHATS[:1], Context()) == ["fine"]
    assert server.asked.total() == 2


def test_nothing_answered_is_lost_or_asked_again_when_one_request_fails_for_good(tmp_path):
    def refusing(texts, tried):
        return Trouble(status=400) if texts[-1] == WORDS[11] else shouted(texts, tried)

    with StubServer(refusing) as server, pytest.raises(StageError, match="what was answered is kept"):
        kept(tmp_path, teacher(server, concurrency=4), CHATS, Context())
    with StubServer(shouted) as mended:
        answers = kept(tmp_path, teacher(mended, concurrency=4), CHATS, Context())
    assert answers == [word.upper() for word in WORDS]
    assert len(server.answered) >= 8, "0 to 10 came before, and at most three of them were under way"
    assert not set(server.answered) & set(mended.asked), "asked twice, although the first server had answered"


def test_a_killed_process_asks_only_for_what_was_not_answered(tmp_path):
    """Killed hard while requests are under way: these alone are asked again."""
    script = (
        "import sys; from pathlib import Path\n"
        "from genrec_core import Context, Message\n"
        "from genrec_contrib_teachers.openai_server import OpenAIServer\n"
        "from genrec_core.store.answers import AnswerStore\n"
        "chats = [(Message('user', f'question {n}'),) for n in range(20)]\n"
        "teacher = OpenAIServer(model='m', base_url=sys.argv[1], concurrency=3)\n"
        "AnswerStore(Path(sys.argv[2])).ask(teacher, chats, 0, Context())\n"
    )
    held = {WORDS[7], WORDS[8], WORDS[9]}

    def holding(texts, tried):
        return Trouble(stall=60.0) if texts[-1] in held else shouted(texts, tried)

    with StubServer(holding) as server:
        process = subprocess.Popen([sys.executable, "-c", script, server.url, str(tmp_path)])
        while process.poll() is None and not (
            sum(server.asked[(word,)] for word in held) == 3 and len(list(tmp_path.glob("*/*.json"))) == 7
        ):
            time.sleep(0.01)
        process.kill()
        process.wait()
    with StubServer(shouted) as mended:
        answers = kept(tmp_path, teacher(mended), CHATS, Context())
    assert answers == [word.upper() for word in WORDS]
    assert set(mended.asked) == {(word,) for word in WORDS[7:]}
    assert set(mended.asked.values()) == {1}


def test_the_estimate_is_logged_before_the_first_request_and_the_usage_after_the_last():
    order = []
    context = Context(log=lambda event, **values: order.append((event, values)))

    def answer(texts, tried):
        order.append(("request", {}))
        return "one two"

    with StubServer(answer) as server:
        texts_of(teacher(server, input_price=1.0, output_price=2.0, max_tokens=50), CHATS[:3], context)
    events = dict(order)
    assert [event for event, _ in order] == [
        "teacher-estimate", *["request"] * 3, "teacher-requests", "teacher-usage",
    ]  # fmt: skip
    assert events["teacher-estimate"]["requests"] == 3
    assert events["teacher-estimate"]["expected"]["answer_tokens"] == 150
    assert events["teacher-requests"] == {
        "answered": 3, "retried": 0, "rate_limited": 0, "cost": (30 * 1.0 + 6 * 2.0) / 1e6,
    }  # fmt: skip
    assert events["teacher-usage"] == {
        "answered": 3, "unfinished": 0, "uncounted": 0, "prompt_tokens": 30, "answer_tokens": 6,
    }  # fmt: skip


def test_the_cost_table_adds_what_the_server_counted_and_not_the_estimate_as_well():
    meter = Meter()
    context = Context(log=lambda event, **values: meter.count(values))
    with StubServer(lambda texts, tried: "one two") as server:
        texts_of(teacher(server, max_tokens=50), CHATS[:3], context)
    cost = meter.read()
    assert (cost["prompt_tokens"], cost["answer_tokens"]) == (30, 6)


@pytest.mark.parametrize("prices", [{}, {"input_price": 1000.0, "output_price": 1000.0}])
def test_a_budget_stops_requests_that_could_cost_more(prices):
    with StubServer(shouted) as server, pytest.raises(GenrecError, match=r"`budget` is `0\.001`"):
        texts_of(teacher(server, budget=0.001, **prices), CHATS, Context())
    assert not server.requests


def test_the_key_comes_from_the_environment_and_is_in_no_message_or_log(monkeypatch, tmp_path):
    monkeypatch.setenv("MY_KEY", "secret-1234")
    monkeypatch.setenv("GENREC_KEYS", "MY_KEY")
    lines, context = logged()
    refused = Trouble(status=401, body=b"bad key: secret-1234")
    with StubServer(lambda texts, tried: refused) as server:
        asked = teacher(server, key_env="MY_KEY")
        with pytest.raises(StageError, match="bad key: …") as caught:
            kept(tmp_path, asked, CHATS[:1], context)
    assert server.headers[0]["Authorization"] == "Bearer secret-1234"
    everything = f"{caught.value}{lines}{asked.described()}{asked.identity()}"
    assert "secret-1234" not in everything


@pytest.mark.parametrize("value", [None, "", "  ", "two\nlines", "two words"])
def test_a_variable_without_a_key_is_an_error_before_anything_is_asked(monkeypatch, value):
    monkeypatch.setenv("GENREC_KEYS", "MY_KEY")
    monkeypatch.delenv("MY_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("MY_KEY", value)
    with StubServer(shouted) as server, pytest.raises(GenrecError, match="variable `MY_KEY` holds no key"):
        texts_of(teacher(server, key_env="MY_KEY"), CHATS[:1], Context())
    assert not server.requests


def test_where_the_server_is_does_not_change_what_was_answered(tmp_path):
    with StubServer(shouted) as first:
        kept(tmp_path, teacher(first), CHATS[:2], Context())
    with StubServer(shouted) as second:
        kept(tmp_path, teacher(second, concurrency=1, timeout=9.0), CHATS[:2], Context())
        kept(tmp_path, teacher(second, temperature=0.5), CHATS[:2], Context())
    assert second.asked.total() == 2, "another temperature is another question, another address is not"


@pytest.mark.parametrize(
    ("reason", "finished"),
    [("stop", True), (None, True), ("length", False), ("max_tokens", False), ("content_filter", False)],
)
def test_an_answer_that_a_limit_ended_is_not_a_finished_one(reason, finished):
    choice = {"message": {"content": None}, "finish_reason": reason}
    body = orjson.dumps({"choices": [choice], "usage": {"prompt_tokens": -1, "completion_tokens": "7"}})
    lines, context = logged()
    with StubServer(lambda texts, tried: Trouble(body=body)) as server:
        (answer,) = teacher(server).ask(CHATS[:1], 0, context)
    assert answer == Answer("", finished), "counts that can be none are None"
    assert (lines["teacher-usage"]["unfinished"], lines["teacher-usage"]["uncounted"]) == (1 - finished, 1)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "endless",
    [
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a"),
        (b"HTTP/1.1 200 OK\r\n", b"X-More: a\r\n"),
        (b"HTTP/1.1 100 Continue\r\n\r\n",),
        (CHUNKED, b"0"),
        (CHUNKED, b"1\r\na\r\n"),
        (CHUNKED + b"1;", b"x"),
        (b"H",),
    ],
    ids=[
        "a header",
        "headers",
        "100 Continue",
        "a chunk's size",
        "chunks",
        "a chunk's extension",
        "status line",
    ],
)
def test_the_time_limit_holds_for_the_whole_exchange(endless):
    """Bytes keep coming, so no limit between two of them ever strikes."""
    with StubServer(lambda texts, tried: "fine" if tried else Trouble(endless=endless)) as server:
        assert texts_of(teacher(server, timeout=0.5), CHATS[:1], Context()) == ["fine"]
    assert server.asked.total() == 2


def test_a_refusal_whose_text_never_ends_is_still_a_refusal():
    refused = (b"HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n")
    with (
        StubServer(lambda texts, tried: Trouble(endless=refused)) as server,
        pytest.raises(StageError, match="status 401: Unauthorized"),
    ):
        texts_of(teacher(server, timeout=1.0), CHATS[:1], Context())
    assert server.asked.total() == 1


def chained(cause):
    """An error as the client hands it on."""
    import httpx2

    try:
        try:
            raise cause
        except Exception as inner:
            raise httpx2.ConnectError("no connection") from inner
    except httpx2.ConnectError as error:
        return error


CERTIFICATE = ssl.SSLCertVerificationError(1, "certificate verify failed")
UNKNOWN = "the name `host.example` is not known"
CERTIFICATE.verify_message = "self-signed certificate"


@pytest.mark.parametrize(
    ("cause", "reached", "again", "said"),
    [
        (CERTIFICATE, True, False, "the certificate of `host.example` is not trusted: self-signed"),
        (
            socket.gaierror(socket.EAI_NONAME, "not known"),
            True,
            False,
            UNKNOWN,
        ),
        (
            socket.gaierror(socket.EAI_AGAIN, "try later"),
            False,
            False,
            UNKNOWN,
        ),
        (socket.gaierror(socket.EAI_AGAIN, "try later"), True, True, UNKNOWN),
        (ConnectionRefusedError("refused"), False, True, "ConnectError: no connection"),
        (ConnectionResetError("reset"), True, True, "ConnectError: no connection"),
    ],
    ids=["certificate", "name", "name at first", "name later", "refused", "reset"],
)
def test_what_can_never_succeed_is_not_tried_again(cause, reached, again, said):
    server = ChatServer("https://host.example/v1", "", 1.0)
    server._reached = reached
    failure = server._broken(chained(cause))
    assert failure.again is again
    assert str(failure).startswith(said)


def test_https_at_a_port_that_speaks_http_is_said_at_once():
    with StubServer(shouted) as server:
        address = server.url.replace("http:", "https:")
        with pytest.raises(StageError, match="does not speak TLS at this port: is it http"):
            texts_of(teacher(server, base_url=address), CHATS[:1], Context())


def test_a_name_that_is_not_known_is_said_at_once():
    lines, context = logged()
    unknown = OpenAIServer(model="m", base_url="https://no-such-host.invalid/v1", pause=60.0, timeout=30.0)
    with pytest.raises(StageError, match=r"the name `no-such-host\.invalid` is not known"):
        texts_of(unknown, CHATS[:1], context)
    assert lines["teacher-requests"]["retried"] == 0


def test_a_compressed_answer_is_refused_before_it_is_unpacked():
    packed = Trouble(body=b"x", headers={"Content-Encoding": "gzip"})
    with (
        StubServer(lambda texts, tried: packed) as server,
        pytest.raises(StageError, match="is compressed"),
    ):
        texts_of(teacher(server), CHATS[:1], Context())
    assert server.asked.total() == 1


def test_one_opening_answers_many_rounds_also_where_a_loop_runs_already():
    """A notebook's main thread has an event loop of its own."""

    async def cell(server):
        with teacher(server).open(Context()) as session:
            return [dict(session.answer(CHATS[start : start + 5])) for start in (0, 5)]

    with StubServer(shouted) as server:
        first, second = asyncio.run(cell(server))
    assert [first[0].text, second[4].text] == ["QUESTION 0", "QUESTION 9"]


def test_whoever_wants_no_more_answers_stops_the_requests():
    with StubServer(lambda texts, tried: Trouble(stall=30.0) if texts[-1] != WORDS[0] else "fine") as server:
        with teacher(server, concurrency=2, timeout=30.0).open(Context()) as session:
            answers = session.answer(CHATS)
            assert next(answers) == (0, Answer("fine", prompt_tokens=10, answer_tokens=1))
            answers.close()
        with pytest.raises(ContractError, match="was closed"):
            next(session.answer(CHATS))


def test_the_budget_counts_what_was_spent_in_earlier_rounds():
    """A round of 3 could cost 3 x 64 answer tokens = 0.192, and costs 3 x 1 = 0.003."""
    prices = {"input_price": 0.0, "output_price": 1000.0, "budget": 0.194}
    with (
        StubServer(lambda texts, tried: "fine") as server,
        teacher(server, **prices).open(Context()) as session,
    ):
        assert len(list(session.answer(CHATS[:3]))) == 3
        with pytest.raises(GenrecError, match=r"could cost 0\.19, 0\.00 were spent, `budget` is `0\.194`"):
            list(session.answer(CHATS[3:6]))
    assert server.asked.total() == 3


@pytest.mark.parametrize(
    "option", ["input_price", "output_price", "budget", "pause", "longest_pause", "timeout"]
)
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_a_price_or_a_time_that_is_none_is_refused(option, value):
    """With a negative price every budget would do, and nothing is larger than a number that is none."""
    with pytest.raises(ValidationError, match=option):
        OpenAIServer(model="m", **{option: value})


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({}, None),
        ({"temperature": 0.7}, "seed"),
        ({"temperature": None}, "seed"),
        ({"temperature": 0.7, "seed_as": "random_seed"}, "random_seed"),
        ({"temperature": 0.7, "seed_as": ""}, None),
    ],
)
def test_a_sampling_teacher_sends_a_seed_that_depends_on_the_draw(options, sent, tmp_path):
    with StubServer(shouted) as server:
        asked = teacher(server, **options)
        with AnswerStore(tmp_path) as answers:
            for draw in (0, 1, 1):
                answers.ask(asked, CHATS[:1], draw, Context(seed=5))
    seeds = [body.get(sent) for body in server.requests]
    assert len(seeds) == 2, "the second draw 1 was on disk"
    assert asked.is_seeded() is (sent is not None)
    assert (seeds[0] != seeds[1]) if sent else seeds == [None, None]
    assert sent is None or seeds[0] == 5
