"""`sid/rq-vae` as a pipeline meets it: options, determinism, what is kept, new items."""

from __future__ import annotations

import numpy as np
import pytest
from genrec_plugin_sid.naming import paths_of
from genrec_plugin_sid.rq_vae import RQVAE
from pydantic import ValidationError
from safetensors.numpy import load, save

from genrec_core import GenrecError

SMALL = {"hidden": [32], "latent": 8, "epochs": 6, "batch_size": 32, "learning_rate": 3e-3}


@pytest.fixture
def vae(shop, monkeypatch):
    """A `Shop` whose tokenizer is a small `sid/rq-vae`."""
    encoder = shop.tokenizer().options.encoder
    monkeypatch.setattr(shop, "tokenizer", lambda **options: RQVAE(encoder=encoder, **SMALL | options))
    return shop


def test_the_same_seed_gives_the_same_identifiers_and_another_seed_others(vae, cloud):
    first, second, other = (vae.fit(cloud, codes=16, seed=seed) for seed in (3, 3, 4))
    assert first.digest == second.digest
    assert first.digest != other.digest


def test_every_item_gets_one_code_a_level_of_the_sizes_asked_for(vae, cloud):
    identifiers = vae.fit(cloud, codes=[8, 4, 2], collisions="keep")
    assert identifiers.lengths.tolist() == [3] * 200
    assert [identifiers.state[f"codebook.{level}"].shape for level in range(3)] == [(8, 8), (4, 8), (2, 8)]


def test_codes_are_in_use_at_every_level(vae, cloud):
    codes = paths_of(vae.fit(cloud, codes=16, epochs=30))
    assert all(len(np.unique(codes[:, level])) >= 14 for level in range(3))


def test_items_that_share_codes_lie_together(vae, cloud):
    paths = paths_of(vae.fit(cloud, codes=20, levels=1, epochs=60))
    centres = np.repeat(np.arange(20), 10)
    alike = centres[:, None] == centres[None]
    together = paths[:, 0][:, None] == paths[:, 0][None]
    assert together[alike].mean() > 0.8
    assert together[~alike].mean() < 0.1


def test_new_items_at_the_place_of_old_ones_get_their_codes_one_by_one_or_together(vae, cloud):
    fitted = vae.fit(cloud, codes=16)
    together = paths_of(vae.extend(fitted, cloud[:9]))[200:, :3]
    alone = [paths_of(vae.extend(fitted, cloud[item : item + 1]))[200, :3] for item in range(9)]
    assert together.tolist() == paths_of(fitted)[:9, :3].tolist()
    assert np.array(alone).tolist() == together.tolist()


def test_new_items_get_nearest_codes_also_where_training_assigned_by_sinkhorn(vae, cloud):
    fitted = vae.fit(cloud, codes=16, sinkhorn=0.1)
    assert (paths_of(vae.extend(fitted, cloud))[200:, :3] == paths_of(fitted)[:, :3]).all()


def test_no_old_identifier_moves(vae, cloud):
    fitted = vae.fit(cloud[:150], codes=8)
    grown = vae.extend(fitted, cloud[150:])
    assert [grown.tokens(item) for item in range(150)] == [fitted.tokens(item) for item in range(150)]
    assert len(grown.distinct()) == 200


def test_what_a_safetensors_file_brings_back_is_the_same_quantiser_bit_for_bit(vae, cloud):
    fitted, tokenizer = vae.fit(cloud, codes=8), vae.tokenizer()
    again = load(save({name: np.ascontiguousarray(array) for name, array in fitted.state.items()}))
    one, other = tokenizer.restore(fitted.state, {}), tokenizer.restore(again, {})
    assert np.array_equal(one.latents(cloud), other.latents(cloud))
    assert np.array_equal(one.decode(paths_of(fitted)[:, :3]), other.decode(paths_of(fitted)[:, :3]))
    assert {name: array.tobytes() for name, array in other.state().items()} == {
        name: array.tobytes() for name, array in one.state().items()
    }


def test_codes_stand_for_vectors_of_the_encoders_space(vae, cloud):
    moved = 100 + 30 * cloud
    fitted = vae.fit(moved, codes=16, epochs=60)
    missed = np.square(vae.tokenizer().reconstructed(fitted) - moved).sum()
    assert missed < 0.4 * np.square(moved - moved.mean(axis=0)).sum()


def test_by_default_a_small_catalogue_gets_a_quarter_of_its_size_in_codes(vae, cloud):
    assert vae.fit(cloud).settings["naming"]["sizes"] == [50, 50, 50]


def test_too_many_codes_are_refused_with_the_number_there_could_be(vae, cloud):
    with pytest.raises(GenrecError, match="asks for `256` codes") as told:
        vae.fit(cloud, codes=256)
    assert "200 distinct" in str(told.value)


def test_as_many_codes_as_items_are_possible(vae, cloud):
    assert len(vae.fit(cloud[:30], codes=30, levels=1)) == 30


def test_the_epoch_kept_is_logged_after_the_curve(vae, cloud):
    events = []
    vae.fit(cloud, codes=8, log=lambda event, **values: events.append((event, values)))
    epochs = [values["held_out"] for event, values in events if event == "epoch"]
    kept = next(values for event, values in events if event == "kept")
    assert kept["held_out"] == epochs[kept["epoch"] - 1] == min(epochs)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"hidden": [0]}, "hidden"),
        ({"latent": 0}, "latent"),
        ({"beta": -1}, "beta"),
        ({"init": "zeros"}, "init"),
        ({"update": "none"}, "update"),
        ({"decay": 1}, "decay"),
        ({"held_out": 1}, "held_out"),
        ({"sinkhorn": [0.1]}, "lists 1 values for `levels: 3`"),
        ({"sinkhorn": -0.1}, "sinkhorn"),
        ({"codes": [4, 4]}, "lists 2 sizes for `levels: 3`"),
    ],
)
def test_options_that_make_no_sense_are_refused(vae, options, part):
    with pytest.raises(ValidationError, match=part):
        vae.tokenizer(**options)


def test_where_it_trains_stays_out_of_its_identity(vae):
    assert vae.tokenizer(device="cpu").identity() == vae.tokenizer().identity()


def test_it_is_named_in_the_registry_as_a_lazy_target():
    from genrec_plugin_sid.plugin import genrec_register

    from genrec_core.registry.registry import Registry

    registry = Registry("sid")
    genrec_register(registry)
    assert registry.resolve("tokenizer", "sid/rq-vae") is RQVAE
