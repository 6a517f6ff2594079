"""What the study trains on: the bound of several codes a picture, which is closer than that of one.

    log p(x) ≥ E[log 1/K Σ w_k],   w_k = p(x|z_k) p(z_k) / q(z_k|x),   z_k ~ q(z|x)

With K = 1 it is the evidence lower bound; it rises to log p(x) with K. Burda, Grosse, Salakhutdinov:
Importance Weighted Autoencoders (2016), https://arxiv.org/abs/1509.00519, section 3. In training the ratio
p(z) / q(z|x) has a power, β; with K = 1 that weighs the divergence as a β-VAE does. With K > 1 a power far
above 1 would do the opposite: the spread of the ratios would be rewarded.
"""

from functools import partial

import keras
import tensorflow as tf
from keras import ops

from cae.engine import tasks
from cae.engine.losses import Tensors, cross_entropy
from cae.engine.tasks import Task
from cae.ground.noise import CLEAN
from cae.networks.autoencoder import Autoencoder
from cae.networks.variational import painter, posterior


def task(network: Autoencoder, codes: int, beta: tf.Variable) -> Task:
    """Return the task of raising the bound of so many codes a picture, black and white."""
    losses = {"objective": partial(negative_bound, codes, beta), "loss": partial(grey_loss, codes)}
    # The numbers of all codes of a picture are drawn in one row.
    examples = partial(tasks.black_and_white, CLEAN, codes * network.code_size)
    return Task(sampling(network, codes), losses, examples)


def sampling(network: Autoencoder, codes: int) -> keras.Model:
    """Return what training runs: [images (N, H, W, C), ε (N, K·D)] → logits and log ratios of K codes each.

    Logits (N·K, H, W, C), a picture's codes one after the other; log p(z) − log q(z|x) = ½ Σ (ε² + s − z²),
    (N, K), of codes z = m + e^(s/2)·ε.
    """
    size = network.code_size
    encoder = posterior(network)
    image, draws = keras.Input(encoder.input_shape[1:]), keras.Input((codes * size,))
    noise = ops.reshape(draws, (-1, codes, size))
    mean, log_variance = (ops.expand_dims(part, 1) for part in encoder(image))
    code = mean + ops.exp(log_variance / 2) * noise
    ratio = ops.sum(ops.square(noise) + log_variance - ops.square(code), axis=2) / 2
    return keras.Model([image, draws], [painter(network)(ops.reshape(code, (-1, size))), ratio])


def negative_bound(
    codes: int, beta: tf.Variable, targets: list[tf.Tensor], outputs: list[tf.Tensor]
) -> tf.Tensor:
    """Sum −log 1/K Σ w_k over the black-and-white images, targets[0]."""
    logits, ratio = outputs
    white = tf.repeat(targets[0], codes, axis=0)
    errors = tf.nn.sigmoid_cross_entropy_with_logits(labels=white, logits=logits)
    fit = -tf.reshape(tf.reduce_sum(errors, axis=(1, 2, 3)), tf.shape(ratio))
    log_weights = fit + beta * ratio
    return tf.reduce_sum(tf.math.log(float(codes)) - tf.reduce_logsumexp(log_weights, axis=1))


def grey_loss(codes: int, targets: Tensors, outputs: Tensors) -> tf.Tensor:
    """Sum the cross-entropy to the grey images, targets[1], in the mean over a picture's codes."""
    return cross_entropy(tf.repeat(targets[1], codes, axis=0), outputs[0]) / codes
