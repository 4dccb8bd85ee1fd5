"""YAML with places, and changes from the command line."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from genrec_core.contracts.errors import GenrecError
from genrec_core.pipeline.load import override
from genrec_core.pipeline.yaml_source import parse, read

NUMBERS = st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
WORDS = st.text("abcdefgh :-#é\n", max_size=8)
KEYS = st.text("abcxyz", min_size=1, max_size=4)
PLAIN = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


@given(PLAIN)
def test_what_json_can_say_is_read_as_json_says_it(value):
    import json

    assert parse(json.dumps(value), "f").values == value


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("no", "no"), ("yes", "yes"), ("on", "on"), ("true", True), ("~", None), ("", None), ("null", None),
        ("1e-4", 1e-4), ("1E3", 1000.0), (".5", 0.5), ("5.", 5.0), ("010", 10), ("0o10", 8), ("0x1f", 31),
        ("1_000", "1_000"), ("12:30", "12:30"), ("2020-01-01", "2020-01-01"),
        ("+7", 7), ("'7'", "7"), ('"true"', "true"),
    ],
)  # fmt: skip
def test_scalars_follow_the_core_schema_of_yaml_1_2(word, value):
    read_value = parse(f"a: {word}", "f").values["a"]
    assert read_value == value
    assert type(read_value) is type(value)


def test_every_value_and_key_has_its_place():
    document = parse("a: 1\nb:\n  - x\n  - {c: 2}\n", "f")
    assert str(document.place(("b", 1, "c"))) == "f:4:9"
    assert str(document.place(("b", 1, "c"), key=True)) == "f:4:6"
    assert str(document.place(("b", "main", 0))) == "f:3:5"
    assert str(document.place(("nowhere",))) == "f:1:1"


def test_a_byte_order_mark_is_no_key(tmp_path):
    (tmp_path / "p.yaml").write_bytes(b"\xef\xbb\xbfa: 1")
    assert read(tmp_path / "p.yaml").values == {"a": 1}


def test_aliases_cannot_unfold_into_gigabytes():
    bomb = "a: &a [x, x]\n" + "\n".join(
        f"{b}: &{b} [*{a}, *{a}]" for a, b in zip("abcdefg", "bcdefgh", strict=True)
    )
    with pytest.raises(GenrecError, match="anchor `&a` is not allowed"):
        parse(bomb, "f")


def test_a_set_changes_a_value_and_remembers_its_place():
    document = parse(yaml.safe_dump({"a": {"b": [1, {"c": 2}]}}), "f")
    override(document, "a.b.1.c=[3, x]", {})
    assert document.values == {"a": {"b": [1, {"c": [3, "x"]}]}}
    assert str(document.place(("a", "b", 1, "c", 1))) == "--set a.b.1.c=[3, x]"


def test_a_set_opens_short_forms_and_defaults():
    document = parse("tokenizer: sid/rq", "f")
    override(document, "tokenizer.levels=2", {})
    override(document, "recommend.beams=5", {"recommend": {"use": "core/beam"}})
    assert document.values == {
        "tokenizer": {"use": "sid/rq", "levels": 2},
        "recommend": {"use": "core/beam", "beams": 5},
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("a", "`a` is no `path=value`"),
        ("=3", "`=3` is no `path=value`"),
        ("a..b=3", "no `path=value`"),
        ("x.y=3", "the pipeline has no `x`"),
        ("a.bb.c=3", "`a` has no `bb`"),
        ("a.l.5=3", "`a.l` is a list of 2, which has no position `5`"),
        ("a.l.x=3", "no position `x`"),
        ("a.b.c=3", "`a.b` is the value `1`, which has no `c`"),
        ("a.b=[3", "no valid YAML"),
        ("a.b=!!python/name:os.system x", "the tag"),
    ],
)
def test_a_set_that_leads_nowhere_is_refused(change, message):
    document = parse("a: {b: 1, l: [1, 2]}", "f")
    with pytest.raises(GenrecError) as caught:
        override(document, change, {})
    assert message in str(caught.value)
    assert caught.value.where.startswith("--set")
