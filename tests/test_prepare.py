"""data/isbi2012/prepare.py, against a server on loopback and small stacks in place of the challenge's."""

import functools
import http.server
import threading

import numpy as np
import pytest
from helpers import pack_stacks, prepare
from PIL import Image


@pytest.fixture
def serve(tmp_path):
    """Serve tmp_path/www on loopback; gives the address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

        def do_GET(self):
            if self.path != "/cut.zip":
                return super().do_GET()
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            self.wfile.write(b"PK" * 100)  # and hangs up

    (tmp_path / "www").mkdir()
    handler = functools.partial(Quiet, directory=tmp_path / "www")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_download_gives_a_dataset(stacks, serve, tmp_path):
    pack_stacks(tmp_path / "www" / "challenge.zip", stacks)
    out = tmp_path / "isbi"
    assert prepare.main(["--url", f"{serve}/challenge.zip", "--out", str(out)]) == 0
    assert {item.name for item in out.iterdir()} == {"train", "test", "dataset.json", "challenge.zip"}
    for folder in ("train/image", "train/label", "test", "test/label"):
        stack = next(stacks[name] for name, (place, _) in prepare.STACKS.items() if place == folder)
        for i in range(3):
            with Image.open(out / folder / f"{i}.png") as section:
                np.testing.assert_array_equal(np.asarray(section), stack[i])


def test_archive_without_test_labels(stacks, tmp_path):
    del stacks["test-labels.tif"]
    pack_stacks(tmp_path / "mine.zip", stacks)
    assert prepare.main(["--archive", str(tmp_path / "mine.zip"), "--out", str(tmp_path / "isbi")]) == 0
    assert not (tmp_path / "isbi" / "test" / "label").exists()


def test_other_test_labels_are_left_out(stacks, tmp_path, capsys):
    stacks["test-labels.tif"][0, 0, 0] ^= 1
    pack_stacks(tmp_path / "mine.zip", stacks)
    assert prepare.main(["--archive", str(tmp_path / "mine.zip"), "--out", str(tmp_path / "isbi")]) == 0
    assert "test-labels.tif is not the challenge's" in capsys.readouterr().err
    assert not (tmp_path / "isbi" / "test" / "label").exists()
    assert (tmp_path / "isbi" / "test" / "0.png").is_file()


def test_files_have_the_numbers_that_git_gives_them():
    assert prepare.find_blob(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"


def refused(capsys, out, *options):
    """The one line that prepare.py ends with; nothing but a download may be left."""
    assert prepare.main([*options, "--out", str(out)]) == 1
    error = capsys.readouterr().err.splitlines()
    assert not any(out.glob("t*")) and not any(out.glob(".*"))
    return error[-1]


def test_no_network(tmp_path, capsys):
    line = refused(capsys, tmp_path / "isbi", "--url", "http://127.0.0.1:1/challenge.zip")
    assert "http://127.0.0.1:1/challenge.zip: cannot be downloaded" in line
    assert "--archive FILE" in line


def test_a_page_that_is_not_there(serve, tmp_path, capsys):
    assert "cannot be downloaded" in refused(capsys, tmp_path / "isbi", "--url", f"{serve}/none.zip")


def test_a_connection_that_breaks_off_can_be_tried_again(stacks, serve, tmp_path, capsys):
    assert "cannot be downloaded" in refused(capsys, tmp_path / "isbi", "--url", f"{serve}/cut.zip")
    assert not any((tmp_path / "isbi").iterdir())


def test_a_truncated_archive(stacks, tmp_path, capsys):
    pack_stacks(tmp_path / "mine.zip", stacks)
    whole = (tmp_path / "mine.zip").read_bytes()
    (tmp_path / "mine.zip").write_bytes(whole[: len(whole) // 2])
    line = refused(capsys, tmp_path / "isbi", "--archive", str(tmp_path / "mine.zip"))
    assert "mine.zip: cannot be read" in line


def test_a_missing_archive(tmp_path, capsys):
    assert "no.zip: no such file" in refused(capsys, tmp_path / "isbi", "--archive", str(tmp_path / "no.zip"))


def test_a_missing_stack(stacks, tmp_path, capsys):
    del stacks["train-labels.tif"]
    pack_stacks(tmp_path / "mine.zip", stacks)
    line = refused(capsys, tmp_path / "isbi", "--archive", str(tmp_path / "mine.zip"))
    assert "mine.zip: holds no train-labels.tif" in line


def test_a_wrong_array(stacks, tmp_path, capsys):
    stacks["train-volume.tif"][1, 2, 3] ^= 1
    pack_stacks(tmp_path / "mine.zip", stacks)
    line = refused(capsys, tmp_path / "isbi", "--archive", str(tmp_path / "mine.zip"))
    assert "the pixels of train-volume.tif are not the challenge's" in line


def test_data_that_is_there_is_kept(stacks, tmp_path, capsys):
    pack_stacks(tmp_path / "mine.zip", stacks)
    options = ["--archive", str(tmp_path / "mine.zip"), "--out", str(tmp_path / "isbi")]
    assert prepare.main(options) == 0
    assert prepare.main(options) == 1
    assert "is there already" in capsys.readouterr().err
    assert len(list((tmp_path / "isbi" / "train" / "label").iterdir())) == 3
