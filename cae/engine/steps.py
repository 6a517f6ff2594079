"""Optimisation steps whose bits depend neither on cores nor on threads nor on a second worker.

A batch is cut into a fixed number of shards. Each shard is computed by single-threaded operations, the
shards run side by side, and their sums are added as a fixed binary tree, ((s0 + s1) + (s2 + s3)). Two
workers that hold one half of a batch each and add their two sums get the same bits as one process.
"""

import math
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from cae.engine.losses import OF_LOGITS, Loss, Tensors, cross_entropy
from cae.engine.twin import Twin
from cae.ground import runtime

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
        if not self.twin.gives_logits and any(loss in OF_LOGITS for loss in losses):
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

    def train(self, inputs: Tensors, targets: Tensors, learning_rates: tf.Tensor) -> tf.Tensor:
        """Take one step for each batch, in order.

        Args:
            inputs: float32 (steps, batch, H, W, C), or as many such tensors as the model has inputs.
            targets: float32 (steps, batch, ...), what the losses compare the model's outputs with.
            learning_rates: float32 (steps,).

        Returns:
            float32 (steps, losses): of each batch the sum before its step over the number of values in its
            targets, the first of them where there are several.
        """
        return self._call(self._train_batches, inputs, targets, learning_rates)

    def evaluate(self, inputs: Tensors, targets: Tensors) -> tf.Tensor:
        """Return the losses of each batch, float32 (steps, losses), without training; else as `train`."""
        return self._call(self._evaluate_batches, inputs, targets)

    def gradients(self, inputs: Tensors, targets: Tensors, scale: float) -> list[tf.Tensor]:
        """Return scale times the summed losses of a batch, then the first one's gradient to each variable."""

        def sums(inputs: Tensors, targets: Tensors) -> list[tf.Tensor]:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(self._variables)
                outputs = self.twin(inputs)
                losses = [loss(targets, outputs) for loss in self.losses]
            return [*losses, *tape.gradient(losses[0], self._variables, unconnected_gradients="zero")]

        # Summed over replicas before anything else is computed from the sum: the root of the tree.
        context = tf.distribute.get_replica_context()
        replica = tf.get_static_value(context.replica_id_in_sync_group)
        part = share(inputs, targets, self.shards, replica, context.num_replicas_in_sync)
        if count(part[0]) > 0:
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
        self, function: Callable[..., tf.Tensor], inputs: Tensors, targets: Tensors, *rest: tf.Tensor
    ) -> tf.Tensor:
        """Run a graph in which only the number of batches is open: no shape is left to compute in a step."""
        specs = tf.nest.map_structure(
            lambda values: tf.TensorSpec((None, *values.shape[1:])), (inputs, targets)
        )
        key = (function.__name__, *(spec.shape[1:] for spec in tf.nest.flatten(specs)))
        if key not in self._graphs:
            self._graphs[key] = tf.function(function, [*specs, *(tf.TensorSpec((None,)) for _ in rest)])
        return self._graphs[key](inputs, targets, *rest)

    def _train_batches(self, inputs: Tensors, targets: Tensors, learning_rates: tf.Tensor) -> tf.Tensor:
        losses = tf.TensorArray(tf.float32, tf.shape(learning_rates)[0])
        for step in tf.range(tf.shape(learning_rates)[0]):
            batch = tf.nest.map_structure(lambda values: values[step], (inputs, targets, learning_rates))  # noqa: B023
            of_step = self.strategy.experimental_local_results(self.strategy.run(self._step, batch))[0]
            losses = losses.write(step, of_step)
        return losses.stack()

    def _step(self, inputs: Tensors, targets: Tensors, learning_rate: tf.Tensor) -> tf.Tensor:
        """Take one step; every replica is given the whole batch and computes its share."""
        summed = self.gradients(inputs, targets, share_of_one(targets))
        losses = len(self.losses)
        self.apply(summed[losses:], learning_rate)
        return tf.stack(summed[:losses])

    def _evaluate_batches(self, inputs: Tensors, targets: Tensors) -> tf.Tensor:
        def of_batch(batch: tuple[Tensors, Tensors]) -> tf.Tensor:
            scale = share_of_one(batch[1])

            def sums(inputs: Tensors, targets: Tensors) -> list[tf.Tensor]:
                outputs = self.twin(inputs)
                return [scale * loss(targets, outputs) for loss in self.losses]

            return tf.stack(in_shards(sums, *batch, self.shards))

        return tf.map_fn(of_batch, (inputs, targets), fn_output_signature=tf.float32)
