"""Moving averages by hand, counts of use, and codes that come back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from genrec_plugin_sid.codebook_upkeep import CodeUsage, MovingMeans
from genrec_plugin_sid.residual_codebooks import ResidualCodebooks


def _column(*values):
    return torch.tensor(values, dtype=torch.float32)[:, None]


def test_the_example_in_the_module_holds():
    books = ResidualCodebooks([_column(2)])
    means = MovingMeans(books, 0.5)
    means.update(books(_column(4, 6)))
    assert means.weights[0].tolist() == [1.5]
    assert books.levels[0].tolist() == [[4]]


def test_moving_means_equal_the_usual_pair_of_averages():
    points = torch.from_numpy(np.random.default_rng(0).standard_normal((5, 40, 3)).astype(np.float32))
    books = ResidualCodebooks([points[0, :4]])
    means = MovingMeans(books, 0.9)
    weights, sums = torch.ones(4), points[0, :4].clone()
    for batch in points:
        found = books(batch)
        means.update(found)
        chosen = torch.nn.functional.one_hot(found.codes[:, 0], 4).float()
        weights = 0.9 * weights + 0.1 * chosen.sum(0)
        sums = 0.9 * sums + 0.1 * chosen.T @ batch
        torch.testing.assert_close(books.levels[0].detach(), sums / weights[:, None])


def test_each_level_follows_its_own_residuals():
    books = ResidualCodebooks([_column(10), _column(0)])
    MovingMeans(books, 0.0).update(books(_column(12)))
    assert [level.tolist() for level in books.levels] == [[[12]], [[2]]]


def test_a_code_never_chosen_stays_and_does_not_underflow():
    books = ResidualCodebooks([_column(0, 100)])
    means = MovingMeans(books, 0.5)
    for _ in range(400):
        means.update(books(_column(1)))
    assert books.levels[0][1].tolist() == [100]
    assert float(means.weights[0][1]) > torch.finfo(torch.float32).tiny


@pytest.fixture
def seen():
    """Two codes, the second never used."""
    books = ResidualCodebooks([_column(0, 100)])
    usage = CodeUsage(books)
    usage.see(books(_column(1, 2, 3)))
    return books, usage


def test_use_is_counted_a_level(seen):
    _, usage = seen
    assert usage.used() == [1]
    assert usage.perplexity() == [1]
    usage.begin_epoch()
    assert usage.used() == [0]


def test_perplexity_is_the_number_of_codes_when_all_are_used_alike():
    books = ResidualCodebooks([_column(0, 10, 20, 30)])
    usage = CodeUsage(books)
    usage.see(books(_column(0, 10, 20, 30)))
    assert usage.perplexity() == pytest.approx([4])


def test_a_code_is_dead_after_so_many_epochs_in_a_row_without_use(seen):
    books, usage = seen
    usage.end_epoch()
    usage.begin_epoch()
    usage.see(books(_column(99)))
    usage.end_epoch()
    assert usage.dead(0, 1).tolist() == [0]
    usage.begin_epoch()
    usage.see(books(_column(99)))
    usage.end_epoch()
    assert usage.dead(0, 2).tolist() == [0]
    assert usage.dead(0, 3).tolist() == []


def test_a_dead_code_starts_again_at_a_residual_and_is_used_then(seen):
    books, usage = seen
    usage.end_epoch()
    batch = _column(1, 2, 3)
    revived = usage.revive(0, usage.dead(0, 1), batch, np.random.default_rng(0))
    assert revived.tolist() == [1]
    assert books.levels[0][1] in batch
    assert 1 in books(batch).codes
    assert usage.dead(0, 1).tolist() == []


def test_more_dead_codes_than_residuals_wait_for_the_next_time():
    books = ResidualCodebooks([_column(0, 50, 60, 70)])
    usage = CodeUsage(books)
    usage.see(books(_column(0)))
    usage.end_epoch()
    assert usage.revive(0, usage.dead(0, 1), _column(5, 6), np.random.default_rng(0)).tolist() == [1, 2]
    assert sorted(books.levels[0][1:3].flatten().tolist()) == [5, 6]
    assert usage.dead(0, 1).tolist() == [3]
