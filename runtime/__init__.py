"""The streaming runtime: decode, ring, engine, encode. Never imports torch."""
