"""The S3 bucket with the artifacts of an account and region."""

from __future__ import annotations

import hashlib
import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bridge.dev.deploying.aws import error_code
from bridge.dev.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from bridge.dev.deploying.aws import AwsClients

# Files from this size on are uploaded in parts. S3 takes parts of 5 MB and more.
_PART_SIZE = 8 * 1024 * 1024
_UPLOAD_THREADS = 4
_CHUNK_SIZE = 1 << 20
# How many artifacts of a stack are kept: CloudFormation reads the last but one if it rolls a deployment back.
_KEPT_ARTIFACTS = 2
_LIFECYCLE = {
    "Rules": [
        {
            "ID": "abort-incomplete-uploads",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
        }
    ]
}


@dataclass(frozen=True)
class ArtifactFile:
    """An artifact on this machine.

    Attributes:
        file: the zip file.
        digest: its SHA-256.
        size: its size in bytes.
    """

    file: Path
    digest: str
    size: int

    @classmethod
    def of(cls, file: Path) -> ArtifactFile:
        """Return the artifact in *file*."""
        sha, size = hashlib.sha256(), 0
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK_SIZE):
                sha.update(chunk)
                size += len(chunk)
        return cls(file, sha.hexdigest(), size)

    def key(self, stack: str) -> str:
        """Return the key of the artifact in the bucket."""
        return f"{stack}/{self.digest}.zip"


