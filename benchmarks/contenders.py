"""Who is timed, and on what: every way to train the same network on the same images."""

import importlib.util
from dataclasses import dataclass

# Of the ways to train; the references below have others.
FAMILIES = OURS, KERAS, PYTORCH = ("ours", "Keras", "PyTorch")
# As params.yaml names them.
NETWORKS = CONVOLUTIONAL, RESIDUAL = ("convolutional", "residual")


@dataclass(frozen=True)
class Contender:
    """One way to train, in a process of its own."""

    name: str
    label: str
    family: str
    module: str
    mode: tuple[str, ...] = ()
    networks: tuple[str, ...] = NETWORKS

    @property
    def installed(self) -> bool:
        """Whether the library it needs is there; PyTorch is not among the requirements."""
        return self.family != PYTORCH or importlib.util.find_spec("torch") is not None


# The residual network has no code in C of ours and no layout of images to choose, and so fewer modes.
CONTENDERS = (
    Contender("ours", "ours", OURS, "benchmarks.ours"),
    Contender("ours-avx2", "ours, AVX2 only", OURS, "benchmarks.ours", ("avx2",), (CONVOLUTIONAL,)),
    Contender("keras", "Keras fit", KERAS, "benchmarks.stock"),
    Contender("keras-jit", "Keras fit, jit_compile", KERAS, "benchmarks.stock", ("jit",)),
    Contender("keras-array", "Keras fit on an array", KERAS, "benchmarks.stock", ("array",)),
    Contender(
        "pytorch-nchw", "PyTorch eager, NCHW", PYTORCH, "benchmarks.pytorch", networks=(CONVOLUTIONAL,)
    ),
    Contender(
        "pytorch-nhwc",
        "PyTorch eager, channels_last",
        PYTORCH,
        "benchmarks.pytorch",
        ("channels_last",),
        (CONVOLUTIONAL,),
    ),
    Contender(
        "pytorch-compiled-nchw",
        "PyTorch compiled, NCHW",
        PYTORCH,
        "benchmarks.pytorch",
        ("compiled",),
        (CONVOLUTIONAL,),
    ),
    Contender(
        "pytorch-compiled-nhwc",
        "PyTorch compiled, channels_last",
        PYTORCH,
        "benchmarks.pytorch",
        ("compiled", "channels_last"),
        (CONVOLUTIONAL,),
    ),
    Contender("pytorch", "PyTorch eager", PYTORCH, "benchmarks.pytorch", networks=(RESIDUAL,)),
    Contender(
        "pytorch-compiled", "PyTorch compiled", PYTORCH, "benchmarks.pytorch", ("compiled",), (RESIDUAL,)
    ),
)
# Not ways to train, but timed in the same rounds: the processor's best speed, and the matrix products of the
# residual network alone.
BOUND, PRODUCTS = "bound", "products"
REFERENCES = (
    Contender("product", "matrix product", BOUND, "benchmarks.large_product"),
    Contender(
        "products", "matrix products alone", PRODUCTS, "benchmarks.residual_products", networks=(RESIDUAL,)
    ),
)
