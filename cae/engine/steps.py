"""Optimisation steps whose bits depend neither on cores nor on threads nor on a second worker.

A batch is cut into a fixed number of shards. Each shard is computed by single-threaded operations, the
shards run side by side, and their sums are added as a fixed binary tree, ((s0 + s1) + (s2 + s3)). Two
workers that hold one half of a batch each and add their two sums get the same bits as one process.
"""

import math
from collections.abc import Callable

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from cae.core import environment
from cae.engine import forward, keras_graph
from cae.networks.tasks import Task, Tensors

# What Keras's Adam can do beyond the formula in `Steps.apply`.
BEYOND_ADAM = (
    "amsgrad",
    "weight_decay",
    "clipnorm",
    "global_clipnorm",
    "clipvalue",
    "use_ema",
    "loss_scale_factor",
    "gradient_accumulation_steps",
)


def in_shards(
    sums: Callable[[Tensors, Tensors], list[tf.Tensor]], inputs: Tensors, targets: Tensors, shards: int
) -> list[tf.Tensor]:
    """Add up `sums(inputs, targets)` over the shards of a batch, as a tree.

    The batch is cut in two in proportion to the shards on either side, and so is each part: half of the
    batch in half of the shards is one summand of the whole. Fewer images than shards have one shard each.

    Args:
        sums: gives the tensors to add for one shard.
        inputs: float32 (N, ...), N at least 1 and known when the graph is built.
        targets: float32 (N, ...).
        shards: at least 1.
    """
    if shards == 1:
        return sums(inputs, targets)
    middle = half(count(inputs), shards)
    # Fewer images than shards: the first half of the shards stays empty, as in `share`.
    if middle == 0:
        return in_shards(sums, inputs, targets, shards - shards // 2)
    first, second = (cut(inputs, targets, part) for part in (slice(middle), slice(middle, None)))
    added = zip(
        in_shards(sums, *first, shards // 2), in_shards(sums, *second, shards - shards // 2), strict=True
    )
    return [tf.add(a, b) for a, b in added]


def share(
    inputs: Tensors, targets: Tensors, shards: int, replica: int, replicas: int
) -> tuple[Tensors, Tensors, int]:
    """Return one replica's part of a batch and of its shards: a branch of the tree of `in_shards`.

    A part can be empty, where a batch has fewer images than there are replicas.
    """
    while replicas > 1:
        middle = half(count(inputs), shards)
        shards, replicas = shards // 2, replicas // 2
        mine = slice(middle) if replica < replicas else slice(middle, None)
        inputs, targets = cut(inputs, targets, mine)
        replica %= replicas
    return inputs, targets, shards


def cut(inputs: Tensors, targets: Tensors, part: slice) -> tuple[Tensors, Tensors]:
    """Take some images' inputs and targets."""
    taken: tuple[Tensors, Tensors] = tf.nest.map_structure(lambda values: values[part], (inputs, targets))
    return taken


def count(tensors: Tensors) -> int:
    """Return of how many images these are the tensors."""
    images: int = tf.nest.flatten(tensors)[0].shape[0]
    return images


def share_of_one(targets: Tensors) -> float:
    """Return what one value of the first tensor of targets weighs in a mean over a batch (N, ...)."""
    return 1 / math.prod(tf.nest.flatten(targets)[0].shape)


def half(images: int, shards: int) -> int:
    """Return how many images belong to the first half of the shards."""
    return images * (shards // 2) // shards


class Steps:
    """Training and validation of one network, many batches a call.

    Args:
        task: its network's variables are trained in place; the first loss is trained on, all are told.
        optimizer: a plain Adam, whose variables are the state to save; built here if it is not yet.
        shards: into how many parts a batch is cut, at least 1. The bits of the result depend on it.

    A batch is shared among the replicas of the `tf.distribute` strategy in whose scope the network was
    built. With two replicas the sums have the same bits as with one; more are added in an order of
    TensorFlow's own.

    Raises:
        UserError: the environment that the bits depend on is not pinned.
        ValueError: the shards cannot be shared evenly among a power of 2 of replicas, the optimizer does
            more than Adam, or the network has what training would leave out.
    """

    def __init__(self, task: Task, optimizer: keras.optimizers.Adam, shards: int) -> None:
        environment.check()
        if type(optimizer) is not keras.optimizers.Adam:
            raise ValueError(
                f"The optimizer is {type(optimizer).__name__}, but must be keras.optimizers.Adam."
            )
        extras = [name for name in BEYOND_ADAM if getattr(optimizer, name, None)]
        if extras:
            raise ValueError(f"The optimizer must be a plain Adam, without {', '.join(extras)}.")
        forward.check(task.network)
        variables = task.network.trainable_variables
        if not optimizer.built:
            optimizer.build(variables)
        self.strategy = tf.distribute.get_strategy()
        replicas = self.strategy.num_replicas_in_sync
        if replicas & (replicas - 1) or shards % replicas:
            raise ValueError(f"{shards} shards cannot be shared by {replicas} replicas")
        self.task = task
        self.optimizer = optimizer
        self.shards = shards
        self._variables = [variable.value for variable in variables]
        self._graphs: dict[tuple[object, ...], Callable[..., tf.Tensor]] = {}

    def train(self, inputs: Tensors, targets: Tensors, learning_rates: npt.NDArray[np.float32]) -> tf.Tensor:
        """Take one step for each batch, in order.

        Args:
            inputs: float32 (steps, batch, H, W, C), or as many such tensors as the model has inputs.
            targets: float32 (steps, batch, ...), what the losses compare the model's outputs with.
            learning_rates: float32 (steps,).

        Returns:
            float32 (steps, losses): of each batch the sum before its step over the number of values in its
            targets, the first of them where there are several.
        """
        steps = int(np.asarray(self.optimizer.iterations)) + 1 + np.arange(len(learning_rates))
        powers = [power(beta, steps) for beta in (self.optimizer.beta_1, self.optimizer.beta_2)]
        rates = np.stack([learning_rates, *powers], axis=1).astype(np.float32)
        return self._call(self._train_batches, inputs, targets, tf.constant(rates))

    def evaluate(self, inputs: Tensors, targets: Tensors) -> tf.Tensor:
        """Return the losses of each batch, float32 (steps, losses), without training; else as `train`."""
        return self._call(self._evaluate_batches, inputs, targets)

    def gradients(self, inputs: Tensors, targets: Tensors, scale: float) -> list[tf.Tensor]:
        """Return scale times the summed losses of a batch, then the first one's gradient to each variable."""

        def sums(inputs: Tensors, targets: Tensors) -> list[tf.Tensor]:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(self._variables)
                losses = self.losses(inputs, targets)
            return [*losses, *tape.gradient(losses[0], self._variables, unconnected_gradients="zero")]

        # Summed over replicas before anything else is computed from the sum: the root of the tree.
        context = tf.distribute.get_replica_context()
        replica = tf.get_static_value(context.replica_id_in_sync_group)
        part = share(inputs, targets, self.shards, replica, context.num_replicas_in_sync)
        if count(part[0]) > 0:
            summed = in_shards(sums, *part)
        else:
            losses = [tf.zeros(()) for _ in self.task.losses]
            summed = [*losses, *(tf.zeros_like(variable) for variable in self._variables)]
        if context.num_replicas_in_sync > 1:
            summed = context.all_reduce(tf.distribute.ReduceOp.SUM, summed)
        return [scale * value for value in summed]

    def losses(self, inputs: Tensors, targets: Tensors) -> list[tf.Tensor]:
        """Return each of the task's losses, summed over the images."""
        outputs = self.task.forward(inputs)
        return [
            self.task.arithmetic.sum_over(loss(targets, outputs), 0) for loss in self.task.losses.values()
        ]

    def apply(self, gradients: list[tf.Tensor], rates: tf.Tensor) -> None:
        """Take one Adam step, one operation a variable: Kingma, Ba (2014), with ε as Keras has it.

        m += (1 − β₁)(g − m),  v += (1 − β₂)(g² − v),  w −= rate·√(1 − β₂ᵗ)/(1 − β₁ᵗ) · m/(√v + ε)

        `rates` are the learning rate, β₁ᵗ and β₂ᵗ.
        """
        optimizer = self.optimizer
        learning_rate, beta1_power, beta2_power = tf.unstack(rates, 3)
        optimizer.learning_rate.assign(learning_rate)
        moments = keras_graph.moments(optimizer)
        for variable, gradient, (m, v) in zip(self._variables, gradients, moments, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=m.value.handle,
                v=v.value.handle,
                beta1_power=beta1_power,
                beta2_power=beta2_power,
                lr=learning_rate,
                beta1=optimizer.beta_1,
                beta2=optimizer.beta_2,
                epsilon=optimizer.epsilon,
                grad=gradient,
            )
        optimizer.iterations.assign_add(1)

    def _call(
        self, function: Callable[..., tf.Tensor], inputs: Tensors, targets: Tensors, *rest: tf.Tensor
    ) -> tf.Tensor:
        """Run a graph in which only the number of batches is open: no shape is left to compute in a step."""
        specs = tf.nest.map_structure(
            lambda values: tf.TensorSpec((None, *values.shape[1:])), (inputs, targets)
        )
        key = (function.__name__, *(spec.shape[1:] for spec in tf.nest.flatten(specs)))
        if key not in self._graphs:
            self._graphs[key] = tf.function(
                function, [*specs, *(tf.TensorSpec((None, *values.shape[1:])) for values in rest)]
            )
        return self._graphs[key](inputs, targets, *rest)

    def _train_batches(self, inputs: Tensors, targets: Tensors, rates: tf.Tensor) -> tf.Tensor:
        losses = tf.TensorArray(tf.float32, tf.shape(rates)[0])
        for step in tf.range(tf.shape(rates)[0]):
            batch = tf.nest.map_structure(lambda values: values[step], (inputs, targets, rates))  # noqa: B023
            of_step = self.strategy.experimental_local_results(self.strategy.run(self._step, batch))[0]
            losses = losses.write(step, of_step)
        return losses.stack()

    def _step(self, inputs: Tensors, targets: Tensors, rates: tf.Tensor) -> tf.Tensor:
        """Take one step; every replica is given the whole batch and computes its share."""
        summed = self.gradients(inputs, targets, share_of_one(targets))
        losses = len(self.task.losses)
        self.apply(summed[losses:], rates)
        return tf.stack(summed[:losses])

    def _evaluate_batches(self, inputs: Tensors, targets: Tensors) -> tf.Tensor:
        def of_batch(batch: tuple[Tensors, Tensors]) -> tf.Tensor:
            scale = share_of_one(batch[1])

            def sums(inputs: Tensors, targets: Tensors) -> list[tf.Tensor]:
                return [scale * loss for loss in self.losses(inputs, targets)]

            return tf.stack(in_shards(sums, *batch, self.shards))

        return tf.map_fn(of_batch, (inputs, targets), fn_output_signature=tf.float32)


def power(base: float, exponents: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return base to the power of whole numbers by multiplications alone: libraries' pow differ in digits."""
    result, square = np.ones(len(exponents)), base
    while exponents.any():
        result = np.where(exponents & 1, result * square, result)
        exponents, square = exponents >> 1, square * square
    return result
