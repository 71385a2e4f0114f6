"""Train a U-Net on a folder of images and labels, then write and score one mask per test image.

    python main.py                                   # data/membrane, 5 epochs
    python main.py --data data/isbi2012 --width 32   # another dataset, a wider network
    python main.py --weights pretrained/model.keras  # start from a trained network
    python main.py --resume                          # go on where a stopped run was
    python main.py --folds 5                         # five networks, so that each image is held out by one

The run is kept in runs/<name of the data folder>/; the masks are written beside the test images.
"""

import argparse
import ast
import contextlib
import importlib
import math
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

import lazy_loader
from tqdm import tqdm

import data
from segmentation import arguments, devices, extras, geometry
from segmentation.files import checks, dataset, description, folders, scaling, splits, writing
from segmentation.prediction import masks, networks
from segmentation.scores import calibration, tables
from segmentation.training import planning, refusals, report, runs

keras = lazy_loader.load("keras")  # and what imports it where it is used: Keras takes seconds to start

MODEL = Path(__file__).with_name("model.py")
LOSSES = ("cross-entropy", "dice", "focal")  # as for `losses.find_loss`


def parse(argv):
    """Parse the command line; what it leaves out comes from the run to be resumed, or from the defaults."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0], formatter_class=arguments.Help)
    add, switch = parser.add_argument, argparse.BooleanOptionalAction
    positive, natural = arguments.positive, arguments.natural
    add("--data", type=Path, default=Path("data/membrane"), help="dataset: train/image, train/label, test")
    add("--epochs", type=positive, default=5, help="passes of --steps-per-epoch batches")
    how = f"batches an epoch; {planning.STEPS}, or {planning.MORE_STEPS} of more than two classes, if not given"
    add("--steps-per-epoch", type=positive, help=how)
    how = "take about so long, on this machine, as a whole: the batches an epoch are fitted to it"
    add("--minutes", type=arguments.rate, metavar="N", help=how)
    add("--batch-size", type=positive, default=4, help="crops a batch")
    how = "side of a training crop in pixels; 256, or what the smallest image allows, if not given"
    add("--crop", type=positive, help=how)
    how = "the function of model.py that builds the network"
    add("--model", choices=find_architectures(), default="unet", help=how)
    add("--width", type=positive, default=12, help="channels at full resolution; 64 in the paper")
    add("--depth", type=positive, default=4, help="how many times the image is halved")
    how = "share of the features that is dropped in training at the bottom of the network; chosen if not given"
    add("--dropout", type=arguments.portion, help=how)
    add("--weights", type=Path, metavar="FILE", help="a trained network to start from; random weights if none is named")
    add("--learning-rate", type=arguments.rate, default=3e-3, help="Adam's, at the start; it falls to 0 along a cosine")
    how = "flips and rotations to train on and average; if not given mirror where there is an upper side, or else all"
    add("--turns", choices=geometry.TURNS, help=how)
    add("--no-turns", action="store_const", const="none", dest="turns", help="the same as --turns none")
    add("--grey", action=switch, default=True, help="train on changes of contrast and brightness, and added noise")
    how = "the standard deviation, at most, of the noise that is added, as a share of the range; chosen if not given"
    add("--noise", type=arguments.share, help=how)
    add("--elastic", type=natural, default=0, help="pixels of elastic deformation; 10 in the paper")
    add("--loss", choices=LOSSES, help="cross-entropy, with dice added to it, or focal; chosen if not given")
    how = "let the pixels of a class weigh the more, the rarer it is; chosen if not given"
    add("--class-weights", action=switch, help=how)
    how = "share of the crops that are drawn around a pixel of a class, each as often; chosen if not given"
    add("--centred", type=arguments.share, help=how)
    add("--border-weight", type=natural, default=0, help="w0 of narrow borders between cells; 10 in the paper")
    add("--border-sigma", type=positive, default=5, help="sigma in pixels, by which a border is narrow; 5 in the paper")
    how = "share of train/ held out, its last sections"
    add("--validation-fraction", type=arguments.fraction, default=checks.FRACTION, help=how)
    how = "train so many networks, each of which holds out another part; they are averaged"
    add("--folds", type=arguments.several, metavar="K", help=how)
    how = "address of a dask.distributed cluster whose workers train the networks of --folds"
    add("--scheduler", metavar="ADDRESS", help=how)
    how = "hold out whole groups, such as patients: by folder, or by what comes before the last _, - or space of a name"
    add("--group-by", choices=splits.GROUPINGS, help=how)
    arguments.add_meaning(parser)
    add("--seed", type=natural, default=0, help="of weights, crops and dropped features")
    add("--run", type=Path, help="folder of the run; runs/<name of the data folder> if none is named")
    add("--out", type=Path, help="folder for the masks of the test images; beside them if none is named")
    how = "compute in bfloat16, with weights in float32; by default only on GPUs and processors made for it"
    add("--mixed-precision", action=switch, help=how)
    add("--tensorboard", action="store_true", help="write scores and overlays for TensorBoard to RUN/tensorboard")
    add("--resume", action="store_true", help="go on after the last finished epoch, with the run's own arguments")
    parser.set_defaults(fold=None)
    options = parser.parse_args(argv)
    options.run = options.run or Path("runs") / options.data.resolve().name
    if options.resume:
        parser.set_defaults(**runs.read_arguments(options.run))
        options = parser.parse_args(argv, argparse.Namespace(run=options.run))
    return options


def find_architectures(file=MODEL):
    """Names of the functions of model.py that build a network: its own, without an underscore before them."""
    lines = ast.parse(file.read_text(encoding="utf-8")).body
    return [line.name for line in lines if isinstance(line, ast.FunctionDef) and line.name[0] != "_"]


def load(options, survey, group=devices.ALONE):
    """Check the rest before the first step of training, and take the pairs as `refusals.check` has decoded them.

    What was guessed, and what may not be meant, is printed. With `--folds`, all sections are taken twice, but for a
    fold.

    Returns
    -------
    pairs : (data.Pairs, data.Pairs), to be trained on and held out, or None if there are problems
    problems : list of str
    """
    writes, first = group.rank == 0 and not options.fold, not (options.resume or options.fold)
    problems = find_misfit(options) if options.weights and first else []
    problems += refusals.find_conflicts(options, group)
    if problems:
        return None, problems
    if writes:
        if not options.out and choose_out(options).parent == options.run:
            print("The test images' folder cannot be written to: their masks go to the folder of the run.")
        warnings = [f"Warning: {text}" for text in survey.warnings]
        lines = [*refusals.find_idle(options, survey), *survey.notes, *warnings]
        print(*lines, sep="\n", end="\n" * bool(lines))
    training, held_out = splits.split(
        survey, options.validation_fraction, options.group_by, options.folds, options.fold
    )
    scored = splits.thin(survey, held_out)
    if len(scored) < len(held_out) and writes and not options.folds:
        print(f"Of {len(held_out)} held-out sections {len(scored)}, evenly spread, are scored: all of them take long.")
    pairs = [data.take_pairs(survey, training), data.take_pairs(survey, scored, splits.SCORED)]
    chosen = planning.plan(options, pairs[0].images, pairs[0].labels, pairs[0].classes)
    if writes:
        print(*chosen, sep="\n", end="\n" * bool(chosen))
    problems = runs.find_differences(options.run, vars(options), describe_data(*pairs)) if options.resume else []
    return (None, problems) if problems else (pairs, [])


def describe_data(training, held_out):
    """What a run has to find again in its data to be resumed: dict of str."""
    known = training.classes
    return {
        "classes": ", ".join(map(str, known.values)),
        "channels": str(training.images[0].shape[-1]),
        "grey values": scaling.describe(training.scaling),
        "sections": splits.describe(training.stems, held_out.stems),
    }


def choose_out(options):
    """Where the masks of the test images go: beside them or, where nothing can be written, to the run."""
    place, _ = dataset.find_places(options.data, "test")
    if options.out or not place.is_dir() or not writing.find_obstacle(place):
        return options.out or place
    return options.run / "masks"


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
    import model

    architecture = getattr(model, options.model)
    given = {} if options.dropout is None else {"dropout": options.dropout}
    return architecture((None, None, channels), classes, width=options.width, depth=options.depth, **given)


def compile_network(network, options, known):
    """Choose loss, optimiser and metrics; all are written to history.csv. `known` are the classes of the labels."""
    from segmentation.training import losses, metrics

    classes, rare = network.output_shape[-1], known.order[0]
    loss = losses.find_loss(options.loss, classes)
    accuracy = keras.metrics.BinaryAccuracy("accuracy", dtype="float32")
    if classes > 1:
        accuracy = keras.metrics.SparseCategoricalAccuracy("accuracy", dtype="float32")
    iou = metrics.find_iou(classes, rare, name="mean_iou" if classes > 1 else f"{known.names[rare]}_iou")
    steps = options.epochs * options.steps_per_epoch
    rate = keras.optimizers.schedules.CosineDecay(options.learning_rate, steps)
    network.compile(optimizer=keras.optimizers.Adam(rate), loss=loss, weighted_metrics=[accuracy, iou])
    # Were variables first made in a step, as by "accuracy", TensorFlow would trace it twice.
    network.optimizer.build(network.trainable_variables)


def choose_precision(options):
    """The context in which the options' network is built and trained; the precision is chosen if it was not given."""
    if options.mixed_precision is None:
        options.mixed_precision = devices.has_bfloat16()
    return devices.precision(mixed=options.mixed_precision)


