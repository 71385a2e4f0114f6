"""Work that is shared among the workers of a dask.distributed cluster.

They have to see the same paths as the command, and to be started in this folder:

    python -m dask scheduler
    python -m dask worker tcp://HOST:8786
"""

import functools
import itertools
import threading

import dask
import distributed

from segmentation.prediction import networks, runtimes

CONNECT_SECONDS = 30
ALONE = threading.Lock()  # of a worker, for what cannot run in two threads


def compute(values, scheduler, ahead=None):
    """Compute dask values on the workers, some at once, since there may be more of them than fit into memory.

    What a worker that dies had begun is computed by another one.

    Parameters
    ----------
    values : iterable of dask values
    scheduler : str
        Its address.
    ahead : int or None
        How many a worker takes at once; None for two a thread of it.

    Yields
    ------
    The results, as each is done.

    Raises
    ------
    ValueError
        If there is no scheduler, or it has no workers, or one after the other dies of a value.
    """
    values = iter(values)
    try:
        connected = distributed.Client(scheduler, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:  # an address may be wrong, too
        raise ValueError(f"{scheduler}: no scheduler answers there ({error}).") from None
    with connected as client:
        try:
            client.wait_for_workers(1, CONNECT_SECONDS)
        except TimeoutError:
            start = f"start some in this folder, with python -m dask worker {scheduler}"
            raise ValueError(f"{scheduler}: this scheduler has no workers; {start}.") from None

        def fill(futures):
            threads = client.nthreads()
            room = ahead * len(threads) if ahead else 2 * sum(threads.values())
            for value in itertools.islice(values, max(room - futures.count(), 0)):
                futures.add(client.compute(value))

        futures = distributed.as_completed()
        fill(futures)
        for future in futures:
            try:
                result = future.result()
            except distributed.KilledWorker as error:
                raise ValueError(f"{scheduler}: its workers died one after the other ({error}).") from None
            fill(futures)  # first, so that no worker waits
            yield result


def share(function, items, scheduler, *, alone=False):
    """As `compute`, of a function of each item; with `alone`, a worker has one at a time, whatever its threads."""
    function = functools.partial(_compute_alone, function) if alone else function
    yield from compute(map(dask.delayed(function), items), scheduler, ahead=1 if alone else None)


def _compute_alone(function, item):
    with ALONE:
        return function(item)


@functools.lru_cache(1)
def load(model, digest, precision=None):
    """The network of a file, as from `runtimes.load`, and its settings; loaded once in each process.

    Raises
    ------
    ValueError
        If the file is not that of the digest: a worker that lives on, or sees another disk, would predict by another
        network than the one that is meant.
    """
    network, settings = runtimes.load(model, precision)
    if networks.read_digest(model) != digest:
        raise ValueError(f"{model}: has changed since this prediction began; run the command again.")
    return network, settings
