"""Real-time quality enhancement of compressed video: shared words and the networks."""

__version__ = "0.1.0"