def begin(options, training):
    """The network for such pairs before the first step, compiled."""
    count = len(training.classes.values)
    network = build(options, channels=training.images[0].shape[-1], classes=count if count > 2 else 1)
    if options.weights:
        networks.copy_weights(options.weights, network)
    compile_network(network, options, training.classes)
    return network


def find_holding(pairs):
    """What crops can be drawn around: the sections that hold some of a class, for the rarer of two or for each."""
    known = pairs.classes
    numbers = [known.order[0]] if len(known.values) == 2 else range(len(known.values))
    holding = {number: [i for i, pixels in enumerate(pairs.pixels) if pixels[number]] for number in numbers}
    return {number: sections for number, sections in holding.items() if sections}


def train(options, training, held_out, group=devices.ALONE, watching=()):
    """Build and fit; the network with the lowest held-out loss is left in `options.run`.

    `watching` are callbacks that join the recipe's own.
    """
    from segmentation.training import batches, callbacks, metrics

    keras.utils.set_random_seed(options.seed)
    writes = group.rank == 0  # the other processes only train
    if writes:
        print(f"Training on {devices.name_device()}; held out: {name_stems(held_out.stems)}.")
    crops = make_crops(options, training, group)
    sections = data.Sections(held_out.images, held_out.labels, 2**options.depth, group)
    with choose_precision(options):
        last, own = options.run / "last.keras", {"segmentation>IoU": metrics.IoU}  # PyTorch's
        network = keras.saving.load_model(last, own) if options.resume else begin(options, training)
        epoch = int(network.optimizer.iterations) // options.steps_per_epoch
        following = [batches.FollowEpochs(crops)]
        if writes:
            settings = describe_network(options, training)
            following += [callbacks.Checkpoint(options.run, epoch, settings)]
            following += [callbacks.Learning(held_out.labels, training.classes)]
            following += callbacks.watch(options.run, held_out, group, settings, tensorboard=options.tensorboard)
        network.fit(
            batches.Batches(crops),
            validation_data=batches.Batches(sections, workers=1),
            initial_epoch=epoch,
            epochs=options.epochs,
            callbacks=[*following, *watching],
            shuffle=False,
            verbose="auto" if writes else 0,
        )


