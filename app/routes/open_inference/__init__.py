"""The Open Inference Protocol (V2, REST), one file for each concern; ``app.factory`` registers what is named here."""

from app.routes.open_inference.health import protocol_health
from app.routes.open_inference.infer import infer_route
from app.routes.open_inference.metadata import protocol_metadata

OPEN_INFERENCE = (protocol_metadata, protocol_health, infer_route)
