"""Time our training against stock Keras and PyTorch, in one run: `make bench`, or python -m benchmarks.

Writes results.json, results.md, epoch_seconds.png and time_to_target.png. On two cores it takes about half an
hour, half of it for stock Keras to reach the target: leave the machine alone meanwhile. The residual network,
`--network residual`, takes a few minutes.
"""

import argparse
import sys
from pathlib import Path

from benchmarks import measure, report
from benchmarks.contenders import CONVOLUTIONAL, NETWORKS
from cae.core import files
from cae.core.errors import UserError

RESULTS = Path("benchmarks")


def main() -> None:
    """Measure one part after another; write the results after each, so that a stopped run leaves some."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="check that everything runs: few images, times mean nothing"
    )
    parser.add_argument("--network", choices=NETWORKS, default=CONVOLUTIONAL)
    parser.add_argument("--data", type=Path, default=Path("data/prepared"), help="the prepared images")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the results")
    arguments = parser.parse_args()
    if arguments.out == RESULTS and (arguments.quick or arguments.network != CONVOLUTIONAL):
        parser.error(f"the results in {RESULTS} are those of a full run: name another folder with --out")
    scale = measure.QUICK if arguments.quick else measure.FULL
    for results in measure.measure(arguments.network, arguments.data.resolve(), scale):
        files.write_json(arguments.out / "results.json", results)
        files.write_bytes(arguments.out / "results.md", report.write_report(results).encode())
        if "target" in results:
            files.write_figure(arguments.out / "epoch_seconds.png", report.plot_epoch_seconds(results))
            files.write_figure(arguments.out / "time_to_target.png", report.plot_time_to_target(results))
    measure.log(f"written: {arguments.out}/results.md")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