def make_crops(options, training, group=devices.ALONE):
    """The crops that the options ask for."""
    from segmentation.training import losses

    return data.Crops(
        training.images,
        training.labels,
        crop=options.crop,
        batch_size=options.batch_size,
        steps=options.steps_per_epoch,
        seed=options.seed,
        augmentation=data.Augmentation(options.turns, options.grey, options.elastic, options.noise),
        border_weight=options.border_weight,
        border_sigma=options.border_sigma,
        ignoring=training.classes.ignore is not None,
        class_weights=losses.weigh_classes(training.classes.pixels) if options.class_weights else None,
        centred=options.centred,
        holding=find_holding(training),
        group=group,
    )


def fit_steps(options, training, held_out, survey, started):
    """Choose `--steps-per-epoch` by `--minutes`, of which some have gone since `started`; returns a sentence."""
    from segmentation.training import pacing

    keras.utils.set_random_seed(options.seed)
    sections = data.Sections(held_out.images, held_out.labels, 2**options.depth)
    with choose_precision(options):
        network, crops = begin(options, training), make_crops(options, training)
        pace = pacing.measure(network, crops, sections, options.turns, held_out.classes)
    part, count = survey.parts["test"], options.folds or 1
    tested = [part.facts[file] for file in part.images.values() if part.facts.get(file)]
    masked = sum(facts.pages * math.prod(facts.size) for facts in tested) * count  # each by all networks
    scored = sum(math.prod(image.shape[:2]) for image in held_out.images)
    if options.folds:
        masked += scored  # which are predicted once more, to choose how masks are made
    seconds = 60 * options.minutes - (time.perf_counter() - started)
    steps = pacing.choose_steps(seconds, pace, options.epochs, masked=masked, scored=scored, count=count)
    options.steps_per_epoch = steps
    return f"A step takes {pace.step:.2g} s: --steps-per-epoch {steps} for --minutes {options.minutes:g}."


