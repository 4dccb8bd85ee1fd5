"""`sid/rq-kmeans` as a pipeline meets it: options, determinism, vocabulary, new items."""

from __future__ import annotations

import numpy as np
import pytest
from genrec_plugin_sid.naming import paths_of
from genrec_plugin_sid.rq_kmeans import RQKMeans
from pydantic import ValidationError

from genrec_core import Context, GenrecError, Identifiers, Items, Sequences, View
from genrec_core.builtin.ngrams import NGrams
from genrec_core.identifiers.storage import load_identifiers, save_identifiers


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
    used = [len(np.unique(paths_of(identifiers)[:, level])) for level in range(3)]
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


def test_new_items_are_seen_through_the_components_of_the_old_ones(shop, cloud):
    options = {"codes": 8, "components": 6, "whiten": True}
    fitted = shop.fit(cloud[:150], **options)
    assert fitted.state["codebook.0"].shape == (8, 6)
    grown = shop.extend(fitted, cloud[:20], **options)
    assert (paths_of(grown)[150:, :3] == paths_of(fitted)[:20, :3]).all()
    assert shop.tokenizer(**options).reconstructed(grown).shape == (170, 16)


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
    assert [paths_of(twice)[i, :3].tolist() for i in range(200)] == paths_of(once)[:, :3].tolist()


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


def test_what_the_encoder_learnt_is_kept_so_that_new_items_come_into_the_same_space(tmp_path):
    titles = [
        f"{colour} {thing}" for colour in ("red", "blue", "green") for thing in ("tent", "lamp", "kettle")
    ]
    items = Items(tuple(titles), {"title": titles})
    tokenizer = RQKMeans(encoder=NGrams(dims=8), levels=1, codes=3)
    fitted = tokenizer.fit(items, View("train", (), Sequences.of([]), None, 5), Context())
    assert set(fitted.learnt("encoder")) == {"columns", "basis"}
    save_identifiers(fitted, tmp_path)
    new = Items(("new", "old again"), {"title": ["a green kettle", titles[4]]})
    grown = tokenizer.extend(load_identifiers(tmp_path), new, Context())
    assert grown.tokens(9)[0] == grown.tokens(titles.index("green kettle"))[0]
    assert grown.tokens(10)[0] == grown.tokens(4)[0]


def test_identifiers_in_another_order_are_extended_alike(shop, cloud):
    fitted = shop.fit(cloud[:150], codes=8)
    order = np.random.default_rng(0).permutation(150)
    grown = shop.extend(fitted.arranged(order), cloud[150:])
    straight = shop.extend(fitted, cloud[150:])
    assert [grown.tokens(item) for item in range(150)] == [fitted.tokens(item) for item in order]
    assert [grown.tokens(item) for item in range(150, 200)] == [straight.tokens(i) for i in range(150, 200)]


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"levels": 0}, "levels"),
        ({"levels": 26}, "levels"),
        ({"codes": [4, 4]}, "lists 2 sizes for `levels: 3`"),
        ({"codes": 0}, "codes"),
        ({"balance": "even"}, "balance"),
        ({"components": 0}, "components"),
        ({"whiten": True}, "`whiten` scales principal components"),
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
