"""A remote in a bucket of S3: a server on this machine that checks credentials, as Amazon's does."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.pipeline.conftest import ENVIRONMENT, Project, find_free_ports

pytestmark = pytest.mark.slow

BUCKET = "artifacts"
# Requests that the server answers without credentials: three that make a user, and one that makes the bucket.
FREE_REQUESTS = 4
POLICY = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
# A command that takes longer hangs.
SECONDS = 300


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The address of a server of S3."""
    (port,) = find_free_ports(1)
    environment = ENVIRONMENT | {"INITIAL_NO_AUTH_ACTION_COUNT": str(FREE_REQUESTS)}
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        # Its first line after it listens has its address.
        started = any(f":{port}" in line for line in server.stderr)
        assert started, "the server of S3 did not start"
        threading.Thread(target=server.stderr.read, daemon=True).start()
        yield f"http://127.0.0.1:{port}"
        server.terminate()


@pytest.fixture(scope="module")
def credentials(endpoint: str) -> dict[str, Any]:
    """The credentials of a user who may use the bucket, as variables of the environment."""
    options = {
        "endpoint_url": endpoint,
        "region_name": "us-east-1",
        "aws_access_key_id": "none",
        "aws_secret_access_key": "none",
    }
    users = boto3.client("iam", **options)
    users.create_user(UserName="user")
    policy = json.dumps({"Version": "2012-10-17", "Statement": [POLICY]})
    users.put_user_policy(UserName="user", PolicyName="policy", PolicyDocument=policy)
    key = users.create_access_key(UserName="user")["AccessKey"]
    boto3.client("s3", **options).create_bucket(Bucket=BUCKET)
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


@pytest.fixture(scope="module")
def pushed(
    finished: Project, endpoint: str, credentials: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """A project whose results are in the bucket."""
    folder = tmp_path_factory.mktemp("bucket")
    finished.git("clone", "--quiet", "--bare", ".", str(folder / "git"))
    finished.git("clone", "--quiet", str(folder / "git"), str(folder / "pushed"))
    project = Project(folder / "pushed")
    project.dvc("cache", "dir", "--local", str(finished.folder / ".dvc/cache"))
    project.dvc("remote", "add", "--force", "--default", "storage", f"s3://{BUCKET}/fashion-mnist")
    project.dvc("remote", "modify", "storage", "endpointurl", endpoint)
    project.commit()
    project.git("push", "--quiet")
    project.dvc("push", **credentials)
    return project


@pytest.fixture
def clone(pushed: Project, tmp_path: Path) -> Project:
    """A fresh clone, without any results."""
    pushed.git("clone", "--quiet", "../git", str(tmp_path / "clone"))
    return Project(tmp_path / "clone")


def test_an_experiment_travels_through_the_bucket(
    pushed: Project, clone: Project, credentials: dict[str, Any]
) -> None:
    pushed.dvc("checkout")
    pushed.dvc("exp", "run", "--name", "shorter", "--set-param", "train.epochs=1")
    pushed.dvc("exp", "push", "origin", "shorter", **credentials)
    clone.dvc("exp", "pull", "origin", "shorter", **credentials)
    clone.dvc("exp", "apply", "shorter")
    clone.dvc("checkout")
    assert clone.read("models/autoencoder.keras") == pushed.read("models/autoencoder.keras")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "does not match the signature"),
        ({"AWS_ACCESS_KEY_ID": "wrong"}, "Key Id you provided does not exist"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "Unable to locate credentials"),
    ],
    ids=["secret", "key", "none"],
)
def test_wrong_credentials_are_named(
    variables: Mapping[str, str], message: str, clone: Project, credentials: dict[str, Any]
) -> None:
    check_refusal(clone, message, {**credentials, **variables})


def test_a_host_that_refuses_is_named(clone: Project, credentials: dict[str, Any]) -> None:
    (port,) = find_free_ports(1)
    address = f"http://127.0.0.1:{port}"
    clone.dvc("remote", "modify", "--local", "storage", "endpointurl", address)
    check_refusal(clone, f'Could not connect to the endpoint URL: "{address}', credentials)


def test_a_host_that_does_not_answer_is_named(clone: Project, credentials: dict[str, Any]) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        for name, value in {"endpointurl": address, "read_timeout": "1"}.items():
            clone.dvc("remote", "modify", "--local", "storage", name, value)
        check_refusal(clone, f'Read timeout on endpoint URL: "{address}', credentials)


def check_refusal(clone: Project, message: str, variables: dict[str, Any]) -> None:
    """Check that DVC, asked what the remote lacks, ends with one line."""
    limits = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1"}
    command = ("timeout", str(SECONDS), "dvc", "status", "--cloud")
    done = clone.run(*command, check=False, **limits, **variables)
    assert done.returncode != 0
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    assert message in line
    assert "Traceback" not in done.stderr
