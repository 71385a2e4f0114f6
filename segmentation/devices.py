"""The devices that Keras computes on: one, those of several hosts at once, their precision and their memory.

The processes are told of each other by the environment variables of `keras.distribution.initialize`:

    KERAS_BACKEND=jax KERAS_DISTRIBUTION_JOB_ADDRESSES=10.0.0.1:1234 KERAS_DISTRIBUTION_NUM_PROCESSES=2 \\
        KERAS_DISTRIBUTION_PROCESS_ID=0 python main.py

Each reads the whole dataset and makes its part of every batch. A batch is that of one process, whatever their number,
and so are its gradient, the statistics of its normalisation and the learning rate.
"""

import logging
import os
import platform
import re
import sys
import tempfile
import threading
import traceback
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import lazy_loader

keras = lazy_loader.load("keras")  # started when it is first used, since that takes seconds

STARTING = threading.Lock()  # threads that met a half-loaded Keras would fail
VARIABLE = "KERAS_DISTRIBUTION_JOB_ADDRESSES"
CONNECTION = re.compile("gloo|nccl|peer|socket|coordination|heartbeat|UNAVAILABLE|DEADLINE", re.IGNORECASE)
MESSAGE = re.compile(r"WARNING: All log messages before|[IWE]\d{4} |[\d-]+ [\d:.]+: [IWE] |To enable the following")
PROCESSOR = Path("/proc/cpuinfo")  # Linux's
BFLOAT16 = re.compile(r"^flags\s*:.*\b(avx512_bf16|amx_bf16)\b", re.MULTILINE)
EXTRAS = "matplotlib", "sklearn"  # for what Keras draws and wraps, which is not used here and takes a second to start
OUT_OF_MEMORY = re.compile("ResourceExhausted|RESOURCE_EXHAUSTED|OutOfMemory|MemoryError|out of memory")


class Group(NamedTuple):
    """The processes that train together, and which of them this is."""

    rank: int = 0
    processes: int = 1
    devices: int = 1  # of all processes

    def part_of(self, count):
        """Which of the `count` images of a batch this process makes: a slice."""
        own = count // self.processes
        return slice(self.rank * own, (self.rank + 1) * own)


ALONE = Group()


def start():
    """Start Keras and its backend, TensorFlow with oneDNN and without its messages, unless they have started.

    On processors without AVX-512 TensorFlow does not use oneDNN by itself, with which a step takes half of the time.
    Both can be chosen by TensorFlow's own variables: with `TF_CPP_MIN_LOG_LEVEL=0` it says, for instance, why it finds
    no GPU. JAX takes the gradients of `transposed`, TensorFlow the operations of `normalisation`.
    """
    with STARTING, _hide(() if "keras.src" in sys.modules else EXTRAS):
        if platform.machine() in ("x86_64", "AMD64"):
            os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
        if "TF_CPP_MIN_LOG_LEVEL" in os.environ or "tensorflow" in sys.modules:
            keras.backend.backend()
        else:
            os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
            logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of images of several sizes, for instance
            with _hold_back_messages():
                keras.backend.backend()
        if keras.backend.backend() == "jax":
            from segmentation import transposed

            transposed.use()
        elif keras.backend.backend() == "tensorflow":
            from segmentation import normalisation

            normalisation.use()


