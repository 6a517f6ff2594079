"""What a network is, and what a source holds."""

import hashlib
from collections import Counter
from collections.abc import Iterable

from cae.core import words
from cae.core.words import make_printable
from cae.datasets.samples import Sample, Source
from cae.networks.resizable import ResizableAutoencoder


def info(
    trained: ResizableAutoencoder, source: Source | None = None, pictures: Iterable[Sample] = ()
) -> None:
    """Print what a network takes and gives, and of a source how many pictures of which kinds it holds.

    Raises:
        UserError: a file of the source cannot be read.
    """
    height, width, channels = trained.image_shape
    own = trained.own
    print(f"network    {make_printable(str(trained.path))}")
    print(f"md5        {hashlib.md5(trained.path.read_bytes()).hexdigest()}")
    colours = f"{words.pluralize(channels, 'channel')}{'; other sizes too' * trained.stretches}"
    print(f"takes      {height} × {width}, {colours}")
    print(f"code       {' × '.join(map(str, own.code_shape))} = {words.pluralize(own.code_size, 'number')}")
    print(f"parameters {own.network.count_params():,}")
    if source is None:
        return
    kinds, labels, parts = Counter[str](), Counter[str](), Counter[str]()
    for picture in pictures:
        pixels = picture.pixels
        kinds[f"{' × '.join(map(str, pixels.shape))}, {pixels.dtype}"] += 1
        labels.update([picture.label] if picture.label is not None else [])
        parts.update([picture.split] if picture.split is not None else [])
    print(f"source     {make_printable(str(source.path))}, {source.kind}")
    for title, counts in (("pictures", kinds), ("class", labels), ("part", parts)):
        for name, count in sorted(counts.items()):
            print(f"{title:<10} {make_printable(name)}: {count:,}")
