"""Packages that only some commands need, and the extras that bring them."""

from contextlib import contextmanager


@contextmanager
def needs(extra):
    """Around the import of packages that not every installation has: names the extra that brings them.

    Raises
    ------
    ValueError
        If a package is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ValueError(f'{error.name} is not installed: pip install -e ".[{extra}]"') from None
