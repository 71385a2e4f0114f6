"""A page on this machine to drop an image on: its mask, its objects, its probabilities, and a threshold to move.

    python -m segmentation.app                                # then open http://127.0.0.1:7860
    python -m segmentation.app --model runs/mine/model.keras

What is uploaded is deleted, with the results, when the page is closed or the program ends.
"""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import tifffile
from skimage import color

from segmentation import arguments, devices, extras
from segmentation.files import classes, folders, scaling, writing
from segmentation.prediction import masks, networks, objects, tiling, watershed
from segmentation.scores import calibration

EXAMPLE = Path(__file__).parents[1] / "data/membrane/test/0.png"
SHOWN = 1024  # pixels of a picture on the page, at most
LARGEST = "2gb"  # upload
UPLOADED = "uploaded"  # folder of what was, among the results
MOST_OBJECTS = 2000  # that are measured again at each move of the threshold, a second a thousand
NOTHING = (None,) * 9  # in place of pictures and files
KEPT_SECONDS = 600  # what a closed page has left is deleted then


class Predictor:
    """What the page's controls call.

    Parameters
    ----------
    network, settings
        As from `networks.load_network`.
    results : Path
        A folder for them.
    """

    def __init__(self, network, settings, results):
        self.network, self.settings, self.results = network, settings, results

    def predict(self, upload, threshold):
        """Predict an uploaded file.

        Returns
        -------
        folder : str or None
            Where its results are, to be kept for the session.
        message : str
        image, mask, overlay, objects, probability : arrays to be shown, or None
        mask_file, table_file, rois_file, probability_file : str or None
        """
        if upload is None:
            return (None, "", *NOTHING)
        folder = Path(tempfile.mkdtemp(dir=self.results))
        file = folder / UPLOADED / Path(upload).name
        file.parent.mkdir()
        shutil.copy(upload, file)
        try:
            pages, _ = masks.read_pages(self.network, file)
            if len(pages) > 1:
                raise ValueError(f"{file}: a stack of {len(pages)} images; predict.py takes stacks.")
            masks.check_pages(self.network, self.settings, pages, file)
            image = pages[0]
            scaled = scaling.fit(self.settings.scaling, image)
            probability, lines = self._find(image)
        except ValueError as error:
            shutil.rmtree(folder)
            return (None, str(error).replace(f"{file.parent}{os.sep}", ""), *NOTHING)
        writing.write_probability(folder / f"{file.stem}{folders.PROBABILITY}.tif", probability[np.newaxis], like=file)
        np.save(folder / "shown.npy", scaling.scale(_shrink(image), scaled))
        np.save(folder / "lines.npy", lines)
        height, width = image.shape[:2]
        difference = scaling.find_difference(scaling.survey(image[np.newaxis]), self.settings.scaling)
        warning = f". Warning: other grey values than in training: {difference}" if difference else ""
        return self._show(folder, threshold, f"{file.name}: {height}x{width} pixels{warning}")

    def _find(self, image):
        """Probabilities of an image, and the lines between its cells, found tile by tile as by `masks.write_masks`."""
        probability = np.empty(tiling.map_shape(self.network, image.shape[:2]), "float32")
        lines = np.zeros(image.shape[:2], bool)
        for part, inner, outer in tiling.predict_tiles(
            self.network, image, self.settings.turns, scaled=self.settings.scaling
        ):
            probability[outer] = calibration.calibrate(part[inner], self.settings.temperature)
            if part.ndim == 2:
                lines[outer] = watershed.find_lines(part, self.settings.border)[inner]
        return probability, lines

    def move_threshold(self, folder, threshold):
        """As `predict`, of what was predicted before."""
        if folder is None:
            return (None, "", *NOTHING)
        return self._show(Path(folder), threshold, f"threshold {threshold}")

    def _show(self, folder, threshold, message):
        """The results of a folder, as `predict` returns them, with a mask by a threshold."""
        from segmentation import figures  # here, since matplotlib takes half a second to start

        (map_file,) = folder.glob(f"*{folders.PROBABILITY}.tif")
        mask_file = map_file.with_name(map_file.name.replace(f"{folders.PROBABILITY}.tif", f"{folders.PREDICTED}.png"))
        image, probability = np.load(folder / "shown.npy"), tifffile.imread(map_file)
        if probability.ndim == 3:
            mask, overlay = masks.to_mask(np.moveaxis(probability, 0, -1), self.settings), figures.show_grey(image)
            probability = probability.max(0)
        else:
            mask = (probability > threshold) & ~np.load(folder / "lines.npy")
            overlay = figures.overlay(image, _shrink(mask), _shrink(mask), shown=self.settings.shown)
        values = classes.to_values(mask, self.settings.values)
        writing.write_mask(mask_file, values, self.settings.palette)
        (file,), stem = (folder / UPLOADED).iterdir(), folder / mask_file.stem.removesuffix(folders.PREDICTED)
        pages, _ = masks.read_pages(self.network, file)
        smallest = self.settings.smallest
        numbers, found = objects.number_objects(mask, classes.find_kinds(self.settings.titles), smallest)
        written = [folder / f"{stem.name}{suffix}" for suffix in (f"{folders.OBJECTS}.csv", f"{folders.ROIS}.zip")]
        counted = f"{len(found)} objects{f' of {smallest} pixels or more' * (smallest > 1)}"
        if len(found) <= MOST_OBJECTS:
            objects.write_objects(file, stem, mask[np.newaxis], pages, self.settings)
        else:
            written, counted = (None, None), f"{counted}, too many to be measured here; predict.py does"
        shown, grey = _shrink(values), figures.show_grey(image)
        coloured = color.label2rgb(_shrink(numbers), grey, bg_label=0)
        pictures = [grey, shown / max(shown.max(), 1), overlay, coloured, _shrink(probability)]
        return (
            str(folder),
            f"{message}; {counted}",
            *(np.uint8(np.rint(255 * picture)) for picture in pictures),
            *(part and str(part) for part in (mask_file, *written, map_file)),
        )

    def forget(self, folder):
        """Delete the results of a session."""
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def _shrink(picture):
    """Every so many pixels of an array (height, width, ...), so that a page can show it."""
    step = -(-max(picture.shape[:2]) // SHOWN)
    return picture[::step, ::step]


def name_pictures(settings):
    """Titles of the page's pictures, by the classes of the network."""
    if len(settings.titles) > 2:
        return "Image", "Mask", "Image", "Objects", "Highest probability"
    return "Image", "Mask", settings.titles[settings.shown], "Objects", f"Probability of {settings.titles[1]}"


def _build_page(predictor, title):
    """The page, as gradio.Blocks; `title` says which network it uses."""
    import gradio as gr

    def predict_upload(upload, threshold, progress=gr.Progress(track_tqdm=True)):  # noqa: B008 (as Gradio wants it)
        try:
            return predictor.predict(upload, threshold)
        finally:
            if upload:
                Path(upload).unlink(missing_ok=True)

    def predict_example(threshold, progress=gr.Progress(track_tqdm=True)):  # noqa: B008
        return predictor.predict(EXAMPLE, threshold)

    with gr.Blocks(title="U-Net", analytics_enabled=False, delete_cache=(KEPT_SECONDS, KEPT_SECONDS)) as page:
        gr.Markdown(f"## U-Net\n{title} Drop an image ({', '.join(folders.SUFFIXES)}), or take the example.")
        folder = gr.State(delete_callback=predictor.forget, time_to_live=None)
        with gr.Row():
            upload = gr.File(label="Image", type="filepath", elem_id="upload")
            with gr.Column():
                threshold = gr.Slider(
                    0, 1, watershed.THRESHOLD, step=0.01, label="Threshold: white where the probability is above"
                )
                message = gr.Markdown(elem_id="message")
        example = gr.Button("Take the example", elem_id="example", visible=EXAMPLE.is_file())
        with gr.Row():
            names = name_pictures(predictor.settings)
            pictures = [gr.Image(label=label, format="png", interactive=False) for label in names]
        with gr.Row():
            mask_file = gr.DownloadButton("Mask (PNG)", elem_id="mask")
            table_file = gr.DownloadButton("Objects (CSV)", elem_id="objects")
            rois_file = gr.DownloadButton("ImageJ's regions (ZIP)", elem_id="regions")
            map_file = gr.DownloadButton("Probability (TIFF)", elem_id="probability")
        results = [folder, message, *pictures, mask_file, table_file, rois_file, map_file]
        upload.upload(predict_upload, [upload, threshold], results)
        example.click(predict_example, [threshold], results)
        threshold.change(predictor.move_threshold, [folder, threshold], results, trigger_mode="always_last")
    return page


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0], formatter_class=arguments.Help)
    arguments.add_network(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at; 0.0.0.0 lets other machines in")
    parser.add_argument("--port", type=arguments.positive, default=7860, help="port to listen at")
    options = parser.parse_args(argv)
    try:
        with extras.needs("app"):
            import gradio  # noqa: F401 (so that what is missing is said before a network is loaded)

        model, line = arguments.find_network(options.model)
        print(line, flush=True)
        network, settings = networks.load_network(model)
        with tempfile.TemporaryDirectory() as folder, devices.environment(GRADIO_TEMP_DIR=f"{folder}/uploads"):
            page = _build_page(Predictor(network, settings, Path(folder)), line)
            page.launch(
                server_name=options.host,
                server_port=options.port,
                max_file_size=LARGEST,
                run_history=False,
                footer_links=[],
            )
    except (ValueError, OSError) as error:
        print(f"app.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
