"""What tables and figures call the scores."""

TITLES = {
    "ensemble": "self-supervised sum of all seeds",
    "self_supervised": "self-supervised sum",
    "transformations": "predicting transformations",
    "positions": "predicting positions of crops",
    "gradient_nearest": "nearest neighbours by gradients",
    "combined": "sum of three distances",
    "code_nearest": "nearest neighbours by code",
    "code_mahalanobis": "Mahalanobis distance by code",
    "small_nearest": "nearest neighbours on 14 × 14 pixels",
    "reconstruction_error": "reconstruction error",
    "pca_error": "PCA error",
    "nearest": "nearest neighbours on pixels",
    "one_class_svm": "one-class SVM",
    "isolation_forest": "isolation forest",
}
