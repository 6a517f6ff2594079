"""Metrics, baselines, probes, embeddings, anomaly scores and thresholds."""