def name_stems(stems):
    """The names of sections, of many the first and the last."""
    return ", ".join(stems) if len(stems) <= 12 else f"{len(stems)} sections, {stems[0]} to {stems[-1]}"


def describe_network(options, pairs):
    """The `networks.Settings` of a network that is trained on such pairs, but for what held-out ones choose."""
    known, channels = pairs.classes, description.find_description(options.data).channels
    return networks.Settings(
        values=known.written,
        palette=known.palette,
        names=known.names,
        shown=known.order[0],
        scaling=pairs.scaling,
        turns=options.turns,
        channels=channels if len(channels) == pairs.images[0].shape[-1] else (),
        smallest=planning.choose_smallest(pairs.labels, known),
    )


def choose_mask_settings(options, held_out):
    """Choose on the held-out sections how masks are made, and keep that with the network of a run.

    Returns
    -------
    network : keras.Model
    settings : networks.Settings
    maps : list of arrays
        The probabilities of the held-out sections.
    """
    network, settings = networks.load_network(options.run / "model.keras")
    maps = [masks.predict(network, image, turns=options.turns) for image in held_out.images]
    settings = replace(
        settings,
        border=masks.choose_border(held_out.labels, maps, held_out.classes),
        temperature=calibration.fit_temperature(held_out.labels, maps),
    )
    networks.save_network(network, options.run / "model.keras", settings)
    return network, settings, maps


def write_test_masks(options, network, settings):
    """Write a mask for each test image, if there are any, and say which had to be left out; returns what these are."""
    images, _ = dataset.find_places(options.data, "test")
    if not images.is_dir():
        return []
    out = choose_out(options)
    out.mkdir(parents=True, exist_ok=True)
    problems, _ = masks.write_masks(network, folders.find_images(images), out, settings)
    print(*problems, sep="\n", file=sys.stderr, end="\n" * bool(problems))
    return problems


