"""Datasets as others distribute them: which layout one has, and how it becomes ours."""
