"""Sinkhorn: marginals, the example, and sharp plans that overflow when done naively."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from genrec_plugin_sid.sinkhorn import sinkhorn
from scipy.optimize import linear_sum_assignment


def _distances(rows, columns, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).random((rows, columns)).astype(np.float32))


def test_the_example_in_the_module_holds():
    plan = sinkhorn(torch.tensor([[0.0, 1.0], [0.0, 2.0]]), 0.05, 100)
    torch.testing.assert_close(plan, torch.tensor([[0.0, 1.0], [1.0, 0.0]]), atol=1e-2, rtol=0)


@pytest.mark.parametrize(("rows", "columns"), [(40, 8), (8, 40), (1, 5), (5, 1)])
def test_every_point_gives_one_and_every_code_takes_its_share(rows, columns):
    plan = sinkhorn(_distances(rows, columns), 0.5, 100)
    assert plan.dtype == torch.float32
    torch.testing.assert_close(plan.sum(dim=1), torch.ones(rows))
    torch.testing.assert_close(plan.sum(dim=0), torch.full((columns,), rows / columns), atol=1e-3, rtol=0)


@pytest.mark.parametrize("epsilon", [1e-1, 3e-3, 1e-6])
def test_a_sharp_plan_is_finite_whatever_the_unit_of_the_distances(epsilon):
    distances = _distances(60, 16)
    plan = sinkhorn(distances, epsilon, 50)
    assert bool(plan.isfinite().all())
    torch.testing.assert_close(plan, sinkhorn(1e6 * distances + 3e6, epsilon, 50), atol=1e-2, rtol=0)


def test_a_sharp_plan_is_nearly_the_cheapest_assignment():
    distances = _distances(12, 12, seed=3)
    codes = sinkhorn(distances, 3e-3, 2000).argmax(dim=1)
    _, cheapest = linear_sum_assignment(distances.numpy())
    assert codes.tolist() == cheapest.tolist()


def test_distances_that_are_all_the_same_are_shared_out_evenly():
    plan = sinkhorn(torch.full((6, 3), 7.0), 0.01, 10)
    torch.testing.assert_close(plan, torch.full((6, 3), 1 / 3))
