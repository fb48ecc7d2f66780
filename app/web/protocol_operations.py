"""What the routes of the Open Inference Protocol take and give, for the OpenAPI document."""

from __future__ import annotations

from dataclasses import replace

from app.web.operations import Operation

_TAG = "open inference protocol"

_NO_MODEL, _UNKNOWN = 503, 404

_METADATA = Operation(
    path="/v2/models/{name}",
    method="get",
    summary="What the model takes and gives.",
    description="Its one input is all features; each feature may also be sent as an input of its own.",
    tag=_TAG,
    answer="ModelMetadata",
    refusals=(_UNKNOWN, _NO_MODEL),
    names_model=True,
)
_READY = Operation(
    path="/v2/models/{name}/ready",
    method="get",
    summary="The model can score rows.",
    description="404 if another model is live.",
    tag=_TAG,
    answer="ModelReady",
    refusals=(_UNKNOWN, _NO_MODEL),
    names_model=True,
)
_INFER = Operation(
    path="/v2/models/{name}/infer",
    method="post",
    summary="Label and score rows.",
    description="`is_inlier` is 1 for an inlier and -1 for an outlier; `anomaly_score` is in [-1, 0]: the lower, the "
    "more abnormal. With the binary tensor data extension, `Inference-Header-Content-Length` says where the JSON part "
    "of the body ends and the tensors begin: little endian, row after row.",
    tag=_TAG,
    request="InferenceRequest",
    answer="InferenceAnswer",
    refusals=(400, _UNKNOWN, 413, 415, _NO_MODEL),
    names_model=True,
    names_record=True,
    takes_tensors=True,
)


def _of_version(operation: Operation) -> Operation:
    """Describe the same of one version, which is the live one or refused."""
    return replace(operation, path=operation.path.replace("{name}", "{name}/versions/{version}"))


PROTOCOL_OPERATIONS = (
    Operation(
        path="/v2",
        method="get",
        summary="The service and its extensions of the protocol.",
        description="For clients of KServe, Triton and MLServer.",
        tag=_TAG,
        answer="ServerMetadata",
    ),
    Operation(
        path="/v2/health/live",
        method="get",
        summary="The process lives.",
        description="As `/healthz` says.",
        tag=_TAG,
        answer="ServerLive",
    ),
    Operation(
        path="/v2/health/ready",
        method="get",
        summary="A verified model is loaded.",
        description="As `/readyz` says: 503 with the reason, and what to do, if not.",
        tag=_TAG,
        answer="ServerReady",
        refusals=(_NO_MODEL,),
        names_model=True,
    ),
    Operation(
        path="/v2/repository/index",
        method="post",
        summary="The live model, as a list of one.",
        description="As Triton's clients ask for it; without a model the list is empty.",
        tag=_TAG,
        answer="ModelIndex",
    ),
    _METADATA,
    _of_version(_METADATA),
    _READY,
    _of_version(_READY),
    _INFER,
    _of_version(_INFER),
)
