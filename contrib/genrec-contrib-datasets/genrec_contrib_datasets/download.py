"""One file over the network, into a folder: resumed where it was cut off, checked before it has its name.

    <name>.part            what has come so far
    <name>.part.json       the server's mark of that version (ETag or date), for fetching the rest
    <name>                 the whole file
    digests.json           sha256 of every file that is whole, with its address and the day it came

Only https is spoken, also after a redirect; plain http to this machine alone, for mirrors and tests. A file
counts as whole when it has the length that the server announced and, where its publisher gives one, the
digest; an archive without one must unpack to its last byte.
"""

from __future__ import annotations

import gzip
import hashlib
import ipaddress
import shutil
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2
import orjson

from genrec_contrib_datasets.known import RemoteFile
from genrec_core import DataError

ByteProgress = Callable[[int, int], None]
"""Told bytes so far and bytes in all (0 if the server does not say)."""

ATTEMPTS = 4
BLOCK = 1 << 20
MOST_UNPACKED = 8 << 30
_REDIRECTS = 5
_SILENCE = 60.0
"""Seconds without a byte after which a connection counts as lost."""


@dataclass(frozen=True)
class _Begun:
    """What an earlier try left: bytes that are there, and the server's mark of their version."""

    size: int = 0
    mark: str = ""


class _CutOffError(Exception):
    """The connection ended before the file did."""


def fetch(file: RemoteFile, folder: Path, address: str, progress: ByteProgress | None = None) -> Path:
    """Have `file` in `folder`, from `address` if it is not there already; its path.

    Raises:
        DataError: it cannot be had, is not what its publisher's digest says, or is no sound archive. What has
            come so far stays, and the next call goes on from there, unless it is known to be wrong.
    """
    target = folder / file.name
    if target.is_file() and _recorded(target) == _sha256(target):
        return target
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{file.name}.part"
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _receive(address, part, progress)
            break
        except (_CutOffError, httpx2.TransportError) as error:
            if attempt == ATTEMPTS:
                size = part.stat().st_size if part.exists() else 0
                raise DataError(
                    f"`{file.name}` broke off {ATTEMPTS} times, {size:,} bytes are here: {error}",
                    where=address,
                    hint="the same command goes on from there; `--mirror` asks another server",
                ) from error
            time.sleep(0.2 * 2**attempt)
    _check(file, part, address)
    _record(part, target, address)
    return target


def unpack(archive: Path, members: tuple[str, ...]) -> None:
    """Write the named members of a zip archive beside it, without their folders.

    Raises:
        DataError: a member is missing or claims to be larger than any of these data sets.
    """
    with zipfile.ZipFile(archive) as opened:
        for member in members:
            try:
                size = opened.getinfo(member).file_size
            except KeyError:
                hint = "the archive is another one than was expected"
                raise DataError(f"`{member}` is not in the archive", where=str(archive), hint=hint) from None
            if size > MOST_UNPACKED:
                raise DataError(f"`{member}` would unpack to {size:,} bytes", where=str(archive))
            with opened.open(member) as source, (archive.parent / Path(member).name).open("wb") as target:
                shutil.copyfileobj(source, target, BLOCK)


def _receive(address: str, part: Path, progress: ByteProgress | None) -> None:
    """Append what is missing of `part`."""
    begun = _begun(part)
    headers = {"Range": f"bytes={begun.size}-", "If-Range": begun.mark} if begun.size else {}
    with _answer(address, headers) as answer:
        if answer.status_code == 206 and _start(answer) == begun.size:
            mode, size = "ab", begun.size
        elif answer.status_code in (200, 206):
            mode, size = "wb", 0  # another version by now, or a server that cannot go on
        elif answer.status_code == 416:
            part.unlink(missing_ok=True)
            raise _CutOffError("what was there is not part of the file any more")
        elif answer.status_code in (408, 429) or answer.status_code >= 500:
            raise _CutOffError(f"the server says {answer.status_code}")
        else:
            hint = "the publisher may have moved it: look at the data set's page, then use --mirror or --from"
            raise DataError(f"the server says {answer.status_code}", where=address, hint=hint)
        length = int(answer.headers.get("content-length", 0))
        whole = size + length if length else 0
        _mind_the_disk(part.parent, length)
        mark = answer.headers.get("etag") or answer.headers.get("last-modified") or ""
        _note(part).write_bytes(orjson.dumps({"mark": "" if mark.startswith("W/") else mark}))
        with part.open(mode) as stream:
            for block in answer.iter_raw():  # as they come: a larger block is lost when it is cut off
                stream.write(block)
                size += len(block)
                if progress:
                    progress(size, whole)
    if whole and size != whole:
        raise _CutOffError(f"{size:,} of {whole:,} bytes came")


