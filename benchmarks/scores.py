"""Peak memory and speed of `cae score` by score, on images of 256 × 256: `python -m benchmarks.scores 5000`.

Writes scores.csv. Peaks are read from /proc, which Linux alone has.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from benchmarks import report
from benchmarks.measure import log
from benchmarks.memory import measure_command
from cae.core import files
from cae.core.arrays import Images
from cae.datasets.preprocessing import Preprocessing
from cae.datasets.resizing import next_valid_side
from cae.metrics import scores
from cae.metrics.score_settings import ScoreName, ScoreSettings
from cae.metrics.scores import NormalTiles
from cae.networks import end_to_end
from cae.networks.autoencoder import Autoencoder
from cae.networks.model import NETWORKS

RESULTS = Path("benchmarks/scores.csv")
SIDE = 256
# Images that scores are fitted to.
FITTED = 40
SMOOTHING = 2.0
SCORES: dict[ScoreName, str] = {
    "reconstruction": "convolutional",
    "local": "convolutional",
    "segmentation": "discriminative",
}


def main(count: int) -> None:
    """Score as many images by each score, and write what it took."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for index, image in enumerate(draw_images(count)):
            path = folder / f"images/{index:06}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(image).save(path)
        for score, network in SCORES.items():
            write_detector(folder / f"{score}.keras", score, network)
            options = ["--model", f"{folder / f'{score}.keras'}", "--out", f"{folder / 'scores.csv'}"]
            measured = measure_command(["cae", "score", f"{folder / 'images'}", *options])
            rows.append({"score": score, "network": network, "images": count, **measured})
            log(f"{score}: {measured['seconds']:.0f} s")
    table = pd.DataFrame(rows).round({"seconds": 2})
    files.write_csv(RESULTS, table)
    print(report.write_table(tabulate(table)))


def draw_images(count: int) -> list[np.ndarray[tuple[int, int], np.dtype[np.uint8]]]:
    """Draw slopes with noise."""
    draws = np.random.default_rng(1)
    rows, columns = np.indices((SIDE, SIDE)) / SIDE
    return [
        (100 * (rows * draws.random() + columns * draws.random()) + draws.integers(0, 50, rows.shape)).astype(
            np.uint8
        )
        for _ in range(count)
    ]


def write_detector(path: Path, score: ScoreName, network: str) -> None:
    """Write a detector of an untrained network: as fast as one of a trained network."""
    module, side = NETWORKS[network], next_valid_side(SIDE)
    autoencoder: Autoencoder = module.build(module.Settings(), (side, side, 1), 1)
    images: Images = np.stack(draw_images(FITTED))[..., np.newaxis].astype(np.float32) / np.float32(255)
    margin = side - SIDE
    padded = np.pad(images, [(0, 0), (0, margin), (0, margin), (0, 0)], mode="reflect")
    fitted = scores.fit(ScoreSettings(score=score), autoencoder, NormalTiles(padded, padded[:5]))
    window = (0.0, 255.0)
    model = end_to_end.build(fitted.model, (SIDE, SIDE), window, SMOOTHING, None)
    metadata = end_to_end.make_metadata(window, Preprocessing(), SMOOTHING, None, fitted.white)
    files.write_model(path, model, metadata)


def tabulate(table: pd.DataFrame) -> pd.DataFrame:
    """Tabulate seconds, images a second and peaks of memory."""
    return pd.DataFrame(
        {
            "score": row["score"],
            "network": row["network"],
            "images": f"{row['images']:,}",
            "images per second": f"{row['images'] / row['seconds']:.1f}",
            "peak memory, MiB": f"{row['anonymous'] / 2**20:,.0f}",
        }
        for row in table.to_dict("records")
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
