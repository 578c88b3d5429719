"""Calendar effects on volumes."""

import numpy as np

from models.series.volumes import effects, shares


def test_effects_are_found_under_a_trend() -> None:
    rng = np.random.default_rng(0)
    facts = (rng.random((3000, 3)) < [0.2, 0.1, 0.05]).astype(float)
    true = np.array([0.3, -0.5, 0.8])
    volumes = np.exp(facts @ true + np.linspace(0, 2, 3000) + rng.normal(0, 0.1, 3000))
    np.testing.assert_allclose(effects(facts, volumes), true, atol=0.05)


def test_shares_sum_to_one_and_end_at_the_horizon() -> None:
    found = shares(np.log([[1.0, 3.0, 9.0], [2.0, 2.0, 5.0]]), np.array([2, 3]))
    np.testing.assert_allclose(found, [[0.25, 0.75, 0.0], [2 / 9, 2 / 9, 5 / 9]])
