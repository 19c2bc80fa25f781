"""What the keys of the system that this platform replaces mean: rules and conversions, without any I/O."""
