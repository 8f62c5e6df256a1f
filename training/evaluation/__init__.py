"""What evaluate.py stands on: subjects to compare, measures of quality, results kept on disk, tables, plots."""