def score_sections(options, held_out, maps, settings):
    """Write the scores of each held-out section, and what the report shows of it; returns their means."""
    rows, shown = {}, report.Sections(held_out.classes, settings.temperature)
    sections = zip(held_out.stems, held_out.images, held_out.labels, maps, strict=True)
    for stem, image, label, probability in sections:
        mask = masks.to_mask(probability, settings)
        rows[stem] = tables.score_mask(label, mask, held_out.classes)
        shown.add(stem, image, label, probability, mask, rows[stem])
    tables.write_scores(options.run / tables.SCORES, rows)
    shown.write(options.run)
    return tables.mean_scores(rows.values())


def score_test_masks(options, known):
    """The mean scores of the masks of the test images, as {"test": dict}; nothing where these have no labels."""
    _, labels = dataset.find_places(options.data, "test")
    if not labels.is_dir() or not folders.find_images(labels, masks=True):
        return {}
    rows, _ = tables.score_folder(choose_out(options), labels, known)
    return {"test": tables.mean_scores(rows.values())}


def draw(options, held_out, maps, settings):
    """Draw the curves, and the overlay of the first held-out section."""
    from segmentation import figures  # here, since matplotlib takes half a second to start

    history = runs.read_history(options.run / "history.csv")
    figures.save(figures.draw_curves(history), options.run / "curves.png")
    mask = masks.to_mask(maps[0], settings)
    overlay = figures.draw_overlay(held_out.images[0], held_out.labels[0], mask, held_out.classes)
    figures.save(overlay, options.run / "overlay.png")


def finish(options, held_out):
    """What follows a training: masks, scores, pictures. Returns the scores."""
    network, settings, maps = choose_mask_settings(options, held_out)
    left_out = write_test_masks(options, network, settings)
    scores = {"held out": score_sections(options, held_out, maps, settings)}
    if not left_out:  # or some would have no mask of this run
        scores |= score_test_masks(options, held_out.classes)
    draw(options, held_out, maps, settings)
    close(options, scores)
    return scores


def close(options, scores):
    """Write down what a run has come to."""
    trained = runs.list_trainings(options.run)
    seconds = sum(row["seconds"] for folder in trained for row in runs.read_history(folder / "history.csv"))
    runs.close_run(options.run, vars(options), **devices.describe_machine(), seconds=seconds, scores=scores)
    report.write(options.run)


def train_folds(options, survey, sections, group=devices.ALONE):
    """Train the network of each fold, as a run in that of all, but for those that have ended."""
    folds = [
        argparse.Namespace(**vars(options) | {"fold": fold, "run": runs.find_fold(options.run, fold)})
        for fold in range(1, options.folds + 1)
    ]
    folds = [fold for fold in folds if not runs.has_ended(fold.run)]
    if options.scheduler:
        with extras.needs("volumes"):
            from segmentation.volumes import cluster
        for fold in folds:
            if not runs.is_begun(fold.run):
                prepare(fold, sections)
        # A worker imports this file by its name, which it has not got as a command.
        work = importlib.import_module("main").train_fold
        trained = cluster.share(work, folds, options.scheduler, alone=True)
        for _ in tqdm(trained, total=len(folds), desc="Training", unit="fold"):
            pass
        return
    for fold in folds:
        print(f"Fold {fold.fold} of {options.folds}")
        train_fold(fold, survey, group)
        devices.forget()  # or the memory would be that of all


def prepare(options, training):
    """Write a network as it begins, since weights drawn in a worker, many threads of which draw, would be others."""
    keras.utils.set_random_seed(options.seed)
    options.run.mkdir(exist_ok=True)
    with choose_precision(options):
        networks.save_network(begin(options, training), options.run / "last.keras")


