"""Downloads from a server on this machine that cuts off, damages, moves and changes what it sends."""

from __future__ import annotations

import gzip
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
import pytest
from genrec_contrib_datasets import download
from genrec_contrib_datasets.download import fetch, unpack
from genrec_contrib_datasets.known import RemoteFile

from genrec_core import DataError

CONTENT = bytes(range(256)) * 400
FILE = RemoteFile("data.bin", digest=f"sha256:{hashlib.sha256(CONTENT).hexdigest()}")


class Server(ThreadingHTTPServer):
    """Answers with `content`; `cuts` says after how many bytes each answer breaks off."""

    content, mark, ranges, moved, status = CONTENT, '"one"', True, "", 200

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answering)
        self.cuts, self.asked = [], []
        self.address = f"http://127.0.0.1:{self.server_address[1]}/data.bin"


class Answering(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        begin = 0
        asked = self.headers.get("Range", "")
        server.asked.append(asked)
        if server.moved or server.status != 200:
            self.send_response(302 if server.moved else server.status)
            self.send_header("Location", server.moved)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if asked and server.ranges and self.headers.get("If-Range") == server.mark:
            begin = int(asked.removeprefix("bytes=").rstrip("-"))
            self.send_response(206)
            whole = len(server.content)
            self.send_header("Content-Range", f"bytes {begin}-{whole - 1}/{whole}")
        else:
            self.send_response(200)
        body = server.content[begin:]
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", server.mark)
        self.end_headers()
        self.wfile.write(body[: server.cuts.pop(0)] if server.cuts else body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(download.time, "sleep", lambda _: None)
    with Server() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def test_a_file_that_breaks_off_goes_on_where_it_was(server, tmp_path):
    server.cuts = [1_000, 50_000]
    told = []
    path = fetch(FILE, tmp_path, server.address, lambda size, whole: told.append((size, whole)))
    assert path.read_bytes() == CONTENT
    assert server.asked == ["", "bytes=1000-", "bytes=51000-"]
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data.bin", "digests.json"]


def test_what_is_there_is_not_fetched_again_unless_it_changed(server, tmp_path):
    fetch(FILE, tmp_path, server.address)
    fetch(FILE, tmp_path, server.address)
    assert len(server.asked) == 1
    (tmp_path / "data.bin").write_bytes(b"edited")
    assert fetch(FILE, tmp_path, server.address).read_bytes() == CONTENT
    assert len(server.asked) == 2


def test_a_server_that_cannot_go_on_sends_all_anew(server, tmp_path):
    server.ranges, server.cuts = False, [1_000]
    assert fetch(FILE, tmp_path, server.address).read_bytes() == CONTENT


def test_another_version_is_not_appended_to_the_first(server, tmp_path):
    server.cuts = [1_000] * download.ATTEMPTS
    server.ranges = True
    with pytest.raises(DataError, match="broke off 4 times, 4,000 bytes are here") as caught:
        fetch(FILE, tmp_path, server.address)
    assert "goes on from there" in caught.value.hint
    server.mark, server.content = '"two"', CONTENT[::-1]
    other = RemoteFile("data.bin", digest=f"sha256:{hashlib.sha256(CONTENT[::-1]).hexdigest()}")
    assert fetch(other, tmp_path, server.address).read_bytes() == CONTENT[::-1]


def test_a_damaged_file_is_refused_with_both_digests_and_not_kept(server, tmp_path):
    server.content = b"x" + CONTENT[1:]
    with pytest.raises(DataError) as caught:
        fetch(FILE, tmp_path, server.address)
    assert FILE.digest.removeprefix("sha256:") in caught.value.message
    assert hashlib.sha256(server.content).hexdigest() in caught.value.message
    assert list(tmp_path.iterdir()) == []


def test_an_archive_without_a_digest_must_unpack_to_its_end(server, tmp_path):
    server.content = gzip.compress(CONTENT)[:-9]
    with pytest.raises(DataError, match=r"`data.json.gz` is not sound"):
        fetch(RemoteFile("data.json.gz"), tmp_path, server.address)


def test_a_later_download_of_other_content_is_told(server, tmp_path):
    file = RemoteFile("data.bin")
    fetch(file, tmp_path, server.address)
    (tmp_path / "data.bin").unlink()
    server.content = b"other"
    with pytest.raises(DataError, match=r"`data.bin` differs from that of 20"):
        fetch(file, tmp_path, server.address)
    kept = orjson.loads((tmp_path / "digests.json").read_bytes())["data.bin"]
    assert kept["sha256"] == hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize(
    ("address", "said"),
    [("http://example.invalid/x", "`http` to `example.invalid` is not allowed"),
     ("ftp://127.0.0.1/x", "`ftp` to `127.0.0.1` is not allowed"),
     ("file:///etc/passwd", "`file` to `` is not allowed")],
)  # fmt: skip
def test_only_https_is_spoken_also_after_a_redirect(server, tmp_path, address, said):
    for asked in (address, server.address):
        server.moved = address
        with pytest.raises(DataError, match=said):
            fetch(FILE, tmp_path, asked)


def test_endless_redirects_and_absent_files_end_at_once(server, tmp_path):
    server.moved = server.address
    with pytest.raises(DataError, match="from one address to the next"):
        fetch(FILE, tmp_path, server.address)
    server.moved, server.status = "", 404
    server.asked.clear()
    with pytest.raises(DataError, match="the server says 404") as caught:
        fetch(FILE, tmp_path, server.address)
    assert "--mirror" in caught.value.hint
    assert len(server.asked) == 1


def test_members_that_are_not_in_an_archive_are_named(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
        opened.writestr("in/one.txt", "1")
    unpack(tmp_path / "a.zip", ("in/one.txt",))
    assert (tmp_path / "one.txt").read_text() == "1"
    with pytest.raises(DataError, match=r"`in/two.txt` is not in the archive"):
        unpack(tmp_path / "a.zip", ("in/two.txt",))
