"""The messages of the service as marshmallow schemas, one file each; the OpenAPI document is made from them."""
