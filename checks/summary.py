"""Print the metrics of the last run as a terminal can show them: python -m checks.summary."""

from checks import tables

if __name__ == "__main__":
    print(tables.results().replace("**", ""))
    print("all numbers: dvc metrics show    pictures: plots/*/*.png    charts: dvc plots show")
