from trading_platform.migration.target_keys import staging_key, target_key


def test_a_target_names_layout_family_and_fields() -> None:
    assert target_key("L4", "ticks_latest", ("NFO:NIFTY25DECFUT",)) == "legacy:l4:ticks_latest:NFO:NIFTY25DECFUT"
    assert target_key("L3", "alerts_stream", ()) == "legacy:l3:alerts_stream"
    assert target_key("L3", "volume_bucket", ("", "INFY", "9", "1")) == "legacy:l3:volume_bucket::INFY:9:1"


def test_no_value_is_put_together_under_the_name_of_another() -> None:
    names = {staging_key(target) for target in ("legacy:l4:a:b", "legacy:l4:a:c", "legacy:l3:a:b")}
    assert len(names) == 3
    assert all(name.startswith("legacy:staging:") for name in names)
