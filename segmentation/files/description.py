"""What the owner of a dataset says of it: DIR/dataset.json, in the words of nnU-Net.

{"labels": {"background": 0, "vessel": 255, "ignore": 11}, "channel_names": {"0": "red", "1": "green"}}
"""

import json
import re
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from segmentation.files import labels

NAME = "dataset.json"
SAID = {"labels", "channel_names", "modality"}  # all that is read of it
IGNORE = "ignore"
VOID = re.compile("void|unlabell?ed|unknown|ignored?", re.IGNORECASE)


@dataclass(frozen=True)
class Description:
    """What an owner has said.

    `values` are the label's values by the name of their class, rising, a colour as `labels.to_code` numbers it;
    `ignore` is the value of pixels that are not labelled, or None; `channels` are names; `file` says so, if any.
    """

    values: dict
    ignore: int | None = None
    channels: tuple = ()
    file: Path | None = None


def read_description(folder):
    """The `Description` of a dataset's folder; an empty one if there is no dataset.json.

    Raises
    ------
    ValueError
        If it cannot be read as one; says what was found.
    """
    file = Path(folder) / NAME
    if not file.is_file():
        return Description({})
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{file}: cannot be read as JSON ({' '.join(str(error).split())}).") from None
    if not isinstance(content, dict):
        raise ValueError(f'{file}: expected {{"labels": {{"background": 0, "vessel": 255}}}}, found no such names.')
    content = {name.lower(): value for name, value in content.items()}
    for name in sorted(content.keys() - SAID):
        if re.fullmatch(r"(void|ignored?)(_(index|label|value))?", name) and isinstance(content[name], int):
            raise ValueError(
                f'{file}: "{name}" is not read there; write {{"labels": {{..., "ignore": {content[name]}}}}}.'
            )
        if meant := get_close_matches(name, SAID - content.keys(), n=1, cutoff=0.8):
            raise ValueError(f'{file}: "{name}" is not read; is "{meant[0]}" meant?')
    values = _read_labels(content.get("labels", {}), file)
    for name in [name for name in values if name.lower() == IGNORE]:
        values[IGNORE] = values.pop(name)
    ignore = values.pop(IGNORE, None)
    if len(set(values.values())) < len(values) or ignore in values.values():
        raise ValueError(f"{file}: two labels have one value; give each its own.")
    channels = content.get("channel_names") or content.get("modality") or {}
    if isinstance(channels, dict):
        numbered = all(str(key).isdecimal() for key in channels)
        names = [channels[key] for key in sorted(channels, key=int)] if numbered else list(channels.values())
    elif isinstance(channels, list):
        names = channels
    else:
        raise ValueError(f'{file}: expected "channel_names": {{"0": "DAPI", "1": "actin"}}, found {channels!r}.')
    return Description(
        dict(sorted(values.items(), key=lambda item: item[1])), ignore, tuple(str(name) for name in names), file
    )


def find_description(folder):
    """The `Description` of the dataset that a folder belongs to, as DIR/test/label does to DIR."""
    folder = Path(folder).resolve()
    for place in (folder, *folder.parents[:2]):
        if (place / NAME).is_file():
            return read_description(place)
    return Description({})


def find_voids(values):
    """The names, of values by name, of what may be not labelled: list of str."""
    # The value 0 is what is around everything, whatever it is called.
    return [name for name, value in values.items() if VOID.fullmatch(name) and value != 0]


def _read_labels(named, file):
    """Values by name, out of {"cell": 1} or, as nnU-Net once wrote it, {"1": "cell"}."""
    if not isinstance(named, dict):
        raise ValueError(f'{file}: expected "labels": {{"background": 0, "vessel": 255}}, found {named!r}.')
    if named and all(isinstance(value, str) and str(name).isdecimal() for name, value in named.items()):
        named = {value: int(name) for name, value in named.items()}
    return {name: parse_value(value, f"{file}: label {name!r}") for name, value in named.items()}


def parse_value(value, name="a label's value"):
    """A label's value out of a number, or of text: a number or a colour such as "#ff8000".

    Raises
    ------
    ValueError
        If it is neither.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = str(value).strip()
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    if re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        return labels.to_code(*bytes.fromhex(text[1:]))
    raise ValueError(f"{name}: expected a number or a colour such as #ff8000, found {value!r}.")
