"""Operators that inference backends lack, each in a folder of its own."""
