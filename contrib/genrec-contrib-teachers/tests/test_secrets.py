"""Keys: named, never written; sent only where the user lets them; cut out of what comes back."""

from __future__ import annotations

import base64
import html
import json
import urllib.parse

import orjson
import pytest
from genrec_contrib_teachers.openai_server import OpenAIServer
from genrec_contrib_teachers.secrets import holds_key, key_from, refuse_plain_http, without_key
from genrec_contrib_teachers.stub_server import StubServer, Trouble
from pydantic import ValidationError

from genrec_core import Context, GenrecError, Message, StageError
from genrec_core.cli import main
from genrec_core.registry.discovery import load_plugins

CHATS = [(Message("user", "Hello"),)]
KEY = "sk-proj-Ab3dEf6hIj9kLm2nOp5q"
OPENAI, ELSEWHERE, HERE = "https://api.openai.com/v1", "https://elsewhere.example/v1", "http://localhost:1/v1"


@pytest.fixture(autouse=True)
def nothing_allowed(monkeypatch):
    for name in ("GENREC_KEYS", "GENREC_HTTP_HOSTS"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("option", "value", "problem"),
    [
        ("key_env", "sk-secret-1234", "is not the name of an environment variable"),
        ("key_env", "gsk_Secret1234abcd", "is not the name of an environment variable"),
        ("key_env", "hf_secretsecretsecret", "is not the name of an environment variable"),
        ("key_env", "AKIASECRET1234EXAMPL", "is not the name of an environment variable"),
        ("key_env", "$SECRET", "is not the name of an environment variable"),
        ("base_url", "https://me:secret@host/v1", "holds a user or a password"),
        ("base_url", "https://secret@host/v1", "holds a user or a password"),
        ("base_url", "https://host/v1?api_key=secret", "has something behind a `?` or `#`"),
        ("base_url", "https://host/v1#secret", "has something behind a `?` or `#`"),
        ("base_url", "https://host/v1/sk-secret1234567890", "holds what looks like a key"),
        ("base_url", "https://host:99999/secret", "is not an address"),
        ("base_url", "ftp://host/secret", "is not an http address"),
        ("base_url", "https:///secret", "is not an http address"),
        ("base_url", "https://host/sec ret", "holds characters that an address cannot have"),
        ("extra", {"api_key": "secret"}, "has the field `api_key`"),
        ("extra", {"auth": [{"password": "secret"}]}, "has the field `auth.password`"),
        ("extra", {"headers": {"Authorization": "secret"}}, "has the field `headers.Authorization`"),
    ],
)
def test_a_secret_in_the_pipeline_file_is_refused_and_not_repeated(option, value, problem):
    registry, _ = load_plugins()
    with pytest.raises(GenrecError) as caught:
        registry.build("teacher", {"use": "teachers/openai", "model": "m", option: value})
    assert f"`{option}` {problem}" in str(caught.value)
    assert "secret" not in str(caught.value).lower()
    with pytest.raises(ValidationError) as refused:
        OpenAIServer(model="m", **{option: value})
    assert f"`{option}` {problem}" in str(refused.value)
    assert "secret" not in str(refused.value).lower()


@pytest.mark.parametrize(
    "options",
    [
        {"key_env": "OPENAI_API_KEY"},
        {"key_env": "KEY2"},
        {"base_url": "https://gateway.example/v1/0123456789abcdef0123456789abcdef/lab/openai"},
        {"base_url": "http://[::1]:8000/v1"},
        {"extra": {"max_completion_tokens": 5, "stop_token_ids": [1], "logit_bias": {"key": 1}["key"]}},
    ],
)
def test_what_is_no_secret_is_not_refused(options):
    options["extra"] = {**options.get("extra", {}), "min_tokens": 1, "reasoning": {"effort": "low"}}
    assert OpenAIServer(model="m", **options).options.model == "m"


