"""What studies.py stands on: variants of one recipe, trained alike and measured alike, and the rows they make."""
