"""The choice of the anomaly score: defects drawn on validation images, which no other study uses."""
