import numpy as np

from trading_platform.simulator.scatter import scatter


def splitmix(value: int) -> int:
    """Mix one 64-bit number in plain integers, after the published SplitMix64."""
    mask = (1 << 64) - 1
    value = (value + 0x9E3779B97F4A7C15) & mask
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & mask
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & mask
    return value ^ (value >> 31)


def test_the_mixer_is_the_published_one() -> None:
    # first output of SplitMix64 seeded with 1234567, from its reference implementation
    assert splitmix(1234567) == 6457827717110365317
    triples = np.array([[0, 0, 0], [1, 2, 3], [2**40, 7, 59]], np.int64)
    expected = [splitmix((splitmix((splitmix(a) + b) % 2**64) + c) % 2**64) >> 2 for a, b, c in triples.tolist()]
    assert scatter(*triples.T).tolist() == expected


def test_numbers_are_spread_evenly() -> None:
    count = 60_000
    zeros = np.zeros(count, np.int64)
    per_second = np.bincount(scatter(np.arange(count), zeros, zeros) % 60, minlength=60)
    # five standard deviations of a binomial
    assert np.abs(per_second - 1000).max() < 5 * np.sqrt(1000)
