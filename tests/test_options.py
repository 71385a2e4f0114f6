import options


def test_writable(tmp_path):
    assert options.writable(tmp_path / "new" / "folder") == []
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").touch()
    assert "file: cannot be written to" in options.writable(tmp_path / "file" / "run")[0]


def test_every_architecture_of_the_model_file_is_found():
    assert options.architectures() == ["unet"]
