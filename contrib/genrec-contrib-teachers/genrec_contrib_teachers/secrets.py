"""Secrets: which key may go where, and that it comes back nowhere.

A pipeline file may come from somebody else. It says which variable holds the key and where the server is;
whether that variable may be sent there is the user's own word, in the environment:

    GENREC_KEYS=LAB_KEY,OPENAI_API_KEY      these may be sent to any server that a pipeline names
    (not set)                               a known provider's key goes to that provider's hosts and to this
                                            machine, any other variable nowhere
    GENREC_HTTP_HOSTS=gpu-box               hosts that may be asked over plain http, besides this machine

What a server says back is shown in messages and logs. It may repeat the key, as it is or encoded; every word
that holds it, or a part of it, is cut out (`without_key`).
"""

from __future__ import annotations

import base64
import html
import ipaddress
import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus, urlsplit

from genrec_core import GenrecError

KEYS, HTTP_HOSTS = "GENREC_KEYS", "GENREC_HTTP_HOSTS"

PROVIDERS: Mapping[str, tuple[str, ...]] = {
    "ANTHROPIC_API_KEY": ("api.anthropic.com",),
    "AZURE_OPENAI_API_KEY": ("openai.azure.com",),
    "CEREBRAS_API_KEY": ("api.cerebras.ai",),
    "DEEPINFRA_API_KEY": ("api.deepinfra.com",),
    "DEEPSEEK_API_KEY": ("api.deepseek.com",),
    "FIREWORKS_API_KEY": ("api.fireworks.ai",),
    "GEMINI_API_KEY": ("generativelanguage.googleapis.com",),
    "GROQ_API_KEY": ("api.groq.com",),
    "HF_TOKEN": ("router.huggingface.co", "endpoints.huggingface.cloud"),
    "MISTRAL_API_KEY": ("api.mistral.ai",),
    "NVIDIA_API_KEY": ("integrate.api.nvidia.com",),
    "OPENAI_API_KEY": ("api.openai.com",),
    "OPENROUTER_API_KEY": ("openrouter.ai",),
    "TOGETHER_API_KEY": ("api.together.xyz", "api.together.ai"),
    "XAI_API_KEY": ("api.x.ai",),
}
"""Variable → hosts of its provider, with everything below them."""

PART = 8
"""So many characters of a long key in a row give it away."""

LONG = 16

_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_BEGINS = re.compile(
    r"(sk|gsk|pk|rk|hf|xai|pplx|nvapi|ghp|gho|glpat|r8|fw|tgp|csk|key|AIza|AKIA)[-_A-Z0-9]", re.ASCII
)
_FIELD = re.compile(
    r"(^|[_-])(api[_-]?key|key|secret|password|passwd|authorization|bearer|credentials?"
    r"|(access|auth|api)[_-]?token)$",
    re.IGNORECASE,
)


def names_a_variable(name: str) -> bool:
    """Whether a text is the usual name of an environment variable and not a key that was put in its place.

    Names are in capitals, and none of their words is long and made of letters and digits.
    """
    long = [word for word in name.split("_") if len(word) >= 12 and not word.isalpha()]
    return bool(_NAME.fullmatch(name)) and not long


def address_problem(url: str) -> str:
    """What is wrong with a server's address, without repeating it; empty when nothing is."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is not an address"
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return "is not an http address"
    if not url.isascii() or not url.isprintable() or " " in url:
        return "holds characters that an address cannot have"
    if "@" in parts.netloc:
        return "holds a user or a password"
    if parts.query or parts.fragment or "?" in url or "#" in url:
        return "has something behind a `?` or `#`, where keys are written"
    if any(len(word) >= LONG and _BEGINS.match(word) for word in parts.path.split("/")):
        return "holds what looks like a key"
    return ""


def secret_field(value: Any, path: str = "") -> str:
    """The dotted name of a field that is called like a key or a password; empty where there is none."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            here = f"{path}.{name}".removeprefix(".")
            if _FIELD.search(str(name)):
                return here
            found = secret_field(inner, here)
            if found:
                return found
    elif isinstance(value, (list, tuple)):
        return next((found for inner in value if (found := secret_field(inner, path))), "")
    return ""


