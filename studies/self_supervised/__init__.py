"""What codes of 128 numbers that are learned without labels know of the classes of Fashion-MNIST."""

PREPARED = "../../data/prepared"
# The network that learns from labels.
SUPERVISED = "supervised"
