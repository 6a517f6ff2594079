"""Print the metrics of the last run as a terminal can show them: python -m checks.summary."""

from benchmarks import report
from checks import tables

if __name__ == "__main__":
    print(report.write_table(tables.tabulate_results().replace(r"\*\*", "", regex=True)))
    print("all metrics: dvc metrics show    figures: plots/*/*.png    charts: dvc plots show")
