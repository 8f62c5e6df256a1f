import pytest


@pytest.fixture(autouse=True)
def no_long_timing(monkeypatch):
    """Time the fewest rounds there are, on small frames: no test looks at how fast a network is."""
    monkeypatch.setattr("calibration.gate.TIMED_SIZE", (48, 64))
    monkeypatch.setattr("calibration.gate.TIMED_S", 0.0)
