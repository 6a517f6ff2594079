"""Optimisation steps whose bits depend neither on cores nor on threads nor on a second worker.

A batch is cut into a fixed number of shards. Each shard is computed by single-threaded operations, the
shards run side by side, and their sums are added as a fixed binary tree, ((s0 + s1) + (s2 + s3)). Two
workers that hold one half of a batch each and add their two sums get the same bits as one process.
"""

import math
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from cae.engine.twin import Twin
from cae.ground import runtime

Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""(targets, output of the twin) → the sum of the loss over every value of every image."""

# Both are computed from the logits z that the twin of a network with a sigmoid gives.

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


def cross_entropy(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Sum the binary cross-entropy −t·ln σ(z) − (1 − t)·ln(1 − σ(z)) over all pixels."""
    return tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits))


def squared_error(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Sum the squared error (σ(z) − t)² over all pixels."""
    return tf.reduce_sum(tf.math.squared_difference(tf.sigmoid(logits), targets))


# By the name that a network's module gives.
OBJECTIVES: dict[str, Loss] = {"cross_entropy": cross_entropy, "squared_error": squared_error}


def in_shards(
    sums: Callable[[tf.Tensor, tf.Tensor], list[tf.Tensor]],
    images: tf.Tensor,
    targets: tf.Tensor,
    shards: int,
) -> list[tf.Tensor]:
    """Add up `sums(images, targets)` over the shards of a batch, as a tree.

    The batch is cut in two in proportion to the shards on either side, and so is each part: half of the
    batch in half of the shards is one summand of the whole. Fewer images than shards have one shard each.

    Args:
        sums: gives the tensors to add for one shard.
        images: float32 (N, ...), N at least 1 and known when the graph is built.
        targets: float32 (N, ...).
        shards: at least 1.
    """
    if shards == 1:
        return sums(images, targets)
    middle = half(images.shape[0], shards)
    # Fewer images than shards: the first half of the shards stays empty, as in `share`.
    if middle == 0:
        return in_shards(sums, images, targets, shards - shards // 2)
    first = in_shards(sums, images[:middle], targets[:middle], shards // 2)
    second = in_shards(sums, images[middle:], targets[middle:], shards - shards // 2)
    return [tf.add(a, b) for a, b in zip(first, second, strict=True)]


def share(
    images: tf.Tensor, targets: tf.Tensor, shards: int, replica: int, replicas: int
) -> tuple[tf.Tensor, tf.Tensor, int]:
    """Return one replica's part of a batch and of its shards: a branch of the tree of `in_shards`.

    A part can be empty, where a batch has fewer images than there are replicas.
    """
    while replicas > 1:
        middle = half(images.shape[0], shards)
        shards, replicas = shards // 2, replicas // 2
        mine = slice(middle) if replica < replicas else slice(middle, None)
        images, targets, replica = images[mine], targets[mine], replica % replicas
    return images, targets, shards


def half(images: int, shards: int) -> int:
    """Return how many images belong to the first half of the shards."""
    return images * (shards // 2) // shards


class Steps:
    """Training and validation of one model, many batches a call.

    Args:
        model: a built network; its variables are trained in place.
        optimizer: a plain Adam, whose variables are the state to save; built here if it is not yet.
        shards: into how many parts a batch is cut, at least 1. The bits of the result depend on it.
        losses: the first is trained on, all are told; by default that of a model which ends in a sigmoid.
        fast: whether the model's twin may compute plain chains of layers faster; without, no C compiler is
            needed.

    A batch is shared among the replicas of the `tf.distribute` strategy in whose scope the model was built.
    With two replicas the sums have the same bits as with one; more are added in an order of TensorFlow's own.

    Raises:
        UserError: the environment that the bits depend on is not pinned.
        ValueError: the shards cannot be shared evenly among a power of 2 of replicas, the optimizer does
            more than Adam, or a loss of logits meets a model without.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Adam,
        shards: int,
        losses: Sequence[Loss] = (cross_entropy,),
        fast: bool = True,
    ) -> None:
        runtime.check()
        if type(optimizer) is not keras.optimizers.Adam:
            raise ValueError(
                f"The optimizer is {type(optimizer).__name__}, but must be keras.optimizers.Adam."
            )
        extras = [name for name in BEYOND_ADAM if getattr(optimizer, name, None)]
        if extras:
            raise ValueError(f"The optimizer must be a plain Adam, without {', '.join(extras)}.")
        self.twin = Twin(model, fast)
        if not self.twin.gives_logits and any(loss in OBJECTIVES.values() for loss in losses):
            raise ValueError("The loss is computed from logits: the model must end in a sigmoid.")
        if not optimizer.built:
            optimizer.build(model.trainable_variables)
        self.strategy = tf.distribute.get_strategy()
        replicas = self.strategy.num_replicas_in_sync
        if replicas & (replicas - 1) or shards % replicas:
            raise ValueError(f"{shards} shards cannot be shared by {replicas} replicas")
        self.optimizer = optimizer
        self.shards = shards
        self.losses = losses
        self._variables = [variable.value for variable in self.twin.variables]
        self._graphs: dict[tuple[object, ...], Callable[..., tf.Tensor]] = {}

    def train(self, images: tf.Tensor, targets: tf.Tensor, learning_rates: tf.Tensor) -> tf.Tensor:
        """Take one step for each batch, in order.

        Args:
            images: float32 (steps, batch, H, W, C).
            targets: float32 (steps, batch, ...), each of the shape of the model's output.
            learning_rates: float32 (steps,).

        Returns:
            float32 (steps, losses): of each batch the mean over all its values, before its step.
        """
        return self._call(self._train_batches, images, targets, learning_rates)

    def evaluate(self, images: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Return the losses of each batch, float32 (steps, losses), without training; else as `train`."""
        return self._call(self._evaluate_batches, images, targets)

    def gradients(self, images: tf.Tensor, targets: tf.Tensor, scale: float) -> list[tf.Tensor]:
        """Return scale times the summed losses of a batch, then the first one's gradient to each variable."""

        def sums(images: tf.Tensor, targets: tf.Tensor) -> list[tf.Tensor]:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(self._variables)
                output = self.twin(images)
                losses = [loss(targets, output) for loss in self.losses]
            return [*losses, *tape.gradient(losses[0], self._variables, unconnected_gradients="zero")]

        # Summed over replicas before anything else is computed from the sum: the root of the tree.
        context = tf.distribute.get_replica_context()
        replica = tf.get_static_value(context.replica_id_in_sync_group)
        part = share(images, targets, self.shards, replica, context.num_replicas_in_sync)
        if part[0].shape[0] > 0:
            summed = in_shards(sums, *part)
        else:
            losses = [tf.zeros(()) for _ in self.losses]
            summed = [*losses, *(tf.zeros_like(variable) for variable in self._variables)]
        if context.num_replicas_in_sync > 1:
            summed = context.all_reduce(tf.distribute.ReduceOp.SUM, summed)
        return [scale * value for value in summed]

    def apply(self, gradients: list[tf.Tensor], learning_rate: tf.Tensor) -> None:
        """Take one Adam step, one operation a variable: Kingma, Ba (2014), with ε as Keras has it.

        m += (1 − β₁)(g − m),  v += (1 − β₂)(g² − v),  w −= rate·√(1 − β₂ᵗ)/(1 − β₁ᵗ) · m/(√v + ε)
        """
        optimizer = self.optimizer
        optimizer.learning_rate.assign(learning_rate)
        step = tf.cast(optimizer.iterations + 1, tf.float32)
        beta1_power, beta2_power = optimizer.beta_1**step, optimizer.beta_2**step
        moments = zip(optimizer._momentums, optimizer._velocities, strict=True)
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
        self, function: Callable[..., tf.Tensor], images: tf.Tensor, targets: tf.Tensor, *rest: tf.Tensor
    ) -> tf.Tensor:
        """Run a graph in which only the number of batches is open: no shape is left to compute in a step."""
        key = (function.__name__, tuple(images.shape[1:]), tuple(targets.shape[1:]))
        if key not in self._graphs:
            batches = [tf.TensorSpec((None, *values.shape[1:])) for values in (images, targets)]
            self._graphs[key] = tf.function(function, [*batches, *(tf.TensorSpec((None,)) for _ in rest)])
        return self._graphs[key](images, targets, *rest)

    def _train_batches(self, images: tf.Tensor, targets: tf.Tensor, learning_rates: tf.Tensor) -> tf.Tensor:
        losses = tf.TensorArray(tf.float32, tf.shape(images)[0])
        for step in tf.range(tf.shape(images)[0]):
            batch = (images[step], targets[step], learning_rates[step])
            of_step = self.strategy.experimental_local_results(self.strategy.run(self._step, batch))[0]
            losses = losses.write(step, of_step)
        return losses.stack()

    def _step(self, images: tf.Tensor, targets: tf.Tensor, learning_rate: tf.Tensor) -> tf.Tensor:
        """Take one step; every replica is given the whole batch and computes its share."""
        summed = self.gradients(images, targets, 1 / math.prod(targets.shape))
        count = len(self.losses)
        self.apply(summed[count:], learning_rate)
        return tf.stack(summed[:count])

    def _evaluate_batches(self, images: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        scale = 1 / math.prod(targets.shape[1:])

        def sums(images: tf.Tensor, targets: tf.Tensor) -> list[tf.Tensor]:
            output = self.twin(images)
            return [scale * loss(targets, output) for loss in self.losses]

        return tf.map_fn(
            lambda batch: tf.stack(in_shards(sums, batch[0], batch[1], self.shards)),
            (images, targets),
            fn_output_signature=tf.float32,
        )
