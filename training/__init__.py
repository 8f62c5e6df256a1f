"""Data, training and evaluation of the networks."""