@pytest.mark.parametrize(
    ("name", "url", "listed", "allowed"),
    [
        ("OPENAI_API_KEY", OPENAI, None, True),
        ("OPENAI_API_KEY", HERE, None, True),
        ("OPENAI_API_KEY", ELSEWHERE, None, False),
        ("OPENAI_API_KEY", "https://api.openai.com.elsewhere.example/v1", None, False),
        ("OPENAI_API_KEY", ELSEWHERE, "OPENAI_API_KEY", True),
        ("OPENAI_API_KEY", OPENAI, "LAB_KEY", False),
        ("LAB_KEY", ELSEWHERE, "OPENAI_API_KEY, LAB_KEY", True),
        ("LAB_KEY", HERE, None, False),
        ("AWS_SECRET_ACCESS_KEY", HERE, None, False),
        ("AZURE_OPENAI_API_KEY", "https://lab.openai.azure.com/v1", None, True),
    ],
)
def test_the_user_decides_which_variable_goes_where(monkeypatch, name, url, listed, allowed):
    monkeypatch.setenv(name, KEY)
    if listed is not None:
        monkeypatch.setenv("GENREC_KEYS", listed)
    if allowed:
        assert key_from(name, url) == KEY
        return
    with pytest.raises(GenrecError, match=rf"environment variable `{name}` may not be sent to `") as caught:
        key_from(name, url)
    assert "export GENREC_KEYS=" in caught.value.hint
    assert KEY not in str(caught.value)


def test_a_name_that_is_no_variable_is_not_repeated(monkeypatch):
    monkeypatch.delenv("SECRETSECRET", raising=False)
    with pytest.raises(GenrecError, match="the variable that `key_env` names may not be sent") as caught:
        key_from("SECRETSECRET", HERE)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "listed", "allowed"),
    [
        ("http://localhost:8000/v1", "", True),
        ("http://127.0.0.1/v1", "", True),
        ("http://127.8.9.1/v1", "", True),
        ("http://[::1]/v1", "", True),
        ("http://gpu-box:8000/v1", "", False),
        ("http://10.0.0.7/v1", "", False),
        ("http://localhost.example.com/v1", "", False),
        ("http://127.0.0.1.example.com/v1", "", False),
        ("http://gpu-box:8000/v1", "other, gpu-box", True),
        ("https://gpu-box/v1", "", True),
    ],
)
def test_plain_http_goes_to_this_machine_and_to_hosts_allowed_by_name(monkeypatch, url, listed, allowed):
    monkeypatch.setenv("GENREC_HTTP_HOSTS", listed)
    if allowed:
        refuse_plain_http(url)
        return
    with pytest.raises(GenrecError, match="is plain http to another machine") as caught:
        OpenAIServer(model="m", base_url=url).open(Context())
    assert "export GENREC_HTTP_HOSTS=" in caught.value.hint


def escaped(pattern):
    return lambda key: "".join(pattern.format(ord(sign)) for sign in key)


ENCODINGS = {
    "plain": str,
    "in a sentence": lambda key: f"key={key}, sorry",
    "in small letters": str.lower,
    "reversed": lambda key: key[::-1],
    "masked": lambda key: f"{key[:12]}********",
    "the end": lambda key: f"*****{key[-10:]}",
    "for an address": lambda key: urllib.parse.quote(key, safe="").replace("-", "%2D"),
    "for an address, twice": lambda key: escaped("%25{:02x}")(key),
    "every byte for an address": escaped("%{:02X}"),
    "html, decimal": escaped("&#{};"),
    "html, hexadecimal": escaped("&#x{:x};"),
    "html of html": lambda key: html.escape(escaped("&#{};")(key)),
    "json": escaped("\\u{:04x}"),
    "json, a string": json.dumps,
    "python": escaped("\\x{:02x}"),
    "mail": escaped("={:02X}"),
    "hexadecimal": lambda key: key.encode().hex(),
    "base 64": lambda key: base64.b64encode(key.encode()).decode(),
    "base 64 of the header": lambda key: base64.b64encode(f"Bearer {key}".encode()).decode(),
    "base 64 of a user and it": lambda key: base64.b64encode(f"me:{key}".encode()).decode(),
    "base 64 for addresses": lambda key: base64.urlsafe_b64encode(f'{{"key":"{key}"}}'.encode()).decode(),
    "base 32": lambda key: base64.b32encode(f"k={key}".encode()).decode(),
    "with blanks": " ".join,
    "on two lines": lambda key: f"{key[:14]}\n{key[14:]}",
}


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
def test_a_key_that_comes_back_is_cut_out_in_every_encoding(encode, monkeypatch):
    monkeypatch.setenv("GROQ_API_KEY", KEY)
    said = f"The call failed: {encode(KEY)}"
    assert "…" in without_key(said, KEY)
    assert not holds_key(without_key(said, KEY), KEY)
    lines = []
    context = Context(log=lambda event, **values: lines.append((event, values)))
    with StubServer(lambda texts, tried: Trouble(status=401, body=said.encode())) as server:
        teacher = OpenAIServer(model="m", base_url=server.url, key_env="GROQ_API_KEY")
        with pytest.raises(StageError, match="status 401") as caught:
            teacher.ask(CHATS, 0, context)
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert not holds_key(f"{caught.value}{lines}{teacher.described()}", KEY)
    assert caught.value.__suppress_context__, "the client's own errors may quote the server"