@contextmanager
def _hide(packages):
    """Let packages that were not imported yet seem not to be installed."""
    hidden = [name for name in packages if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextmanager
def _hold_back_messages():
    """Keep what TensorFlow prints before it reads `TF_CPP_MIN_LOG_LEVEL` (its issue 100442) from the screen."""
    with tempfile.TemporaryFile() as file:
        stderr = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            file.seek(0)
            for line in file.read().decode(errors="replace").splitlines():
                if not MESSAGE.match(line):
                    print(line, file=sys.stderr)


def join():
    """Meet the other processes, if the environment names any, and use every device there is.

    To be called before Keras computes anything. Devices are shared by the JAX backend alone.

    Returns
    -------
    Group

    Raises
    ------
    ValueError
        If there are to be several processes, but the backend is another, or they do not meet.
    """
    start()
    if keras.backend.backend() != "jax":
        if VARIABLE in os.environ:
            raise ValueError(f"{VARIABLE} is set, which needs KERAS_BACKEND=jax; set that too, or unset it.")
        return ALONE
    if VARIABLE in os.environ:
        try:
            keras.distribution.initialize()
        except Exception as error:  # JAX raises RuntimeError, ValueError and its own
            reason = str(error).splitlines()[0]
            raise ValueError(f"{os.environ[VARIABLE]}: could not meet the other processes there ({reason}).") from None
    import jax  # Keras does not say which process this is

    if jax.device_count() > 1:
        keras.distribution.set_distribution(keras.distribution.DataParallel(auto_shard_dataset=False))
    return Group(jax.process_index(), jax.process_count(), jax.device_count())


@contextmanager
def undistributed():
    """For what one process does without the others, such as to save: Keras makes variables then, for this one only."""
    shared = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(shared)


def forget():
    """Free what Keras holds of networks that are no longer used, but not how work is shared among devices."""
    shared = keras.distribution.distribution()
    keras.utils.clear_session()
    keras.distribution.set_distribution(shared)


@contextmanager
def together(group):
    """For as long as the processes work together; what follows is of this process alone.

    If another one is gone, or this one fails, it ends at once, with a message and the exit code 2.
    """
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:  # the backends raise anything when a connection ends
        if group.processes == 1:
            raise
        if not isinstance(error, KeyboardInterrupt | OSError) and not CONNECTION.search(str(error)):
            traceback.print_exc()  # a fault of ours
        reason = str(error).splitlines()[0] if str(error) else "stopped"
        print(f"\nmain.py: process {group.rank}: the work with the others ended ({reason}).", file=sys.stderr)
        print("Start all processes again with --resume: they go on after the last finished epoch.", file=sys.stderr)
        sys.stderr.flush()
        os._exit(2)  # the usual end would wait for the others
    if group.devices > 1:
        keras.distribution.set_distribution(None)
    if group.processes > 1:
        import jax

        jax.distributed.shutdown()


def has_bfloat16():
    """Whether every device is made for bfloat16.

    GPUs are NVIDIA's from compute capability 8.0, the Ampere of 2020. Processors are those with AVX-512 BF16 or AMX, as
    far as Linux tells, and for TensorFlow alone, whose oneDNN uses either.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        if not gpus:
            return PROCESSOR.is_file() and bool(BFLOAT16.search(PROCESSOR.read_text()))
        capabilities = [tf.config.experimental.get_device_details(gpu).get("compute_capability") for gpu in gpus]
    elif backend == "jax":
        import jax

        found = [str(getattr(device, "compute_capability", "")) for device in jax.local_devices()]
        capabilities = [tuple(map(int, text.split("."))) if re.fullmatch(r"\d+\.\d+", text) else None for text in found]
    elif backend == "torch":
        import torch

        capabilities = [torch.cuda.get_device_capability(i) for i in range(torch.cuda.device_count())]
    else:  # OpenVINO, for predictions, which have a precision of their own
        capabilities = []
    return bool(capabilities) and all(capability and capability >= (8, 0) for capability in capabilities)


@contextmanager
def precision(mixed):
    """Build and train networks in bfloat16 with weights in float32 if `mixed`, else in float32 throughout."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if mixed else "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)


@contextmanager
def environment(**variables):
    """Set environment variables, and put them back as they were."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def name_device():
    """Where Keras computes and with what, found by asking a tensor: "CPU:0 (tensorflow)"."""
    name = str(keras.ops.zeros(1).device).split("device:")[-1]
    return f"{name} ({keras.backend.backend()})"


def describe_machine():
    """What a run computes on and with, as run.json holds it: a dict of "device" and "versions"."""
    packages = ["keras", keras.backend.backend(), "numpy", "scipy", "scikit-image"]
    versions = {"python": platform.python_version(), **{name: version(name) for name in packages}}
    return {"device": name_device(), "versions": versions}


def is_out_of_memory(error):
    """Whether an exception, of any backend, says that a device is out of memory."""
    return bool(OUT_OF_MEMORY.search(f"{type(error).__name__}: {error}"))
