"""Optimisation steps that give the same bits on any number of cores and threads, and on one worker or two.

A batch is cut into a fixed number of parts, its shards. The losses and gradients of each shard are computed
by single-threaded operations, and the shards run in parallel. Their sums are added as a fixed binary tree,
((s0 + s1) + (s2 + s3)), so the order of all additions depends on the number of shards alone.

Two workers compute one half of the shards each, which is one branch of the tree, and add their two sums: the
same bits as in one process.
"""

import math
from collections.abc import Callable

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from cae.core import environment
from cae.engine import forward, keras_graph, workers
from cae.networks.tasks import Task, Tensors

# Options of Keras's Adam that `Steps.apply_gradients` does not have.
UNSUPPORTED_ADAM_OPTIONS = (
    "amsgrad",
    "weight_decay",
    "clipnorm",
    "global_clipnorm",
    "clipvalue",
    "use_ema",
    "loss_scale_factor",
    "gradient_accumulation_steps",
)


Batch = tuple[Tensors, Tensors]
"""Inputs float32 (N, ...) and targets float32 (N, ...), each of them one tensor or several."""


def sum_over_shards(
    compute_sums: Callable[[Batch], list[tf.Tensor]], batch: Batch, shards: int
) -> list[tf.Tensor]:
    """Cut a batch into shards and add up `compute_sums(shard)` of all of them, as a binary tree.

    The batch is cut in two in proportion to the shards on either side, and so is each part. Half of a batch
    in half of the shards is therefore one branch of the tree of the whole batch. If a batch has fewer images
    than shards, each image is a shard.

    Args:
        compute_sums: returns the tensors to add for one shard.
        batch: at least one image; the number is known when the graph is built.
        shards: at least 1.
    """
    if shards == 1:
        return compute_sums(batch)
    middle = count_first_half(count_images(batch), shards)
    later_shards = shards - shards // 2
    if middle == 0:  # fewer images than shards: the shards of the first half stay empty
        return sum_over_shards(compute_sums, batch, later_shards)
    first = sum_over_shards(compute_sums, select_images(batch, slice(middle)), shards // 2)
    second = sum_over_shards(compute_sums, select_images(batch, slice(middle, None)), later_shards)
    return [tf.add(one, other) for one, other in zip(first, second, strict=True)]


def select_replica_part(batch: Batch, shards: int, replica: int, replicas: int) -> tuple[Batch, int]:
    """Return one replica's part of a batch and its number of shards: a branch of the tree.

    A part is empty if the batch has fewer images than there are replicas.
    """
    while replicas > 1:
        middle = count_first_half(count_images(batch), shards)
        shards, replicas = shards // 2, replicas // 2
        batch = select_images(batch, slice(middle) if replica < replicas else slice(middle, None))
        replica %= replicas
    return batch, shards


def count_images(batch: Batch) -> int:
    """Return the number of images of a batch."""
    images: int = tf.nest.flatten(batch)[0].shape[0]
    return images


def count_first_half(images: int, shards: int) -> int:
    """Return how many images belong to the first half of the shards."""
    return images * (shards // 2) // shards


def select_images(batch: Batch, images: slice) -> Batch:
    """Select some images' inputs and targets."""
    selected: Batch = tf.nest.map_structure(lambda values: values[images], batch)
    return selected


def compute_mean_factor(batch: Batch) -> float:
    """Return what turns a sum over a batch into a mean: 1 over the size of its (first) targets."""
    return 1 / math.prod(tf.nest.flatten(batch[1])[0].shape)


class Steps:
    """Training and validation steps of one network, many per call.

    In the scope of a `tf.distribute` strategy, each batch is shared among its replicas. Two replicas give the
    bits of one; TensorFlow adds the sums of more in an order of its own.

    Args:
        task: its network is trained in place. The first loss is minimised; all losses are returned.
        optimizer: a plain Adam; its variables are part of the state of the training.
        shards: the number of parts of a batch, at least 1. The bits of the results depend on it.

    Raises:
        UserError: the environment variables are not set, or the replicas cannot share the shards.
        ValueError: the optimizer is not a plain Adam, or training would ignore a part of the network.
    """

    def __init__(self, task: Task, optimizer: keras.optimizers.Adam, shards: int) -> None:
        environment.check_variables()
        if type(optimizer) is not keras.optimizers.Adam:
            raise ValueError(
                f"The optimizer is {type(optimizer).__name__}, but must be keras.optimizers.Adam."
            )
        unsupported = [name for name in UNSUPPORTED_ADAM_OPTIONS if getattr(optimizer, name, None)]
        if unsupported:
            raise ValueError(f"The optimizer must be a plain Adam, without {', '.join(unsupported)}.")
        forward.check(task.network)
        variables = task.network.trainable_variables
        if not optimizer.built:
            optimizer.build(variables)
        self.strategy = tf.distribute.get_strategy()
        workers.check_shards(self.strategy, shards)
        self.task = task
        self.optimizer = optimizer
        self.shards = shards
        self._variables = [variable.value for variable in variables]
        self._graphs: dict[tuple[object, ...], Callable[..., tf.Tensor]] = {}

    def train(self, inputs: Tensors, targets: Tensors, learning_rates: npt.NDArray[np.float32]) -> tf.Tensor:
        """Take one step for each batch, in order.

        Args:
            inputs: float32 (steps, batch, ...), or as many such tensors as the network has inputs.
            targets: float32 (steps, batch, ...), or several such tensors: what the losses need.
            learning_rates: float32 (steps,).

        Returns:
            float32 (steps, losses): the losses of each batch before its step, as means over the values of its
            targets (of the first targets, if there are several).
        """
        steps = int(np.asarray(self.optimizer.iterations)) + 1 + np.arange(len(learning_rates))
        powers = [compute_powers(beta, steps) for beta in (self.optimizer.beta_1, self.optimizer.beta_2)]
        rates = np.stack([learning_rates, *powers], axis=1).astype(np.float32)
        return self._call(self._train_batches, inputs, targets, tf.constant(rates))

    def evaluate(self, inputs: Tensors, targets: Tensors) -> tf.Tensor:
        """Return the losses of each batch without training: shapes as in `train`."""
        return self._call(self._evaluate_batches, inputs, targets)

    def compute_losses(self, batch: Batch) -> list[tf.Tensor]:
        """Return each loss of the task, summed over the images."""
        inputs, targets = batch
        outputs = self.task.forward(inputs)
        return [
            self.task.arithmetic.sum_over(loss(targets, outputs), 0) for loss in self.task.losses.values()
        ]

    def compute_losses_and_gradients(self, batch: Batch) -> list[tf.Tensor]:
        """Return the losses of a batch, then the gradient of the first one to each variable, all as means.

        Every replica is given the whole batch and computes its part of the shards.
        """

        def compute_sums(shard: Batch) -> list[tf.Tensor]:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(self._variables)
                losses = self.compute_losses(shard)
            return [*losses, *tape.gradient(losses[0], self._variables, unconnected_gradients="zero")]

        context = tf.distribute.get_replica_context()
        replica = tf.get_static_value(context.replica_id_in_sync_group)
        part, shards = select_replica_part(batch, self.shards, replica, context.num_replicas_in_sync)
        if count_images(part) > 0:
            sums = sum_over_shards(compute_sums, part, shards)
        else:
            losses = [tf.zeros(()) for _ in self.task.losses]
            sums = [*losses, *(tf.zeros_like(variable) for variable in self._variables)]
        # Sums of replicas are added before they are scaled: parts that are scaled would round differently.
        if context.num_replicas_in_sync > 1:
            sums = context.all_reduce(tf.distribute.ReduceOp.SUM, sums)
        return [compute_mean_factor(batch) * value for value in sums]

    def apply_gradients(self, gradients: list[tf.Tensor], rates: tf.Tensor) -> None:
        """Take one step of Adam, one operation per variable: Kingma, Ba (2014), with ε as in Keras.

        m += (1 − β₁)(g − m),  v += (1 − β₂)(g² − v),  w −= rate·√(1 − β₂ᵗ)/(1 − β₁ᵗ) · m/(√v + ε)

        `rates` are the learning rate, β₁ᵗ and β₂ᵗ.
        """
        optimizer = self.optimizer
        learning_rate, beta1_power, beta2_power = tf.unstack(rates, 3)
        optimizer.learning_rate.assign(learning_rate)
        moments = keras_graph.get_moments(optimizer)
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

    def _call(self, function: Callable[..., tf.Tensor], *arguments: Tensors) -> tf.Tensor:
        """Call a function as a graph, which is built once for all calls that differ in their steps alone."""
        specs = tf.nest.map_structure(lambda values: tf.TensorSpec((None, *values.shape[1:])), arguments)
        key = (function.__name__, *(spec.shape[1:] for spec in tf.nest.flatten(specs)))
        if key not in self._graphs:
            self._graphs[key] = tf.function(function, specs)
        return self._graphs[key](*arguments)

    def _train_batches(self, inputs: Tensors, targets: Tensors, rates: tf.Tensor) -> tf.Tensor:
        losses = tf.TensorArray(tf.float32, tf.shape(rates)[0])
        for step in tf.range(tf.shape(rates)[0]):
            batch = tf.nest.map_structure(lambda values: values[step], (inputs, targets))  # noqa: B023
            results = self.strategy.run(self._train_batch, (batch, rates[step]))
            losses = losses.write(step, self.strategy.experimental_local_results(results)[0])
        return losses.stack()

    def _train_batch(self, batch: Batch, rates: tf.Tensor) -> tf.Tensor:
        means = self.compute_losses_and_gradients(batch)
        losses = len(self.task.losses)
        self.apply_gradients(means[losses:], rates)
        return tf.stack(means[:losses])

    def _evaluate_batches(self, inputs: Tensors, targets: Tensors) -> tf.Tensor:
        def evaluate_batch(batch: Batch) -> tf.Tensor:
            factor = compute_mean_factor(batch)

            def compute_means(shard: Batch) -> list[tf.Tensor]:
                return [factor * loss for loss in self.compute_losses(shard)]

            return tf.stack(sum_over_shards(compute_means, batch, self.shards))

        return tf.map_fn(evaluate_batch, (inputs, targets), fn_output_signature=tf.float32)


def compute_powers(base: float, exponents: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return base to the power of each whole number by multiplications: `pow` differs between systems."""
    result, square = np.ones(len(exponents)), base
    while exponents.any():
        result = np.where(exponents & 1, result * square, result)
        exponents, square = exponents >> 1, square * square
    return result
