"""One script a published figure: `python -m benchmarks.NAME`. LOG.md says what was tried."""
