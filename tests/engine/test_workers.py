"""Workers: what TF_CONFIG may be, and what an error of another worker says. tests/pipeline runs real ones."""

import json
import re
from types import SimpleNamespace

import pytest
import tensorflow as tf

from cae.core.errors import UserError
from cae.engine import workers


def make_config(cluster: object, index: object = 0, job: object = "worker") -> str:
    return json.dumps({"cluster": cluster, "task": {"type": job, "index": index}})


@pytest.mark.parametrize("address", ["host0:2222", "127.0.0.1:1", "my-host.example:65535", "[::1]:2222"])
def test_an_address_of_a_worker_is_a_host_and_a_port(address: str) -> None:
    workers.check_config(make_config({"worker": [address]}))


@pytest.mark.parametrize(
    "config",
    [
        "{",
        "{}",
        "[]",
        make_config(["worker"]),
        make_config({"worker": []}),
        make_config({"worker": "a:1"}),
        make_config({"worker": {"0": "a:1"}}),
        *(make_config({"worker": [address]}) for address in (1, "a", "a:", ":1", "a:0", "a:65536", "a:b")),
        make_config({"worker": ["http://a/:1"]}),
        *(make_config({"worker": ["a:1"]}, index) for index in (1, -1, 0.5, "0")),
        make_config({"worker": ["a:1", "b:1"]}, index=True),
        make_config({"worker": ["a:1"]}, job="chief"),
        make_config({"worker": ["a:1"], "chief": ["b:1"]}),
    ],
)
def test_a_wrong_tf_config_is_reported(config: str) -> None:
    with pytest.raises(UserError, match=re.escape(f"TF_CONFIG is {config!r}, but it has to look like")):
        workers.check_config(config)


@pytest.mark.parametrize(("shards", "replicas"), [(3, 2), (6, 3), (2, 4)])
def test_shards_that_replicas_cannot_share_evenly_are_reported(shards: int, replicas: int) -> None:
    workers.check_shards(SimpleNamespace(num_replicas_in_sync=2), 4)
    with pytest.raises(UserError, match=f"train.shards is {shards}, but {replicas} workers"):
        workers.check_shards(SimpleNamespace(num_replicas_in_sync=replicas), shards)


def test_the_cause_of_a_failure_is_taken_from_the_message_of_tensorflow() -> None:
    message = (
        "Graph execution error:\n\nDetected at node while/CollectiveReduceV2 defined at:\n"
        '  File "train.py", line 16, in <module>\n\n  File "steps.py", line 140, in train\n\n'
        "Collective ops is aborted by: recvmsg:Connection reset by peer\n"
        "The error could be from a previous operation. Restart your program to reset.\n"
        "\t [[{{node while/CollectiveReduceV2}}]] [Op:__inference__train_batches_1929]"
    )
    expected = re.escape("stopped answering (recvmsg:Connection reset by peer). Start all workers")
    with pytest.raises(UserError, match=expected), workers.explain_failures():
        raise tf.errors.UnavailableError(None, None, message)