class ArtifactBucket:
    """The bucket, which may not exist yet.

    Args:
        clients: the clients of the account and region.
        name: a bucket that exists; None for that of ``bridge deploy``, which is created if necessary.

    Attributes:
        name: the name of the bucket.
    """

    def __init__(self, clients: AwsClients, name: str | None = None) -> None:
        self._clients, self._is_own = clients, name is None
        self.name = name or f"serverless-bridge-{clients.identity().account}-{clients.region}"
        # The name can be guessed: without the owner, artifacts could end in a bucket of another account.
        self._bucket = {"Bucket": self.name, "ExpectedBucketOwner": clients.identity().account}

    def ensure(self, on_create: Callable[[str], None]) -> None:
        """Create and configure the bucket unless that is done.

        An interrupted creation is completed: the lifecycle rule is the last of the configuration.

        Args:
            on_create: called with the name of the bucket before it is created.

        Raises:
            CommandError: the name belongs to another account, or the bucket of ``--bucket`` does not exist.
        """
        exists = self._exists()
        if not self._is_own:
            if not exists:
                raise CommandError(f"--bucket {self.name}: there is no such bucket. Create it, or leave out --bucket.")
            return
        if exists and self._is_configured():
            return
        on_create(self.name)
        if not exists:
            self._create()
        s3 = self._s3
        blocks = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        s3.put_public_access_block(**self._bucket, PublicAccessBlockConfiguration=dict.fromkeys(blocks, True))
        encryption = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
        s3.put_bucket_encryption(**self._bucket, ServerSideEncryptionConfiguration=encryption)
        s3.put_bucket_lifecycle_configuration(**self._bucket, LifecycleConfiguration=_LIFECYCLE)

    def has(self, artifact: ArtifactFile, key: str) -> bool:
        """Return whether an earlier deployment has uploaded the artifact."""
        from botocore.exceptions import ClientError

        try:
            return bool(self._s3.head_object(**self._bucket, Key=key)["ContentLength"] == artifact.size)
        except ClientError as error:
            if error_code(error) in ("404", "NoSuchKey"):
                return False
            raise

    def upload(self, artifact: ArtifactFile, key: str, on_bytes: Callable[[int], None]) -> None:
        """Upload an artifact.

        An interrupted upload in parts is continued: the parts that have arrived are not sent again.

        Args:
            artifact: the artifact.
            key: its key.
            on_bytes: called with the number of bytes of each part that has arrived.
        """
        if artifact.size < _PART_SIZE:
            from boto3.s3.transfer import TransferConfig

            self._s3.upload_file(
                str(artifact.file),
                self.name,
                key,
                ExtraArgs={"ExpectedBucketOwner": self._bucket["ExpectedBucketOwner"]},
                Callback=on_bytes,
                Config=TransferConfig(multipart_threshold=_PART_SIZE, use_threads=False),  # Ctrl-C ends it at once
            )
        else:
            self._upload_parts(artifact, key, on_bytes)

    def prune(self, stack: str, key: str) -> None:
        """Delete artifacts of a stack, except for *key* and the newest before it."""
        newest_first = sorted(self._artifacts(stack), key=lambda item: item["LastModified"], reverse=True)
        others = [item["Key"] for item in newest_first if item["Key"] != key]
        self._delete(others[_KEPT_ARTIFACTS - 1 :])

    def delete_artifacts(self, stack: str) -> None:
        """Delete all artifacts of a stack."""
        self._delete([item["Key"] for item in self._artifacts(stack)])

    @property
    def _s3(self) -> Any:
        return self._clients.client("s3")

    def _exists(self) -> bool:
        from botocore.exceptions import ClientError

        try:
            self._s3.head_bucket(**self._bucket)
        except ClientError as error:
            if error_code(error) in ("404", "NoSuchBucket"):
                return False
            if error_code(error) in ("403", "AccessDenied", "Forbidden"):
                raise CommandError(
                    f"The bucket {self.name} cannot be used: it belongs to another account, or the permission "
                    "s3:ListBucket is missing. Choose another bucket with --bucket, or compare the permissions with "
                    "`bridge deploy --print-policy`."
                ) from error
            raise
        return True

    def _is_configured(self) -> bool:
        from botocore.exceptions import ClientError

        try:
            self._s3.get_bucket_lifecycle_configuration(**self._bucket)
        except ClientError as error:
            if error_code(error) == "NoSuchLifecycleConfiguration":
                return False
            raise
        return True

    def _create(self) -> None:
        from botocore.exceptions import ClientError

        region = self._clients.region
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html: us-east-1 is no constraint.
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        try:
            self._s3.create_bucket(Bucket=self.name, **place)
        except ClientError as error:
            if error_code(error) != "BucketAlreadyOwnedByYou":  # another deployment has created it
                raise

    def _upload_parts(self, artifact: ArtifactFile, key: str, on_bytes: Callable[[int], None]) -> None:
        """Upload in parts, several at once. After an error or Ctrl-C the parts stay for the next call."""
        target = {**self._bucket, "Key": key}
        upload = (
            self._unfinished_upload(key)
            or self._s3.create_multipart_upload(**target, ChecksumAlgorithm="CRC32")["UploadId"]
        )
        parts = {part["PartNumber"]: part for part in self._arrived_parts(key, upload)}
        count = -(-artifact.size // _PART_SIZE)

        def send(number: int) -> int:
            offset = (number - 1) * _PART_SIZE
            size = min(_PART_SIZE, artifact.size - offset)
            if parts.get(number, {}).get("Size") != size:
                with artifact.file.open("rb") as stream:
                    stream.seek(offset)
                    part = stream.read(size)
                parts[number] = self._s3.upload_part(
                    **target, UploadId=upload, PartNumber=number, Body=part, ChecksumAlgorithm="CRC32"
                )
            return size

        for size in _run_in_threads(send, range(1, count + 1)):
            on_bytes(size)
        completed = [
            {"PartNumber": number, "ETag": part["ETag"], **_checksum(part)}
            for number, part in sorted(parts.items())
            if number <= count
        ]
        self._s3.complete_multipart_upload(**target, UploadId=upload, MultipartUpload={"Parts": completed})

    def _unfinished_upload(self, key: str) -> str | None:
        uploads = self._s3.list_multipart_uploads(**self._bucket, Prefix=key).get("Uploads", ())
        found = [each for each in uploads if each["Key"] == key]
        return max(found, key=lambda each: each["Initiated"])["UploadId"] if found else None

    def _arrived_parts(self, key: str, upload: str) -> Iterator[dict[str, Any]]:
        for page in self._s3.get_paginator("list_parts").paginate(**self._bucket, Key=key, UploadId=upload):
            yield from page.get("Parts", ())

    def _artifacts(self, stack: str) -> Iterator[dict[str, Any]]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(**self._bucket, Prefix=f"{stack}/")
        for page in pages:
            yield from page.get("Contents", ())

    def _delete(self, keys: list[str]) -> None:
        for start in range(0, len(keys), 1000):
            objects = [{"Key": key} for key in keys[start : start + 1000]]
            self._s3.delete_objects(**self._bucket, Delete={"Objects": objects, "Quiet": True})


def _run_in_threads(call: Callable[[int], int], numbers: Iterable[int]) -> Iterator[int]:
    """Yield the results of *call* as they come, in any order; the first exception is raised.

    The threads are daemons: after Ctrl-C neither this function nor the end of the process waits for them.
    """
    todo: queue.SimpleQueue[int] = queue.SimpleQueue()
    results: queue.SimpleQueue[int | Exception] = queue.SimpleQueue()
    for number in numbers:
        todo.put(number)
    count, is_over = todo.qsize(), threading.Event()

    def work() -> None:
        while not is_over.is_set():
            try:
                number = todo.get_nowait()
            except queue.Empty:
                return
            try:
                results.put(call(number))
            except Exception as error:  # raised in the calling thread
                results.put(error)

    for _ in range(min(_UPLOAD_THREADS, count)):
        threading.Thread(target=work, name="bridge upload", daemon=True).start()
    try:
        for _ in range(count):
            result = results.get()
            if isinstance(result, Exception):
                raise result
            yield result
    finally:
        is_over.set()


def _checksum(part: dict[str, Any]) -> dict[str, str]:
    return {"ChecksumCRC32": part["ChecksumCRC32"]} if "ChecksumCRC32" in part else {}
