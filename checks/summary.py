"""Print the metrics of the last run as a terminal can show them: python -m checks.summary."""

from checks import readme

if __name__ == "__main__":
    print(readme.results().replace("**", ""))
    print("all numbers: dvc metrics show    pictures: plots/*.png    charts: dvc plots show")
