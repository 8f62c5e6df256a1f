"""Inference backends behind the one engine protocol."""
