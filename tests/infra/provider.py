"""A Terraform provider with a schema and no function: enough for terraform validate and terraform test.

    provider.py SCHEMA.JSON NAME

terraform-schema.mjs rebuilds the schema. Values are not checked: this is not the real provider.
"""

import json
import sys

import tf.provider
from tf.gen import tfplugin_pb2 as messages
from tf.iface import Provider
from tf.runner import run_provider

SCHEMA = json.load(open(sys.argv.pop(1)))
NAME = sys.argv.pop(1)


def block(found):
    made = messages.Schema.Block()
    for name, one in found["attributes"].items():
        made.attributes.add(
            name=name, type=json.dumps(one["type"]).encode(), required=one.get("required", False),
            optional=one.get("optional", False), computed=one.get("computed", False))
    for name, one in found["blocks"].items():
        made.block_types.add(type_name=name, block=block(one["block"]), nesting=messages.Schema.NestedBlock.LIST, min_items=one["min"], max_items=one["max"])
    return made


def schemas(found):
    return {name: messages.Schema(block=block(one)) for name, one in found.items()}


class Servicer(tf.provider.ProviderServicer):
    def GetProviderSchema(self, request, context):
        return messages.GetProviderSchema.Response(
            provider=messages.Schema(block=block(SCHEMA["provider"])),
            resource_schemas=schemas(SCHEMA["resources"]), data_source_schemas=schemas(SCHEMA["data_sources"]))

    def ValidateProviderConfig(self, request, context):
        return messages.ValidateProviderConfig.Response()

    def ValidateResourceConfig(self, request, context):
        return messages.ValidateResourceConfig.Response()

    def ValidateDataResourceConfig(self, request, context):
        return messages.ValidateDataResourceConfig.Response()


class Named(Provider):
    def get_model_prefix(self):
        return f"{NAME.rsplit('/', 1)[-1]}_"

    def full_name(self):
        return f"registry.terraform.io/{NAME}"

    def get_provider_schema(self, diagnostics):
        return None

    def validate_config(self, diagnostics, config):
        return None

    def configure_provider(self, diagnostics, config):
        return None

    def get_data_sources(self):
        return []

    def get_resources(self):
        return []


tf.provider.ProviderServicer = Servicer
run_provider(Named(), sys.argv)
