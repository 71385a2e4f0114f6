"""What keeps main.py from training, by its options and its data, found before the first step and without Keras."""

import os
from dataclasses import replace

from segmentation import extras
from segmentation.files import checks, dataset, folders, writing
from segmentation.sources import recognise

LONGEST_NAME = 215  # bytes of a test image's name, so that its mask can have one, too


def check(options):
    """Check a dataset and what the options want of it; `options.crop` is chosen if it was not given.

    Parameters
    ----------
    options : argparse.Namespace
        Those of main.py.

    Returns
    -------
    survey : dataset.Survey, or None if the folder is no dataset at all
    problems : list of str
    """
    advice = recognise.advise(options.data)
    if advice:
        return None, [advice]
    survey = dataset.survey(
        options.data, keep=True, ignore=options.ignore, objects=options.objects, rule=options.scaling
    )
    problems = checks.find_problems(
        survey,
        options.validation_fraction,
        options.crop,
        depth=options.depth,
        group_by=options.group_by,
        folds=options.folds,
    )
    if not options.crop:
        options.crop = checks.find_crop(survey, options.depth)
        if options.crop < checks.LARGEST_CROP and not survey.problems:
            line = f"Crops have {options.crop} pixels a side, as the smallest image allows (--crop)."
            survey = replace(survey, notes=(*survey.notes, line))
    problems += filter(None, map(writing.find_obstacle, filter(None, (options.run, options.out))))
    if options.crop % 2**options.depth:
        fits = max(options.crop // 2**options.depth, 1) * 2**options.depth
        problems.append(
            f"--crop {options.crop}: not divisible by 2^{options.depth}, as --depth needs; --crop {fits} is."
        )
    return survey, problems + _find_long_names(options.data)


def _find_long_names(folder):
    """Problems with test images whose masks would have names that are too long."""
    place, _ = dataset.find_places(folder, "test")
    files = folders.find_images(place).values() if place.is_dir() else []
    return [
        f"{file}: its name is too long for that of its mask; shorten it."
        for file in files
        if len(os.fsencode(file.name)) > LONGEST_NAME
    ]


def find_conflicts(options, group):
    """What options ask for that cannot be had together, or on a `devices.Group` like this one: list of str."""
    problems = []
    if options.batch_size % group.devices:
        problems.append(f"--batch-size {options.batch_size}: cannot be shared evenly by {group.devices} devices.")
    if options.minutes and (options.scheduler or group.devices > 1):
        problems.append("--minutes: fits the steps to one device; give --steps-per-epoch.")
    if options.folds and group.processes > 1:
        problems.append("--folds: several processes train one network; leave it out, or take --scheduler.")
    if options.scheduler and not options.folds:
        problems.append(f"--scheduler {options.scheduler}: shares networks, and there is one; give --folds, too.")
    if options.scheduler:
        try:
            with extras.needs("volumes"):
                import distributed  # noqa: F401 (so that what is missing is said before a training)
        except ValueError as error:
            problems.append(str(error))
    return problems


def find_idle(options, survey):
    """Options that do nothing for such data: list of str."""
    fraction, lines = options.validation_fraction != checks.FRACTION, []
    if survey.parts["val"].images and (options.group_by or fraction):
        lines.append("val/ is what is held out; --group-by and --validation-fraction do nothing.")
    if options.folds and fraction:
        lines.append("With --folds, --validation-fraction does nothing.")
    return lines