@contextmanager
def _answer(address: str, headers: dict[str, str]) -> Iterator[httpx2.Response]:
    """The answer to a GET; redirects are followed to addresses that are allowed alone."""
    asked = {"Accept-Encoding": "identity", **headers}
    with httpx2.Client(timeout=_SILENCE, follow_redirects=False) as client:
        for _ in range(_REDIRECTS):
            _allow(address)
            with client.stream("GET", address, headers=asked) as answer:
                if not answer.is_redirect:
                    yield answer
                    return
                address = urljoin(address, answer.headers["location"])
    raise DataError("the server sends from one address to the next without end", where=address)


def _allow(address: str) -> None:
    parts = urlsplit(address)
    host = parts.hostname or ""
    try:
        here = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        here = False
    if parts.scheme != "https" and not (parts.scheme == "http" and here):
        hint = "data sets come over https; plain http is for a server on this machine"
        raise DataError(f"`{parts.scheme}` to `{host}` is not allowed", where=address, hint=hint)


def _start(answer: httpx2.Response) -> int:
    """Where a part begins, by its `Content-Range: bytes 10-99/100`; -1 if it does not say."""
    unit, _, said = answer.headers.get("content-range", "").partition(" ")
    begin = said.partition("-")[0]
    return int(begin) if unit == "bytes" and begin.isdigit() else -1


def _mind_the_disk(folder: Path, length: int) -> None:
    free = shutil.disk_usage(folder).free
    if length > free:
        hint = "choose another place with --downloads"
        raise DataError(f"{length:,} bytes are to come, {free:,} are free", where=str(folder), hint=hint)


def _begun(part: Path) -> _Begun:
    try:
        mark = orjson.loads(_note(part).read_bytes())["mark"]
        return _Begun(part.stat().st_size, mark) if mark else _Begun()
    except (OSError, ValueError, KeyError, TypeError):
        return _Begun()


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _check(file: RemoteFile, part: Path, address: str) -> None:
    """Delete a file that is not what it should be, and say so."""
    wrong = ""
    kind, _, wanted = file.digest.partition(":")
    if wanted and (found := _digest(part, kind)) != wanted:
        wrong = f"its {kind} is {found}, its publisher says {wanted}"
    elif not wanted:
        wrong = _damage(file.name, part)
    if wrong:
        part.unlink()
        _note(part).unlink(missing_ok=True)
        hint = "the download was damaged, or the publisher changed the file; nothing of it was kept"
        raise DataError(f"`{file.name}` is not sound: {wrong}", where=address, hint=hint)


def _damage(name: str, part: Path) -> str:
    """What is wrong with an archive; empty if it unpacks to its end, or is none."""
    try:
        if name.endswith(".gz"):
            with gzip.open(part) as stream:
                while stream.read(BLOCK):
                    pass
        elif name.endswith(".zip"):
            with zipfile.ZipFile(part) as opened:
                broken = opened.testzip()
                return f"`{broken}` inside it is damaged" if broken else ""
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        return str(error)
    return ""


def _digest(path: Path, kind: str) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, kind).hexdigest()


def _sha256(path: Path) -> str:
    return _digest(path, "sha256")


def _record(part: Path, target: Path, address: str) -> None:
    """Give a whole file its name and note its digest.

    Raises:
        DataError: an earlier download from there was another file; both stay.
    """
    digest, every = _sha256(part), _records(target.parent)
    before: Any = every.get(target.name)
    if before and before["address"] == address and before["sha256"] != digest:
        hint = f"results would not compare; to take the new one, delete `{target.name}` from digests.json"
        raise DataError(
            f"`{target.name}` differs from that of {before['day']}: sha256 {digest}, was {before['sha256']}",
            where=address,
            hint=hint,
        )
    every[target.name] = {"sha256": digest, "address": address, "day": time.strftime("%Y-%m-%d")}
    (target.parent / "digests.json").write_bytes(orjson.dumps(every, option=orjson.OPT_INDENT_2))
    part.replace(target)
    _note(part).unlink(missing_ok=True)


def _recorded(target: Path) -> str:
    return str(_records(target.parent).get(target.name, {}).get("sha256", ""))


def _records(folder: Path) -> dict[str, Any]:
    try:
        found = orjson.loads((folder / "digests.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
