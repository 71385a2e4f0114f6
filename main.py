"""Train a U-Net on a folder of images and labels, then write and score one mask per test image.

    python main.py                                   # data/membrane, 5 epochs
    python main.py --data data/isbi2012 --width 32   # another dataset, a wider network
    python main.py --resume                          # go on where a stopped run was

The run is kept in runs/<name of the data folder>/ (see record.py); the masks are written beside the test images.
"""

import argparse
import sys
from pathlib import Path

import keras

import batches
import data
import figures
import folders
import metrics
import model
import options
import predict
import record


def train(arguments, callbacks=()):
    """The recipe: load, split, build, fit, predict, score, draw.

    `callbacks` join the recipe's own. Returns the mean scores of the held-out sections and of the test images.
    """
    run, test = arguments.run, arguments.data / "test"
    keras.utils.set_random_seed(arguments.seed)
    stems, images, labels, values = data.read_pairs(arguments.data / "train")
    training, held_out = data.split(len(stems), arguments.validation_fraction)
    print(f"Training on {record.device()}; held out: {', '.join(stems[held_out])}.")

    if arguments.resume:
        network = keras.saving.load_model(run / "last.keras")
    else:
        shape, classes = (None, None, images[0].shape[-1]), len(values) if len(values) > 2 else 1
        network = getattr(model, arguments.model)(shape, classes, width=arguments.width, depth=arguments.depth)
        loss, iou = "binary_crossentropy", keras.metrics.BinaryIoU([0], name="membrane_iou", dtype="float32")
        if classes > 1:
            loss = "sparse_categorical_crossentropy"
            iou = keras.metrics.MeanIoU(classes, "mean_iou", sparse_y_pred=False)
        steps = arguments.epochs * arguments.steps_per_epoch
        network.compile(
            optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(arguments.learning_rate, steps)),
            loss=loss,
            weighted_metrics=["accuracy", iou],
        )
    epoch = int(network.optimizer.iterations) // arguments.steps_per_epoch
    size = arguments.crop, arguments.batch_size, arguments.steps_per_epoch
    variations = {name: getattr(arguments, name) for name in ("turns", "grey", "elastic", "border_weight")}
    crops = batches.Crops(images[training], labels[training], *size, arguments.seed, **variations)
    sections = batches.Sections(images[held_out], labels[held_out], 2**arguments.depth)
    kept = record.Record(run, epoch)
    network.fit(
        crops,
        validation_data=sections,
        initial_epoch=epoch,
        epochs=arguments.epochs,
        callbacks=[batches.FollowEpochs(crops), kept, record.Learning(sections), *callbacks],
        shuffle=False,
    )

    network, settings = predict.load_network(run / "model.keras")
    maps = [predict.predict(network, image) for image in images[held_out]]
    settings |= predict.settle(labels[held_out], maps, values, arguments.data / "train/label")
    record.save_network(network, run / "model.keras", **settings)
    masks = [predict.to_mask(probability, settings) for probability in maps]
    pairs = zip(labels[held_out], masks, strict=True)
    scores = {"held out": metrics.mean_scores(metrics.scores(*pair, values) for pair in pairs)}
    if test.is_dir():
        predict.write_masks(network, folders.find_images(test), test, settings)
        if (test / "label").is_dir():
            scores["test"] = metrics.mean_scores(metrics.score_folder(test, test / "label").values())
    record.write_summary(run, vars(arguments), seconds=sum(row["seconds"] for row in kept.rows), scores=scores)
    figures.save(figures.draw_curves(kept.rows), run / "curves.png")
    figures.save(figures.draw_overlay(images[held_out][0], labels[held_out][0], masks[0]), run / "overlay.png")
    return scores


def parse(argv):
    """Parse the command line; what it leaves out comes from the run to be resumed, or from the defaults."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=Path, default=Path("data/membrane"), help="dataset: train/image, train/label, test")
    add("--epochs", type=options.positive, default=5, help="passes of --steps-per-epoch batches")
    add("--steps-per-epoch", type=options.positive, default=220, help="batches an epoch")
    add("--batch-size", type=options.positive, default=4, help="crops a batch")
    add("--crop", type=options.positive, default=256, help="side of a training crop in pixels")
    add(
        "--model",
        choices=options.architectures(),
        default="unet",
        help="the function of model.py that builds the network",
    )
    add("--width", type=options.positive, default=12, help="channels at full resolution; 64 in the paper")
    add("--depth", type=options.positive, default=4, help="how many times the image is halved")
    add("--learning-rate", type=options.rate, default=3e-3, help="Adam's, at the start; it falls to 0 along a cosine")
    add("--turns", action=argparse.BooleanOptionalAction, default=True, help="train on the eight flips and rotations")
    add(
        "--grey",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="train on changes of contrast, brightness and noise",
    )
    add("--elastic", type=options.natural, default=0, help="pixels of elastic deformation; 10 in the paper")
    add("--border-weight", type=options.natural, default=0, help="w0 of narrow borders between cells; 10 in the paper")
    add("--validation-fraction", type=options.share, default=0.2, help="share of train/ held out, its last sections")
    add("--seed", type=options.natural, default=0, help="of weights, crops and dropout")
    add("--run", type=Path, help="folder of the run; runs/<name of the data folder> if none is named")
    add("--resume", action="store_true", help="go on after the last finished epoch, with the run's own arguments")
    arguments = parser.parse_args(argv)
    arguments.run = arguments.run or Path("runs") / arguments.data.resolve().name
    if arguments.resume:
        parser.set_defaults(**record.read_arguments(arguments.run))
        arguments = parser.parse_args(argv, argparse.Namespace(run=arguments.run))
    return arguments


def main(argv=None):
    arguments = parse(argv)
    problems = options.find_problems(arguments)
    if problems:
        print(*problems, sep="\n", file=sys.stderr)
        return 2
    try:
        record.open_run(arguments.run, vars(arguments))
        scores = train(arguments)
    except KeyboardInterrupt:
        print(f"\nStopped. {record.state(arguments.run)}", file=sys.stderr)
        return 130
    except OSError as error:
        reason = f"{error.filename or arguments.run}: {error.strerror}."
        print(f"\nmain.py: {reason} {record.state(arguments.run)}", file=sys.stderr)
        return 2
    print(metrics.table(scores), "constant: the accuracy of one answer for every pixel", sep="\n")
    print(f"Masks are in {arguments.data / 'test'}, the network and its record in {arguments.run}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
