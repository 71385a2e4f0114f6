"""Volumes larger than memory. Needs the extra `volumes`."""
