"""Rows that a benchmark has kept, so that it does not measure again what is there."""

import csv


def read_rows(file):
    """The rows of a CSV file: list of dict of str; empty if there is no file."""
    if not file.is_file():
        return []
    with file.open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))
