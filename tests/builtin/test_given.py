"""core/given: identifiers from a field and from a file, and what is wrong with either."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from genrec_core import Context, DataError, GenrecError, Items
from genrec_core.builtin.given import Given
from genrec_core.testing.contracts import TokenizerContract
from genrec_core.testing.toy import toy_items, toy_views

CODES = [["<a_1>", "<b_0>"], ["<a_1>", "<b_2>"], ["<a_3>"]]


class TestAField(TokenizerContract):
    component = Given
    options = {"field": "tags", "new_tokens": False, "separator": " | "}


def fitted(items, **options):
    return Given(**options).fit(items, toy_views().train, Context())


def shop(count=3, **fields):
    return Items(tuple(f"i{n}" for n in range(count)), fields)


def file_of(folder: Path, rows, name="sids.jsonl"):
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def named(rows=CODES, field="sid"):
    return [{"item_id": f"i{n}", field: row} for n, row in enumerate(rows)]


def test_tokens_are_taken_as_they_stand_and_become_new_vocabulary(tmp_path):
    ids = fitted(shop(), file=file_of(tmp_path, named()))
    assert [ids.tokens(item) for item in range(3)] == [tuple(row) for row in CODES]
    assert ids.new_tokens == ("<a_1>", "<b_0>", "<b_2>", "<a_3>")


def test_the_order_of_the_file_is_not_that_of_the_catalogue_and_it_may_name_more(tmp_path):
    rows = [*reversed(named()), {"item_id": "other", "sid": ["<z_1>"]}]
    ids = fitted(shop(), file=file_of(tmp_path, rows))
    assert ids.tokens(2) == ("<a_3>",)
    assert "<z_1>" not in ids.new_tokens


def test_a_field_that_is_one_text_is_one_token():
    ids = fitted(shop(2, title=["tent", "lamp"]), field="title", new_tokens=False)
    assert [ids.text(item) for item in range(2)] == ["tent", "lamp"]


def test_the_field_may_be_named_where_a_file_has_several(tmp_path):
    rows = [{**row, "note": "x"} for row in named()]
    assert len(fitted(shop(), file=file_of(tmp_path, rows), field="sid")) == 3
    with pytest.raises(DataError, match="not clear which field"):
        fitted(shop(), file=file_of(tmp_path, rows))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (named()[:1], "2 of 3 items have no identifier: `i1`, `i2`"),
        (named([*CODES[:2], []]), "no usable identifier"),
        (named([*CODES[:2], ["<a_1>", 7]]), "no usable identifier"),
        ([*named(), *named()[:1]], "item id occurs twice"),
        ([{"item_id": 4, "sid": ["x"]}], "`item_id` is not a text"),
    ],
)
def test_items_without_a_name_and_bad_rows_are_refused_with_examples(tmp_path, rows, message):
    with pytest.raises(DataError, match=message):
        fitted(shop(), file=file_of(tmp_path, rows))


def test_a_missing_field_names_those_there_are():
    with pytest.raises(DataError, match="no field `sid`") as told:
        fitted(toy_items(), field="sid")
    assert "title" in told.value.hint


def test_words_with_white_space_cannot_be_new_tokens():
    with pytest.raises(DataError, match="white space") as told:
        fitted(shop(1, name=["deep blue"]), field="name")
    assert "new_tokens: false" in told.value.hint


def test_neither_a_field_nor_a_file_is_a_mistake():
    with pytest.raises(ValueError, match="write `field`"):
        Given()


def test_new_items_are_named_from_the_file_if_the_model_knows_their_tokens(tmp_path):
    path = file_of(tmp_path, named([*CODES, ["<a_3>", "<b_2>"], ["<new>"]]))
    tokenizer = Given(file=path)
    ids = tokenizer.fit(shop(), toy_views().train, Context())
    grown = tokenizer.extend(ids, Items(("i3",), {}), Context())
    assert grown.tokens(3) == ("<a_3>", "<b_2>")
    assert grown.new_tokens == ids.new_tokens
    with pytest.raises(GenrecError, match="`<new>`"):
        tokenizer.extend(ids, Items(("i4",), {}), Context())


def test_the_file_is_an_input_so_that_the_plan_notices_another(tmp_path):
    assert Given(file=file_of(tmp_path, named())).inputs() == (tmp_path / "sids.jsonl",)
    assert Given(field="tags").inputs() == ()
