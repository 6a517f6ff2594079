"""The list of prepared pictures."""

from pathlib import Path

import numpy as np
import pytest

from cae.core import files
from cae.core.errors import UserError
from cae.datasets import prepared
from cae.datasets.preprocessing import Preprocessing
from cae.datasets.samples import Entry, Sample, Source


def test_the_list_is_written_as_every_json_file(tmp_path: Path) -> None:
    pictures = [Sample(name, np.full((12, 12), 7, np.uint8), group=name) for name in ("é", "\udcff", "b")]
    source = Source(tmp_path, "folder", [Entry("all.npz", lambda: iter(pictures))])
    listed = [one._replace(side="train") for one in prepared.looked_through(source, Preprocessing())]
    prepared.write(tmp_path / "prepared", source, Preprocessing(), listed, check=lambda: None)
    files.write_json(tmp_path / "all.json", [one._asdict() for one in listed])
    written = (tmp_path / "prepared" / prepared.PICTURES).read_bytes()
    assert written == (tmp_path / "all.json").read_bytes()
    assert prepared.pictures(tmp_path / "prepared") == listed


def test_what_a_check_refuses_at_the_end_leaves_everything_as_it_was(tmp_path: Path) -> None:
    picture = Sample("a", np.full((12, 12), 7, np.uint8), group="a")
    source = Source(tmp_path, "folder", [Entry("a", lambda: iter([picture]))])
    listed = [one._replace(side="train") for one in prepared.looked_through(source, Preprocessing())]

    def refuse() -> None:
        raise UserError("changed")

    with pytest.raises(UserError, match="changed"):
        prepared.write(tmp_path / "prepared", source, Preprocessing(), listed, refuse)
    assert list((tmp_path / "prepared").iterdir()) == []
