"""Solutions of the exercises in notebook 08. There are others; the checks accept them, too."""

from mxnet import autograd

from utils import train


# Exercise 1. `order[rank::workers]` deals the images out like cards, and is right as well.
def my_part(order, rank, workers):
    length = len(order) // workers
    return order[rank * length : (rank + 1) * length]


# Exercise 2. A piece is complete after it has met the other n - 1 workers, and known to all of them
# after n - 1 more rounds. All workers send at the same time, so a round takes as long as one piece.
def ring_step_seconds(compute_seconds, gradient_bytes, bytes_per_second, workers):
    rounds = 2 * (workers - 1)
    return compute_seconds + rounds * gradient_bytes / workers / bytes_per_second


# Exercise 3. The losses are added up and not averaged, so that each image counts once, in a large
# part as in a small one. Division by the number of images is left to the trainer.
def accumulated_step(net, parts, trainer):
    parameters = net.collect_params().values()
    for parameter in parameters:
        parameter.grad_req = "add"
        parameter.grad()[:] = 0
    for X, y in parts:
        with autograd.record():
            losses = train.loss_function(net(X), y)
        losses.backward()
    trainer.step(sum(len(y) for _, y in parts))
