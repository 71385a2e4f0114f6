"""A page on this machine to drop an image on: its mask, its probabilities, and a threshold to move.

    python app.py                                # then open http://127.0.0.1:7860
    python app.py --model runs/mine/model.keras

What is uploaded is deleted as soon as it is predicted, and the results when the page is closed or the program ends.
"""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import tifffile

import cells
import data
import figures
import folders
import formats
import options
import predict
import record

EXAMPLE = Path(__file__).parent / "data/membrane/test/0.png"
SHOWN = 1024  # pixels of a picture on the page, at most
LARGEST = "2gb"  # upload
EVERYWHERE = -1.0  # the threshold below which no pixel is: the mask shows the lines between cells, the same for all
KEPT_SECONDS = 600  # what a closed page has left is deleted then


class Predictor:
    """What the page's controls call.

    Parameters
    ----------
    network, settings
        As from `record.load_network`.
    place : Path
        A folder for results.
    """

    def __init__(self, network, settings, place):
        self.network, self.settings, self.place = network, settings, place

    def predict(self, upload, threshold):
        """Predict an uploaded file.

        Returns
        -------
        folder : str or None
            Where its results are, to be kept for the session.
        message : str
        image, mask, overlay, probability : arrays to be shown, or None
        mask_file, probability_file : str or None
        """
        if upload is None:
            return (None, "", *(None,) * 6)
        folder = Path(tempfile.mkdtemp(dir=self.place))
        file = folder / Path(upload).name
        shutil.copy(upload, file)
        try:
            image = formats.read_array(file)
            how = self.settings, EVERYWHERE
            problems = predict.write_masks(self.network, {file.stem: file}, folder, *how, probability=True)
            if problems:
                raise ValueError(problems[0])
            np.save(folder / "shown.npy", shrink(data.scale(image)))
            np.save(folder / "lines.npy", formats.read_label(find_results(folder)[0]) == 0)
        except ValueError as error:
            shutil.rmtree(folder)
            return (None, str(error).replace(f"{folder}{os.sep}", ""), *(None,) * 6)
        file.unlink()
        height, width = image.shape[:2]
        return self.show(folder, threshold, f"{file.name}: {height}x{width} pixels")

    def move_threshold(self, folder, threshold):
        """As `predict`, of what was predicted before."""
        if folder is None:
            return (None, "", *(None,) * 6)
        return self.show(Path(folder), threshold, f"threshold {threshold}")

    def show(self, folder, threshold, message):
        """The results of a folder, as `predict` returns them, with a mask by a threshold."""
        mask_file, map_file = find_results(folder)
        image, probability = np.load(folder / "shown.npy"), tifffile.imread(map_file)
        if probability.ndim == 3:
            mask, probability = formats.read_label(mask_file), probability.max(0)
            overlay = image.mean(-1)
        else:
            inside = (probability > threshold) & ~np.load(folder / "lines.npy")
            mask = np.uint8(inside) * np.uint8(255)
            formats.write_mask(mask_file, mask)
            overlay = figures.overlay(image, shrink(inside), shrink(inside))
        mask, probability = shrink(mask), shrink(probability)
        pictures = [image.mean(-1), mask / max(mask.max(), 1), overlay, probability]
        return (
            str(folder),
            message,
            *(np.uint8(np.rint(255 * picture)) for picture in pictures),
            str(mask_file),
            str(map_file),
        )

    def forget(self, folder):
        """Delete the results of a session."""
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def find_results(folder):
    """The mask and the probability that lie in a folder."""
    (mask_file,) = Path(folder).glob(f"*{folders.PREDICTED}.png")
    (map_file,) = Path(folder).glob(f"*{folders.PROBABILITY}.tif")
    return mask_file, map_file


def shrink(picture):
    """Every so many pixels of an array (height, width, ...), so that a page can show it."""
    step = -(-max(picture.shape[:2]) // SHOWN)
    return picture[::step, ::step]


def build(predictor, name):
    """The page, as gradio.Blocks; `name` says which network it uses."""
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
        gr.Markdown(f"## U-Net\n{name}. Drop an image ({', '.join(folders.SUFFIXES)}), or take the example.")
        folder = gr.State(delete_callback=predictor.forget, time_to_live=None)
        with gr.Row():
            upload = gr.File(label="Image", type="filepath", elem_id="upload")
            with gr.Column():
                threshold = gr.Slider(
                    0, 1, cells.THRESHOLD, step=0.01, label="Threshold: white where the probability is above"
                )
                message = gr.Markdown(elem_id="message")
        example = gr.Button("Take the example", elem_id="example", visible=EXAMPLE.is_file())
        with gr.Row():
            names = ("Image", "Mask", "Membranes", "Probability of the inside")
            pictures = [gr.Image(label=label, format="png", interactive=False) for label in names]
        with gr.Row():
            mask_file = gr.DownloadButton("Mask (PNG)", elem_id="mask")
            map_file = gr.DownloadButton("Probability (TIFF)", elem_id="probability")
        results = [folder, message, *pictures, mask_file, map_file]
        upload.upload(predict_upload, [upload, threshold], results)
        example.click(predict_example, [threshold], results)
        threshold.change(predictor.move_threshold, [folder, threshold], results, trigger_mode="always_last")
    return page


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    record.add_model(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at; 0.0.0.0 lets other machines in")
    parser.add_argument("--port", type=options.positive, default=7860, help="port to listen at")
    arguments = parser.parse_args(argv)
    try:
        import gradio  # noqa: F401 (so that what is missing is said before a network is loaded)

        network, settings = record.load_network(arguments.model)
        with tempfile.TemporaryDirectory() as place:
            os.environ["GRADIO_TEMP_DIR"] = str(Path(place) / "uploads")
            page = build(Predictor(network, settings, Path(place)), f"The network is {arguments.model}")
            page.launch(
                server_name=arguments.host,
                server_port=arguments.port,
                max_file_size=LARGEST,
                run_history=False,
                footer_links=[],
            )
    except ModuleNotFoundError as error:
        print(f"app.py: needs {error.name}: pip install -r requirements-app.txt", file=sys.stderr)
        return 2
    except (ValueError, OSError) as error:
        print(f"app.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
