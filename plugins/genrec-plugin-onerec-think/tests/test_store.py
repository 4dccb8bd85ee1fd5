"""Think-ahead stores: both keep what they are given, and an entry knows when it must not be used any more."""

import contextlib
import shutil
import socket
import sqlite3
import subprocess
import threading
import time

import pytest
from genrec_plugin_onerec_think.store import ThinkAheadEntry, added, open_store

from genrec_core import GenrecError

PREFIXES = (("<|item_begin|>", "<item_a_3>"), ("<|item_begin|>", "<item_a_1>"))


def entry(user, **changes):
    values = {
        "thought": "tents, “so” ropes\n",
        "scores": (-0.5, -1.25),
        "history": ("i1", "i2"),
        "items": ("i7", "i9"),
    }
    return ThinkAheadEntry(user, PREFIXES, **values | {"maker": "m", "made": 100.0} | changes)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(folder, *options):
    """The port of a real Redis server of our own."""
    pytest.importorskip("redis", reason="needs the client package `redis`")
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("needs a Redis server (Debian's package redis-server)")
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    process = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of a Redis server."""
    with running(tmp_path_factory.mktemp("redis")) as port:
        yield f"redis://127.0.0.1:{port}/0"


def test_a_password_comes_from_the_environment_where_the_address_has_none(tmp_path, monkeypatch):
    with running(tmp_path, "--requirepass", "open sesame") as port:
        address = f"redis://127.0.0.1:{port}/0"
        with pytest.raises(GenrecError, match=f"`127.0.0.1:{port}/0` cannot be used"):
            open_store(address)
        monkeypatch.setenv("GENREC_REDIS_PASSWORD", "open sesame")
        with open_store(address) as store:
            store.put([entry("u1")])
            assert len(store) == 1


@pytest.fixture(params=["sqlite", "redis"])
def address(request, tmp_path):
    if request.param == "sqlite":
        yield str(tmp_path / "new" / "ahead.sqlite")
        return
    where = request.getfixturevalue("server")
    yield where
    with open_store(where) as store:
        store.remove(list(store.users()))


def test_what_was_put_comes_back_by_user_in_the_order_asked(address):
    with open_store(address) as store:
        store.put([entry("u1"), entry("ü 2", thought="")])
        assert store.get(["ü 2", "nobody", "u1"]) == [entry("ü 2", thought=""), None, entry("u1")]
        assert (len(store), sorted(store.users())) == (2, ["u1", "ü 2"])
        assert store.get([]) == []


def test_a_later_entry_takes_the_place_of_an_older_one(address):
    with open_store(address) as store:
        store.put([entry("u1")])
        store.put([entry("u1", thought="lamps"), entry("u2")])
        store.remove(["u2", "nobody"])
        assert store.get(["u1", "u2"]) == [entry("u1", thought="lamps"), None]
        assert len(store) == 1


def test_another_process_finds_what_was_put(address):
    with open_store(address) as store:
        store.put([entry(f"u{number}") for number in range(1200)])
    with open_store(address) as later:
        assert len(later) == 1200
        assert later.get([f"u{number}" for number in range(1200)])[1199] == entry("u1199")


def test_one_fills_while_others_read(address):
    wrong = []

    def read():
        with open_store(address) as own:
            for _ in range(50):
                found = [one for one in own.get(["u1", "u2"]) if one is not None]
                wrong.extend(one for one in found if one.prefixes != PREFIXES)

    with open_store(address) as store:
        store.put([entry("u1")])
        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        for number in range(50):
            store.put([entry("u2", made=float(number))])
        for reader in readers:
            reader.join()
    assert not wrong


def test_a_file_that_is_not_there_is_made_only_where_that_is_meant(tmp_path):
    missing = tmp_path / "ahead.sqlite"
    with pytest.raises(GenrecError, match="there is no think-ahead store") as refused:
        open_store(str(missing), create=False)
    assert f"genrec think-ahead RUN --store {missing}" in str(refused.value)
    assert not missing.exists()
    open_store(str(missing)).close()
    open_store(str(missing), create=False).close()


def test_a_database_of_another_program_is_left_alone(tmp_path):
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE mine (a)")
    connection.close()
    before = other.read_bytes()
    with pytest.raises(GenrecError, match="is a database of another program"):
        open_store(str(other))
    assert other.read_bytes() == before


def test_a_file_that_is_no_database_is_refused(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("not a database, only some words in a file\n" * 40)
    with pytest.raises(GenrecError, match="cannot be used as a think-ahead store: file is not a database"):
        open_store(str(text))


def test_a_server_that_does_not_answer_is_named_without_its_password():
    pytest.importorskip("redis", reason="needs the client package `redis`")
    port = free_port()
    with pytest.raises(GenrecError) as refused:
        open_store(f"redis://:secret@127.0.0.1:{port}/0")
    assert f"the Redis server `127.0.0.1:{port}/0` cannot be used" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_text_that_is_no_entry_is_refused_with_its_place():
    with pytest.raises(GenrecError, match=r"s\.sqlite, user u1: this is no entry of a think-ahead store"):
        ThinkAheadEntry.from_json('{"user": "u1"}', "s.sqlite, user u1")


@pytest.mark.parametrize(
    ("before", "now", "count"),
    [
        ("ab", "ab", 0),
        ("ab", "abc", 1),
        ("abcd", "bcde", 1),
        ("ab", "bcd", 2),
        ("a", "xyz", 3),
        ("", "ab", 2),
        ("", "", 0),
        ("ab", "", 0),
        ("ab", "ba", 1),  # `aba`, cut to two
    ],
)
def test_items_added_since_are_counted_behind_the_newest_known_one(before, now, count):
    assert added(before, now) == count


def stale(one, **changes):
    asked = {"now": 160.0, "history": ("i1", "i2", "i3"), "most_age": None, "most_new": None}
    return one.staleness(**asked | changes)


def test_an_entry_is_stale_by_its_age_or_by_what_the_user_did_since():
    one = entry("u1")
    assert stale(one) == ""
    assert (stale(one, most_age=60.0), stale(one, most_age=59.0)) == ("", "age")
    assert (stale(one, most_new=1), stale(one, most_new=0)) == ("", "history")
