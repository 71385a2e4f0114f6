"""Train a U-Net on a folder of images and labels, then write and score one mask per test image.

    python main.py                                   # data/membrane, 5 epochs
    python main.py --data data/isbi2012 --width 32   # another dataset, a wider network
    python main.py --weights pretrained/model.keras  # start from a trained network
    python main.py --resume                          # go on where a stopped run was

The run is kept in runs/<name of the data folder>/; the masks are written beside the test images.
"""

import argparse
import inspect
import sys
from pathlib import Path

import keras

import data
import model
from segmentation import arguments, devices, figures
from segmentation.files import dataset, folders, writing
from segmentation.prediction import masks, networks
from segmentation.scores import tables
from segmentation.training import callbacks, runs


def parse(argv):
    """Parse the command line; what it leaves out comes from the run to be resumed, or from the defaults."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add, switch = parser.add_argument, argparse.BooleanOptionalAction
    positive, natural = arguments.positive, arguments.natural
    add("--data", type=Path, default=Path("data/membrane"), help="dataset: train/image, train/label, test")
    add("--epochs", type=positive, default=5, help="passes of --steps-per-epoch batches")
    add("--steps-per-epoch", type=positive, default=220, help="batches an epoch")
    add("--batch-size", type=positive, default=4, help="crops a batch")
    add("--crop", type=positive, default=256, help="side of a training crop in pixels")
    how = "the function of model.py that builds the network"
    add("--model", choices=find_architectures(), default="unet", help=how)
    add("--width", type=positive, default=12, help="channels at full resolution; 64 in the paper")
    add("--depth", type=positive, default=4, help="how many times the image is halved")
    add("--weights", type=Path, metavar="FILE", help="a trained network to start from; random weights if none is named")
    add("--learning-rate", type=arguments.rate, default=3e-3, help="Adam's, at the start; it falls to 0 along a cosine")
    add("--turns", action=switch, default=True, help="train on the eight flips and rotations")
    add("--grey", action=switch, default=True, help="train on changes of contrast, brightness and noise")
    add("--elastic", type=natural, default=0, help="pixels of elastic deformation; 10 in the paper")
    add("--border-weight", type=natural, default=0, help="w0 of narrow borders between cells; 10 in the paper")
    add("--border-sigma", type=positive, default=5, help="sigma in pixels, by which a border is narrow; 5 in the paper")
    how = "share of train/ held out, its last sections"
    add("--validation-fraction", type=arguments.fraction, default=0.2, help=how)
    add("--seed", type=natural, default=0, help="of weights, crops and dropout")
    add("--run", type=Path, help="folder of the run; runs/<name of the data folder> if none is named")
    how = "compute in bfloat16, with weights in float32; by default only on GPUs made for it"
    add("--mixed-precision", action=switch, help=how)
    add("--tensorboard", action="store_true", help="write scores and overlays for TensorBoard to RUN/tensorboard")
    add("--resume", action="store_true", help="go on after the last finished epoch, with the run's own arguments")
    options = parser.parse_args(argv)
    options.run = options.run or Path("runs") / options.data.resolve().name
    if options.resume:
        parser.set_defaults(**runs.read_arguments(options.run))
        options = parser.parse_args(argv, argparse.Namespace(run=options.run))
    return options


def find_architectures():
    """Names of the functions of model.py that build a network: its own, without an underscore before them."""
    functions = inspect.getmembers(model, inspect.isfunction)
    return [name for name, function in functions if function.__module__ == "model" and name[0] != "_"]


def load(options, group=devices.ALONE):
    """Check everything before the first step of training, and take the pairs as the check has decoded them.

    Returns
    -------
    pairs : data.Pairs, or None if there are problems
    problems : list of str
    """
    survey = dataset.survey(options.data, keep=True)
    problems = dataset.find_problems(survey, options.validation_fraction, options.crop)
    problems += filter(None, map(writing.find_obstacle, (options.run, options.data / "test")))
    if options.crop % 2**options.depth:
        problems.append(f"--crop {options.crop}: not divisible by 2^{options.depth}, as --depth needs.")
    if options.batch_size % group.devices:
        problems.append(f"--batch-size {options.batch_size}: cannot be shared evenly by {group.devices} devices.")
    if options.resume:
        problems += runs.find_differences(options.run, vars(options))
    elif options.weights:
        problems += find_misfit(options)
    return (None if problems else data.take_pairs(survey)), problems


def find_misfit(options):
    """Problems with starting from `--weights`."""
    try:
        trained, _ = networks.load_network(options.weights)
    except ValueError as error:
        return [f"--weights {error}"]
    network = build(options, channels=trained.input_shape[-1], classes=trained.output_shape[-1])
    if [weight.shape for weight in network.weights] != [weight.shape for weight in trained.weights]:
        return [f"--weights {options.weights}: is a network of another --model, --width or --depth."]
    return []


def build(options, channels, classes):
    """The network of model.py that the options name, not compiled."""
    architecture = getattr(model, options.model)
    return architecture((None, None, channels), classes, width=options.width, depth=options.depth)


def compile_network(network, options):
    """Choose loss, optimiser and metrics; all are written to history.csv."""
    classes = network.output_shape[-1]
    loss, iou = "binary_crossentropy", keras.metrics.BinaryIoU([0], name="membrane_iou", dtype="float32")
    if classes > 1:
        loss = "sparse_categorical_crossentropy"
        iou = keras.metrics.MeanIoU(classes, "mean_iou", sparse_y_pred=False)
    steps = options.epochs * options.steps_per_epoch
    rate = keras.optimizers.schedules.CosineDecay(options.learning_rate, steps)
    network.compile(optimizer=keras.optimizers.Adam(rate), loss=loss, weighted_metrics=["accuracy", iou])


def train(options, training, held_out, group=devices.ALONE, watching=()):
    """Build and fit; the network with the lowest held-out loss is left in `options.run`.

    `watching` are callbacks that join the recipe's own.
    """
    keras.utils.set_random_seed(options.seed)
    if options.mixed_precision is None:
        options.mixed_precision = devices.has_bfloat16()
    writes = group.rank == 0  # the other processes only train
    if writes:
        print(f"Training on {devices.name_device()}; held out: {', '.join(held_out.stems)}.")
    crops = data.Crops(
        training.images,
        training.labels,
        crop=options.crop,
        batch_size=options.batch_size,
        steps=options.steps_per_epoch,
        seed=options.seed,
        augmentation=data.Augmentation(options.turns, options.grey, options.elastic),
        border_weight=options.border_weight,
        border_sigma=options.border_sigma,
        group=group,
    )
    sections = data.Sections(held_out.images, held_out.labels, 2**options.depth, group)
    with devices.precision(mixed=options.mixed_precision):
        if options.resume:
            network = keras.saving.load_model(options.run / "last.keras")
        else:
            classes = len(training.values) if len(training.values) > 2 else 1
            network = build(options, channels=training.images[0].shape[-1], classes=classes)
            if options.weights:
                networks.copy_weights(options.weights, network)
            compile_network(network, options)
        epoch = int(network.optimizer.iterations) // options.steps_per_epoch
        following = [callbacks.FollowEpochs(crops)]
        if writes:
            following += [callbacks.Checkpoint(options.run, epoch), callbacks.Learning(held_out.labels)]
            following += callbacks.watch(
                options.run, held_out.images[0], held_out.labels[0], group, tensorboard=options.tensorboard
            )
        network.fit(
            crops,
            validation_data=sections,
            initial_epoch=epoch,
            epochs=options.epochs,
            callbacks=[*following, *watching],
            shuffle=False,
            verbose="auto" if writes else 0,
        )


def choose_mask_settings(options, held_out):
    """Choose on the held-out sections how masks are made, and keep that with the network.

    Returns
    -------
    network : keras.Model
    settings : networks.MaskSettings
    predicted : list of arrays
        The masks of the held-out sections.
    """
    network, _ = networks.load_network(options.run / "model.keras")
    maps = [masks.predict(network, image) for image in held_out.images]
    settings = masks.choose_settings(held_out.labels, maps, held_out.values, held_out.palette)
    networks.save_network(network, options.run / "model.keras", settings)
    return network, settings, [masks.to_mask(probability, settings) for probability in maps]


def write_test_masks(options, network, settings):
    """Write a mask beside each test image, if there are any, and say which had to be left out."""
    test = options.data / "test"
    if test.is_dir():
        problems = masks.write_masks(network, folders.find_images(test), test, settings)
        print(*problems, sep="\n", file=sys.stderr, end="\n" * bool(problems))


def score(options, held_out, predicted):
    """The mean scores of the held-out sections and, if they are labelled, of the test images: a dict of dicts."""
    rows = [
        tables.score_mask(label, mask, held_out.values) for label, mask in zip(held_out.labels, predicted, strict=True)
    ]
    scores, test = {"held out": tables.mean_scores(rows)}, options.data / "test"
    if (test / "label").is_dir():
        scores["test"] = tables.mean_scores(tables.score_folder(test, test / "label").values())
    return scores


def draw(options, held_out, predicted):
    """Draw the curves, and the overlay of the first held-out section."""
    history = runs.read_history(options.run / "history.csv")
    figures.save(figures.draw_curves(history), options.run / "curves.png")
    overlay = figures.draw_overlay(held_out.images[0], held_out.labels[0], predicted[0])
    figures.save(overlay, options.run / "overlay.png")


def finish(options, held_out):
    """What follows a training: masks, scores, pictures. Returns the scores."""
    network, settings, predicted = choose_mask_settings(options, held_out)
    write_test_masks(options, network, settings)
    scores = score(options, held_out, predicted)
    draw(options, held_out, predicted)
    seconds = sum(row["seconds"] for row in runs.read_history(options.run / "history.csv"))
    runs.close_run(options.run, vars(options), **devices.describe_machine(), seconds=seconds, scores=scores)
    return scores


def main(argv=None):
    options = parse(argv)
    try:
        group = devices.join()
    except ValueError as error:
        print(f"main.py: {error}", file=sys.stderr)
        return 2
    try:
        pairs, problems = load(options, group)
        if problems:
            print(*problems, sep="\n", file=sys.stderr)
            return 2
        training, held_out = data.split(pairs, options.validation_fraction)
        with devices.together(group):
            if group.rank == 0:
                runs.open_run(options.run, vars(options), **devices.describe_machine())
            train(options, training, held_out, group)
        if group.rank > 0:
            return 0
        scores = finish(options, held_out)
    except KeyboardInterrupt:
        print(f"\nStopped. {runs.describe_state(options.run)}", file=sys.stderr)
        return 130
    except OSError as error:
        reason = f"{error.filename or options.run}: {error.strerror}."
        print(f"\nmain.py: {reason} {runs.describe_state(options.run)}", file=sys.stderr)
        return 2
    except Exception as error:
        if not devices.is_out_of_memory(error):
            raise
        fix = "Start again with a smaller --batch-size, --crop or --width."
        print(f"\nmain.py: out of memory. {fix}", file=sys.stderr)
        return 2
    print(tables.format_table(scores), "constant: the accuracy of one answer for every pixel", sep="\n")
    print(f"Masks are in {options.data / 'test'}, the network and its record in {options.run}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
