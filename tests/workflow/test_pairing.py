"""A dataset of two folders, from the images to records, and what runs again when an image or a list changes."""

import yaml
from conftest import TINY_RUN, draw_pairs, planned, snakemake
from PIL import Image

from pix2pix.data.records import iterate

STRANGE = "-o {z} $(touch HIT) ' \" %20"


def test_two_folders_give_records_and_a_new_image_is_noticed(tmp_path):
    pairs = draw_pairs(tmp_path / "drawn", train=14)
    folders = tmp_path / f"{STRANGE} a", tmp_path / f"{STRANGE} b"
    for folder, left in zip(folders, (0, 32), strict=True):
        folder.mkdir()
        for file in (pairs / "train").iterdir():
            with Image.open(file) as pair:
                pair.crop((left, 0, left + 32, 32)).save(folder / file.name)
    text = "a,b\n" + "".join(
        ",".join('"' + f"{folder.name}/{n}.png".replace('"', '""') + '"' for folder in folders) + "\n"
        for n in range(1, 12)
    )
    (tmp_path / "listed.csv").write_text(text)
    fractions = {"train": 0.7, "val": 0.3}
    datasets = {
        "own": {"folder_a": folders[0].name, "folder_b": folders[1].name, "splits": fractions},
        "listed": {"pairs": "listed.csv", "splits": fractions},
    }
    runs = dict.fromkeys(datasets, TINY_RUN)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"datasets": datasets, "runs": runs, "all": list(runs)}))
    records = [f"data/{name}/{split}.mindrecord" for name in datasets for split in fractions]
    command = (*records, "--configfile", "mine.yaml")
    snakemake(tmp_path, *command)
    for name, number in (("own", 14), ("listed", 11)):
        found = {key for split in fractions for key, _ in iterate([tmp_path / f"data/{name}/{split}.mindrecord"])}
        assert found == {str(n) for n in range(1, number + 1)}
        assert (tmp_path / f"data/{name}/unpaired.csv").read_text().splitlines() == ["left_out"]
    assert planned(tmp_path, *command) == {}
    (folders[0] / "99.png").write_bytes(b"new")
    assert planned(tmp_path, *command) == {"pair": 1, "extract": 1, "mindrecord": 2}
    (folders[0] / "1.png").write_bytes((folders[0] / "1.png").read_bytes() + b" ")
    assert planned(tmp_path, *command) == {"pair": 2, "extract": 2, "mindrecord": 4}
    assert not list(tmp_path.rglob("HIT"))
