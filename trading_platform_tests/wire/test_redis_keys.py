from datetime import date

from trading_platform.wire import redis_keys

DAY = date(2026, 8, 20)

# the reviewed list: a key that changes here loses what is stored under the old one
GOLDEN = {
    "frames": "{tp:k1}:frames:20260820",
    "position": "{tp:k1}:position:20260820",
    "latest": "{tp:k1}:latest:20260820",
    "features": "{tp:k1}:features:20260820",
    "bars": "{tp:k1}:bars:20260820",
    "signals": "{tp:k1}:signals:20260820",
}


def test_keys_of_a_session() -> None:
    assert {name: getattr(redis_keys, name)("k1", DAY) for name in GOLDEN} == GOLDEN


def test_keys_of_a_shard() -> None:
    assert redis_keys.blob("k1", "ab" * 32) == "{tp:k1}:blob:" + "ab" * 32
    assert redis_keys.baseline_current("k1") == "{tp:k1}:baseline"
    assert redis_keys.seeds_current("k1") == "{tp:k1}:seeds"


def test_the_list_is_whole_and_every_key_carries_the_shards_hash_tag() -> None:
    makers = {
        name
        for name, made in vars(redis_keys).items()
        if callable(made) and not name.startswith("_") and made.__module__ == redis_keys.__name__
    }
    assert makers == {*GOLDEN, "blob", "baseline_current", "seeds_current"}
    assert all(key.startswith("{tp:k1}:") for key in GOLDEN.values())


def test_lifetimes_outlive_a_long_week_end() -> None:
    assert redis_keys.SESSION_SECONDS >= 4 * 24 * 3600
