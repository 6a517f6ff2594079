"""The choice of the anomaly score: defects drawn on validation images, which no other study uses."""

# Prepared images of each data set: the stages declare training and validation images alone.
FOLDERS = {
    "industrial": "../industrial/data/prepared",
    "medical": "../medical/data/prepared",
    "fashion_mnist": "../../data/prepared",
}