@pytest.mark.parametrize("key", [KEY, "secret-1234", ""])
def test_what_holds_no_key_is_left_as_it_is(key):
    said = "model `llama` not found; known: qwen-4b, 50 % off & more (status=404)"
    assert without_key(said, key) == said


def test_what_a_server_says_is_one_printable_line():
    assert without_key("red\x1b[31m\r\nfake row\x00", "") == "red [31m fake row"


def test_an_answer_that_repeats_the_key_is_not_kept(monkeypatch):
    monkeypatch.setenv("GROQ_API_KEY", KEY)
    body = orjson.dumps({"choices": [{"message": {"content": f"Your key is {KEY}"}}]})
    with StubServer(lambda texts, tried: Trouble(body=body)) as server:
        teacher = OpenAIServer(model="m", base_url=server.url, key_env="GROQ_API_KEY")
        with pytest.raises(StageError, match="the model's answer holds the key"):
            teacher.ask(CHATS, 0, Context())
    assert server.asked.total() == 1


TEACHER = "{use: teachers/openai, model: m, base_url: BASE, key_env: GROQ_API_KEY}"
HIDDEN = "4eC39HqLyjWDarjtT1zdp7dc"
GIVEN = {
    "a key for the name of a variable": f"tokenizer.teacher.key_env=gsk_{HIDDEN}",
    "a key in a list": f"tokenizer.teacher.key_env=[gsk_{HIDDEN}]",
    "an option that there is not": f"tokenizer.teacher.api_key={HIDDEN}",
    "an address with a key": f"tokenizer.teacher.base_url=https://h/v1?api_key={HIDDEN}",
    "an address with a password": f"tokenizer.teacher.base_url=https://me:{HIDDEN}@h/v1",
    "a block with a password": TEACHER.replace("BASE", f"https://me:{HIDDEN}@h/v1"),
    "a body with a key": f"tokenizer.teacher.extra={{api_key: {HIDDEN}}}",
}


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("place", ["file", "--set"])
def test_no_command_repeats_a_key_or_writes_it_into_a_file(tmp_path, monkeypatch, capsys, given, place):
    pytest.importorskip("genrec_plugin_grlm")
    value = GIVEN[given] if GIVEN[given].startswith("tokenizer") else f"tokenizer.teacher={GIVEN[given]}"
    monkeypatch.chdir(tmp_path)
    teacher = TEACHER.replace("BASE", "https://api.groq.com/v1")
    change = []
    if place == "--set":
        change = ["--set", value]
    elif "teacher=" in value:
        teacher = value.partition("=")[2]
    else:
        option, _, written = value.removeprefix("tokenizer.teacher.").partition("=")
        teacher = teacher[:-1].replace(f" {option}: ", " model: ") + f", {option}: '{written}'}}"
        teacher = teacher.replace("'[", "[").replace("]'", "]").replace("'{", "{").replace("}'", "}")
    (tmp_path / "p.yaml").write_text(
        "genrec: 1\nname: keys\ndata: {source: {use: core/synthetic, items: 240, users: 40}}\n"
        f"tokenizer: {{use: grlm/terms, teacher: {teacher}}}\n"
    )
    for command in ("check", "run"):
        with pytest.raises(SystemExit) as ended:
            main([command, "p.yaml", *change])
        shown = capsys.readouterr()
        assert ended.value.code == 2
        assert HIDDEN not in shown.err + shown.out, shown.err
        assert "Error: " in shown.err
    kept = [file for file in tmp_path.rglob("*") if file.is_file() and file.name != "p.yaml"]
    assert [file for file in kept if HIDDEN in file.read_text(errors="ignore")] == []
