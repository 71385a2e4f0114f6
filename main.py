"""Train a U-Net on a folder of images and labels, then write and score one mask per test image.

    python main.py                                   # data/membrane, 5 epochs
    python main.py --data data/isbi2012 --width 32   # another dataset, a wider network
    python main.py --weights pretrained/model.keras  # start from a trained network
    python main.py --resume                          # go on where a stopped run was

The run is kept in runs/<name of the data folder>/ (see record.py); the masks are written beside the test images.
"""

import sys

import keras

import batches
import data
import devices
import figures
import folders
import metrics
import model
import options
import predict
import record
import watch


def train(arguments, group=devices.ALONE, callbacks=()):
    """The first half of the recipe: load, split, build, fit.

    Leaves the network with the lowest held-out loss in `arguments.run`. `callbacks` join the recipe's own.
    """
    run = arguments.run
    keras.utils.set_random_seed(arguments.seed)
    if arguments.mixed_precision is None:
        arguments.mixed_precision = devices.has_bfloat16()
    keras.config.set_dtype_policy("mixed_bfloat16" if arguments.mixed_precision else "float32")
    stems, images, labels, values = data.read_pairs(arguments.data / "train")
    training, held_out = data.split(len(stems), arguments.validation_fraction)
    if group.rank == 0:
        print(f"Training on {devices.name_device()}; held out: {', '.join(stems[held_out])}.")

    if arguments.resume:
        network = keras.saving.load_model(run / "last.keras")
    else:
        shape, classes = (None, None, images[0].shape[-1]), len(values) if len(values) > 2 else 1
        network = getattr(model, arguments.model)(shape, classes, width=arguments.width, depth=arguments.depth)
        if arguments.weights:
            record.copy_weights(arguments.weights, network)
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
    names = ("turns", "grey", "elastic", "border_weight", "border_sigma")
    variations = {name: getattr(arguments, name) for name in names}
    crops = batches.Crops(images[training], labels[training], *size, arguments.seed, group=group, **variations)
    sections = batches.Sections(images[held_out], labels[held_out], 2**arguments.depth, group)
    first = [record.Record(run, epoch), record.Learning(labels[held_out])]
    first += watch.callbacks(run, images[held_out][0], labels[held_out][0], group, arguments.tensorboard)
    network.fit(
        crops,
        validation_data=sections,
        initial_epoch=epoch,
        epochs=arguments.epochs,
        callbacks=[batches.FollowEpochs(crops), *(first if group.rank == 0 else []), *callbacks],
        shuffle=False,
        verbose="auto" if group.rank == 0 else 0,
    )


def evaluate(arguments):
    """The second half: predict, score, draw. Returns the mean scores of the held-out sections and the test images."""
    run, test = arguments.run, arguments.data / "test"
    stems, images, labels, values = data.read_pairs(arguments.data / "train")
    _, held_out = data.split(len(stems), arguments.validation_fraction)
    network, settings = record.load_network(run / "model.keras")
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
    rows = record.read_history(run / "history.csv")
    record.write_summary(run, vars(arguments), seconds=sum(row["seconds"] for row in rows), scores=scores)
    figures.save(figures.draw_curves(rows), run / "curves.png")
    figures.save(figures.draw_overlay(images[held_out][0], labels[held_out][0], masks[0]), run / "overlay.png")
    return scores


def main(argv=None):
    arguments = options.parse(argv, __doc__)
    try:
        group = devices.join()
        problems = options.find_problems(arguments, group)
    except ValueError as error:
        problems = [f"main.py: {error}"]
    if problems:
        print(*problems, sep="\n", file=sys.stderr)
        return 2
    try:
        with devices.together(group):
            if group.rank == 0:
                record.open_run(arguments.run, vars(arguments))
            train(arguments, group)
        if group.rank > 0:
            return 0
        scores = evaluate(arguments)
    except KeyboardInterrupt:
        print(f"\nStopped. {record.state(arguments.run)}", file=sys.stderr)
        return 130
    except OSError as error:
        reason = f"{error.filename or arguments.run}: {error.strerror}."
        print(f"\nmain.py: {reason} {record.state(arguments.run)}", file=sys.stderr)
        return 2
    except Exception as error:
        if not devices.is_out_of_memory(error):
            raise
        mend = "Start again with a smaller --batch-size, --crop or --width."
        print(f"\nmain.py: the memory does not suffice. {mend}", file=sys.stderr)
        return 2
    print(metrics.table(scores), "constant: the accuracy of one answer for every pixel", sep="\n")
    print(f"Masks are in {arguments.data / 'test'}, the network and its record in {arguments.run}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