def train_fold(options, survey=None, group=devices.ALONE):
    """Train the network of a fold, or go on with it, and score each of the sections that it holds out."""
    problems, pairs = [], None
    if survey is None:  # in a worker of a cluster
        devices.start()
        survey, problems = refusals.check(options)
    options.resume = runs.is_begun(options.run)
    if not problems:
        pairs, problems = load(options, survey, group)
    if problems:
        raise ValueError(f"{options.scheduler or options.run}: fold {options.fold}: {' '.join(problems)}")
    facts = {**devices.describe_machine(), "trained_on": describe_data(*pairs)}
    runs.open_run(options.run, vars(options) | {"resume": True}, **facts)  # which moves nothing aside
    train(options, *pairs, group)
    _, held_out = splits.split_folds(survey, options.folds, options.group_by)[options.fold - 1]
    every = data.take_pairs(survey, held_out)
    with devices.undistributed():
        network, settings, maps = choose_mask_settings(options, pairs[1])
        draw(options, pairs[1], maps, settings)
        maps = (masks.predict(network, image, turns=options.turns) for image in every.images)
        close(options, {"held out": score_sections(options, every, maps, settings)})


def finish_folds(options, known):
    """What follows the training of all folds: their average, its masks, the scores. Returns these."""
    places = runs.list_trainings(options.run)
    members, settings = zip(*(networks.load_network(place / "model.keras") for place in places), strict=True)
    border = statistics.median_low(one.border for one in settings)
    temperature = calibration.find_median([one.temperature for one in settings])
    settings = replace(settings[0], border=border, temperature=temperature)
    networks.save_network(networks.average(members), options.run / "model.keras", settings)
    network, _ = networks.load_network(options.run / "model.keras")
    left_out = write_test_masks(options, network, settings)
    rows = [tables.read_scores(place / tables.SCORES) for place in places]
    tables.write_scores(options.run / tables.SCORES, {stem: row for fold in rows for stem, row in fold.items()})
    scores = tables.summarise_folds(rows)
    if not left_out:
        scores |= score_test_masks(options, known)
    from segmentation import figures

    histories = {place.name: runs.read_history(place / "history.csv") for place in places}
    figures.save(figures.draw_comparison(histories), options.run / "curves.png")
    close(options, scores)
    return scores


def run(options):
    """Check, train, predict and score; returns the exit code."""
    started = time.perf_counter()
    survey, problems = refusals.check(options)
    if not problems:
        try:
            group = devices.join()
        except ValueError as error:
            print(f"main.py: {error}", file=sys.stderr)
            return 2
        pairs, problems = load(options, survey, group)
    if problems:
        print(*problems, sep="\n", file=sys.stderr)
        return 2
    training, held_out = pairs
    if options.minutes and not options.resume:
        print(fit_steps(options, training, held_out, survey, started))
    with devices.together(group):
        if group.rank == 0:
            facts = {**devices.describe_machine(), "trained_on": describe_data(training, held_out)}
            options.run = runs.open_run(options.run, vars(options), **facts)
        if options.folds:
            train_folds(options, survey, training, group)
        else:
            train(options, training, held_out, group)
    if group.rank > 0:
        return 0
    scores = finish_folds(options, held_out.classes) if options.folds else finish(options, held_out)
    print(tables.format_table(scores), "constant: the accuracy of one answer for every pixel", sep="\n")
    if missed := tables.list_missed(scores["held out"], held_out.classes):
        print(f"Not found: {', '.join(missed)}; more --steps-per-epoch may mend that.")
    images, out = dataset.find_places(options.data, "test")[0], choose_out(options)
    where = f"Masks are in {out}, the" if images.is_dir() else "The"
    print(f"{where} network and its record in {options.run}.")
    print(f"Look at {options.run / report.REPORT}.")
    return 0


def main(argv=None):
    options = parse(argv)
    try:
        return run(options)
    except ValueError as error:
        if not str(error).startswith((str(options.run), str(options.scheduler))):
            raise
        print(f"main.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nStopped. {runs.describe_state(options.run)}", file=sys.stderr)
        with contextlib.suppress(OSError):  # on a full disk there is no report
            if runs.is_own(options.run) and (written := report.write(options.run)):
                print(f"Look at {written}.", file=sys.stderr)
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


if __name__ == "__main__":
    sys.exit(main())
