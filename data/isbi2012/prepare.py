"""Bring the sections of the ISBI 2012 challenge into this folder, as a dataset that main.py takes.

    python data/isbi2012/prepare.py                    # downloads the challenge's archive
    python data/isbi2012/prepare.py --archive FILE     # uses one you have

Terms of the data: for generating or testing non-commercial image segmentation software; cite Cardona et al., PLoS
Biology 2010 (e1000502) and Arganda-Carreras et al., Frontiers in Neuroanatomy 2015.
"""

import argparse
import hashlib
import io
import json
import logging
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path

import pooch
import tifffile
from PIL import Image

URL = "https://downloads.imagej.net/ISBI-2012-challenge.zip"

# SHA-256 of each stack's uint8 pixels in C order. Of the labels of the test sections, which not every archive holds,
# only git's number for the file is known.
STACKS = {
    "test-volume.tif": ("test", "1b58fa7ec1d0ff9d39a855622db3ff66a97863036339b0d04be51b2f5a99b0e9"),
    "test-labels.tif": ("test/label", None),
    "train-volume.tif": ("train/image", "200da3d452d726e6c9ca1ce04b869d4edb727320d23b516d01cce707dc8c4760"),
    "train-labels.tif": ("train/label", "a7cb64000a1a7e542682927e19c91339f58f9f178e0bcce4e207371116f0ca36"),
}
TEST_LABELS, BLOB = "test-labels.tif", "0d6427fdfe7bacaa91bdc3d930aab31331b62d43"


def download(url, folder):
    """Download an archive with a progress bar, or find it where an earlier call left it whole.

    Raises
    ------
    ValueError
        If it cannot be had.
    """
    pooch.get_logger().setLevel(logging.WARNING)
    try:
        return Path(pooch.retrieve(url, known_hash=None, fname=Path(url).name, path=folder, progressbar=True))
    except OSError as error:  # what requests raises is an OSError too
        reason = type(error).__name__
    # Outside the handler, where the error no longer keeps the progress bar from closing its line.
    raise ValueError(f"{url}: cannot be downloaded ({reason}); run again, or give --archive FILE.")


def read_stacks(archive):
    """Read and check the stacks of an archive. Labels of the test sections are left out if they are others.

    Returns
    -------
    dict of str to uint8 array (sections, height, width)
        By folder of the dataset.

    Raises
    ------
    ValueError
        If the archive is damaged, or a stack missing or not the challenge's.
    """
    if not Path(archive).is_file():
        raise ValueError(f"{archive}: no such file.")
    stacks = {}
    try:
        with zipfile.ZipFile(archive) as opened:
            names = {Path(name).name: name for name in opened.namelist()}
            for name, (folder, fingerprint) in STACKS.items():
                if name in names:
                    packed = opened.read(names[name])
                    if name == TEST_LABELS and find_blob(packed) != BLOB:
                        print(f"{archive}: {name} is not the challenge's and is left out.", file=sys.stderr)
                        continue
                    stacks[folder] = tifffile.imread(io.BytesIO(packed))
                elif fingerprint:
                    raise ValueError(f"{archive}: holds no {name}; is it the challenge's archive?")
    except (OSError, zipfile.BadZipFile, zlib.error, tifffile.TiffFileError) as error:
        raise ValueError(f"{archive}: cannot be read ({error}); delete it and run again.") from None
    for name, (folder, fingerprint) in STACKS.items():
        if fingerprint and hashlib.sha256(stacks[folder].tobytes()).hexdigest() != fingerprint:
            raise ValueError(f"{archive}: the pixels of {name} are not the challenge's; delete it and run again.")
    return stacks


def find_blob(content):
    """The number under which git knows a file of such bytes."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def write_dataset(stacks, out):
    """Write a stack's sections as 0.png, 1.png, ... into its folder under `out`: all of them, or none."""
    with tempfile.TemporaryDirectory(dir=out, prefix=".prepare-") as temporary:
        for folder, stack in stacks.items():
            (Path(temporary) / folder).mkdir(parents=True, exist_ok=True)
            for i, section in enumerate(stack):
                Image.fromarray(section).save(Path(temporary) / folder / f"{i}.png")
        (Path(temporary) / "dataset.json").write_text(json.dumps({"labels": {"membrane": 0, "cell": 255}}) + "\n")
        for part in ("dataset.json", "test", "train"):  # `train` last: it stands for a finished dataset
            (Path(temporary) / part).rename(out / part)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archive", type=Path, help="the challenge's zip file, if you have it")
    parser.add_argument("--url", default=URL, help="where to download it (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="dataset folder (default: %(default)s)")
    arguments = parser.parse_args(argv)
    try:
        for part in ("train", "test"):
            if (arguments.out / part).exists():
                raise ValueError(f"{arguments.out / part}: is there already; delete it to prepare the data anew.")
        arguments.out.mkdir(parents=True, exist_ok=True)
        stacks = read_stacks(arguments.archive or download(arguments.url, arguments.out))
        write_dataset(stacks, arguments.out)
    except (ValueError, OSError) as error:
        print(f"prepare.py: {error}", file=sys.stderr)
        return 1
    print(f"{len(stacks['train/image'])} training sections with labels and {len(stacks['test'])} test sections are in")
    print(f"{arguments.out}; train on them with: python main.py --data {arguments.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