def is_this_machine(host: str) -> bool:
    """Whether a host is the loopback interface."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_plain_http(url: str) -> None:
    """Refuse an address whose traffic others can read, unless the user allows its host.

    Raises:
        GenrecError: it is plain http to another machine.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https" or is_this_machine(host) or host in _listed(HTTP_HOSTS):
        return
    raise GenrecError(
        f"`{url}` is plain http to another machine: others can read what is sent, the key as well",
        hint=f"use https, or allow this host: export {HTTP_HOSTS}={host}",
    )


def key_from(name: str, url: str) -> str:
    """The key in a variable that may be sent to a server; "" without a name.

    Raises:
        GenrecError: the variable may not be sent there, or holds no key.
    """
    if not name:
        return ""
    # A name that is no variable may be a key after all: it is not repeated.
    called = (
        f"the environment variable `{name}`" if name in os.environ else "the variable that `key_env` names"
    )
    host = urlsplit(url).hostname or ""
    allowed = _listed(KEYS)
    home = any(host == own or host.endswith(f".{own}") for own in PROVIDERS.get(name, ()))
    if name not in allowed and not (not allowed and name in PROVIDERS and (home or is_this_machine(host))):
        raise GenrecError(
            f"{called} may not be sent to `{host}`",
            hint=f"if it should be: export {KEYS}=… with its name, and those of others separated by commas",
        )
    key = os.environ.get(name, "").strip()
    if not key:
        raise GenrecError(f"the environment variable `{name}` holds no key", hint=f"set it: export {name}=…")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise GenrecError(
            f"the environment variable `{name}` holds no key", hint="a key is one printable word"
        )
    return key


def _listed(variable: str) -> set[str]:
    return {name.strip() for name in os.environ.get(variable, "").split(",") if name.strip()}


def without_key(said: str, key: str) -> str:
    """A server's words in one printable line, each word that holds the key, however written, cut out."""
    plain = " ".join("".join(sign if sign.isprintable() else " " for sign in said).split())
    if not key:
        return plain
    words = ["…" if holds_key(word, key) else word for word in plain.split(" ")]
    if holds_key("".join(words), key):
        return "…"
    return " ".join(words)


def holds_key(text: str, key: str) -> bool:
    """Whether a text holds a key, however it is written.

    Plain, reversed, in hexadecimal, base 64 or 32, or escaped for a web address, HTML, JSON or mail, in any
    case of letters. Of a long key, a few characters in a row are enough.
    """
    needles = {needle.lower() for needle in _written(key)}
    if len(key) >= LONG:
        needles |= {key[start : start + PART].lower() for start in range(len(key) - PART + 1)}
    return any(needle in shown for shown in _unescaped(text) for needle in needles)


def _written(key: str) -> set[str]:
    """A key in every encoding that leaves letters and digits."""
    data = key.encode()
    found = {key, key[::-1], data.hex(), data[::-1].hex()}
    # Inside a longer text (`Bearer …`), a key begins at any place of a group of bytes.
    for encode, bits, group in (
        (base64.b64encode, 6, 3),
        (base64.urlsafe_b64encode, 6, 3),
        (base64.b32encode, 5, 5),
    ):
        for before in range(group):
            whole = encode(bytes(before) + data).decode()
            found.add(whole[-(-before * 8 // bits) : (before + len(data)) * 8 // bits])
    return {one for one in found if one}


def _unescaped(text: str) -> set[str]:
    """A text as it is and with its escapes undone, several times over, in small letters."""
    found, fresh = set[str](), {text}
    for _ in range(4):
        found |= fresh
        undone = {undo(one) for one in fresh for undo in (unquote_plus, html.unescape, _plain_escapes)}
        fresh = undone - found
    return {one.lower() for one in found | fresh}


def _plain_escapes(text: str) -> str:
    r"""Undo `\u0041`, `\x41` and `=41`."""
    return re.sub(r"(?:\\u00|\\x|=)([0-9a-fA-F]{2})", lambda found: chr(int(found[1], 16)), text)
