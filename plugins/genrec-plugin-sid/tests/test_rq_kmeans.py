"""`sid/rq-kmeans` as a pipeline meets it: options, determinism, vocabulary, new items."""

from __future__ import annotations

import numpy as np
import pytest
from genrec_plugin_sid.rq_kmeans import RQKMeans
from pydantic import ValidationError

from genrec_core import Context, GenrecError, Identifiers


def test_the_same_seed_gives_the_same_identifiers_and_another_seed_others(shop, cloud):
    first, second, other = (shop.fit(cloud, codes=16, seed=seed) for seed in (3, 3, 4))
    assert first.digest == second.digest
    assert first.digest != other.digest


def test_every_token_in_use_was_declared(shop, cloud):
    identifiers = shop.fit(cloud, codes=(4, 3), levels=2, begin="<|", end="|>")
    assert set(identifiers.vocabulary) <= set(identifiers.new_tokens)
    assert identifiers.tokens(0)[0] == "<|"
    assert identifiers.tokens(0)[-1] == "|>"


def test_each_level_has_its_own_number_of_codes(shop, cloud):
    identifiers = shop.fit(cloud, codes=[8, 4, 2])
    used = [len(np.unique(identifiers.state["paths"][:, level])) for level in range(3)]
    assert used == [8, 4, 2]


def test_by_default_a_small_catalogue_gets_a_quarter_of_its_size_in_codes(shop, cloud):
    assert shop.fit(cloud).settings["naming"]["sizes"][0] == 50


def test_too_many_codes_are_refused_with_the_number_there_could_be(shop, cloud):
    with pytest.raises(GenrecError, match="level 1 of 3 asks for `256` codes") as told:
        shop.fit(cloud, codes=256)
    assert "only 200 distinct residuals" in str(told.value)


def test_embeddings_that_are_not_finite_are_refused_with_the_item(shop):
    with pytest.raises(GenrecError, match="item `i1`"):
        shop.fit(np.array([[0.0, 1], [np.nan, 2], [3, 4]]))


def test_unit_length_makes_clusters_follow_the_cosine(shop):
    rays = np.array([[1.0, 0], [100, 0], [0, 1], [0, 100]])
    codes = shop.fit(rays, levels=1, codes=2, unit=True, collisions="keep").codes.tolist()
    assert codes[0] == codes[1] != codes[2] == codes[3]


def test_kept_collisions_leave_items_with_a_shared_identifier(shop):
    identifiers = shop.fit(np.array([[0, 0], [0, 0], [9, 9]]), levels=1, codes=2, collisions="keep")
    assert identifiers.items_of(identifiers.tokens(0)).tolist() == [0, 1]
    assert len(identifiers.new_tokens) == 2


def test_new_items_are_named_by_the_frozen_codebooks_and_no_old_one_moves(shop, cloud):
    fitted = shop.fit(cloud[:150], codes=8)
    grown = shop.extend(fitted, cloud[150:])
    assert len(grown) == 200
    assert [grown.tokens(item) for item in range(150)] == [fitted.tokens(item) for item in range(150)]
    assert len(grown.distinct()) == 200
    assert grown.new_tokens == fitted.new_tokens


def test_an_item_seen_before_falls_into_its_old_bucket_with_a_rank(shop, cloud):
    fitted = shop.fit(cloud, codes=20)
    grown = shop.extend(fitted, cloud[7:8])
    assert grown.tokens(200)[:3] == fitted.tokens(7)[:3]
    assert grown.tokens(200) != fitted.tokens(7)


def test_extending_twice_is_extending_once(shop, cloud):
    fitted = shop.fit(cloud[:150], codes=8)
    twice = shop.extend(shop.extend(fitted, cloud[150:170]), cloud[170:])
    once = shop.extend(fitted, cloud[150:])
    assert [twice.state["paths"][i, :3].tolist() for i in range(200)] == once.state["paths"][:, :3].tolist()


@pytest.mark.parametrize("balance", ["none", "constrained"])
@pytest.mark.parametrize("collisions", ["suffix", "next-nearest", "sinkhorn"])
def test_every_policy_that_takes_items_apart_makes_them_unique_also_duplicates(
    shop, cloud, collisions, balance
):
    doubled = np.concatenate([cloud[:120], cloud[:60]])
    options = {"codes": (6, 6, 8), "collisions": collisions, "balance": balance}
    fitted = shop.fit(doubled, **options)
    grown = shop.extend(fitted, cloud[40:100], **options)
    assert len(fitted.distinct()) == 180
    assert len(grown.distinct()) == 240
    assert all(grown.tokens(item) == fitted.tokens(item) for item in range(180))


def test_how_many_items_a_policy_moved_is_logged(shop):
    logged = []
    points = np.array([[0, 0], [0, 0], [9, 9], [9, 0]])
    shop.fit(
        points, levels=2, codes=2, collisions="next-nearest", log=lambda event, **v: logged.append((event, v))
    )
    event, values = logged[-1]
    assert event == "collisions"
    assert values == {"policy": "next-nearest", "shared": 2, "moved": 1, "ranked": 0}


def test_when_rank_tokens_run_out_the_catalogue_must_be_fitted_again(shop):
    fitted = shop.fit(np.array([[0, 0], [9, 9]]), levels=1, codes=2)
    with pytest.raises(GenrecError, match="rank beyond the `2` tokens"):
        shop.extend(fitted, np.zeros((3, 2)))


def test_what_codes_stand_for_comes_nearer_the_embeddings_with_every_level(shop, cloud):
    errors = []
    for levels in (1, 2, 3):
        tokenizer = shop.tokenizer(codes=8, levels=levels)
        rebuilt = tokenizer.reconstructed(shop.fit(cloud, codes=8, levels=levels))
        errors.append(float(np.square(rebuilt - tokenizer.seen(shop.items(cloud), Context())).mean()))
    assert errors[0] > errors[1] > errors[2] > 0


def test_identifiers_of_another_tokenizer_are_not_extended(shop):
    strange = Identifiers.of([("red", "tent")], separator=" ")
    with pytest.raises(GenrecError, match="did not make these identifiers"):
        shop.extend(strange, np.zeros((1, 2)))


def test_an_encoder_that_looks_at_all_texts_together_cannot_name_new_items(shop, cloud, monkeypatch):
    fitted = shop.fit(cloud, codes=8)
    monkeypatch.setattr(type(shop.tokenizer().options.encoder), "inductive", False)
    with pytest.raises(GenrecError, match="looks at all texts together"):
        shop.extend(fitted, cloud[:1])


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"levels": 0}, "levels"),
        ({"levels": 26}, "levels"),
        ({"codes": [4, 4]}, "lists 2 sizes for `levels: 3`"),
        ({"codes": 0}, "codes"),
        ({"balance": "even"}, "balance"),
        ({"collisions": "ignore"}, "collisions"),
        ({"template": "<{code}>"}, "must contain {level} and {code}"),
        ({"begin": "two words"}, "begin"),
    ],
)
def test_options_that_make_no_sense_are_refused(shop, options, part):
    with pytest.raises(ValidationError, match=part.replace("{", r"\{").replace("}", r"\}")):
        shop.tokenizer(**options)


def test_it_is_named_in_the_registry_as_a_lazy_target():
    from genrec_plugin_sid.plugin import genrec_register

    from genrec_core.registry.registry import Registry

    registry = Registry("sid")
    genrec_register(registry)
    assert registry.resolve("tokenizer", "sid/rq-kmeans") is RQKMeans
